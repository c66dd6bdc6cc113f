# SPDX-License-Identifier: MIT
# bash; -z muldefs because its strtoimax is in libc.a too. What configure would find out by running programs is said here:
# else it guesses that an exit status is in the low bits, for one.
export bash_cv_wexitstatus_offset=8 bash_cv_sys_named_pipes=present bash_cv_unusable_rtsigs=no \
    bash_cv_getcwd_malloc=yes bash_cv_printf_a_format=yes
LDFLAGS="$LDFLAGS -Wl,-z,muldefs" configure --disable-nls --without-bash-malloc --with-curses
build
program bash
mkdir -p "$OUT/bin" && ln -s /usr/local/bin/bash "$OUT/bin/bash"
