# SPDX-License-Identifier: MIT
# bash; -z muldefs because its strtoimax is in libc.a too.
LDFLAGS="$LDFLAGS -Wl,-z,muldefs" configure --disable-nls --without-bash-malloc --with-curses
build
program bash
mkdir -p "$OUT/bin" && ln -s /usr/local/bin/bash "$OUT/bin/bash"
