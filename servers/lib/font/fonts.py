#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""fonts.py OUTPUT PSF...: packaged fonts (PSF 1 and 2, gzipped, with Unicode tables) as a C file for font.h.
fonts.py OUTPUT HEX: Unifont's letters of the Basic Multilingual Plane as a file for glyphs.h."""

import gzip
import struct
import sys
import unicodedata

# What has no look of its own, for which Unifont has boxes with names.
IGNORABLE = {0x34f, 0x115f, 0x1160, 0x17b4, 0x17b5, 0x3164, 0xffa0, *range(0x180b, 0x1810), *range(0xfe00, 0xfe10)}
INVISIBLE = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
PAGES, PAGE = 256, 256      # of code points


def units_of(data, version):
    """Per glyph the code points that it stands for; sequences of several are left out."""
    if version == 1:
        for part in struct.unpack(f"<{len(data) // 2}H", data):
            yield part if part < 0xfffe else "sequence" if part == 0xfffe else "end"
        return
    text = bytearray()
    for byte in data:
        if byte < 0xfe:
            text.append(byte)
            continue
        yield from map(ord, text.decode())
        text.clear()
        yield "sequence" if byte == 0xfe else "end"


def read(path):
    """width, height, glyphs, {code point: glyph}"""
    with gzip.open(path) as file:
        data = file.read()
    if data[:2] == b"\x36\x04":
        version, mode, height = 1, data[2], data[3]
        start, count, size, width = 4, 512 if mode & 1 else 256, height, 8
    else:
        magic, _, start, _, count, size, height, width = struct.unpack_from("<8I", data)
        version = 2
        if magic != 0x864ab572:
            sys.exit(f"{path}: not a PSF font")
    glyphs = [data[start + size * i:start + size * (i + 1)] for i in range(count)]
    codes, glyph, in_sequence = {}, 0, False
    for unit in units_of(data[start + size * count:], version):
        if unit == "end":
            glyph, in_sequence = glyph + 1, False
        elif unit == "sequence":
            in_sequence = True
        elif not in_sequence:
            codes.setdefault(unit, glyph)
    return width, height, glyphs, {code: glyph for code, glyph in codes.items() if code < 0x10000}


def read_hex(path):
    """{code point: (width, 16 lines as numbers)}"""
    found = {}
    with open(path, encoding="ascii") as file:
        for line in file:
            code, _, digits = line.strip().partition(":")
            code, step = int(code, 16), len(digits) // 16
            if unicodedata.category(chr(code)) not in INVISIBLE and code not in IGNORABLE:
                found[code] = 4 * step, [int(digits[at:at + step], 16) for at in range(0, len(digits), step)]
    return found


def write_glyphs(path, glyphs):
    """struct glyph_page of each page, then the glyphs' lines."""
    index, data = bytearray(), bytearray()
    for page in range(PAGES):
        there = [sum(1 << bit for bit in range(32) if glyphs.get(page * PAGE + word + bit, (0,))[0] >= width)
                 for width in (8, 16) for word in range(0, PAGE, 32)]
        index += struct.pack("<17I", len(data), *there)
        for code in range(page * PAGE, (page + 1) * PAGE):
            width, lines = glyphs.get(code, (0, ()))
            data += b"".join(line.to_bytes(width // 8, "big") for line in lines)
    with open(path, "wb") as out:
        out.write(index + data)


def main():
    output, *paths = sys.argv[1:]
    if paths[0].endswith(".hex"):
        write_glyphs(output, read_hex(paths[0]))
        return
    with open(output, "w", encoding="ascii") as out:
        out.write("/* made by fonts.py */\n#include <font.h>\n")
        fonts = []
        for number, path in enumerate(paths):
            width, height, glyphs, codes = read(path)
            codes = sorted(codes.items())
            out.write(f"static const uint8_t glyphs{number}[] = {{{','.join(str(b) for g in glyphs for b in g)}}};\n")
            out.write(f"static const uint16_t codes{number}[] = {{{','.join(str(c) for c, _ in codes)}}};\n")
            out.write(f"static const uint16_t index{number}[] = {{{','.join(str(g) for _, g in codes)}}};\n")
            fonts.append(f"    {{{width}, {height}, {(width + 7) // 8}, {len(codes)}, codes{number}, index{number}, "
                         f"glyphs{number}}},\n")
        out.write(f"const struct font fonts[] = {{\n{''.join(fonts)}}};\nconst size_t font_count = {len(fonts)};\n")


if __name__ == "__main__":
    main()
