# SPDX-License-Identifier: MIT
# zlib: the library, for other ports, and its minigzip.
$CC -O2 -w -D_LARGEFILE64_SOURCE=1 -DHAVE_UNISTD_H -c "$SOURCE"/*.c
rm -f libz.a && $AR rcs libz.a *.o
$CC -O2 -w -I"$SOURCE" -o minigzip "$SOURCE/test/minigzip.c" libz.a
mkdir -p "$OUT/usr/local/lib" "$OUT/usr/local/include"
cp libz.a "$OUT/usr/local/lib/" && cp "$SOURCE/zlib.h" "$SOURCE/zconf.h" "$OUT/usr/local/include/"
program minigzip
