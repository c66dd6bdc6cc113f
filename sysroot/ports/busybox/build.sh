#!/bin/sh
# SPDX-License-Identifier: MIT
# busybox: one program, with a link for each of its applets; but sh is dash's.  Those that must be root's whoever runs
# them are a second, small program, the only one that is set-id.
set -eu
# configure KIND CONFIG: changes to "make KIND", "NAME=value" per line
configure() {
    [ ! -e .config ] || return 0
    make -s -C "$SOURCE" O="$PWD" HOSTCC="$HOST_CC" "$1" >configure.log 2>&1
    sed -n 's/^\([A-Z0-9_]*\)=/\1 /p' "$2" | while read -r name value; do
        sed -i "/^CONFIG_$name=/d; /^# CONFIG_$name is not set\$/d" .config
        echo "CONFIG_$name=$value" >>.config
    done
    yes '' | make -s O="$PWD" HOSTCC="$HOST_CC" oldconfig >>configure.log 2>&1
}
# compile FILE: builds what is configured here and installs it with its links
compile() {
    rm -f busybox_unstripped
    make -s -j"$JOBS" CC="$CC" AR="$AR" STRIP="$STRIP" HOSTCC="$HOST_CC" CFLAGS_EXTRA=-w \
        SKIP_STRIP=y busybox busybox.links >make.log 2>&1 || { tail -20 make.log; exit 1; }
    install -D -m 0755 busybox_unstripped "$OUT$1"
    while read -r link; do
        mkdir -p "$OUT/${link%/*}"
        ln -sf "$1" "$OUT$link"
    done <busybox.links
}
configure defconfig "$RECIPE/config"
compile /bin/busybox
rm "$OUT/bin/sh"
install -D -m 0644 -t "$OUT/.host" busybox.links .config
mkdir -p setid
cd setid
configure allnoconfig "$RECIPE/config-setid"
compile /bin/busybox-setid
[ "$(sort busybox.links | tr '\n' ' ')" = "/bin/su /usr/bin/passwd " ] || { echo "too much of busybox is set-id"; exit 1; }
