#!/bin/sh
# SPDX-License-Identifier: MIT
# lua 5.4: the interpreter and the compiler, from the same sources but for their main files.
set -eu
make -s -f "$RECIPE/Makefile" -j"$JOBS" SOURCE="$SOURCE/src" CC="$CC" lua luac
install -D -m 0755 lua "$OUT/bin/lua"
install -D -m 0755 luac "$OUT/bin/luac"
