#!/bin/sh
# SPDX-License-Identifier: MIT
# dash, /bin/sh. No line editing of its own: the terminal's line discipline has it.
set -eu
[ -e Makefile ] || "$SOURCE/configure" --host=x86_64-linux-musl --build=x86_64-pc-linux-gnu \
    --without-libedit CC="$CC" CC_FOR_BUILD="$HOST_CC" CFLAGS="-O2 -w" >configure.log 2>&1 ||
    { rm -f Makefile; tail -20 configure.log; exit 1; }
rm -f src/dash
make -s -j"$JOBS" >make.log 2>&1 || { tail -20 make.log; exit 1; }
install -D -m 0755 src/dash "$OUT/bin/dash"
ln -s dash "$OUT/bin/sh"
