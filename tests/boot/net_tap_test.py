#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""This machine's TCP as the peer, on a tap device in a network namespace: there the card takes long segments and gives
frames whose checksums nobody has made. Some megabytes each way, by IPv4 and IPv6, and the card's statistics say that
long segments were used. Where there can be no tap device, the test says SKIP and why.

net_tap_test.py [-k PATTERN]
"""

import hashlib
import os
import pathlib
import random
import re
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

RUN = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "run"
PRESET = os.environ.get("CATHODE_PRESET", "debug")
SIZE = 8 << 20
MSS = 1428      # of IPv6 with timestamps
MAKE = ("ip link set lo up && ip tuntap add t0 mode tap vnet_hdr && ip addr add 10.9.0.2/24 dev t0 && "
        "ip addr add fd09::2/64 dev t0 nodad && ip link set t0 up")
ENVIRONMENT = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
INSIDE = "NET_TAP_INSIDE"


class Peer:
    """One connection at a port of ours: takes all that comes, or gives data."""

    def __init__(self, family, address, give=b""):
        self.socket = socket.create_server((address, 0), family=family)
        self.port = self.socket.getsockname()[1]
        self.taken = hashlib.md5()
        self.give = give
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        connection, _ = self.socket.accept()
        with connection:
            if self.give:
                connection.sendall(self.give)
                return
            while piece := connection.recv(1 << 16):
                self.taken.update(piece)


class TapTest(unittest.TestCase):
    def transfer(self, family, address):
        data = random.Random(1).randbytes(SIZE)
        digest = hashlib.md5(data).hexdigest()
        giver, taker = Peer(family, address, data), Peer(family, address)
        self.addCleanup(giver.socket.close)
        self.addCleanup(taker.socket.close)
        with tempfile.TemporaryDirectory() as folder:
            etc = pathlib.Path(folder) / "etc"
            etc.mkdir()
            (etc / "network.conf").write_text("default static 10.9.0.1/24 ipv6 fd09::1\n", encoding="utf-8")
            (pathlib.Path(folder) / "data").write_bytes(data)
            script = (f"i=0; until ping -c 1 -W 1 {address} >/dev/null; do i=$((i+1)); [ $i -lt 60 ] || exit 1; done; "
                      f"nc {address} {giver.port} </dev/null | md5sum; nc {address} {taker.port} </data; "
                      "cat $(dirname $(readlink /dev/eth0))/stats; service list | grep '^net '")
            result = subprocess.run(
                [RUN, "--no-build", "--preset", PRESET, "--boot", "direct", "--timeout", "300", "--overlay", folder,
                 "--net", "tap,ifname=t0,script=no,downscript=no,vhost=off", "--nic", "virtio", "--exec", script],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        text = result.stdout
        self.assertEqual(result.returncode, 0, text)
        self.assertIn(digest, text)
        taker.thread.join(60)
        self.assertEqual(taker.taken.hexdigest(), digest, text)
        sent, copied = (int(re.search(rf"^{name}\s+(\d+)", text, re.MULTILINE).group(1))
                        for name in ("sent_frames", "bytes_copied"))
        self.assertLess(sent, SIZE // MSS // 2, text)       # all acknowledgements are among them
        self.assertEqual(copied, 0, text)
        words = text.strip().split("\n")[-1].split()
        self.assertEqual((words[0], words[1], words[3]), ("net", "running", "0"), text)     # no deaths

    def test_ip4(self):
        self.transfer(socket.AF_INET, "10.9.0.2")

    def test_ip6(self):
        self.transfer(socket.AF_INET6, "fd09::2")


def main():
    if INSIDE in os.environ:
        unittest.main()
    tried = subprocess.run(["unshare", "-rn", "sh", "-c", MAKE], env=ENVIRONMENT, stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if tried.returncode:
        print("SKIP: no tap devices here:", tried.stdout.decode().strip())
        return 0
    return subprocess.run(["unshare", "-rn", "sh", "-c", MAKE + ' && exec "$@"', "sh", sys.executable, *sys.argv],
                          env={**ENVIRONMENT, INSIDE: "1"}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
