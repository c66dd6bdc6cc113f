#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The root on a disk: kept files, repair at boot, drivers that start again; judged by the host's e2fsprogs.
Environment: DISK_KIND, virtio or ahci."""

import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import unittest

RUN = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "run"
KIND = os.environ.get("DISK_KIND", "virtio")
START = 65 << 20    # of the second partition, behind 64 MiB for the firmware


def words(*more):
    return [RUN, "--no-build", "--boot", "direct", "--root", "disk", "--timeout", "300", *more]


def run(*more):
    return subprocess.run(words(*more), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          check=False)


def tool(*line):
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"  # not every user's
    return subprocess.run(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False, env={**os.environ, "PATH": path})


class RootOnDisk(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="cathode-root-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.disk = self.folder / "disk.img"    # made by the first run

    def guest(self, command, *more):
        result = run("--disk", f"{KIND}:{self.disk}", "--exec", command, *more)
        self.assertEqual(result.returncode, 0, result)
        return result.stdout.decode()

    def root(self):
        return f"{self.disk}?offset={START}"

    def check(self):
        found = tool("e2fsck", "-fn", self.root())
        self.assertEqual(found.returncode, 0, found.stdout.decode())

    def super(self, field):
        lines = tool("dumpe2fs", "-h", self.root()).stdout.decode().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith(f"{field}:"))

    def test_drivers_from_the_disk(self):
        """Devices whose drivers only the disk has, found before it was there."""
        cards = ("--net", "user", "--nic", "virtio", "--net", "user", "--nic", "e1000")
        text = self.guest("i=0; until ping -c 1 -W 1 10.0.2.2 >/dev/null 2>&1 || [ $((i += 1)) -gt 50 ]; do sleep 0.2;"
                          " done; ifconfig eth0; ifconfig eth1; kill -9 $(pidof e1000); sleep 1; "
                          "ping -c 1 -W 5 10.0.2.2; service list", *cards, "--", "-device", "virtio-tablet-pci")
        self.assertIn("inet addr:10.0.2.15", text)
        self.assertIn("1 packets received", text)
        for name in "virtio-net.0", "e1000.0", "virtio-input.0":
            self.assertRegex(text, rf"{re.escape(name)} +running")

    def test_kept(self):
        """Files stay, with their owners; a set-id program works; the system is what was built."""
        text = self.guest("echo mine > /root/mine; mkdir /home/a; chown 12:34 /home/a; stat -c %a /bin/busybox-setid; "
                          "umask; df / | grep -c ' /$'; mount | grep ' / '; blkid")
        self.assertEqual(text.split("\n")[:3], ["4755", "0022", "1"])
        self.assertIn("ext4", text)
        self.assertRegex(text, r'2: LABEL="cathode" UUID="[-0-9a-f]{36}" TYPE="ext4"\n')
        self.check()
        self.assertEqual(self.super("Filesystem state"), "clean")
        self.assertNotIn("needs_recovery", self.super("Filesystem features"))
        self.assertEqual(self.guest("cat /root/mine; stat -c '%u %g' /home/a; ls -d /dev/*d?2 | wc -l"),
                         "mine\n12 34\n1\n")

    def test_killed(self):
        """What was synced is there after QEMU was killed."""
        command = ("dd if=/dev/urandom of=/root/big bs=64k count=40 conv=fsync 2>/dev/null; cksum < /root/big; "
                   "mkdir /root/d; echo kept > /root/d/kept; sync; echo cut-now; sleep 1000")
        process = subprocess.Popen(words("--disk", f"{KIND}:{self.disk}", "--exec", command),
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   start_new_session=True)
        lines = [process.stdout.readline().decode() for _ in range(2)]
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()   # to its end: QEMU has let go of the disk
        self.assertEqual(lines[1], "cut-now\n")
        self.assertIn("needs_recovery", self.super("Filesystem features"))
        self.assertEqual(self.guest("cksum < /root/big; cat /root/d/kept"), lines[0] + "kept\n")
        self.check()

    def test_repaired(self):
        """Damage that was noticed is mended at the next boot."""
        self.guest("mkdir /root/d; echo text > /root/d/file")
        stat = tool("debugfs", "-R", "stat /root/d/file", self.root()).stdout.decode()
        inode = re.search(r"Inode: (\d+)", stat)[1]
        tool("debugfs", "-w", "-R", f"clri <{inode}>", self.root())
        tool("debugfs", "-w", "-R", "set_super_value state 2", self.root())
        self.assertNotEqual(tool("e2fsck", "-fn", self.root()).returncode, 0)
        self.assertEqual(self.guest("ls /root/d; echo new > /root/d/new; cat /root/d/new; sleep 1;"
                                    "grep -c 'init: checking' /var/log/messages"), "new\n1\n")
        self.check()
        self.assertEqual(self.super("Filesystem state"), "clean")

    def test_driver_killed(self):
        """The driver of the root's disk starts again; nobody sees an error."""
        driver = {"virtio": "virtio-blk", "ahci": "ahci"}[KIND]
        text = self.guest(f"pid() {{ set -- $(cat /scheme/service/{driver}.0); echo $3; }};"
                          "i=0; while [ $i -lt 6 ]; do old=$(pid); kill -9 $old;"
                          " dd if=/dev/urandom of=/root/f$i bs=64k count=9 conv=fsync 2>/dev/null || echo failed;"
                          " cp /root/f$i /root/g$i || echo failed; while [ $(pid) = $old ]; do sleep 0.1; done;"
                          " i=$((i + 1)); done; sync; for f in 0 1 2 3 4 5; do cmp /root/f$f /root/g$f; done; echo end")
        self.assertEqual(text, "end\n")
        self.check()

    def test_overlay(self):
        """An overlay is over a throw-away disk, and nothing alters one that is to be kept."""
        overlay = self.folder / "overlay"
        (overlay / "etc").mkdir(parents=True)
        (overlay / "etc" / "motd").write_text("mine\n")
        result = run("--disk", KIND, "--overlay", overlay, "--exec", "cat /etc/motd; ls -d /scheme/initfs/overlay")
        self.assertEqual(result.stdout, b"mine\n", result)
        self.guest("true")
        before = self.disk.read_bytes()
        self.assertEqual(run("--disk", f"{KIND}:{self.disk}", "--overlay", overlay, "--exec", "true").returncode, 125)
        self.assertTrue(before == self.disk.read_bytes())

    def test_none(self):
        """A disk without a root: told by the host if it can be seen, else by init."""
        with open(self.disk, "wb") as out:
            out.truncate(1 << 20)
        result = run("--disk", f"{KIND}:{self.disk}", "--exec", "true")
        self.assertEqual(result.returncode, 125)
        self.assertIn(b"no root", result.stderr)
        result = run("--append", "root=LABEL=nothing", "--root", "ram", "--exec", "true")
        self.assertEqual(result.returncode, 120, result)
        self.assertIn(b"no disk is what root= says", result.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
