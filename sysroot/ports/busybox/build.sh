#!/bin/sh
# SPDX-License-Identifier: MIT
# busybox: one program, with a link for each of its applets; but sh is dash's.
set -eu
[ -e .config ] || {
    make -s -C "$SOURCE" O="$PWD" HOSTCC="$HOST_CC" defconfig >configure.log 2>&1
    sed -n 's/^\([A-Z0-9_]*\)=\([yn]\)$/\1 \2/p' "$RECIPE/config" | while read -r name value; do
        sed -i "/^CONFIG_$name=/d; /^# CONFIG_$name is not set\$/d" .config
        echo "CONFIG_$name=$value" >>.config
    done
    yes '' | make -s O="$PWD" HOSTCC="$HOST_CC" oldconfig >>configure.log 2>&1
}
rm -f busybox_unstripped
make -s -j"$JOBS" CC="$CC" AR="$AR" STRIP="$STRIP" HOSTCC="$HOST_CC" CFLAGS_EXTRA=-w \
    SKIP_STRIP=y busybox busybox.links >make.log 2>&1 || { tail -20 make.log; exit 1; }
install -D -m 0755 busybox_unstripped "$OUT/bin/busybox"
while read -r link; do
    mkdir -p "$OUT/${link%/*}"
    ln -sf /bin/busybox "$OUT$link"
done <busybox.links
rm "$OUT/bin/sh"
