# SPDX-License-Identifier: MIT
# ncurses: wide characters, with the entries for what is likely here inside the library and as terminfo files.
terminals=linux,vt100,xterm,xterm-256color,screen,screen-256color,tmux,tmux-256color
configure --enable-widec --enable-overwrite --without-debug --without-ada --without-cxx --without-cxx-binding \
    --without-tests --without-manpages --disable-db-install --disable-stripping --with-build-cc="$HOST_CC" \
    --with-fallbacks="$terminals" --with-default-terminfo-dir=/usr/local/share/terminfo
build && everything
for name in ncurses curses tinfo; do ln -sf libncursesw.a "$OUT/usr/local/lib/lib$name.a"; done
mkdir -p "$OUT/usr/local/share/terminfo"
tic -x -e "$terminals" -o "$OUT/usr/local/share/terminfo" "$SOURCE/misc/terminfo.src"
