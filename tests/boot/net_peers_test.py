#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""TCP peers that do not answer: the other end of the card's wire is this program, which breaks off where it likes.

net_peers_test.py [-k PATTERN]. What a program is told, and that nothing of a connection stays when no program has it.
"""

import os
import pathlib
import random
import re
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
OWN_MAC = b"\x52\x54\x00\xaa\xbb\xcc"
GUEST, OWN = socket.inet_aton("10.9.0.1"), socket.inet_aton("10.9.0.2")
NOBODY, ROUTER_SAYS = socket.inet_aton("10.9.0.66"), {  # the last byte: ICMP's code
    socket.inet_aton("10.9.0.101"): 1, socket.inet_aton("10.9.0.103"): 3, socket.inet_aton("10.9.0.104"): 4}
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
SYNS = 8000     # twice
DATAGRAM = 60000
TOLD = 110000   # more than a program has in its channel, less than that and a window
CLIENTS = 400
# Ports of ours, by what becomes of a connection to them once the handshake is done.
VANISHES, REBOOTS, NO_FIN, ENDS, SHUT, CLOSES, TELLS = 1, 2, 3, 4, 5, 6, 7


def checksum(data):
    total = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


class Peer(wire.Wire):
    """Answers for every address, but only as said above."""

    def __init__(self):
        super().__init__()
        self.random = random.Random(7)
        self.heard = []     # segments for connections that the test makes by hand

    def segment(self, source, ports, sequence, acknowledged, flags, window=65535, body=b""):
        head = struct.pack(">HHIIBBHHH", *ports, sequence, acknowledged, 0x50, flags, window, 0, 0)
        pseudo = source + GUEST + struct.pack(">BBH", 0, 6, len(head + body))
        head = head[:16] + struct.pack(">H", checksum(pseudo + head + body)) + head[18:]
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(head + body), 0, 0, 64, 6, 0)
        ip = ip[:10] + struct.pack(">H", checksum(ip + source + GUEST)) + source + GUEST
        self.send(GUEST_MAC + OWN_MAC + b"\x08\0" + ip + head + body)

    def take_arp(self, body):
        operation, target = body[6:8], body[24:28]
        if operation == b"\0\1" and target not in (GUEST, NOBODY) and body[14:18] == GUEST:
            self.send(GUEST_MAC + OWN_MAC + b"\x08\x06" + body[:6] + b"\0\2" + OWN_MAC + target + body[8:18])

    def take_tcp(self, source, body):
        port, own, sequence, acknowledged, offset, flags, _ = struct.unpack(">HHIIBBH", body[:16])
        length = len(body) - (offset >> 4) * 4
        if own >= 1024:
            self.heard.append((own, sequence, acknowledged, flags, body[(offset >> 4) * 4:]))
            return

        def say(flags, number, window=65535):
            self.segment(source, (own, port), number, (sequence + length + (flags & SYN and 1)) & 0xffffffff, flags,
                         window)

        if flags & SYN:
            self.segment(source, (own, port), 1000, sequence + 1, SYN | ACK, 0 if own == SHUT else 65535)
        elif own == REBOOTS and length:
            self.segment(source, (own, port), acknowledged, 0, RST)
        elif own == NO_FIN and flags & FIN:
            self.segment(source, (own, port), 1001, sequence + length + 1, ACK)
        elif own == TELLS and flags & FIN:
            self.segment(source, (own, port), 1001 + TOLD + 1, sequence + length + 1, ACK)
        elif own == TELLS and acknowledged == 1001:
            for at in range(0, TOLD, 1000):
                time.sleep(0.001)
                self.segment(source, (own, port), 1001 + at, sequence, ACK | PSH, body=bytes(min(1000, TOLD - at)))
            self.segment(source, (own, port), 1001 + TOLD, sequence, FIN | ACK)
        elif own == CLOSES and flags & FIN:
            self.segment(source, (own, port), 1001, sequence + length + 1, FIN | ACK)
        elif own == ENDS and acknowledged == 1001 and not flags & FIN:
            say(FIN | ACK, 1001)
        elif own == SHUT:
            self.segment(source, (own, port), 1001, sequence, ACK, 0)

    def unreachable(self, source, packet):
        """A router's message about the packet."""
        said = struct.pack(">BBHI", 3, ROUTER_SAYS[source], 0, 0) + packet[:28]
        said = said[:2] + struct.pack(">H", checksum(said)) + said[4:]
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(said), 0, 0, 64, 1, 0)
        ip = ip[:10] + struct.pack(">H", checksum(ip + OWN + GUEST)) + OWN + GUEST
        self.send(GUEST_MAC + OWN_MAC + b"\x08\0" + ip + said)

    def take_udp(self, source, body):
        """Answers with a large datagram in many fragments."""
        port, own = struct.unpack(">HH", body[:4])
        data = bytes(i // 8 & 0xff for i in range(DATAGRAM))
        whole = struct.pack(">HHHH", own, port, 8 + len(data), 0) + data
        for at in range(0, len(whole), 1480):
            part = whole[at:at + 1480]
            more = 0x2000 if at + len(part) < len(whole) else 0
            ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(part), 99, more | at // 8, 64, 17, 0)
            ip = ip[:10] + struct.pack(">H", checksum(ip + source + GUEST)) + source + GUEST
            self.send(GUEST_MAC + OWN_MAC + b"\x08\0" + ip + part)

    def run(self):
        while self.on:
            frame = self.receive()
            if not frame:
                continue
            kind, body = frame[12:14], frame[14:]
            if kind == b"\x08\x06":
                self.take_arp(body)
            elif kind == b"\x08\0" and body[16:20] in ROUTER_SAYS:
                self.unreachable(body[16:20], body)
                if ROUTER_SAYS[body[16:20]] == 4 and body[9] == 6:  # which is no reason to give up
                    self.take_tcp(body[16:20], body[20:struct.unpack(">H", body[2:4])[0]])
            elif kind == b"\x08\0" and body[9] == 6:
                length = struct.unpack(">H", body[2:4])[0]
                self.take_tcp(body[16:20], body[20:length])
            elif kind == b"\x08\0" and body[9] == 17:
                self.take_udp(body[16:20], body[20:])

    def flood(self, number):
        """SYNs of clients that never say more."""
        for n in range(number):
            self.segment(bytes((11,)) + self.random.randbytes(3), (self.random.randrange(1024, 65536), 80),
                         self.random.randrange(1 << 32), 0, SYN)
            if n % 50 == 0:
                time.sleep(0.005)

    def fetch(self):
        """A client that means it: what httpd answers, at most a segment."""
        own, start = self.random.randrange(20000, 30000), 5000
        for _ in range(20):
            self.segment(OWN, (own, 80), start, 0, SYN)
            limit = time.monotonic() + 1
            while time.monotonic() < limit:
                for port, sequence, acknowledged, flags, _ in list(self.heard):
                    if port == own and flags & SYN and acknowledged == start + 1:
                        self.segment(OWN, (own, 80), start + 1, sequence + 1, ACK | PSH,
                                     body=b"GET /file HTTP/1.0\r\n\r\n")
                        return self.answer(own)
                time.sleep(0.05)
        return b"nothing"

    def answer(self, own):
        limit, got = time.monotonic() + 10, b""
        while time.monotonic() < limit and b"the file" not in got:
            got = b"".join(body for port, *_, body in list(self.heard) if port == own)
            time.sleep(0.05)
        acknowledged = [one for one in self.heard if one[0] == own][-1][2]
        self.segment(OWN, (own, 80), acknowledged, 0, RST)
        return got


class PeersTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        (self.folder / "etc").mkdir()
        (self.folder / "etc/network.conf").write_text("default static 10.9.0.1/24 gateway 10.9.0.2 ipv6 none\n",
                                                      encoding="utf-8")
        (self.folder / "www").mkdir()
        (self.folder / "www/file").write_text("the file\n", encoding="utf-8")
        self.peer = Peer()
        self.peer.start()
        self.addCleanup(self.peer.stop)

    def guest(self, script):
        return subprocess.Popen(
            [RUN, "--no-build", "--preset", PRESET, "--boot", "direct", "--timeout", "120", "--net", self.peer.net(),
             "--nic", "virtio,mac=" + GUEST_MAC.hex(":"), "--with", "tests", "--overlay", str(self.folder),
             "--exec", script],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    # Rows of /proc/net/tcp that aren't of listening sockets: gone N s after the last program has ended?
    GONE = ("i=0; while [ $(tail -n +2 /proc/net/tcp | grep -vc ' 0A ') != 0 ] && [ $i -lt {0} ]; do sleep 0.5; "
            "i=$((i+1)); done; tail -n +2 /proc/net/tcp | grep -v ' 0A '; echo end")

    def test_peers(self):
        clients = [
            # The peer vanishes: probes find it out, or data that it doesn't acknowledge.
            f"client keepalive 10.9.0.2 {VANISHES} keepalive read",
            f"client keepalive_user 10.9.0.2 {VANISHES} keepalive timeout 1500 read",
            f"client data 10.9.0.2 {VANISHES} timeout 2000 write 1000 read",
            # It has forgotten the connection.
            f"client reboot 10.9.0.2 {REBOOTS} write 1000 read",
            f"client reboot_write 10.9.0.2 {REBOOTS} write 1000 wait 500 write 1000",
            # Nobody has the socket any more, and the peer doesn't end, doesn't acknowledge our end, or takes nothing.
            f"client fin_wait_2 10.9.0.2 {NO_FIN} linger 2 close",
            f"client shut_first 10.9.0.2 {NO_FIN} linger 2 shutdown wait 500 close",
            f"client fin_wait_1 10.9.0.2 {VANISHES} timeout 2000 write 1000 close",
            f"client last_ack 10.9.0.2 {ENDS} timeout 2000 read close",
            f"client shut_window 10.9.0.2 {SHUT} timeout 2000 write 100000 close",
        ]
        script = (self.UP + " ".join(f"{client} &" for client in clients) + " wait; " + self.GONE.format(24))
        with self.guest(script) as guest:
            out = guest.communicate()[0]
        for line in ("keepalive: read ETIMEDOUT", "keepalive_user: read ETIMEDOUT", "data: write 1000",
                     "data: read ETIMEDOUT", "reboot: read ECONNRESET", "reboot_write: write ECONNRESET",
                     "last_ack: read 0"):
            self.assertIn(line + "\n", out)
        self.assertTrue(re.search(r"^shut_window: write [1-9]", out, re.MULTILINE), out)
        self.assertTrue(out.endswith("end\n"), out)
        self.assertNotRegex(out, r"[0-9A-F]{8}:[0-9A-F]{4}")    # a row

    UP = ("PATH=$PATH:/tests/boot; i=0; until ip -4 addr show eth0 | grep -q 10.9.0.1 || [ $i = 50 ]; do "
          "sleep 0.2; i=$((i+1)); done; ")

    def test_fragments(self):
        with self.guest(self.UP + "client large 10.9.0.2 7 datagram") as guest:
            out = guest.communicate()[0]
        self.assertEqual(out, f"large: datagram {DATAGRAM}\n")

    def test_unreachable(self):
        """Nobody answers ARP, or a router says that there is no way."""
        clients = [f"client nobody 10.9.0.66 {CLOSES} &", f"client host 10.9.0.101 {CLOSES} &",
                   f"client port 10.9.0.103 {CLOSES} &", f"client large 10.9.0.104 {CLOSES} shutdown read &"]
        with self.guest(self.UP + " ".join(clients) + " wait") as guest:
            out = guest.communicate()[0]
        self.assertEqual(sorted(out.split("\n")), [
            "", "host: connect Host is unreachable", "large: read 0", "nobody: connect Host is unreachable",
            "port: connect Connection refused"])

    def test_no_router(self):
        script = (self.UP + "ip route del default; "
                  f"for i in 11.1.1.1 10.9.0.2; do client $i $i {CLOSES} shutdown read; done")
        with self.guest(script) as guest:
            out = guest.communicate()[0]
        self.assertEqual(out, "11.1.1.1: connect Network unreachable\n10.9.0.2: read 0\n")

    def test_slow_reader(self):
        """What the peer said before both have ended is there, however late it is read."""
        with self.guest(self.UP + f"client slow 10.9.0.2 {TELLS} wait 1500 shutdown wait 500 drain") as guest:
            out = guest.communicate()[0]
        self.assertEqual(out, f"slow: drain {TOLD}\n")

    def test_time_wait(self):
        """A port that a connection to the same peer has in TIME_WAIT is no reason to refuse another one."""
        with self.guest(self.UP + f"client again 10.9.0.2 {CLOSES} shutdown read again shutdown read") as guest:
            out = guest.communicate()[0]
        self.assertEqual(out, "again: read 0\nagain: again 1\nagain: read 0\n")

    def flags_heard(self, own):
        return [flags for port, _, _, flags, _ in list(self.peer.heard) if port == own]

    def connect(self, own):
        """SYN and, if there is an answer, the ACK of a client that then waits: all flags that were heard."""
        self.peer.segment(OWN, (own, 80), 5000, 0, SYN)
        limit = time.monotonic() + 0.2
        while time.monotonic() < limit and not self.flags_heard(own):
            time.sleep(0.001)
        for port, sequence, *_ in list(self.peer.heard):
            if port == own:
                self.peer.segment(OWN, (own, 80), 5001, sequence + 1, ACK)
                break
        return self.flags_heard(own)

    def test_full_queue(self):
        """A server that is slow to accept: clients beyond its backlog get no answer, and try again; none is reset."""
        script = (self.UP + "httpd -p 80 -h /www; kill -STOP $(pidof httpd); echo; read line; "
                  "kill -CONT $(pidof httpd); echo; read line")
        with self.guest(script) as guest:
            guest.stdout.readline()
            ports, full = range(2000, 2000 + CLIENTS), 0
            for own in ports:
                full = full + 1 if not self.connect(own) else 0
                if full == 3:
                    break
            last = own
            guest.stdin.write("\n")
            guest.stdin.flush()
            guest.stdout.readline()
            got = self.peer.fetch()
            out = guest.communicate("\n")[0]
        resets = [own for own in ports if any(flags & RST for flags in self.flags_heard(own))]
        self.assertEqual(resets, [], out)
        self.assertEqual(full, 3, out)
        self.assertGreaterEqual(last - ports[0], 128)
        self.assertIn(b"the file", got, out)

    def test_half_open(self):
        """Clients that never complete the handshake; what they cost comes back, and others are served all the time."""
        memory = "grep VmRSS /proc/$(pidof net)/status | tr -dc '0-9\\n'"
        script = (f"httpd -p 80 -h /www; {memory}; read line; {memory}; read line; "
                  f"tail -n +2 /proc/net/tcp | grep -c ' 03 '; {memory}; " + self.GONE.format(70))
        with self.guest(script) as guest:
            before = int(guest.stdout.readline())
            self.peer.flood(SYNS)
            guest.stdin.write("\n")
            guest.stdin.flush()
            once = int(guest.stdout.readline())
            thread = threading.Thread(target=self.peer.flood, args=(SYNS,))
            thread.start()
            time.sleep(1)
            got = [self.peer.fetch()]
            thread.join()
            got.append(self.peer.fetch())
            out = guest.communicate("\n")[0]
        for answer in got:
            self.assertIn(b"the file", answer, out)
        half_open, twice, *rest = out.split("\n")[:-1]
        print(f"{half_open} half-open connections; memory of the server in KiB: {before}, {once}, {twice}")
        self.assertGreater(int(half_open), 500)
        self.assertEqual(rest, ["end"])
        self.assertLess(int(twice), once + 512)     # less than 64 bytes for each that was forgotten


if __name__ == "__main__":
    unittest.main()
