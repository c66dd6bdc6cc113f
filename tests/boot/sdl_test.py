#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""sdl_test.py --with sdl2 HOST GROUP...: programs that draw by SDL2 (sysroot/ports/sdl2) on a virtual terminal, and how
the terminal gives screen and keyboard away and has them back. The pixels are those of sdl2-draw's rule, computed here.
"""

import sys
import time

import screen_test
from screen_test import LIMIT, Person, boot

import qmp  # noqa: E402  (found through screen_test's path)

WIDTH, HEIGHT = 1280, 800
SQUARE, SIDE, SCALE, TEXTURE_AT = 16, 32, 4, 64


def pattern(x, y):
    return bytes((x * 5 & 0xff, y * 3 & 0xff, (x ^ y) & 0xff))


def colour(letter):
    return (ord(letter) * 2654435761 & 0xffffff).to_bytes(3, "big")


def squares(line, y, letters):
    """A line of pixels with the letters' squares in it."""
    if y < SQUARE:
        for i, letter in enumerate(letters):
            line[3 * SQUARE * i:3 * SQUARE * (i + 1)] = colour(letter) * SQUARE
    return line


def surface_line(y, width, letters):
    return squares(bytearray(b"".join(pattern(x, y) for x in range(width))), y, letters)


def texture_line(y, width, letters):
    line = squares(bytearray(bytes((10, 20, 30)) * width), y, letters)
    if 0 <= y - TEXTURE_AT < SIDE * SCALE:
        row = b"".join(pattern(x, (y - TEXTURE_AT) // SCALE) * SCALE for x in range(SIDE))
        line[3 * TEXTURE_AT:3 * TEXTURE_AT + len(row)] = row
    return line


def drawn(line_of, width, height, letters="", screen=(WIDTH, HEIGHT)):
    """The whole screen: the window in its middle, black around it."""
    left, top = (screen[0] - width) // 2, (screen[1] - height) // 2
    black = bytes(3 * screen[0])
    lines = [black] * top
    for y in range(height):
        lines.append(bytes(3 * left) + bytes(line_of(y, width, letters)) + bytes(3 * (screen[0] - width - left)))
    return qmp.Picture(*screen, b"".join(lines + [black] * (screen[1] - top - height)))


CURSOR, HOT = (24, 20), (3, 5)


def cursor_pixels():
    """Of sdl2-draw's own cursor: {(x, y): (alpha, colour)}."""
    return {(x, y): (x * 11, pattern(y * 9, x * 7)) for y in range(CURSOR[1]) for x in range(CURSOR[0])}


def with_cursor(picture, x, y):
    """The picture with this cursor over it, which points to (x, y) of the screen."""
    pixels = bytearray(picture.pixels)
    for (column, row), (alpha, colour_) in cursor_pixels().items():
        column, row = column + x - HOT[0], row + y - HOT[1]
        if 0 <= column < picture.width and 0 <= row < picture.height:
            at = 3 * (row * picture.width + column)
            pixels[at:at + 3] = bytes((above * alpha + below * (255 - alpha) + 127) // 255
                                      for above, below in zip(colour_, pixels[at:at + 3]))
    return qmp.Picture(picture.width, picture.height, bytes(pixels))


class Painter(Person):
    def see_drawn(self, what, wanted):
        end, found = time.monotonic() + LIMIT, None
        while found != wanted and time.monotonic() < end:
            time.sleep(0.1)
            found = self.qmp.picture()
        self.keep(found, what.replace(" ", "_"))
        if found != wanted:
            self.keep(wanted, "wanted")
            raise boot.Failure(f"{what}: {screen_test.difference(found, wanted, self.text_screen)}\n{self.log()}")

    def start(self, words, terminal=1):
        self.run(f"sdl2-draw {words} < /dev/tty{terminal} > /tmp/log 2>&1 & true")

    def log(self):
        return self.run("cat /tmp/log")

    def expect_log(self, *lines):
        """These lines, in this order, with others between them."""
        end, left = time.monotonic() + LIMIT, lines
        while left and time.monotonic() < end:
            left = list(lines)
            text = self.log()
            for line in text.splitlines():
                if left and line.strip() == left[0]:
                    left.pop(0)
        if left:
            raise boot.Failure(f"not told: {left}\n{text}")


def test_draw(host):
    """The window's surface, letters typed, the mouse; another terminal meanwhile; its normal end."""
    with Painter(host, packages="sdl2") as p:
        p.see("the login", p.greeting(1))
        p.start("surface 640 400")
        p.see_drawn("pattern", drawn(surface_line, 640, 400))
        p.expect_log("drivers cathode dummy", "shown", "timer")
        p.qmp.type("aZ~")
        p.see_drawn("letters", drawn(surface_line, 640, 400, "aZ~"))
        p.qmp.press("alt", "f2")
        p.see("the second terminal", p.greeting(2))
        p.qmp.type("root\n")
        p.see("a login there", p.logged_in(2))
        p.qmp.press("alt", "f1")
        p.see_drawn("shown again", drawn(surface_line, 640, 400, "aZ~"))
        p.qmp.move_mouse(7, -3)
        p.qmp.button("left", True)
        p.qmp.button("left", False)
        p.qmp.button("wheel-up", True)
        p.qmp.button("wheel-up", False)
        p.expect_log("key A down", "text a", "key A up", "key Left Shift down", "key Z down",
                     "text Z", "text ~", "hidden", "shown", "button 1 down", "button 1 up", "wheel 1")
        log = p.log()
        if "motion 7 -3\n" not in log or "text r" in log or "key R" in log:
            raise boot.Failure(f"what was told:\n{log}")
        p.qmp.type("m")
        for count in range(1, 9):               # farther than the window is wide
            p.qmp.move_mouse(100, 0)
            p.expect_log("text m", *["motion 100 0"] * count)   # QEMU keeps what its mouse has no room for
        p.qmp.press("esc")
        p.see("the console again", p.greeting(1))
        p.expect_log("end")


def test_faults(host):
    """The renderer over the whole screen; two at once; no right to; it, the display's driver, the console killed."""
    with Painter(host, packages="sdl2") as p:
        p.see("the login", p.greeting(1))
        p.start("texture 0 0")
        p.see_drawn("texture", drawn(texture_line, WIDTH, HEIGHT))
        if "error 16" not in p.run("sdl2-draw surface 64 64 < /dev/tty1"):
            raise boot.Failure("two programs at one terminal")
        if "error 13" not in p.run("su -s /bin/sh nobody -c 'sdl2-draw surface 64 64' < /dev/tty2"):
            raise boot.Failure("a terminal of others is drawn on")
        p.run("chown nobody /dev/tty4; su -s /bin/sh nobody -c 'sdl2-draw surface 320 200' < /dev/tty4 > /tmp/theirs &"
              " true")
        p.qmp.press("alt", "f4")
        p.see_drawn("who has the terminal draws on it", drawn(surface_line, 320, 200))
        p.qmp.press("esc")
        p.see("the fourth", p.greeting(4))
        p.qmp.press("alt", "f1")
        p.see_drawn("the first again", drawn(texture_line, WIDTH, HEIGHT))
        p.run("kill -9 $(pidof framebuffer)")
        p.qmp.type("x")
        p.see_drawn("the display's driver again", drawn(texture_line, WIDTH, HEIGHT, "x"))
        p.qmp.key("shift", True)
        p.run("kill -9 $(pidof sdl2-draw)")
        p.see("the console again", p.greeting(1))
        p.qmp.key("shift", False)
        p.qmp.type("root\n")
        p.see("a login", p.logged_in(1))
        p.start("surface 320 200", terminal=3)
        p.qmp.press("alt", "f3")
        p.see_drawn("on the third", drawn(surface_line, 320, 200))
        p.qmp.press("alt", "f1")
        p.see("the first", p.logged_in(1))
        p.run("kill -SEGV $(pidof sdl2-draw)")
        p.qmp.press("alt", "f3")
        p.see("the third", p.greeting(3))
        p.qmp.type("root\n")
        p.see("logged in there", p.logged_in(3))
        p.qmp.type("trap '' HUP; sdl2-draw texture 640 400 > /tmp/log\n")
        p.see_drawn("from the shell", drawn(texture_line, 640, 400))
        p.run("kill -9 $(ps -o pid,tty,comm | awk '$2 == \"4,3\" && $3 ~ /sh$/ { print $1 }')")
        p.expect_log("quit", "end")
        p.see("hung up", p.greeting(3))
        p.start("surface 320 200", terminal=3)
        p.see_drawn("again", drawn(surface_line, 320, 200))
        p.run("kill -9 $(pidof console)")
        p.expect_log("quit", "end")
        p.see("the console's next instance", p.greeting(1))


def test_cursor(host):
    """A cursor drawn by the display: moved, beyond the window's edge, drawn below, hidden, SDL's own; its end."""
    with Painter(host, packages="sdl2") as p:
        p.see("the login", p.greeting(1))
        p.start("surface 640 400")

        def see(what, letters, x=None, y=None):
            plain = drawn(surface_line, 640, 400, letters)
            p.see_drawn(what, plain if x is None else with_cursor(plain, 320 + x, 200 + y))

        see("none", "")
        p.qmp.type("c")
        see("in the corner", "c", 0, 0)
        p.qmp.move_mouse(100, 60)
        see("moved", "c", 100, 60)
        p.qmp.move_mouse(-90, -50)
        see("over what will be drawn", "c", 10, 10)
        p.qmp.type("x")
        see("drawn below", "cx", 10, 10)
        for _ in range(7):
            p.qmp.move_mouse(100, 60)
        see("beyond the window", "cx", 639, 399)
        p.qmp.press("alt", "f2")
        p.see("the second terminal", p.greeting(2))
        p.qmp.press("alt", "f1")
        see("shown again", "cx", 639, 399)
        p.run("kill -9 $(pidof framebuffer)")
        p.qmp.type("y")
        see("the display's driver again", "cxy", 639, 399)
        p.qmp.type("h")
        see("hidden", "cxyh")
        for _ in range(4):
            p.qmp.move_mouse(-100, -50)
        p.expect_log("place 239 199")
        see("still hidden", "cxyh")
        p.qmp.type("d")
        plain, end = drawn(surface_line, 640, 400, "cxyhd"), time.monotonic() + LIMIT
        while True:     # SDL's own: an arrow in black and white
            found = p.qmp.picture()
            places = [(i // 3 % WIDTH, i // 3 // WIDTH) for i in range(0, 3 * WIDTH * HEIGHT, 3)
                      if found.pixels[i:i + 3] != plain.pixels[i:i + 3]]
            columns, rows = [x for x, _ in places], [y for _, y in places]
            colours = {found.pixels[3 * (y * WIDTH + x):3 * (y * WIDTH + x) + 3] for x, y in places}
            if places and (min(columns), min(rows)) == (320 + 239, 200 + 199) and max(columns) < 559 + 32 and max(
                    rows) < 399 + 32 and colours == {b"\0\0\0", b"\xff\xff\xff"}:
                break
            if time.monotonic() > end:
                p.keep(found, "found")
                raise boot.Failure(f"no arrow: {len(places)} pixels, {len(colours)} colours")
        p.run("kill -9 $(pidof sdl2-draw)")
        p.see("the console without it", p.greeting(1))


def test_layout(host):
    """Keys are named by the layout, which changes meanwhile."""
    with Painter(host, packages="sdl2", append="keymap=de") as p:
        p.see("the login", p.greeting(1))
        p.start("surface 64 64")
        p.expect_log("shown")
        for key in "y", "semicolon", "bracket_left", "equal", "1", "f1", "kp_7", "left":
            p.qmp.press(key)
        p.expect_log("key Y down", "symbol Z", "text z", "key ; down", "symbol ö", "key [ down", "symbol ü", "symbol '",
                     "symbol 1", "symbol F1", "symbol Keypad 7", "symbol Left")
        p.run("echo fr > /scheme/console/keymap")
        p.expect_log("layout")
        for key in "q", "semicolon", "1", "m":
            p.qmp.press(key)
        p.expect_log("layout", "key Q down", "symbol A", "text a", "key ; down", "symbol M", "text m", "key 1 down",
                     "symbol 1", "key M down", "symbol ,")
        p.qmp.press("esc")
        p.expect_log("end")


def test_devices(host):
    """A tablet's places, a virtio keyboard; the screen takes the size of the host's window meanwhile."""
    extra = [*screen_test.VIRTIO_INPUT, "-vga", "none", "-device", "virtio-vga"]
    with Painter(host, packages="sdl2", extra=extra, window=True) as p:
        p.see("the login", p.greeting(1))
        p.start("surface 640 400")
        p.see_drawn("pattern", drawn(surface_line, 640, 400))
        for x, y in (10, 20), (639, 399):
            p.qmp.place((2 * (x + 320) + 1) * 0x8000 // (2 * WIDTH), (2 * (y + 200) + 1) * 0x8000 // (2 * HEIGHT))
            p.expect_log(f"place {x} {y}")
        p.qmp.type("q")
        p.see_drawn("a letter", drawn(surface_line, 640, 400, "q"))
        p.viewer.resize(1024, 768)
        p.see_drawn("in the middle of another size", drawn(surface_line, 640, 400, "q", (1024, 768)))
        p.qmp.type("c")
        wanted = [alpha << 24 | int.from_bytes(colour_, "big") for alpha, colour_ in (
            cursor_pixels().get((i % 64, i // 64), (0, b"\0\0\0")) for i in range(64 * 64))]
        p.viewer.read_until(lambda: p.viewer.cursor and p.viewer.cursor == (HOT, (64, 64), tuple(wanted)))
        p.see_drawn("a cursor in hardware isn't in the picture", drawn(surface_line, 640, 400, "qc", (1024, 768)))
        p.qmp.press("esc")
        p.expect_log("end")
        p.start("texture 0 0")
        p.see_drawn("full-screen", drawn(texture_line, 1024, 768, screen=(1024, 768)))
        p.viewer.resize(1000, 700)
        p.see_drawn("the window follows the screen", drawn(texture_line, 1000, 700, screen=(1000, 700)))
        p.expect_log("resized 1000 700 of 1000 700")
        p.qmp.press("alt", "f2")
        time.sleep(1)
        p.viewer.resize(1100, 720)
        time.sleep(1)
        p.qmp.press("alt", "f1")
        p.see_drawn("resized while another terminal was seen", drawn(texture_line, 1100, 720, screen=(1100, 720)))
        p.qmp.type("k")
        p.see_drawn("a letter there", drawn(texture_line, 1100, 720, "k", (1100, 720)))


if __name__ == "__main__":
    screen_test.main(globals(), sys.argv[3:])   # after --with …, what scripts/test builds for it
