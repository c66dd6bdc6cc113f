# SPDX-License-Identifier: MIT
# file: its magic is compiled by a file of the same version, which is built for the build machine first.
set -- --disable-zlib --disable-bzlib --disable-xzlib --disable-zstdlib --disable-libseccomp --disable-shared
mkdir -p host && (cd host && CC=$HOST_CC quietly configure.log "$SOURCE/configure" "$@" && build -C src file)
PATH=$PWD/host/src:$PATH
configure "$@"
build
everything
