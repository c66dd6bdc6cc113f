#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Two guests on a wire that drops, doubles, reorders and changes frames, and that others flood.

net_faults_test.py [-k PATTERN]. What is fetched over it must be what was sent, and the network server must live.
"""

import hashlib
import os
import pathlib
import random
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest

RUN = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "run"
PRESET = os.environ.get("CATHODE_PRESET", "debug")
SIZE = 1 << 20
MACS = [b"\x52\x54\x00\x12\x34\x56", b"\x52\x54\x00\x12\x34\x99"]


def checksum(data):
    total = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def packet(random_, protocol, body, fragment=0):
    """An IPv4 packet for the first guest from somebody that doesn't exist."""
    source, target = bytes((11,)) + random_.randbytes(3), bytes((10, 9, 0, 1))
    if protocol == socket.IPPROTO_TCP:
        pseudo = source + target + struct.pack(">BBH", 0, protocol, len(body))
        body = body[:16] + struct.pack(">H", checksum(pseudo + body)) + body[18:]
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), random_.randrange(65536), fragment, 64, protocol, 0)
    head = head[:10] + struct.pack(">H", checksum(head + source + target)) + source + target
    return MACS[0] + b"\x02\0\0" + random_.randbytes(3) + b"\x08\0" + head + body


def syn(random_):
    return packet(random_, socket.IPPROTO_TCP,
                  struct.pack(">HHIIBBHHH", random_.randrange(1024, 65536), 80, random_.randrange(1 << 32), 0, 0x50, 2,
                              65535, 0, 0))


def datagram(random_):
    body = random_.randbytes(random_.randrange(1400))
    return packet(random_, socket.IPPROTO_UDP,
                  struct.pack(">HHHH", 1, random_.randrange(1, 65536), 8 + len(body), 0) + body)


def fragment(random_):
    return packet(random_, socket.IPPROTO_UDP, random_.randbytes(800), 0x2000 | random_.randrange(8) * 100)


def noise(random_):
    """Anything, in a frame that is taken."""
    kind = random_.choice((b"\x08\0", b"\x08\x06", b"\x86\xdd"))
    return MACS[0] + MACS[1] + kind + random_.randbytes(random_.randrange(0, 1400))


class Wire:
    """Between two `dgram` netdevs. rates: what happens to which share of the frames; floods: makers of other frames."""

    def __init__(self, seed, floods=(), **rates):
        self.random, self.rates, self.floods = random.Random(seed), rates, floods
        self.ends = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
        self.guests = []
        for end in self.ends:
            end.bind(("127.0.0.1", 0))
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
                free.bind(("127.0.0.1", 0))
                self.guests.append(free.getsockname()[1])
        self.on = True
        for work in (lambda: self.carry(0, 1), lambda: self.carry(1, 0), self.flood):
            threading.Thread(target=work, daemon=True).start()

    def net(self, n):
        """QEMU's words for the n-th guest's side."""
        inet = "type=inet,{0}.host=127.0.0.1,{0}.port={1}"
        return (f"dgram,local.{inet.format('local', self.guests[n])},"
                f"remote.{inet.format('remote', self.ends[n].getsockname()[1])}")

    def happens(self, what):
        return self.random.random() < self.rates.get(what, 0)

    def carry(self, source, target):
        late = []
        while self.on:
            frame = self.ends[source].recv(65536)
            if self.happens("drop"):
                continue
            if self.happens("change"):
                at = self.random.randrange(len(frame))
                frame = frame[:at] + bytes((frame[at] ^ 1 << self.random.randrange(8),)) + frame[at + 1:]
            if self.happens("reorder") and not late:
                late.append(frame)
                continue
            for one in [frame] * (2 if self.happens("double") else 1) + late:
                self.ends[target].sendto(one, ("127.0.0.1", self.guests[target]))
            late.clear()

    def flood(self):
        while self.on and self.floods:
            for _ in range(20):
                self.ends[0].sendto(self.random.choice(self.floods)(self.random), ("127.0.0.1", self.guests[0]))
            time.sleep(0.02)


class FaultsTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.data = random.Random(1).randbytes(SIZE)

    def overlay(self, n):
        folder = self.folder / str(n)
        (folder / "etc").mkdir(parents=True)
        (folder / "etc/network.conf").write_text(
            f"default static 10.9.0.{n + 1}/24 gateway 10.9.0.{2 - n} ipv6 none\n", encoding="utf-8")
        (folder / "www").mkdir()
        (folder / "www/data").write_bytes(self.data)
        return str(folder)

    def guest(self, wire, n, script):
        return subprocess.Popen(
            [RUN, "--no-build", "--preset", PRESET, "--boot", "direct", "--timeout", "400", "--net", wire.net(n),
             "--nic", "virtio,mac=" + MACS[n].hex(":"), "--overlay", self.overlay(n),
             "--exec", script],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def fetch(self, wire, times=1):
        serve = "httpd -p 80 -h /www; echo serving; read line; service list | grep '^net '"
        get = ("i=0; until ping -c 1 -W 1 10.9.0.1 >/dev/null; do i=$((i+1)); [ $i -lt 60 ] || exit 1; done; sleep 2; "
               f"for i in $(seq {times}); do wget -q -O - http://10.9.0.1/data | md5sum; done; "
               "service list | grep '^net '")
        with self.guest(wire, 0, serve) as server, self.guest(wire, 1, get) as client:
            out = client.communicate()[0]
            state = server.communicate("\n")[0]
        wire.on = False
        self.assertEqual(out.count(hashlib.md5(self.data).hexdigest()), times, out + state)
        for text in (out, state):
            words = text.strip().split("\n")[-1].split()
            self.assertEqual((words[0], words[1], words[3]), ("net", "running", "0"), text)     # no deaths

    def test_loss(self):
        self.fetch(Wire(1, drop=0.03))

    def test_disorder(self):
        self.fetch(Wire(2, reorder=0.1, double=0.1))

    def test_changed_bits(self):
        self.fetch(Wire(3, change=0.03, drop=0.01))

    def test_floods(self):
        self.fetch(Wire(4, floods=(datagram, fragment, noise)))

    def test_flood_of_connections(self):
        self.fetch(Wire(5, floods=(syn,)))


if __name__ == "__main__":
    unittest.main()
