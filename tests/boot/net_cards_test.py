#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Network cards, seen from both sides: QEMU pulls the plug, its dump of the wire has the frames that the guest
captured; on tap devices of the host cards have several queues and do all that they can. Environment: NET_KIND, a kind
of scripts/run --nic."""

import json
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import unittest

RUN = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "run"
KIND = os.environ.get("NET_KIND", "virtio")
HUB = ["--net", "hubport,hubid=0", "--net", "hubport,hubid=0", "--nic", KIND]
QUEUES = 2


def words(command, nets, extra=()):
    return [RUN, "--no-build", "--boot", "direct", "--smp", "2", "--timeout", "300", "--with", "tests",
            "--append", "network=none", *nets, "--exec", command, "--", *extra]


class Monitor:
    """QEMU's, once it is there."""

    def __init__(self, path):
        self.path, self.lines = path, None

    def command(self, name, /, **arguments):
        if not self.lines:
            with socket.socket(socket.AF_UNIX) as channel:
                channel.connect(str(self.path))
                self.lines = channel.makefile("rw")
            self.lines.readline()
            self.command("qmp_capabilities")
        self.lines.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
        self.lines.flush()
        while "return" not in (answer := json.loads(self.lines.readline())):
            if "error" in answer:
                raise AssertionError(answer)


def pcap(data):
    """The frames of a file in pcap format, in either byte order of the fields."""
    magic, _, _, _, _, _, link = struct.unpack_from("<IHHiIII", data)
    assert (magic, link) == (0xa1b2c3d4, 1), (hex(magic), link)
    at, frames = 24, []
    while at < len(data):
        _, micro, captured, length = struct.unpack_from("<IIII", data, at)
        assert micro < 1000000 and captured == length and at + 16 + captured <= len(data)
        frames.append(data[at + 16:at + 16 + captured])
        at += 16 + captured
    return frames


class Net(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="cathode-net-")
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name)

    def test_link(self):
        """It goes and comes back while frames fly; the guest says when it has seen it."""
        monitor = Monitor(self.path / "qmp")
        self.addCleanup(lambda: monitor.lines and monitor.lines.close())
        with subprocess.Popen(words("NET_LINK=1 /tests/native/net link_changes", HUB,
                                    ["-qmp", f"unix:{monitor.path},server=on,wait=off"]),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as guest:
            watchdog = threading.Timer(300, guest.kill)
            watchdog.start()
            seen = []
            for line in guest.stdout:
                seen.append(line)
                if line.startswith("# link up") or line.startswith("# link down"):
                    monitor.command("set_link", name="net0", up=line.startswith("# link down"))
            watchdog.cancel()
        self.assertEqual(guest.returncode, 0, "".join(seen))
        self.assertEqual(sum(line.startswith("# link down") for line in seen), 3, "".join(seen))
        self.assertIn("ok 1 link_changes\n", seen)

    def test_capture(self):
        """What the guest captured at one card is what went over its wire."""
        dump = self.path / "dump"
        command = ("d=$(readlink /dev/eth0); cat ${d%/0}/capture > /tmp/capture & sleep 1; "
                   "/tests/native/net one_pool_for_two_cards > /tmp/report; "
                   "kill $!; sleep 1; cat /tmp/report >&2; cat /tmp/capture")
        result = subprocess.run(words(command, HUB, ["-object", f"filter-dump,id=dump,netdev=net0,file={dump}"]),
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
        self.assertEqual(result.returncode, 0)
        captured, dumped = pcap(result.stdout), pcap(dump.read_bytes())
        ours = [frame for frame in captured if frame[6:12] == b"\x52\x54\0\x12\x34\x56"]
        self.assertGreaterEqual(len(ours), 500)
        wire = {}
        for frame in dumped:
            wire[frame] = wire.get(frame, 0) + 1
        for frame in ours:
            self.assertGreater(wire.get(frame, 0), 0, f"{len(frame)} bytes: {frame[:32].hex()}")
            wire[frame] -= 1
        if not shutil.which("tshark"):
            return
        (self.path / "captured").write_bytes(result.stdout)
        read = subprocess.run(["tshark", "-r", self.path / "captured", "-T", "fields", "-e", "frame.len"],
                              stdout=subprocess.PIPE, check=True)
        self.assertEqual([int(line) for line in read.stdout.split()], [len(frame) for frame in captured])

    @unittest.skipIf(KIND != "virtio", "the other cards' are tested on a hub")
    def test_tap(self):
        """Two cards with two queues each on tap devices with a bridge between them, in a network namespace."""
        script = ["sysctl -q -w net.ipv6.conf.default.disable_ipv6=1 net.ipv6.conf.all.disable_ipv6=1",
                  "ip link add br0 type bridge mcast_snooping 0", "ip link set br0 up"]
        nets = ["--nic", f"virtio,mq=on,vectors={2 * QUEUES + 2}"]
        for tap in ("t0", "t1"):
            script += [f"ip tuntap add {tap} mode tap multi_queue vnet_hdr", f"ip link set {tap} master br0",
                       f"ip link set {tap} up"]
            nets += ["--net", f"tap,ifname={tap},script=no,downscript=no,queues={QUEUES},vhost=off"]
        make = " && ".join(script)
        environment = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
        tried = subprocess.run(["unshare", "-rn", "sh", "-c", make], env=environment, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if tried.returncode:
            self.skipTest("no tap devices here: " + tried.stdout.decode().strip())
        result = subprocess.run(["unshare", "-rn", "sh", "-c", make + ' && exec "$@"', "sh",
                                 *words("/tests/native/net", nets)], env=environment,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
        text = result.stdout.decode()
        self.assertEqual(result.returncode, 0, text)
        self.assertNotIn("not ok", text)
        for name in ("checksums_ip4", "checksums_ip6", "segments_ip4", "segments_ip6"):
            self.assertRegex(text, rf"(?m)^ok \d+ {name}$")
        self.assertIn(f", {QUEUES} queues", text)


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
