#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""view_test.py --with libpng HOST GROUP...: the viewer of PNG pictures (sysroot/ports/libpng). The files are made here
from samples (harness/png.py), and so is what the screen must show: the mean of the part of the picture that a pixel
stands for, over a checkerboard."""

import random
import re
import struct
import sys
import zlib

import screen_test
from screen_test import boot
from sdl_test import Painter

import png  # noqa: E402  (found through screen_test's path)
import qmp  # noqa: E402

AROUND = (0x14, 0x18, 0x1f)
STEPS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2, 3, 4, 6, 8, 12, 16, 32)


def rounded(value):
    return max(1, int(value + 0.5))


class Place:
    """Where the picture lies: by the rules that view_scale.h tells."""

    def __init__(self, image, screen):
        self.image, self.screen = image, screen
        self.fit()

    def put(self, x, y):
        for axis, at in enumerate((x, y)):
            last = self.screen[axis] - self.size[axis]
            self.at[axis] = last // 2 if last >= 0 else max(last, min(at, 0))

    def fit(self):
        (width, height), (w, h) = self.screen, (self.image.width, self.image.height)
        if w <= width and h <= height:
            factor = min(width // w, height // h)
            self.size = [w * factor, h * factor]
        elif w * height > h * width:
            self.size = [width, rounded(h * width / w)]
        else:
            self.size = [rounded(w * height / h), height]
        self.zoom, self.at = None, [0, 0]
        self.put(0, 0)
        return self

    def step(self, direction):
        shown = self.size[0] / self.image.width if self.zoom is None else STEPS[self.zoom]
        larger = [i for i, step in enumerate(STEPS) if step > shown]
        smaller = [i for i, step in enumerate(STEPS) if step < shown]
        self.zoom = (larger or [len(STEPS) - 1])[0] if direction > 0 else (smaller or [0])[-1]
        middle = [(self.screen[i] / 2 - self.at[i]) / self.size[i] for i in (0, 1)]
        self.size = [rounded(self.image.width * STEPS[self.zoom]), rounded(self.image.height * STEPS[self.zoom])]
        self.put(*(int(self.screen[i] / 2 - middle[i] * self.size[i]) for i in (0, 1)))
        return self

    def move(self, x, y):
        self.put(self.at[0] - x * self.screen[0] // 8, self.at[1] - y * self.screen[1] // 8)
        return self

    def spans(self, axis):
        """For each pixel along this axis: [(pixel of the picture, weight)], or None beside it."""
        size, whole = self.size[axis], (self.image.width, self.image.height)[axis]
        spans = []
        for i in range(self.screen[axis]):
            at = i - self.at[axis]
            if not 0 <= at < size:
                spans.append(None)
                continue
            first, end = at * whole, (at + 1) * whole
            spans.append([(p, min(end, (p + 1) * size) - max(first, p * size))
                          for p in range(first // size, (end + size - 1) // size)])
        return spans

    def picture(self):
        columns, lines, memory = self.spans(0), [], {}
        pixels = [[self.image.pixel(x, y) for x in range(self.image.width)] for y in range(self.image.height)]
        whole = 255 * self.image.width * self.image.height
        for row, down in enumerate(self.spans(1)):
            key = (tuple(down or ()), row // 8 % 2)
            if key not in memory:
                line = bytearray()
                for column, across in enumerate(columns):
                    if not down or not across:
                        line += bytes(AROUND)
                        continue
                    red = green = blue = alpha = 0
                    for y, high in down:
                        for x, wide in across:
                            r, g, b, a = pixels[y][x]
                            weight = high * wide * a
                            red, green, blue = red + weight * r, green + weight * g, blue + weight * b
                            alpha += weight
                    under = (0x66 if (column // 8 + row // 8) % 2 else 0x99) * (whole - alpha) + whole // 2
                    line += bytes(((red + under) // whole, (green + under) // whole, (blue + under) // whole))
                memory[key] = bytes(line)
            lines.append(memory[key])
        return qmp.Picture(*self.screen, b"".join(lines))


def kinds():
    """A picture of each kind, every other one interlaced."""
    noise = random.Random(7)
    palette = [tuple(noise.randbytes(3)) for _ in range(256)]

    def sample(depth, count):
        return lambda x, y: tuple((x * (29 + 13 * i) + y * (17 + 7 * i) + x * y * (i + 1)) * (1 + (depth == 16) * 251)
                                  & (1 << depth) - 1 for i in range(count))

    for number, (kind, depth, transparent) in enumerate((
            (png.GREY, 1, ()), (png.GREY, 2, (2,)), (png.GREY, 4, ()), (png.GREY, 8, (29,)), (png.GREY, 16, ()),
            (png.RGB, 8, ()), (png.RGB, 8, (0, 0, 0)), (png.RGB, 16, (0, 0, 0)), (png.GREY_ALPHA, 8, ()),
            (png.GREY_ALPHA, 16, ()), (png.RGBA, 8, ()), (png.RGBA, 16, ()), (png.PALETTE, 1, ()),
            (png.PALETTE, 2, (0, 100)), (png.PALETTE, 4, ()), (png.PALETTE, 8, tuple(range(200))))):
        for interlaced in (False, True) if depth == 8 else (number % 2 == 0,):
            yield png.Image(37, 23, kind, depth, sample(depth, png.SAMPLES[kind]), interlaced,
                            palette[:1 << depth] if kind == png.PALETTE else (), transparent)


class Viewer(Painter):
    """With pictures in files named by their numbers."""

    def __init__(self, host, images, **options):
        self.images = images
        files = {f"{i}.png": image.bytes() for i, image in enumerate(images)}
        super().__init__(host, packages="libpng", files={**options.pop("more", {}), **files}, **options)

    def words(self, *numbers):
        return " ".join(f"/{i}.png" for i in numbers)

    def place(self, number):
        return Place(self.images[number], (self.text_screen.width, self.text_screen.height))


def test_kinds(host):
    """Every colour type and depth, interlaced or not, forwards and back; the console afterwards."""
    images = list(kinds())
    with Viewer(host, images) as p:
        shown = p.log_in()
        command = f"view {p.words(*range(len(images)))}"
        p.qmp.type(command + "\n")
        for i, image in enumerate(images):
            if i:
                p.qmp.press("spc")
            what = f"kind {image.kind} of {image.depth} bits{', interlaced' * image.interlaced}"
            p.see_drawn(what, p.place(i).picture())
        for key in "left", "backspace", "pgup", "p":
            p.qmp.press(key)
        p.see_drawn("four before", p.place(len(images) - 5).picture())
        for key in "right", "pgdn", "n", "spc", "spc":
            p.qmp.press(key)
        p.see_drawn("after the last one the first", p.place(0).picture())
        p.qmp.type("q")
        columns = p.text_screen.columns
        p.see("the console again", shown + command + ("\r\n# " if len("# " + command) % columns else "# "))


def test_zoom(host):
    """Larger than the screen: the mean of pixels; larger, smaller, around, as the screen is."""
    photo = png.Image(1000, 703, png.RGBA, 8, lambda x, y: (x * 3 & 255, y * 2 & 255, x * y >> 6 & 255,
                                                             255 - (x + y) // 8 if x % 50 < 40 else 255))
    wide = png.Image(3001, 11, png.RGB, 8, lambda x, y: (x & 255, x >> 4 & 255, 255 * (x % 7 < 3)))
    tall = png.Image(5, 2000, png.GREY, 16, lambda x, y: (y * 32 ^ x,))
    with Viewer(host, [photo, wide, tall], append="display=800x600", size=(800, 600), font="8x16") as p:
        p.log_in()
        p.qmp.type(f"view {p.words(0, 1, 2)}\n")
        place = p.place(0)
        p.see_drawn("as the screen is", place.picture())
        p.qmp.type("+")
        p.see_drawn("each pixel", place.step(1).picture())
        p.qmp.press("down")
        p.qmp.press("left")
        p.see_drawn("moved", place.move(0, 1).move(-1, 0).picture())
        p.qmp.type("++")
        p.see_drawn("three times as large", place.step(1).step(1).picture())
        p.qmp.type("----")
        p.see_drawn("a quarter", [place.step(-1) for _ in range(4)][-1].picture())
        p.qmp.type("0")
        p.see_drawn("as before", place.fit().picture())
        p.qmp.type(" ")
        p.see_drawn("wide", p.place(1).picture())
        p.qmp.type(" ")
        p.see_drawn("tall", p.place(2).picture())
        p.qmp.press("esc")


def small():
    return png.Image(20, 12, png.RGB, 8, lambda x, y: (x * 12, y * 20, 255 - x * y))


def broken():
    """What is wrong with it, and what the viewer says."""
    good = small().bytes()
    data = good.index(b"IDAT")
    end = data + 4 + struct.unpack_from(">I", good, data - 4)[0]    # of its data; its sum follows
    ihdr = png.header(8, 8, 8, png.RGB)
    huge = png.header(100000, 100000, 8, png.RGBA) + png.chunk(b"IDAT", zlib.compress(bytes(1000)))
    return {
        "empty": (b"", "no PNG picture"),
        "text": (b"Hello, world\n" * 10, "no PNG picture"),
        "cut": (good[:data + 60], "broken PNG picture: the file ends too early"),
        "ending": (good[:-12], "broken PNG picture: the file ends too early"),
        "flipped": (good[:end] + bytes([good[end] ^ 1]) + good[end + 1:], "broken PNG picture: .*CRC"),
        "header": (ihdr[:20] + bytes([ihdr[20] ^ 1]) + ihdr[21:] + good[33:], "broken PNG picture: .*CRC"),
        "nothing": (png.header(0, 5, 8, png.RGB) + good[33:], "broken PNG picture: .*IHDR"),
        "depth": (png.header(5, 5, 3, png.RGB) + good[33:], "broken PNG picture: .*IHDR"),
        "colours": (png.header(5, 5, 8, png.PALETTE) + good[33:], "broken PNG picture: .*PLTE"),
        "short": (ihdr + png.chunk(b"IDAT", zlib.compress(bytes(50))) + png.chunk(b"IEND", b""),
                  "broken PNG picture: .*[Nn]ot enough"),
        "rubbish": (ihdr + png.chunk(b"IDAT", b"rubbish" * 20), "broken PNG picture: .*(IDAT|header|method)"),
        "huge": (huge, "100000 x 100000 pixels take 37.3 GiB of memory, and 0.[12] GiB may be used"),
        "wider": (png.header(2**31 - 1, 1, 16, png.RGBA) + good[33:], "2147483647 x 1 pixels take 8.0 GiB of memory"),
    }


def mutated(count):
    noise = random.Random(11)
    whole = [image.bytes() for image in kinds()]
    for i in range(count):
        data = bytearray(whole[i % len(whole)])
        for _ in range(noise.randint(1, 4)):
            at = noise.randrange(8, len(data))
            data[at] = noise.choice((0, 255, data[at] ^ 1 << noise.randrange(8), noise.randrange(256)))
        at, out = 8, bytes(data[:8])     # with sums that are right, or libpng would look no further
        while at + 12 <= len(data):
            length, = struct.unpack_from(">I", data, at)
            out += png.chunk(bytes(data[at + 4:at + 8]), bytes(data[at + 8:at + 8 + length]))
            at += 12 + length
        yield out


def test_broken(host):
    """What is no picture is told and left out; 150 damaged ones; without a screen; too large for memory."""
    bad, count = broken(), 150
    files = {name: data for name, (data, _) in bad.items()}
    files |= {f"damaged{i}": data for i, data in enumerate(mutated(count))}
    with Viewer(host, [small()], more=files) as p:
        shown = p.log_in()

        def expect(command, status, *regexes):
            found = p.run(f"{command}; echo status-$?")
            for regex in (*regexes, rf"status-{status}\b"):
                if not re.search(regex, found):
                    raise boot.Failure(f"{command}: no {regex!r} in\n{found}")

        for name, (_, regex) in bad.items():
            expect(f"view /{name}", 1, f"view: /{name}: {regex}")
        expect("view /absent", 1, "view: /absent: No such file")
        expect("view /tmp", 1, "view: /tmp: Is a directory")
        expect("view", 2, "usage: view FILE")
        expect(f"view {p.words(0)}", 1, "view: this is no virtual terminal")
        expect(f"view {p.words(0)} < /dev/null 2>&1 | cat", 0, "view: this is no virtual terminal")
        found = p.run(f"i=0; while [ $i -lt {count} ]; do view /damaged$i > /tmp/out 2>&1; [ $? = 1 ] && "
                      "grep -q ^view: /tmp/out || echo bad: $i; i=$((i + 1)); done")
        if "bad:" in found.replace("echo bad:", ""):
            raise boot.Failure(f"damaged pictures: {found}")
        command = f"view /cut {p.words(0)} /absent"
        p.qmp.type(command + "\n")
        p.see_drawn("the good one", p.place(0).picture())
        p.qmp.type("  ")
        p.qmp.type("q")
        p.see("what was said", shown + command + "\r\nview: /cut: broken PNG picture: the file ends too early\r\n"
              "view: /absent: No such file or directory\r\n# ")


def test_faults(host):
    """Another terminal meanwhile; the driver, the viewer killed; the session's end; another size of the screen."""
    with Viewer(host, [small()], extra=["-vga", "none", "-device", "virtio-vga"], window=True) as p:
        shown = p.log_in()
        p.qmp.type("view /0.png\n")
        p.see_drawn("the picture", p.place(0).picture())
        p.qmp.press("alt", "f2")
        p.see("the second terminal", p.greeting(2))
        p.qmp.press("alt", "f1")
        p.see_drawn("shown again", p.place(0).picture())
        p.run("kill -9 $(pidof virtio-gpu)")
        p.see_drawn("the display's driver again", p.place(0).picture())
        p.run("kill -9 $(pidof view)")
        p.see("the console again", shown + "view /0.png\r\nKilled\r\n# ")
        p.qmp.type("trap '' HUP; view /0.png; echo $? > /tmp/status\n")
        p.see_drawn("once more", p.place(0).picture())
        p.viewer.resize(1000, 700)
        p.text_screen = screen_test.text_screen.TextScreen(host, 1000, 700, "8x16")
        p.see_drawn("another size", p.place(0).picture())
        p.run("kill -9 $(ps -o pid,tty,comm | awk '$2 == \"4,1\" && $3 ~ /sh$/ { print $1 }')")
        p.see("hung up", p.greeting(1))
        if "view" in p.run("sleep 1; ps -o comm | sort -u"):
            raise boot.Failure("the viewer lives on without its terminal")


if __name__ == "__main__":
    screen_test.main(globals(), sys.argv[3:])   # after --with …, what scripts/test builds for it
