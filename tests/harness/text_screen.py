# SPDX-License-Identifier: MIT
"""What a text screen must look like, pixel by pixel: libvterm on the bytes that were written (screen_host), drawn with
the packaged fonts by the rules below, which are not the console server's code."""

import functools
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "servers" / "lib" / "font"), str(ROOT / "scripts" / "lib")]
import fetch  # noqa: E402  (found through the path above)
import fonts  # noqa: E402  (found through the path above)
import qmp  # noqa: E402

UNKNOWN = 0xfffd


@functools.cache
def unifont():
    return fonts.read_hex(fetch.unpack("unifont") / "usr/share/unifont/unifont.hex")


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
        count = max(row for row, _ in cells) + 1
        return {place: (*cell[:-1], cell[-1][:2] if place[0] < count - self.rows else cell[-1])
                for place, cell in cells.items()}, count, cursor    # history keeps one accent

    def glyph(self, code):
        """Rows of booleans, or None."""
        if code not in self.codes:
            return None
        data, size = self.glyphs[self.codes[code]], (self.font_width + 7) // 8
        return [[data[y * size + x // 8] >> 7 - x % 8 & 1 for x in range(self.font_width)]
                for y in range(self.font_height)]

    def points(self, code, width, mark):
        """Where pixels of this letter are in its cell of `width` columns; None: no font has it."""
        own = self.glyph(code)
        if own and (width == 1 or mark or code not in unifont()):
            return {(x, y) for y, line in enumerate(own) for x, bit in enumerate(line) if bit}
        if code not in unifont():
            return None
        columns, lines = unifont()[code]
        room, scale = self.font_width * width, self.font_height // 16
        dots = {(x, y) for y, line in enumerate(lines) for x in range(columns) if line >> columns - 1 - x & 1}
        if columns > room:
            columns, dots = columns // 2, {(x // 2, y) for x, y in dots}
        across, space = min(scale, room // columns), self.font_height - 16 * scale
        left, top = (room - across * columns) // 2, space // 2
        if mark and dots and max(y for _, y in dots) < 8:
            top = space // 4
        elif mark and dots and min(y for _, y in dots) >= 8:
            top = space - space // 4
        return {(left + across * x + i, top + scale * y + j) for x, y in dots for i in range(across)
                for j in range(scale)}

    def frame(self, width):
        left, top = self.font_width // 8, self.font_height // 8
        right, bottom = self.font_width * width - left - 1, top + self.font_height - 3 * top - 1
        return {(x, y) for x in range(left, right + 1) for y in range(top, bottom + 1)
                if x in (left, right) or y in (top, bottom)}

    def cell_pixels(self, width, front, back, underline, strike, letters):
        """The lines of one cell, as RGB bytes."""
        pixels = [[back] * (self.font_width * width) for _ in range(self.font_height)]
        thick = self.font_height // 16
        if letters and letters[0] > 32:
            found = self.points(letters[0], width, False)
            if found is None and width == 1:
                found = self.points(UNKNOWN, 1, True)
            sets = [self.frame(width) if found is None else found]
            sets += filter(None, (self.points(letter, width, True) for letter in letters[1:]))
            for x, y in set().union(*sets):
                pixels[y][x] = front
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
        swaps = [{(first + r, c) for r, c in selected}]     # each inverts a letter if one of its halves is in it
        if visible and not back:
            swaps.append({(first + row, min(column, self.columns - 1))})
        if pointer:
            swaps.append({(first + pointer[0], pointer[1])})
        lines = [bytearray(3 * self.width) for _ in range(self.height)]
        memory = {}
        for (r, c), cell in cells.items():
            if not first <= r < first + self.rows:
                continue
            width, front, background, underline, strike, letters = cell
            if sum(not swap.isdisjoint((r, c + half) for half in range(width)) for swap in swaps) % 2:
                front, background = background, front
            key = (width, front, background, underline, strike, tuple(letters))
            if key not in memory:
                memory[key] = self.cell_pixels(*key)
            at = 3 * c * self.font_width
            for y, line in enumerate(memory[key]):
                lines[(r - first) * self.font_height + y][at:at + len(line)] = line
        return qmp.Picture(self.width, self.height, b"".join(lines))

    def read(self, picture):
        """The text that stands in the cells of a picture: its lines. What is no letter of two colours is '\0'."""
        if not hasattr(self, "letters"):
            self.letters = {}
            for code in sorted(self.codes):
                bits = tuple(bit for line in self.glyph(code) for bit in line)
                self.letters.setdefault(bits, chr(code))
            self.letters[(0,) * (self.font_width * self.font_height)] = " "
        lines = []
        for row in range(picture.height // self.font_height):
            part = picture.crop(0, row * self.font_height, picture.width, self.font_height).pixels
            lines.append("".join(self.letter(part, 3 * picture.width, column)
                                 for column in range(picture.width // self.font_width)))
        return lines

    def letter(self, part, pitch, column):
        at, end = 3 * column * self.font_width, 3 * (column + 1) * self.font_width
        pixels = b"".join(part[y * pitch + at:y * pitch + end] for y in range(self.font_height))
        pixels = [pixels[i:i + 3] for i in range(0, len(pixels), 3)]
        colours = sorted(set(pixels))
        for front in colours if len(colours) <= 2 else ():
            bits = tuple(int(pixel == front) for pixel in pixels) if len(colours) == 2 else (0,) * len(pixels)
            if bits in self.letters:
                return self.letters[bits]
        return "\0"
