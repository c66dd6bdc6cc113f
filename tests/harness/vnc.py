# SPDX-License-Identifier: MIT
"""A viewer of QEMU's VNC server, as far as tests need one: the size of its window, the shape of the cursor, the
keyboard's lights (RFC 6143 and the extensions ExtendedDesktopSize, LED State, and QEMU's cursor with alpha)."""

import socket
import struct

RAW, LIGHTS, DESKTOP_SIZE, ALPHA_CURSOR = 0, -261, -308, -314
UPDATE, SET_DESKTOP_SIZE = 0, 251


class Viewer:
    def __init__(self, path, seconds=20):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(seconds)
        self.socket.connect(str(path))
        self.cursor = None  # or (hot spot, size, its pixels as 0xAARRGGBB)
        self.lights = 0     # of the keyboard: 1 Scroll Lock, 2 Num Lock, 4 Caps Lock
        self.take(12)
        self.socket.sendall(b"RFB 003.008\n")
        self.take(*self.take(1))
        self.socket.sendall(b"\x01")        # no password
        assert self.take(4) == bytes(4)
        self.socket.sendall(b"\x01")        # with others
        *self.size, = struct.unpack(">2H", self.take(4))
        self.take(16)
        self.take(*struct.unpack(">I", self.take(4)))
        encodings = (DESKTOP_SIZE, ALPHA_CURSOR, LIGHTS, RAW)
        self.socket.sendall(struct.pack(f">BxH{len(encodings)}i", 2, len(encodings), *encodings))

    def close(self):
        self.socket.close()

    def take(self, size):
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise ConnectionError("QEMU's VNC server has ended")
            data += piece
        return data

    def resize(self, width, height):
        """The person draws the window to another size."""
        self.socket.sendall(struct.pack(">BxHHBx", SET_DESKTOP_SIZE, width, height, 1) +
                            struct.pack(">IHHHHI", 0, 0, 0, width, height, 0))

    def read_until(self, condition):
        """Takes what the server says until that holds."""
        while not condition():
            kind, count = struct.unpack(">BxH", self.take(4))
            if kind != UPDATE:
                raise ConnectionError(f"message {kind} of the VNC server")
            for _ in range(count):
                self.read_rectangle()

    def read_rectangle(self):
        x, y, width, height, encoding = struct.unpack(">4Hi", self.take(12))
        if encoding == DESKTOP_SIZE:
            screens = self.take(4)[0]
            self.take(16 * screens)
            self.size = [width, height]
        elif encoding == LIGHTS:
            self.lights = self.take(1)[0]
        elif encoding == ALPHA_CURSOR:
            self.take(4)
            self.cursor = ((x, y), (width, height), struct.unpack(f"<{width * height}I", self.take(4 * width * height)))
        else:
            self.take(4 * width * height)
