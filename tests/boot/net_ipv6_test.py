#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""IPv6 by the advertisements of a router that this test is: the other end of the card's wire is a program of ours.

net_ipv6_test.py [-k PATTERN]. The router answers pings and serves HTTP, as itself and as any machine behind it. IPv4 is
off, so whatever arrives came by IPv6.
"""

import hashlib
import ipaddress
import os
import pathlib
import random
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "harness"))
import wire                     # noqa: E402
from wire import GUEST_MAC      # noqa: E402

RUN = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "run"
PRESET = os.environ.get("CATHODE_PRESET", "debug")
ROUTER_MAC = b"\x52\x54\x00\xaa\xbb\xcc"
PREFIX = "2001:db8:7:1::"
ADDRESS = PREFIX[:-1] + "5054:ff:fe12:3456"   # what the prefix and the card's address make
FAR = "2001:db8:ffff::80"       # behind the router
NAME_SERVER = PREFIX + "53"
TCP, ICMP = socket.IPPROTO_TCP, socket.IPPROTO_ICMPV6
SEGMENT = 1200


def packed(text):
    return ipaddress.IPv6Address(text).packed


LINK_LOCAL = packed("fe80::1")
OWN = (LINK_LOCAL, packed(PREFIX + "1"))


def checksum(source, target, protocol, body):
    data = source + target + struct.pack(">II", len(body), protocol) + body
    total = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


class Connection:
    """The serving side of one TCP connection: takes a request, sends the answer, ends."""

    def __init__(self, router, source, target, ports, sequence):
        self.router, self.source, self.target, self.ports = router, source, target, ports
        self.expected, self.base, self.acknowledged, self.sent = sequence + 1, 1000, 0, 0
        self.request, self.answer, self.window, self.heard = b"", None, 0, time.monotonic()
        self.segment(0x12, 0)

    def segment(self, flags, offset, body=b""):
        head = struct.pack(">HHIIBBHHH", *self.ports, self.base + offset, self.expected, 0x50, flags, 65535, 0, 0)
        value = checksum(self.source, self.target, TCP, head + body)
        self.router.send_packet(self.source, self.target, TCP, head[:16] + struct.pack(">H", value) + head[18:] + body)

    def pump(self):
        """Offset 0 is the SYN, so the answer's first byte is 1; behind the last one is the FIN."""
        end = 1 + len(self.answer)
        while self.sent < end and self.sent + SEGMENT - self.acknowledged <= self.window:
            part = self.answer[self.sent - 1:self.sent - 1 + SEGMENT]
            self.segment(0x18, self.sent, part)
            self.sent += len(part)
        if self.sent == end:
            self.segment(0x11, end)
            self.sent += 1

    def take(self, sequence, acknowledged, flags, window, body):
        self.window = window
        if flags & 0x10 and 0 < acknowledged - self.base <= self.sent + 1:
            if acknowledged - self.base > self.acknowledged:
                self.heard = time.monotonic()
            self.acknowledged = max(self.acknowledged, acknowledged - self.base)
            self.sent = max(self.sent, self.acknowledged)
        if sequence == self.expected:
            self.expected += len(body) + (flags & 1)
            self.request += body
        if body or flags & 1:
            self.segment(0x10, self.sent)
        if self.answer is None and b"\r\n\r\n" in self.request:
            data = self.router.served(self.request.split(b" ")[1].decode())
            self.answer = b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data) + data
        if self.answer is not None:
            self.pump()

    def again(self):
        """Nothing was acknowledged for a while: from there on once more."""
        if self.answer is not None and self.acknowledged < self.sent and time.monotonic() - self.heard > 1:
            self.heard = time.monotonic()
            self.sent = self.acknowledged
            self.pump()


class Router(wire.Wire):
    def __init__(self, data):
        super().__init__()
        self.data, self.lifetime = data, 1800
        self.connections, self.seen, self.pinged = {}, set(), []
        self.advertised = 0.0

    def served(self, path):
        return self.data if path == "/data" else b"by the router\n"

    def send_packet(self, source, target, protocol, body):
        multicast = target[0] == 0xff
        mac = b"\x33\x33" + target[12:] if multicast else GUEST_MAC
        head = struct.pack(">IHBB", 6 << 28, len(body), protocol, 255) + source + target
        self.send(mac + ROUTER_MAC + b"\x86\xdd" + head + body)

    def send_icmp(self, source, target, body):
        body = body[:2] + struct.pack(">H", checksum(source, target, ICMP, body[:2] + bytes(2) + body[4:])) + body[4:]
        self.send_packet(source, target, ICMP, body)

    def advertise(self):
        """RFC 4861 §4.2; options: prefix for autoconfiguration, our address on the wire, a name server."""
        self.advertised = time.monotonic()
        body = struct.pack(">BBHBBHII", 134, 0, 0, 64, 0, self.lifetime, 0, 0)
        body += struct.pack(">BBBBIII", 3, 4, 64, 0xc0, 86400, 14400, 0) + packed(PREFIX)
        body += struct.pack(">BB", 1, 1) + ROUTER_MAC
        body += struct.pack(">BBHI", 25, 3, 0, 1800) + packed(NAME_SERVER)
        self.send_icmp(LINK_LOCAL, packed("ff02::1"), body)

    def take_icmp(self, source, target, body):
        kind = body[0]
        if kind == 133:
            self.seen.add("solicitation")
            self.advertise()
        elif kind == 135 and body[8:24] in OWN and any(source):
            reply = struct.pack(">BBHI", 136, 0, 0, 0xe0000000) + body[8:24] + struct.pack(">BB", 2, 1) + ROUTER_MAC
            self.send_icmp(body[8:24], source, reply)
        elif kind == 135 and not any(source):
            self.seen.add("tried " + str(ipaddress.IPv6Address(body[8:24])))
        elif kind == 128:
            self.pinged.append((str(ipaddress.IPv6Address(source)), str(ipaddress.IPv6Address(target))))
            self.send_icmp(target, source, b"\x81" + body[1:])

    def take_tcp(self, source, target, body):
        ours, theirs = target, source
        port, own, sequence, acknowledged, offset, flags, window = struct.unpack(">HHIIBBH", body[:16])
        key = (theirs, port, ours, own)
        if flags & 2:
            self.connections[key] = Connection(self, ours, theirs, (own, port), sequence)
        elif flags & 4:
            self.connections.pop(key, None)
        elif key in self.connections:
            self.connections[key].take(sequence, acknowledged, flags, window, body[(offset >> 4) * 4:])

    def run(self):
        while self.on:
            if time.monotonic() - self.advertised > 2:
                self.advertise()
            for connection in self.connections.values():
                connection.again()
            frame = self.receive()
            if not frame or frame[12:14] != b"\x86\xdd" or len(frame) < 54:
                continue
            length, protocol = struct.unpack(">HB", frame[18:21])
            source, target, body = frame[22:38], frame[38:54], frame[54:54 + length]
            if checksum(source, target, protocol, body) and protocol in (ICMP, TCP):
                self.seen.add("a wrong checksum")
            elif protocol == ICMP:
                self.take_icmp(source, target, body)
            elif protocol == TCP and frame[:6] == ROUTER_MAC:
                self.take_tcp(source, target, body)


class Ipv6Test(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        (self.folder / "etc").mkdir()
        (self.folder / "etc/network.conf").write_text("default none ipv6 auto\n", encoding="utf-8")
        self.data = random.Random(6).randbytes(1 << 18)
        self.router = Router(self.data)
        self.router.start()
        self.addCleanup(self.router.stop)

    def guest(self, script, nic="virtio"):
        result = subprocess.run(
            [RUN, "--no-build", "--preset", PRESET, "--boot", "direct", "--timeout", "120", "--net", self.router.net(),
             "--nic", f"{nic},mac=" + GUEST_MAC.hex(":"), "--overlay", str(self.folder), "--exec", script],
            stdin=subprocess.DEVNULL, capture_output=True, check=False, text=True)
        return result.returncode, result.stdout + result.stderr

    def test_by_advertisements(self):
        wait = (f"i=0; until ip -6 addr show eth0 | grep '{ADDRESS}/64' | grep -v tentative; do sleep 0.2; i=$((i+1)); "
                "[ $i -lt 50 ] || exit 1; done; ")
        for nic in ("virtio", "e1000"):
            with self.subTest(nic):
                self.router.seen.clear()
                self.router.pinged.clear()
                status, out = self.guest(
                    wait + f"ping -c 2 {PREFIX}1 && ping -c 2 {FAR} && cat /etc/resolv.conf && "
                    f"wget -q -O - http://[{PREFIX}1]/hello && wget -q -O - http://[{FAR}]/data | md5sum", nic)
                self.assertEqual(status, 0, out)
                self.assertEqual(out.count("2 packets received, 0% packet loss"), 2, out)
                self.assertIn("nameserver " + NAME_SERVER, out)
                self.assertIn("by the router", out)
                self.assertIn(hashlib.md5(self.data).hexdigest(), out)
                self.assertEqual(self.router.pinged, [(ADDRESS, PREFIX + "1")] * 2 + [(ADDRESS, FAR)] * 2)
                # It asked for a router, and whether its addresses are anybody else's.
                self.assertEqual(self.router.seen,
                                 {"solicitation", "tried " + ADDRESS, "tried fe80::5054:ff:fe12:3456"})

    def test_router_that_ends(self):
        """Its lifetime becomes zero: nothing leads beyond the wire any more."""
        script = (f"i=0; until ping -c 1 -W 1 {FAR}; do i=$((i+1)); [ $i -lt 30 ] || exit 1; done >/dev/null; "
                  f"until ! ping -c 1 -W 1 {FAR}; do i=$((i+1)); [ $i -lt 60 ] || exit 1; sleep 0.2; done >/dev/null; "
                  f"echo not any more; ping -c 1 {PREFIX}1")

        def end():
            while self.router.on and not any(target == FAR for _, target in self.router.pinged):
                time.sleep(0.1)
            self.router.lifetime = 0
            self.router.advertise()
        thread = threading.Thread(target=end, daemon=True)
        thread.start()
        status, out = self.guest(script)
        self.assertEqual(status, 0, out)
        self.assertIn("not any more", out)
        self.assertIn("1 packets received", out)


if __name__ == "__main__":
    unittest.main()
