# SPDX-License-Identifier: MIT
"""QEMU's control channel (QMP): commands and their answers, keys typed and mouse moved, pictures of the screen."""

import json
import pathlib
import struct
import tempfile
import time
import zlib

# What a US keyboard has, as QEMU calls the keys: the plain letter, and that with Shift.
KEYS = {"minus": "-_", "equal": "=+", "bracket_left": "[{", "bracket_right": "]}", "semicolon": ";:",
        "apostrophe": "'\"", "grave_accent": "`~", "backslash": "\\|", "comma": ",<", "dot": ".>", "slash": "/?",
        "spc": "  ", "ret": "\n\n", "tab": "\t\t", "esc": "\x1b\x1b", "backspace": "\x7f\x7f"}
KEYS |= {digit: digit + sign for digit, sign in zip("1234567890", "!@#$%^&*()")}
KEYS |= {letter: letter + letter.upper() for letter in "abcdefghijklmnopqrstuvwxyz"}
LETTERS = {pair[shift]: (name, bool(shift)) for name, pair in KEYS.items() for shift in (1, 0)}
KEY_SECONDS = 0.02


class QmpError(Exception):
    """QEMU did not do what it was told to."""


class Monitor:
    def __init__(self, socket):
        self.socket, self.said, self.rest, self.number = socket, [], b"", 0

    def send(self, name, **arguments):
        """A command such as inject-nmi; its answer isn't waited for."""
        self.number += 1
        message = {"execute": name, "arguments": arguments, "id": self.number}
        self.socket.sendall(json.dumps(message).encode() + b"\n")
        return self.number

    def messages(self):
        """All that comes; what isn't an answer is kept in `said`."""
        while True:
            while b"\n" in self.rest:
                line, self.rest = self.rest.split(b"\n", 1)
                message = json.loads(line)
                self.said.append(message)
                yield message
            data = self.socket.recv(65536)
            if not data:
                return
            self.rest += data

    def ask(self, name, **arguments):
        number = self.send(name, **arguments)
        for message in self.messages():
            if message.get("id") == number:
                if "error" in message:
                    raise QmpError(f"{name}: {message['error']['desc']}")
                return message["return"]
        raise QmpError(f"{name}: QEMU has ended")

    def read_rest(self, seconds):
        """What was said until the end."""
        self.socket.settimeout(seconds)
        try:
            for _ in self.messages():
                pass
        except (OSError, ValueError):
            pass
        return self.said

    # --- keyboard and mouse ---
    def events(self, *events, screen=None):
        """screen: the name of the adapter whose keyboard and mouse are meant, where they have one of their own."""
        self.ask("input-send-event", events=list(events), **({"device": screen} if screen else {}))

    def key(self, name, down, screen=None):
        self.events({"type": "key", "data": {"down": down, "key": {"type": "qcode", "data": name}}}, screen=screen)

    def press(self, *names):
        """Keys held together, such as press("alt", "f2")."""
        for name in names:
            self.key(name, True)
            time.sleep(KEY_SECONDS)     # the keyboard's own buffer is small
        for name in reversed(names):
            self.key(name, False)
            time.sleep(KEY_SECONDS)

    def type(self, text):
        for letter in text:
            if letter not in LETTERS:
                raise QmpError(f"a US keyboard has no {letter!r}")
            name, shift = LETTERS[letter]
            self.press(*(["shift"] if shift else []), name)

    def move_mouse(self, x, y):
        self.events(*({"type": "rel", "data": {"axis": axis, "value": value}} for axis, value in (("x", x), ("y", y))))

    def place(self, x, y):
        """A tablet's pen: 0 … 0x7fff, from the upper left."""
        self.events(*({"type": "abs", "data": {"axis": axis, "value": value}} for axis, value in (("x", x), ("y", y))))

    def button(self, name, down):
        """left, middle, right, wheel-up, wheel-down"""
        self.events({"type": "btn", "data": {"down": down, "button": name}})

    # --- the screen ---
    def picture(self, device=None):
        with tempfile.TemporaryDirectory(prefix="cathode-") as folder:
            file = pathlib.Path(folder) / "screen.ppm"
            self.ask("screendump", filename=str(file), **({"device": device} if device else {}))
            return Picture.from_ppm(file.read_bytes())

    def still_picture(self, seconds=1.0, limit=60.0):
        """The screen when nothing has moved there for so long."""
        end, since, last = time.monotonic() + limit, time.monotonic(), self.picture()
        while time.monotonic() < min(end, since + seconds):
            time.sleep(0.2)
            now = self.picture()
            if now != last:
                since, last = time.monotonic(), now
        return last


class Picture:
    """RGB, a byte each, from the upper left."""

    def __init__(self, width, height, pixels):
        self.width, self.height, self.pixels = width, height, bytes(pixels)

    def __eq__(self, other):
        return other is not None and vars(self) == vars(other)

    @classmethod
    def from_ppm(cls, data):
        magic, size, depth, pixels = data.split(b"\n", 3)
        width, height = map(int, size.split())
        step = len(pixels) // height    # QEMU 7.2 fills lines up to whole words
        if magic != b"P6" or depth != b"255" or not 3 * width <= step < 3 * width + 4:
            raise QmpError("not the picture that was asked for")
        return cls(width, height, b"".join(pixels[at:at + 3 * width] for at in range(0, step * height, step)))

    def crop(self, x, y, width, height):
        lines = (self.pixels[3 * (row * self.width + x):3 * (row * self.width + x + width)]
                 for row in range(y, y + height))
        return Picture(width, height, b"".join(lines))

    def png(self):
        def chunk(kind, data):
            return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        step = 3 * self.width
        lines = b"".join(b"\0" + self.pixels[at:at + step] for at in range(0, len(self.pixels), step))
        return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">2I5B", self.width, self.height, 8, 2, 0, 0, 0)) + \
            chunk(b"IDAT", zlib.compress(lines, 9)) + chunk(b"IEND", b"")
