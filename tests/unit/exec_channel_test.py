#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""scripts/lib/exec_channel.py against a guest played by a thread."""

import os
import pathlib
import socket
import struct
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts" / "lib"))
from exec_channel import SYNC, ExecChannel, ProtocolError, Pump  # noqa: E402


class Guest(threading.Thread):
    """An agent as the protocol wants it; behaviour by a function of (guest) -> exit status."""

    def __init__(self, port, action):
        super().__init__(daemon=True)
        self.port, self.action = port, action
        self.credit = 0
        self.command = None
        self.stdin = bytearray()
        self.end = False

    def frame(self, kind, payload=b""):
        self.port.sendall(kind + struct.pack("<H", len(payload)) + payload)

    def exactly(self, count):
        data = b""
        while len(data) < count:
            piece = self.port.recv(count - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def take(self):
        kind, length = struct.unpack("<cH", self.exactly(3))
        payload = self.exactly(length)
        if kind == b"C":
            self.command = payload
        elif kind == b"W":
            self.credit += struct.unpack("<I", payload)[0]
        elif payload:
            self.stdin += payload
        else:
            self.end = True

    def write(self, kind, data):
        for at in range(0, len(data), 4096):
            piece = data[at:at + 4096]
            while self.credit < len(piece):
                self.take()
            self.credit -= len(piece)
            self.frame(kind, piece)

    def run(self):
        self.port.sendall(b"\x1b[2J firmware \0catho" + SYNC)
        self.frame(b"W", struct.pack("<I", 8192))
        while self.command is None:
            self.take()
        status = self.action(self)
        if status is not None:
            self.frame(b"X", bytes([status]))
        self.port.close()


def run(action, command="true", stdin=b"", seconds=20):
    """(result, channel, what was written to stdout)"""
    port, guest_port = socket.socketpair()
    log, guest_log = socket.socketpair()
    guest = Guest(guest_port, action)
    channel = ExecChannel(command)
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as out:
        source.write(stdin)
        source.seek(0)
        pump = Pump(channel, port, log, source.fileno())
        original = os.dup(1)
        os.dup2(out.fileno(), 1)
        try:
            guest.start()
            result = pump.run(time.monotonic() + seconds, time.monotonic() + seconds)
        finally:
            os.dup2(original, 1)
            os.close(original)
        out.seek(0)
        written = out.read()
    for end in (port, log, guest_log):
        end.close()
    return result, channel, written


class ExecChannelTest(unittest.TestCase):
    def test_command_and_status(self):
        def action(guest):
            self.assertEqual(guest.command, b"exit 7 \xc3\xa4")
            return 7
        result, channel, _ = run(action, "exit 7 ä")
        self.assertEqual((result, channel.status), ("exit", 7))

    def test_bytes_come_back_unchanged(self):
        data = os.urandom(1 << 20)

        def action(guest):
            while not guest.end:
                guest.take()
                if len(guest.stdin) >= 4096:
                    guest.write(b"O", bytes(guest.stdin))
                    guest.frame(b"W", struct.pack("<I", len(guest.stdin)))
                    guest.stdin.clear()
            guest.write(b"O", bytes(guest.stdin))
            return 0
        result, channel, written = run(action, stdin=data)
        self.assertEqual((result, channel.status, written), ("exit", 0, data))

    def test_stdin_stops_without_credit(self):
        def action(guest):
            time.sleep(0.3)
            guest.port.setblocking(False)
            size = 0
            try:
                while True:
                    size += len(guest.port.recv(1 << 20))
            except BlockingIOError:
                pass
            guest.port.setblocking(True)
            self.assertLess(size, 8192 + 100)
            return 0
        self.assertEqual(run(action, stdin=bytes(100000))[0], "exit")

    def test_hang_is_a_timeout(self):
        result, _, _ = run(lambda guest: time.sleep(3), seconds=0.5)
        self.assertEqual(result, "timeout")

    def test_garbage_is_an_error(self):
        for garbage in (b"?\0\0", b"O\xff\xff", b"X\x01\0\0"):
            channel = ExecChannel("true")
            with self.assertRaises(ProtocolError):
                channel.feed(SYNC + garbage)

    def test_frames_cut_anywhere(self):
        stream = b"\x1b[2J\0cat" + SYNC + b"W\x04\0\x10\0\0\0" + b"O\x03\0abc" + b"E\x02\0de" + b"X\x01\0\x05"
        for cut in range(len(stream)):
            channel = ExecChannel("true")
            channel.feed(stream[:cut])
            channel.feed(stream[cut:])
            self.assertEqual(channel.output, [(1, b"abc"), (2, b"de")])
            self.assertEqual((channel.status, channel.credit), (5, 16))


if __name__ == "__main__":
    unittest.main()
