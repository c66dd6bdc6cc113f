# SPDX-License-Identifier: MIT
"""PNG files of every kind, made from samples, and the pixels that they mean (the specification's rules, not libpng's
code)."""

import struct
import zlib

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
SAMPLES = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def header(width, height, depth, kind, interlaced=False):
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlaced))


def paeth(a, b, c):
    p = a + b - c
    return min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]


def filtered(how, line, above, size):
    """One line by one of the five filters; size: bytes from a pixel to the next, at least 1."""
    out = bytearray([how])
    for i, value in enumerate(line):
        a, b, c = line[i - size] if i >= size else 0, above[i], above[i - size] if i >= size else 0
        out.append(value - (0, a, b, (a + b) // 2, paeth(a, b, c))[how] & 255)
    return out


def packed(samples, depth):
    if depth == 16:
        return struct.pack(f">{len(samples)}H", *samples)
    bits = "".join(format(value, f"0{depth}b") for value in samples)
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big") if bits else b""


class Image:
    """sample(x, y): a tuple of the kind's numbers; transparent: the pixel that tRNS names, or a palette's alphas."""

    def __init__(self, width, height, kind, depth, sample, interlaced=False, palette=(), transparent=()):
        self.width, self.height, self.kind, self.depth = width, height, kind, depth
        self.interlaced, self.palette, self.transparent = interlaced, palette, transparent
        self.samples = [[tuple(sample(x, y)) for x in range(width)] for y in range(height)]

    def bytes(self):
        size = max(1, SAMPLES[self.kind] * self.depth // 8)
        raw = bytearray()
        for left, top, right, down in ADAM7 if self.interlaced else ((0, 0, 1, 1),):
            lines = [[value for pixel in line[left::right] for value in pixel] for line in self.samples[top::down]]
            if not lines or not lines[0]:
                continue
            above = bytes(len(packed(lines[0], self.depth)))
            for y, line in enumerate(lines):
                line = packed(line, self.depth)
                raw += filtered(y % 5, line, above, size)
                above = line
        out = header(self.width, self.height, self.depth, self.kind, self.interlaced)
        if self.palette:
            out += chunk(b"PLTE", b"".join(map(bytes, self.palette)))
        if self.transparent and self.kind == PALETTE:
            out += chunk(b"tRNS", bytes(self.transparent))
        elif self.transparent:
            out += chunk(b"tRNS", struct.pack(f">{len(self.transparent)}H", *self.transparent))
        data = zlib.compress(bytes(raw))
        parts = [data[at:at + 1000] for at in range(0, len(data), 1000)]
        return out + b"".join(chunk(b"IDAT", part) for part in parts) + chunk(b"IEND", b"")

    def pixel(self, x, y):
        """Red, green, blue, alpha of 8 bits."""
        most, sample = (1 << self.depth) - 1, self.samples[y][x]
        if self.kind == PALETTE:
            alphas = self.transparent
            return (*self.palette[sample[0]], alphas[sample[0]] if sample[0] < len(alphas) else 255)
        eight = tuple((value * 255 + most // 2) // most for value in sample)
        if self.kind in (GREY, GREY_ALPHA):
            eight = eight[:1] * 3 + eight[1:]
        return eight if len(eight) == 4 else (*eight, 0 if sample == tuple(self.transparent) else 255)
