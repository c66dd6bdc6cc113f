# SPDX-License-Identifier: MIT
"""What a text screen must look like, pixel by pixel: libvterm on the bytes that were written (screen_host), drawn with
the packaged font by the rules below, which are not the console server's code."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "servers" / "lib" / "font"), str(ROOT / "scripts" / "lib")]
import fetch  # noqa: E402  (found through the path above)
import fonts  # noqa: E402  (found through the path above)
import qmp  # noqa: E402

UNKNOWN = 0xfffd


class TextScreen:
    def __init__(self, program, width=1280, height=800, font="8x16"):
        self.program, self.width, self.height = program, width, height
        self.font_width, self.font_height, self.glyphs, self.codes = fonts.read(
            fetch.unpack("spleen") / f"usr/share/consolefonts/spleen-{font}.psfu.gz")
        self.columns, self.rows = width // self.font_width, height // self.font_height

    def cells(self, data):
        """{(row, column): …} from the first line that ever was, the number of lines, the cursor."""
        out = subprocess.run([self.program, str(self.rows), str(self.columns)], input=data, capture_output=True,
                             check=True).stdout.decode().splitlines()
        cells = {}
        for line in out[:-1]:
            row, column, width, front, back, underline, strike, *letters = line.split()
            cells[int(row), int(column)] = (int(width), int(front, 16), int(back, 16), int(underline), int(strike),
                                            [int(letter, 16) for letter in letters])
        cursor = tuple(map(int, out[-1].split()[1:]))
        return cells, max(row for row, _ in cells) + 1, cursor

    def glyph(self, code):
        """Rows of booleans, or None."""
        if code not in self.codes:
            return None
        data, size = self.glyphs[self.codes[code]], (self.font_width + 7) // 8
        return [[data[y * size + x // 8] >> 7 - x % 8 & 1 for x in range(self.font_width)]
                for y in range(self.font_height)]

    def cell_pixels(self, width, front, back, underline, strike, letters):
        """The lines of one cell, as RGB bytes."""
        pixels = [[back] * (self.font_width * width) for _ in range(self.font_height)]
        thick = self.font_height // 16
        if letters and letters[0] > 32:
            first = self.glyph(letters[0]) or (self.glyph(UNKNOWN) if width == 1 else None)
            assert first, f"U+{letters[0]:04X}: the test draws nothing that the font doesn't have"
            for glyph in [first, *map(self.glyph, letters[1:])]:
                for y, line in enumerate(glyph or []):
                    for x, bit in enumerate(line):
                        pixels[y][x] = front if bit else pixels[y][x]
        for number in range(underline):
            for y in range(thick):
                pixels[self.font_height - (2 * number + 1) * thick + y] = [front] * len(pixels[0])
        for y in range(thick * bool(strike)):
            pixels[self.font_height // 2 + y] = [front] * len(pixels[0])
        return [b"".join(pixel.to_bytes(3, "big") for pixel in line) for line in pixels]

    def picture(self, data, back=0, selected=(), pointer=None):
        """data: bytes to the terminal; back: lines scrolled back; selected: cells (row, column) of the view."""
        cells, count, (row, column, visible) = self.cells(data)
        first = max(count - self.rows - back, 0)
        inverse = {(first + r, c) for r, c in selected}
        if visible and not back:
            inverse ^= {(first + row, min(column, self.columns - 1))}
        if pointer:
            inverse ^= {(first + pointer[0], pointer[1])}
        lines = [bytearray(3 * self.width) for _ in range(self.height)]
        memory = {}
        for (r, c), cell in cells.items():
            if not first <= r < first + self.rows:
                continue
            width, front, background, underline, strike, letters = cell
            if (r, c) in inverse:
                front, background = background, front
            key = (width, front, background, underline, strike, tuple(letters))
            if key not in memory:
                memory[key] = self.cell_pixels(*key)
            at = 3 * c * self.font_width
            for y, line in enumerate(memory[key]):
                lines[(r - first) * self.font_height + y][at:at + len(line)] = line
        return qmp.Picture(self.width, self.height, b"".join(lines))
