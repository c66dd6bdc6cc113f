# SPDX-License-Identifier: MIT
"""The host's side of `scripts/run --exec`: runs a command in the guest over the second serial port.

Frames go both ways: type (1 byte), length of the payload (2 bytes, little endian), payload.

    guest to host               host to guest
    'W' credit for 'I'          'C' the command line, once
    'O' stdout  'E' stderr      'I' stdin; an empty one is its end
    'X' exit status (1 byte)    'W' credit for 'O' and 'E'

The guest begins: with SYNC, since UEFI writes its own messages to both ports (they are skipped), and
a first 'W'. The host sends nothing before: the port isn't set up yet. Then come 'C', 'W', 'I'... A
credit is a 4-byte number of payload bytes (I, or O and E together) that the other side may send in
addition to earlier credits. Payloads of I, O and E are at most 4,096 bytes. What stdin held before
the start isn't sent: it is a file of the guest's (/run/exec.stdin), and 'I' goes on where that ends.
'X' is the guest's last frame, after all output; the port carries any byte.
"""

import os
import selectors
import struct
import time

SYNC = b"\0cathode\1"
MAX_DATA = 4096
WINDOW = 64 * 1024


class ProtocolError(Exception):
    """The guest sent something that is no frame."""


class ExecChannel:
    """Protocol state alone: bytes in by feed(), bytes out in .to_guest; no file is touched here."""

    def __init__(self, command):
        payload = os.fsencode(command)
        if len(payload) > 0xFFFF:
            raise ValueError("the command is longer than 65,535 bytes")
        self.command = payload
        self.to_guest = bytearray()
        self.received = bytearray()
        self.synchronised = False
        self.output = []            # (1 or 2, bytes), to be written to stdout or stderr
        self.ready = False          # the guest's first frame was here
        self.status = None          # set by 'X'
        self.credit = 0             # stdin bytes that may be sent
        self.end_sent = False

    def send(self, kind, payload=b""):
        self.to_guest += kind + struct.pack("<H", len(payload)) + payload

    def send_stdin(self, data):
        """At most self.credit bytes; none at all means the end."""
        self.credit -= len(data)
        for at in range(0, len(data), MAX_DATA):
            self.send(b"I", data[at:at + MAX_DATA])
        if not data:
            self.send(b"I")
            self.end_sent = True

    def give_credit(self, count):
        self.send(b"W", struct.pack("<I", count))

    def feed(self, data):
        self.received += data
        if not self.synchronised:
            at = self.received.find(SYNC)
            self.synchronised = at >= 0
            del self.received[:at + len(SYNC) if at >= 0 else -len(SYNC)]
            if not self.synchronised:
                return
        while len(self.received) >= 3 and self.status is None:
            kind, length = struct.unpack_from("<cH", self.received)
            if kind not in b"WOEX" or (kind in b"OE" and length > MAX_DATA):
                raise ProtocolError(f"bad frame {bytes(self.received[:16])!r}")
            if len(self.received) < 3 + length:
                break
            payload = bytes(self.received[3:3 + length])
            del self.received[:3 + length]
            self.take(kind, payload)

    def take(self, kind, payload):
        if kind == b"W" and len(payload) == 4:
            self.credit += struct.unpack("<I", payload)[0]
            if not self.ready:
                self.ready = True
                self.send(b"C", self.command)
                self.give_credit(WINDOW)
        elif kind in b"OE" and self.ready:
            self.output.append((1 if kind == b"O" else 2, payload))
        elif kind == b"X" and len(payload) == 1 and self.ready:
            self.status = payload[0]
        else:
            raise ProtocolError(f"unexpected frame {kind!r} of {len(payload)} bytes")


class Pump:
    """Moves bytes between the guest's ports and our own files until the command or QEMU ends."""

    def __init__(self, channel, port, log, stdin=None, on_log=lambda data: None):
        self.channel, self.port, self.log = channel, port, log
        self.stdin, self.on_log = stdin, on_log
        for end in (port, log):
            end.setblocking(False)
        self.selector = selectors.PollSelector()
        self.selector.register(port, selectors.EVENT_READ, self.port_event)
        self.selector.register(log, selectors.EVENT_READ, self.log_event)
        self.stdin_armed = False

    def port_event(self, mask):
        if mask & selectors.EVENT_READ:
            data = receive(self.port)
            if data:
                self.channel.feed(data)
            elif data is not None:
                self.selector.unregister(self.port)
                return
        if self.channel.to_guest:
            try:
                sent = self.port.send(self.channel.to_guest)
                del self.channel.to_guest[:sent]
            except (BlockingIOError, ConnectionError):
                pass

    def log_event(self, _):
        data = receive(self.log)
        if data:
            self.on_log(data)
        elif data is not None:
            self.selector.unregister(self.log)

    def stdin_event(self, _):
        data = os.read(self.stdin, min(self.channel.credit, WINDOW))
        self.channel.send_stdin(data)

    def write_output(self):
        """Credit is given back once the bytes are out: a slow reader slows the guest down."""
        written = 0
        for descriptor, data in self.channel.output:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view):]
            written += len(data)
        self.channel.output.clear()
        if written:
            self.channel.give_credit(written)

    def arm(self):
        channel = self.channel
        if self.port in self.selector.get_map():
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if channel.to_guest else 0)
            self.selector.modify(self.port, events, self.port_event)
        if channel.ready and self.stdin is None and not channel.end_sent:
            channel.send_stdin(b"")
        wanted = (channel.ready and self.stdin is not None and channel.credit > 0
                  and not channel.end_sent and len(channel.to_guest) < WINDOW)
        if wanted and not self.stdin_armed:
            self.selector.register(self.stdin, selectors.EVENT_READ, self.stdin_event)
        elif self.stdin_armed and not wanted:
            self.selector.unregister(self.stdin)
        self.stdin_armed = wanted

    def run(self, deadline, ready_deadline):
        """'exit', 'timeout', 'silent' (no agent in time) or 'ended' (QEMU did)."""
        while True:
            self.arm()
            limit = deadline if self.channel.ready else min(deadline, ready_deadline)
            for key, mask in self.selector.select(max(0.0, min(1.0, limit - time.monotonic()))):
                key.data(mask)
            self.write_output()
            if self.channel.status is not None:
                return "exit"
            if not {self.port, self.log} & {key.fileobj for key in self.selector.get_map().values()}:
                return "ended"
            if time.monotonic() >= limit:
                return "timeout" if limit == deadline else "silent"


def receive(end):
    """Bytes, b"" at the end, None if there is nothing now."""
    try:
        return end.recv(1 << 16)
    except BlockingIOError:
        return None
    except ConnectionError:
        return b""
