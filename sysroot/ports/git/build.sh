# SPDX-License-Identifier: MIT
# git: over files, ssh, http and https (by curl); hashes by its own code. musl's regexec lacks REG_STARTEND.
[ -e Makefile ] || cp -R "$SOURCE/." .
export CC AR LDFLAGS CFLAGS="-O2 -w $CPPFLAGS" MAKEFLAGS=e prefix=/usr/local NO_REGEX=NeedsStartEnd
export CSPRNG_METHOD=getrandom INSTALL_SYMLINKS=1 NO_INSTALL_HARDLINKS=1
for name in PERL PYTHON TCLTK OPENSSL EXPAT GETTEXT; do export "NO_$name=1"; done
export CURL_CFLAGS=-DCURL_STATICLIB CURL_LDFLAGS='-lcurl -lmbedtls -lmbedx509 -lmbedcrypto -lz'
build
everything
