#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""doom_test.py --with doom,freedoom HOST GROUP...: Chocolate Doom (sysroot/ports/doom) on a terminal. What it
must show is decoded here, of the data's file (TITLEPIC, STBAR, PLAYPAL) and of the game's own picture of a level."""

import base64
import re
import struct
import sys
import time

import screen_test
import sdl_test
from screen_test import LIMIT, boot

import build  # noqa: E402  (found through screen_test's path)
import qmp  # noqa: E402

DATA = "usr/local/share/games/doom/freedoom1.wad"
WIDTH, HEIGHT, BAR = 320, 200, 168      # the game's, the first line of its status bar
# A window of twice that: each of its pixels is a square of four.
CONFIG = "aspect_ratio_correct 0\nfullscreen 0\nwindow_width 640\nwindow_height 400\nstartup_delay 0\nshow_diskicon 0\n"


def brightness(value):
    """The game's own correction, at its lowest, to a screen of six bits per colour."""
    return (value + (value < 128)) & ~3


class Data:
    def __init__(self):
        self.bytes = (build.build_folder("debug") / "packages" / "freedoom" / DATA).read_bytes()
        count, at = struct.unpack_from("<II", self.bytes, 4)
        self.lumps = {}
        for i in range(count):
            start, size, name = struct.unpack_from("<II8s", self.bytes, at + 16 * i)
            self.lumps[name.rstrip(b"\0").decode()] = self.bytes[start:start + size]
        self.colours = self.palette(self.lumps["PLAYPAL"])

    @staticmethod
    def palette(found):
        return [bytes(map(brightness, found[3 * i:3 * i + 3])) for i in range(256)]

    def picture(self, name):
        """Its lines, as colours; None where it has none."""
        lump = self.lumps[name]
        width, height = struct.unpack_from("<HH", lump)
        lines = [[None] * width for _ in range(height)]
        for x in range(width):
            at, = struct.unpack_from("<I", lump, 8 + 4 * x)
            while lump[at] != 255:
                top, length = lump[at], lump[at + 1]
                for i in range(length):
                    lines[top + i][x] = self.colours[lump[at + 3 + i]]
                at += length + 4
        return lines


def decode_pcx(data):
    """The game's picture of itself, as lines of colours."""
    width, height = (value + 1 for value in struct.unpack_from("<HH", data, 8))
    palette, values, at = Data.palette(data[-768:]), [], 128
    while len(values) < width * height:
        count, value = (data[at] & 63, data[at + 1]) if data[at] >= 192 else (1, data[at])
        values += [value] * count
        at += 2 if data[at] >= 192 else 1
    return [[palette[value] for value in values[width * y:width * (y + 1)]] for y in range(height)]


def doubled(lines, left=320, top=200):
    """On the whole screen, in its middle."""
    rows = []
    for line in lines:
        rows += [bytes(3 * left) + b"".join(colour * 2 for colour in line) + bytes(3 * left)] * 2
    black = [bytes(3 * sdl_test.WIDTH)]
    return qmp.Picture(sdl_test.WIDTH, sdl_test.HEIGHT, b"".join(black * top + rows + black * top))


def pixel(picture, x, y):
    at = 3 * (y * picture.width + x)
    return picture.pixels[at:at + 3]


class Player(sdl_test.Painter):
    def __init__(self, host, **options):
        super().__init__(host, packages="doom,freedoom", memory="512M", files={"doom.cfg": CONFIG.encode()}, **options)

    def play(self, words=""):
        self.run(f"cd /tmp && chocolate-doom -iwad freedoom1.wad {words} < /dev/tty1 > /tmp/log 2>&1 & true")

    def wait_for(self, what, good):
        """Until good(picture)."""
        end = time.monotonic() + LIMIT
        while not good(found := self.qmp.picture()):
            if time.monotonic() > end:
                self.keep(found, "found")
                raise boot.Failure(f"{what}\n{self.run('cat /tmp/log; echo')}")
            time.sleep(0.1)
        self.keep(found, what.replace(" ", "_"))
        return found


def without_cursor(picture):
    """The arrow of the mouse is at the window's corner, as long as no level is played there."""
    pixels = bytearray(picture.pixels)
    for y in range(200, 232):
        at = 3 * (y * picture.width + 320)
        pixels[at:at + 3 * 32] = bytes(3 * 32)
    return bytes(pixels)


def test_title(host):
    """The title, pixel by pixel; then over the whole screen, where it is stretched and smoothed."""
    title = Data().picture("TITLEPIC")
    with Player(host) as p:
        p.play("-extraconfig /doom.cfg")
        p.wait_for("title", lambda found: without_cursor(found) == without_cursor(doubled(title)))
        p.run("kill $(pidof chocolate-doom)")
        p.see("the console again", p.greeting(1))
        p.play()
        width, height = HEIGHT * 4 * 4 // 3, HEIGHT * 4     # 4:3
        left = (sdl_test.WIDTH - width) // 2

        def alike(found):
            """In the middle of 98 of 100 of the game's pixels all colours are at most 8 of 255 away."""
            good = 0
            for y in range(HEIGHT):
                for x in range(WIDTH):
                    colour = pixel(found, left + (2 * x + 1) * width // (2 * WIDTH), 4 * y + 2)
                    good += all(abs(a - b) <= 8 for a, b in zip(colour, title[y][x]))
            return good >= WIDTH * height // 4 * 98 // 100
        p.wait_for("title on the whole screen", alike)


def test_level(host):
    """The first level, as the game's own picture has it; its status bar, as the data's file has it."""
    bar = Data().picture("STBAR")
    with Player(host) as p:
        p.play("-extraconfig /doom.cfg -devparm -nomonsters -skill 3 -warp 1 1")

        def has_bar(found):
            """Numbers and the face lie on it."""
            same = sum(pixel(found, 320 + 2 * x, 200 + 2 * (BAR + y)) == bar[y][x]
                       for y in range(HEIGHT - BAR) for x in range(WIDTH))
            return same > WIDTH * (HEIGHT - BAR) // 2
        p.wait_for("level", has_bar)
        time.sleep(2)                   # its first picture flows down over the title
        p.keep(p.qmp.picture().crop(320, 200, 2 * WIDTH, 2 * HEIGHT), "doom")   # README.md's
        p.qmp.press("pause")
        time.sleep(1)
        p.qmp.press("f1")
        time.sleep(2)
        text = p.run("base64 /tmp/DOOM00.pcx")
        taken = doubled(decode_pcx(base64.b64decode("".join(text.split()))))
        first, last = 200, 200 + 2 * BAR

        def same(found):
            """The face goes on moving; the note that the picture was taken vanishes."""
            return found.crop(0, first, found.width, last - first).pixels == \
                taken.crop(0, first, taken.width, last - first).pixels
        p.wait_for("level as the game has it", same)


def test_timedemo(host):
    """A demo plays to its end; an instruction is a nanosecond here."""
    with Player(host, icount=True) as p:
        p.deadline = time.monotonic() + 1800
        p.run("cd /tmp && chocolate-doom -iwad freedoom1.wad -extraconfig /doom.cfg -timedemo demo1"
              " < /dev/tty1 > /tmp/log 2>&1; true")
        found = re.search(r"timed (\d+) gametics in (\d+) realtics", p.run("cat /tmp/log; echo"))
        if not found:
            raise boot.Failure(p.text[-2000:])
        frames, tics = map(int, found.groups())
        instructions = tics * 1000000000 // 35
        print(f"# {frames} frames of 640x400 in {instructions / 1e9:.2f} * 10^9 instructions: "
              f"{frames * 1e9 / instructions:.1f} frames per 10^9, {instructions / frames / 1e6:.2f} * 10^6 per frame")


if __name__ == "__main__":
    screen_test.main(globals(), sys.argv[3:])   # after --with …, what scripts/test builds for it
