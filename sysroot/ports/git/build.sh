# SPDX-License-Identifier: MIT
# git: repositories on this machine; hashes by its own code. musl's regexec lacks REG_STARTEND.
[ -e Makefile ] || cp -R "$SOURCE/." .
export CC AR LDFLAGS CFLAGS="-O2 -w $CPPFLAGS" MAKEFLAGS=e prefix=/usr/local NO_REGEX=NeedsStartEnd
export CSPRNG_METHOD=getrandom INSTALL_SYMLINKS=1 NO_INSTALL_HARDLINKS=1
for name in PERL PYTHON TCLTK OPENSSL CURL EXPAT GETTEXT; do export "NO_$name=1"; done
build
everything
