#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Disks, seen from both sides: what the guest wrote is in the host's file, a device's errors reach the guest."""

import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib

RUN = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "run"
KIND = os.environ.get("DISK_KIND", "virtio")
NAME = {"virtio": "vda", "ahci": "sda"}[KIND]
MIB = 1 << 20


def guest(command, *more, disk=None, extra=()):
    """Output of the command in a guest with this disk, kept."""
    words = [RUN, "--no-build", "--boot", "direct", "--smp", "2", "--timeout", "300"]
    if disk:
        words += ["--disk", f"{KIND}:{disk}"]
    words += [*more, "--exec", command]
    if extra:
        words += ["--", *extra]
    result = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
    if result.returncode:
        raise AssertionError(f"status {result.returncode}: {result.stdout.decode(errors='replace')}")
    return result.stdout.decode()


def gpt(sectors, partitions):
    """A disk's first and last sectors: (protective MBR + primary, backup)."""
    entries = bytearray(128 * 128)
    for i, (first, last, name) in enumerate(partitions):
        entry = struct.pack("<16s16sQQQ", b"\x11" * 16, bytes([i + 1]) * 16, first, last, 0)
        entries[128 * i:128 * i + 128] = entry + name.encode("utf-16le").ljust(72, b"\0")

    def header(at, other, table):
        def fields(crc):
            return struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, crc, 0, at, other, 34, sectors - 34,
                               b"\x33" * 16, table, 128, 128, zlib.crc32(entries)).ljust(92, b"\0")[:92]
        return fields(zlib.crc32(fields(0))).ljust(512, b"\0")
    mbr = bytearray(512)
    mbr[446:462] = struct.pack("<B3sB3sII", 0, b"", 0xee, b"", 1, sectors - 1)
    mbr[510:] = b"\x55\xaa"
    return bytes(mbr) + header(1, sectors - 1, 2) + entries, bytes(entries) + header(sectors - 1, 1, sectors - 33)


class Disk(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="cathode-disk-")
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name) / "disk.img"
        with open(self.path, "wb") as out:
            out.truncate(64 * MIB)

    def test_data_reaches_the_file(self):
        pattern = os.urandom(3 * MIB)
        with open(self.path, "r+b") as file:
            file.seek(8 * MIB)
            file.write(pattern)
        text = guest(f"dd if=/dev/{NAME} of=/dev/{NAME} bs=64k skip=128 seek=512 count=48 conv=notrunc,fsync"
                     f" 2>/dev/null; printf end | dd of=/dev/{NAME} bs=1 seek=1000003 conv=notrunc 2>/dev/null; sync;"
                     f" dd if=/dev/{NAME} bs=1M skip=8 count=3 2>/dev/null | cksum", disk=self.path)
        data = self.path.read_bytes()
        self.assertEqual(data[32 * MIB:35 * MIB], pattern)
        self.assertEqual(data[8 * MIB:11 * MIB], pattern)
        self.assertEqual(data[1000002:1000007], b"\0end\0")
        self.assertIn(str(3 * MIB), text)

    def test_partitions(self):
        front, back = gpt(64 * MIB // 512, [(2048, 4095, "first"), (4096, 8191, "second")])
        for damage in (None, 512 + 20, 1024 + 40):
            start = bytearray(front)
            if damage:
                start[damage] ^= 1
            with open(self.path, "r+b") as file:
                file.write(start)
                file.seek(-len(back), os.SEEK_END)
                file.write(back)
            text = guest(f"lsblk; printf hello | dd of=/dev/{NAME}2 bs=5 seek=100 2>/dev/null; sync", disk=self.path)
            self.assertRegex(text, rf"(?m)^  {NAME}1 +1M +0 part")
            self.assertRegex(text, rf"(?m)^  {NAME}2 +2M +0 part .*second$")
            self.assertEqual(self.path.read_bytes()[4096 * 512 + 500:4096 * 512 + 505], b"hello")

    def bad_disk(self, *rules):
        """Arguments for a disk that fails for (operation, sector, errno), each time."""
        config = self.path.with_name("blkdebug.conf")
        rule = '[inject-error]\nevent = "none"\niotype = "{}"\nsector = "{}"\nerrno = "{}"\nonce = "off"\n'
        config.write_text("".join(rule.format(*words) for words in rules))
        device = "virtio-blk-pci" if KIND == "virtio" else "ide-hd,bus=ide.0"
        return ["-drive", f"if=none,id=bad,format=raw,file=blkdebug:{config}:{self.path},werror=report,rerror=report",
                "-device", f"{device},drive=bad"]

    def test_an_error_reaches_its_request_alone(self):
        text = guest(f"d=/dev/{NAME}; for s in 4088 4096 4104; do dd if=$d of=/dev/null bs=4k skip=$((s / 8)) count=1 "
                     "2>/dev/null; echo read $s $?; done; for s in 8184 8192 8200; do dd if=/dev/zero of=$d bs=4k "
                     "seek=$((s / 8)) count=1 conv=notrunc 2>/dev/null; echo write $s $?; done",
                     extra=self.bad_disk(("read", 4096, 5), ("write", 8192, 28)))
        self.assertEqual(text.split("\n")[:-1], ["read 4088 0", "read 4096 1", "read 4104 0",
                                                 "write 8184 0", "write 8192 1", "write 8200 0"])

    def test_an_error_among_many(self):
        """Four copy and compare what they wrote, while others read and write bad sectors next to them."""
        text = guest(f"d=/dev/{NAME}; dd if=/dev/urandom of=/tmp/x bs=1M count=1 2>/dev/null; "
                     "for i in 1 2 3 4; do (for n in 1 2 3; do "
                     "dd if=/tmp/x of=$d bs=64k seek=$((i * 64 + 16)) conv=notrunc 2>/dev/null || echo failed; "
                     "dd if=$d bs=64k skip=$((i * 64 + 16)) count=16 2>/dev/null | cmp - /tmp/x || echo differs; "
                     "done) & done; "
                     "for n in 1 2 3 4; do dd if=$d of=/dev/null bs=4k skip=512 count=1 2>/dev/null && echo read; "
                     "dd if=/dev/zero of=$d bs=4k seek=1024 count=1 conv=notrunc 2>/dev/null && echo written; "
                     "done; wait; echo end",
                     extra=self.bad_disk(("read", 4096, 5), ("write", 8192, 5)))
        self.assertEqual(text, "end\n")

    def test_cd(self):
        if KIND != "ahci":
            self.skipTest("no CDs on this controller")
        data = os.urandom(5 * MIB)
        iso = self.path.with_name("cd.iso")
        iso.write_bytes(data)
        text = guest("lsblk; dd if=/dev/sr0 bs=64k 2>/dev/null | cksum; dd if=/dev/sr0 bs=1 skip=2000 count=100 "
                     "2>/dev/null | cksum; dd if=/dev/zero of=/dev/sr0 bs=2k count=1 2>&1 | grep -c Read-only",
                     extra=["-cdrom", iso])
        self.assertRegex(text, r"(?m)^sr0 +5M +1 rom ")
        for part in (data, data[2000:2100]):
            summed = subprocess.run(["cksum"], input=part, stdout=subprocess.PIPE, check=True).stdout.decode()
            self.assertIn(summed, text)
        self.assertTrue(text.endswith("\n1\n"), text)
        text = guest("lsblk", extra=["-device", "ide-cd,bus=ide.1"])
        self.assertRegex(text, r"(?m)^sr0 +0B +1 rom ")

    @unittest.skipIf(KIND != "virtio", "the controller has one interrupt for all disks")
    def test_two_drivers_on_one_line(self):
        """Neither the death of one nor that of the PCI server disturbs the other; disks keep their names."""
        other = self.path.with_name("other.img")
        with open(other, "wb") as out:
            out.truncate(32 * MIB)
        extra = []
        for number, (file, slot) in enumerate([(self.path, 5), (other, 9)]):
            extra += ["-drive", f"if=none,id=line{number},format=raw,file={file}",
                      "-device", f"virtio-blk-pci,drive=line{number},vectors=0,addr={slot}"]
        text = guest("dd if=/dev/urandom of=/tmp/x bs=64k count=32 2>/dev/null;"
                     " put() { dd if=/tmp/x of=/dev/$1 bs=64k conv=notrunc,fsync 2>/dev/null; };"
                     " same() { dd if=/dev/$1 bs=64k count=32 2>/dev/null | cmp - /tmp/x && echo $1 same; };"
                     " driver() { cut -c33-40 /scheme/service/virtio-blk.$1; };"
                     " put vda & put vdb & wait; kill -9 $(driver 0); same vdb; same vda;"
                     " kill -9 $(pidof pci); put vdb; same vdb; kill -9 $(driver 1); same vdb;"
                     " same vda; lsblk | grep -o '^vd.* ..M'; grep -h -o 'interrupt line' /scheme/pci/00:0[59].0;"
                     " grep -c 'ended by signal 9' /proc/kmsg",
                     extra=extra)
        self.assertEqual(text.split("\n")[:7], ["vdb same", "vda same", "vdb same", "vdb same", "vda same",
                                                "vda            64M", "vdb            32M"])
        self.assertEqual(text.split("\n")[7:], ["interrupt line", "interrupt line", "3", ""])

    def test_read_only(self):
        device = "virtio-blk-pci" if KIND == "virtio" else None
        if not device:
            self.skipTest("no read-only disks on this controller")
        text = guest(f"dd if=/dev/zero of=/dev/{NAME} bs=4k count=1 2>&1 | grep -c Read-only; lsblk",
                     extra=["-drive", f"if=none,id=ro,format=raw,readonly=on,file={self.path}", "-device",
                            f"{device},drive=ro"])
        self.assertTrue(text.startswith("1\n"), text)
        self.assertRegex(text, rf"(?m)^{NAME} +64M +1 disk")


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
