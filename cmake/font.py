#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Turn a packaged PSF1 font of 8x16 pixels into the kernel's console_font[256][16], by Latin-1 code.

PSF1: magic 36 04, mode (1 = 512 glyphs, 2 = has a Unicode table), bytes per glyph; the glyphs; per
glyph a list of UTF-16 code points, FFFE before each sequence of several, FFFF at the end.
"""

import gzip
import struct
import sys


def read_font(path):
    data = gzip.open(path).read()
    magic, mode, height = struct.unpack_from("<HBB", data)
    if magic != 0x0436 or height != 16 or not mode & 2:
        sys.exit(f"{path}: not a PSF1 font of 16 lines with a Unicode table")
    count = 512 if mode & 1 else 256
    glyphs = [data[4 + 16 * i:20 + 16 * i] for i in range(count)]
    codes, glyph, in_sequence = {}, 0, False
    for (unit,) in struct.iter_unpack("<H", data[4 + 16 * count:]):
        if unit == 0xFFFF:
            glyph, in_sequence = glyph + 1, False
        elif unit == 0xFFFE:
            in_sequence = True
        elif not in_sequence:
            codes.setdefault(unit, glyphs[glyph])
    return codes


def main():
    source, output = sys.argv[1:]
    codes = read_font(source)
    unknown = codes.get(0x25A0, codes[ord("?")])
    with open(output, "w", encoding="ascii") as out:
        out.write('/* made by cmake/font.py */\n.section .rodata.font, "a"\n'
                  ".globl console_font\nconsole_font:\n")
        for code in range(256):
            glyph = codes.get(code, bytes(16) if code < 32 else unknown)
            out.write(".byte " + ", ".join(map(str, glyph)) + "\n")
        out.write('.section .note.GNU-stack, "", %progbits\n')


if __name__ == "__main__":
    main()
