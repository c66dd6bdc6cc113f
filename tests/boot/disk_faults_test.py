#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Disks that fail (QEMU's blkdebug) or are slow (throttle): an error reaches whoever it concerns and nobody else, what
cannot be kept consistent becomes read-only, and nothing hangs. Environment: DISK_KIND, virtio or ahci."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

RUN = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "run"
KIND = os.environ.get("DISK_KIND", "virtio")
NODE = {"virtio": "/dev/vda", "ahci": "/dev/sda"}[KIND]
DEVICE = {"virtio": "virtio-blk-pci,drive=top", "ahci": "ide-hd,bus=ide.0,drive=top"}[KIND]
MIB, EIO, ENOSPC = 1 << 20, 5, 28
LATER = 40      # writes
# Files are made and fsynced until that fails, which it does; the last number is printed.
UNTIL_IT_FAILS = "i=0; while [ $i -lt 100 ] && echo $i > new$i && fsync new$i 2>/dev/null; do i=$((i + 1)); done; "


def tool(*words):
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"  # not every user's
    return subprocess.run(list(map(str, words)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, env={**os.environ, "PATH": path})


class DiskFaults(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="cathode-faults-")
        self.addCleanup(folder.cleanup)
        self.disk = pathlib.Path(folder.name) / "disk"
        files = pathlib.Path(folder.name) / "files"
        files.mkdir()
        for name in ("first", "second"):
            (files / name).write_bytes(name.encode() * 20000)
        with open(self.disk, "wb") as out:
            out.truncate(64 * MIB)
        made = tool("mkfs.ext4", "-q", "-F", "-b", "4096", "-d", files, self.disk)
        self.assertEqual(made.returncode, 0, made.stdout)

    def sector(self, file, block=0):
        """Of a block of a file."""
        text = tool("debugfs", "-R", f"bmap {file} {block}", self.disk).stdout.decode()
        return int(re.search(r"^(\d+)\s*$", text, re.MULTILINE)[1]) * 8

    def guest(self, command, top):
        """Output with the file system on /m; top: what lies between the device and the file."""
        file = {"driver": "file", "filename": str(self.disk), "node-name": "disk"}
        result = subprocess.run(
            [RUN, "--no-build", "--boot", "direct", "--timeout", "120", "--exec",
             f"mkdir /m; mount -t ext4 {NODE} /m && cd /m || exit 1; "
             f"try() {{ \"$@\" 2>&1 | tail -n 1; }}; {command}", "--",
             *(["-object", "throttle-group,id=slow,x-bps-total=1500000"] if top["driver"] == "throttle" else []),
             "-blockdev", json.dumps(file), "-blockdev", json.dumps({**top, "node-name": "top"}),
             "-device", f"{DEVICE},werror=report,rerror=report"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
        return result.stdout.decode(errors="replace"), result.returncode

    def faults(self, *rules):
        return {"driver": "blkdebug", "image": "disk",
                "inject-error": [{"event": "none", "immediately": False, **rule} for rule in rules]}

    def later(self, *rules):
        """They begin to hold after some writes: the file system is mounted by then."""
        chain = [{"event": "pwritev", "state": i, "new_state": i + 1} for i in range(1, LATER)]
        rules = ({"event": "pwritev", "state": LATER, **rule} for rule in rules)
        return {**self.faults(*rules), "set-state": chain}

    def repair(self):
        """What the host's e2fsck leaves: nothing that it had to give up."""
        done = tool("e2fsck", "-fy", self.disk)
        self.assertLessEqual(done.returncode, 1, done.stdout.decode(errors="replace"))

    def test_read(self):
        """Of one file's data."""
        text, _ = self.guest("try cat first; cksum < second | cut -c-3; echo new > third; fsync third; echo $?; "
                             "cat third", self.faults({"iotype": "read", "errno": EIO, "sector": self.sector("first")}))
        self.assertRegex(text.split("\n")[0], r"I/O error")
        self.assertRegex(text, r"\n\d+ *\d*\n0\nnew\n$")
        self.repair()

    def test_read_metadata(self):
        """Of a directory's block: its names can't be had, all else can."""
        tool("debugfs", "-w", "-R", "mkdir folder", self.disk)
        text, _ = self.guest("try cat folder/name; cksum < second | cut -c-3; echo end",
                             self.faults({"iotype": "read", "errno": EIO, "sector": self.sector("folder")}))
        self.assertRegex(text, r"I/O error\n\d+ *\d*\nend\n$")

    def test_write(self):
        """Of one file's data: fsync tells it once, the other file is written."""
        command = ("dd if=/dev/zero of=first bs=4k count=1 conv=notrunc 2>/dev/null; fsync first 2>/dev/null; echo $?; "
                   "dd if=/dev/zero of=second bs=4k count=1 conv=notrunc,fsync 2>/dev/null; echo $?; "
                   "echo more > third; fsync third; echo $?")
        text, _ = self.guest(command, self.faults({"iotype": "write", "errno": EIO, "sector": self.sector("first")}))
        self.assertEqual(text, "1\n0\n0\n")
        self.repair()

    def test_no_space(self):
        """The device itself is full."""
        command = ("dd if=/dev/zero of=first bs=4k count=1 conv=notrunc,fsync 2>/dev/null; echo $?; "
                   "cksum < second | wc -l")
        text, _ = self.guest(command, self.faults({"iotype": "write", "errno": ENOSPC, "sector": self.sector("first")}))
        self.assertEqual(text, "1\n1\n")
        self.repair()

    def test_flush(self):
        """Nothing can be promised any more: errors, read-only, and what is there can be read."""
        command = UNTIL_IT_FAILS + ("[ $i -lt 100 ] && echo failed; try touch other; cksum < second | wc -l; cat new0; "
                                    "cd /; umount /m 2>/dev/null; echo $?")
        text, _ = self.guest(command, self.later({"iotype": "flush", "errno": EIO}))
        self.assertRegex(text, r"^failed\n.*Read-only.*\n1\n0\n[1-9]\d*\n$")
        self.repair()

    def test_journal(self):
        """Metadata can't be written."""
        text = tool("debugfs", "-R", "bmap <8> 1", self.disk).stdout.decode()
        sector = int(re.search(r"^(\d+)\s*$", text, re.MULTILINE)[1]) * 8
        command = ("mkdir folder; sync; try touch folder/name; fsync folder 2>/dev/null; echo $?; "
                   "cksum < second | wc -l; echo end")
        text, _ = self.guest(command, self.faults({"iotype": "write", "errno": EIO, "sector": sector}))
        self.assertIn("Read-only", text)
        self.assertTrue(text.endswith("1\n1\nend\n"), text)
        self.repair()

    def test_all_writes(self):
        """From some moment on the disk answers writes with nothing but errors."""
        command = UNTIL_IT_FAILS + ("[ $i -lt 100 ] && echo failed; sync; try touch other; cat new0; cd /; "
                                    "umount /m 2>/dev/null; umount -f /m 2>/dev/null; echo end")
        text, _ = self.guest(command, self.later({"iotype": "write", "errno": EIO}, {"iotype": "flush", "errno": EIO}))
        self.assertRegex(text, r"^failed\n.*Read-only.*\n0\nend\n$")
        self.repair()

    def test_slow(self):
        """1.5 MB a second: all of it takes its time, and nothing is given up."""
        command = ("dd if=/dev/urandom of=big bs=64k count=40 conv=fsync 2>/dev/null; echo $?; cksum < big; cd /; "
                   f"umount /m; mount -t ext4 {NODE} /m; cksum < /m/big; umount /m")
        text, status = self.guest(command, {"driver": "throttle", "file": "disk", "throttle-group": "slow"})
        lines = text.split("\n")
        self.assertEqual((status, lines[0], lines[1]), (0, "0", lines[2]), text)
        found = tool("e2fsck", "-fn", self.disk)
        self.assertEqual(found.returncode, 0, found.stdout)


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
