#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs $RECIPE/build.sh, with a few words that most recipes are made of.
set -eu

# quietly LOG COMMAND...: what the command prints is kept in LOG and shown if it fails
quietly() {
    log=$1
    shift
    "$@" >"$log" 2>&1 || {
        tail -30 "$log"
        echo "$RECIPE: $1 failed, see $PWD/$log"
        exit 1
    }
}

# configure FLAGS...: the source's configure script, once; variables for it come before
configure() {
    [ ! -e configured ] || return 0
    CC_FOR_BUILD="$HOST_CC" CFLAGS="${CFLAGS--O2 -w}" quietly configure.log "$SOURCE/configure" \
        --host=x86_64-linux-musl --build=x86_64-pc-linux-gnu --prefix=/usr/local "$@"
    touch configured
}

# build TARGETS...
build() { quietly make.log make -s -j"$JOBS" "$@"; }

# everything: what the package's own `make install` installs
everything() { quietly install.log make -s install DESTDIR="$OUT"; }

# program FILE...: installs programs into /usr/local/bin
program() { mkdir -p "$OUT/usr/local/bin" && cp "$@" "$OUT/usr/local/bin"; }

# programs FOLDER: the ELF files below it that can be run
programs() {
    find "$1" -type f -perm -100 | while IFS= read -r file; do
        [ "$(head -c 4 "$file" | tr -d '\0')" != "$(printf '\177ELF')" ] || printf '%s\n' "$file"
    done
}

# The recipe's changes to the source, each with its reason.
if [ ! -e "$SOURCE/patched" ]; then
    for file in "$RECIPE"/*.patch; do
        [ ! -e "$file" ] || quietly patch.log patch -d "$SOURCE" -p1 -i "$file"
    done
    touch "$SOURCE/patched"
fi

# Programs of an earlier build in this folder are of another libc.a.
programs . | xargs rm -f
. "$RECIPE/build.sh"
(cd "$OUT" && rm -rf usr/local/share/man usr/local/share/info usr/local/share/doc usr/local/lib/*.la)
programs "$OUT" | xargs -r "$STRIP"
if [ -n "${PACKAGE-}" ]; then # the list of its files that pkg reads
    files=$(cd "$OUT" && find . ! -type d | sed 's|^\./||' | sort)
    mkdir -p "$OUT/var/lib/pkg"
    printf '%s\n' "$files" >"$OUT/var/lib/pkg/$PACKAGE"
fi
