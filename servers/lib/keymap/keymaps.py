#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""keymaps.py OUTPUT: the tables of keymap.h as a C file: layouts by libxkbcommon, accents by Unicode's own data."""

import sys
import unicodedata

import xkb

KEYS = 128
# X's dead keys (low byte of the keysym): the combining character, and what the key gives with a blank.
DEAD = {0x50: ("\u0300", "`"), 0x51: ("\u0301", "'"), 0x52: ("\u0302", "^"), 0x53: ("\u0303", "~"),
        0x54: ("\u0304", "\u00af"), 0x55: ("\u0306", "\u02d8"), 0x56: ("\u0307", "\u02d9"), 0x57: ("\u0308", '"'),
        0x58: ("\u030a", "\u00b0"), 0x59: ("\u030b", "\u02dd"), 0x5a: ("\u030c", "\u02c7"), 0x5b: ("\u0327", "\u00b8"),
        0x5c: ("\u0328", "\u02db"), 0x60: ("\u0323", "."), 0x61: ("\u0309", "?"), 0x62: ("\u031b", "'")}
BASES = [chr(code) for code in range(0x41, 0x500) if unicodedata.category(chr(code))[0] == "L"]


def compositions():
    for key, (combining, sign) in sorted(DEAD.items()):
        found = {" ": sign}
        for base in BASES:
            whole = unicodedata.normalize("NFC", base + combining)
            if len(whole) == 1 and ord(whole) < 0xf000:
                found[base] = whole
        for base, whole in sorted(found.items()):
            yield 0xf100 + key, ord(base), ord(whole)


def lines(numbers, width=12):
    numbers = [f"{number:#x}," for number in numbers]
    return "\n".join("    " + " ".join(numbers[at:at + width]) for at in range(0, len(numbers), width))


def main():
    rows, maps = {}, []
    for name in xkb.LAYOUTS:
        layout = xkb.Layout(name)
        indices = []
        for key in range(KEYS):
            row = tuple(layout.symbol(key, state) for state in range(xkb.STATES))
            indices.append(rows.setdefault(row, len(rows)))
        maps.append((name, indices))
    with open(sys.argv[1], "w", encoding="ascii") as out:
        out.write("/* made by keymaps.py */\n#include <keymap.h>\n\n")
        out.write("const uint16_t keymap_rows[][KEYMAP_STATES] = {\n")
        for row in rows:
            out.write("{" + " ".join(f"{symbol:#x}," for symbol in row) + "},\n")
        out.write("};\n")
        for number, (_, indices) in enumerate(maps):
            out.write(f"static const uint16_t map{number}[KEYMAP_KEYS] = {{\n{lines(indices)}\n}};\n")
        out.write("const struct keymap keymaps[] = {\n")
        out.write("".join(f'    {{"{name}", map{number}}},\n' for number, (name, _) in enumerate(maps)))
        out.write(f"}};\nconst size_t keymap_count = {len(maps)};\nconst struct compose compositions[] = {{\n")
        every = list(compositions())
        out.write("".join(f"    {{{dead:#x}, {base:#x}, {result:#x}}},\n" for dead, base, result in every))
        out.write(f"}};\nconst size_t composition_count = {len(every)};\n")


if __name__ == "__main__":
    main()
