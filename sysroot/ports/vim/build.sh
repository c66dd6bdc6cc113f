# SPDX-License-Identifier: MIT
# vim: no GUI, no X; the answers are what its configure would find out by running programs. Runtime
# files for a few languages.
[ -e src ] || cp -R "$SOURCE/." .
export vim_cv_toupper_broken=no vim_cv_terminfo=yes vim_cv_tgetent=zero vim_cv_getcwd_broken=no vim_cv_timer_create=yes
export vim_cv_timer_create_with_lrt=no vim_cv_stat_ignores_slash=no vim_cv_memmove_handles_overlap=yes
SOURCE=$PWD configure --with-features=normal --with-tlib=ncursesw --disable-gui --without-x --disable-gpm --disable-nls \
    --disable-netbeans --disable-acl --disable-canberra --disable-libsodium
build -C src vim
mkdir -p "$OUT/usr/local/share/vim/vim90" && program src/vim
cd runtime
set -- syntax/syn*.vim syntax/nosyntax.vim syntax/c.vim syntax/cpp.vim syntax/sh.vim syntax/python.vim syntax/lua.vim
cp -R --parents defaults.vim filetype.vim ftoff.vim scripts.vim autoload/dist "$@" "$OUT/usr/local/share/vim/vim90"
