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


if __name__ == "__main__":
    screen_test.main(globals(), sys.argv[3:])   # after --with …, what scripts/test builds for it
