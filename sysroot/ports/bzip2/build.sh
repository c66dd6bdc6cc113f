# SPDX-License-Identifier: MIT
# bzip2: the program and the library.
for file in blocksort huffman crctable randtable compress decompress bzlib; do
    $CC -O2 -w -D_FILE_OFFSET_BITS=64 -c "$SOURCE/$file.c"
done
rm -f libbz2.a && $AR rcs libbz2.a *.o
$CC -O2 -w -D_FILE_OFFSET_BITS=64 -o bzip2 "$SOURCE/bzip2.c" libbz2.a
mkdir -p "$OUT/usr/local/lib" "$OUT/usr/local/include"
cp libbz2.a "$OUT/usr/local/lib/" && cp "$SOURCE/bzlib.h" "$OUT/usr/local/include/"
program bzip2
