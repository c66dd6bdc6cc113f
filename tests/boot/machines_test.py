#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""lspci, lsblk, blkid, df, mount and `service list` tell what QEMU and the host's tools know of both PCs: both kinds of
controllers at once, a bridge, a CD, a disk that is plugged in."""

import os
import pathlib
import re
import subprocess
import unittest

import acpi_test
import disk_test
from acpi_test import MIB, OFF

BUSES = {"q35": ["-device", "pcie-root-port,id=port0,chassis=1,slot=1,addr=10",
                 "-device", "pcie-pci-bridge,id=bridge,bus=port0",
                 "-device", "pcie-root-port,id=port1,chassis=2,slot=2,addr=11",
                 "-device", "ide-hd,bus=ide.0,drive=d0,serial=FIRST", "-device", "ide-cd,bus=ide.1,drive=cd"],
         "pc": ["-device", "pci-bridge,id=bridge,chassis_nr=1,addr=10", "-device", "ahci,id=sata",
                "-device", "ide-hd,bus=sata.0,drive=d0,serial=FIRST", "-device", "ide-cd,bus=sata.1,drive=cd"]}


def tool(*words):
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"  # not every user's
    done = subprocess.run(list(map(str, words)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, env={**os.environ, "PATH": path})
    if done.returncode:
        raise AssertionError(f"{words}: {done.stdout}")
    return done.stdout.decode()


class Guest(acpi_test.Guest):
    def ask(self, command):
        """QEMU's answer."""
        self.wires.qmp.socket.settimeout(60)
        return self.wires.qmp.ask(command)

    def functions(self):
        """QEMU's PCI functions, as lspci -n has them."""
        found, buses = set(), self.ask("query-pci")
        while buses:
            for device in buses.pop()["devices"]:
                number = device["id"]
                found.add(f"{device['bus']:02x}:{device['slot']:02x}.{device['function']} "
                          f"{device['class_info']['class']:04x}: {number['vendor']:04x}:{number['device']:04x}")
                if "devices" in device.get("pci_bridge", {}):
                    buses.append(device["pci_bridge"])
        return found

    def lines(self, command):
        return [line.rstrip("\r") for line in self.run(command).split("\n") if line.strip()]


class Machines(unittest.TestCase):
    def setUp(self):
        folder = acpi_test.tempfile.TemporaryDirectory(prefix="cathode-machines-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def file(self, name, size):
        with open(self.folder / name, "wb") as out:
            out.truncate(size * MIB)
        return self.folder / name

    def disks(self):
        """An ext4, a GPT with FAT in its second partition, an empty one for the bridge, one to be plugged in, a CD."""
        files = self.folder / "files"
        files.mkdir()
        (files / "hello").write_text("hello\n")
        paths = [self.file(f"d{i}", size) for i, size in enumerate((16, 32, 8, 4))]
        tool("mkfs.ext4", "-q", "-F", "-L", "first", "-d", files, paths[0])
        tool("mkfs.fat", "-n", "SECOND", self.file("fat", 16))
        front, back = disk_test.gpt(32 * MIB // 512, [(2048, 4095, "small"), (4096, 4096 + 32767, "fat")])
        with open(paths[1], "r+b") as disk:
            disk.write(front)
            disk.seek(4096 * 512)
            disk.write((self.folder / "fat").read_bytes())
            disk.seek(-len(back), 2)
            disk.write(back)
        tool("xorriso", "-as", "mkisofs", "-quiet", "-R", "-V", "THE_CD", "-o", self.folder / "cd", files)
        words = []
        for i, path in enumerate(paths):
            words += ["-drive", f"if=none,id=d{i},format=raw,file={path}"]
        return words + ["-drive", f"if=none,id=cd,media=cdrom,format=raw,readonly=on,file={self.folder}/cd"]

    def check(self, name):
        uuid = None
        with Guest("-machine", name, *self.disks(), *BUSES[name],
                   "-device", "virtio-blk-pci,drive=d1,addr=5,serial=SECOND",
                   "-device", "virtio-blk-pci,drive=d2,bus=bridge,addr=7") as guest:
            guest.until("grep -q ready /scheme/acpi/state")
            self.assertEqual(set(guest.lines("lspci -n | cut -c-23")), guest.functions())
            rows = guest.lines("lsblk")
            for row in (r"sda +16M +0 disk +512 QEMU HARDDISK +FIRST", r"sr0 +\d+K +1 rom +2048 QEMU DVD-ROM.*",
                        r"vda +32M +0 disk +512 virtio disk SECOND", r"  vda1 +1M +0 part .* small",
                        r"  vda2 +16M +0 part .* fat", r"vdb +8M +0 disk .*"):
                self.assertEqual(len([line for line in rows if re.fullmatch(row, line.rstrip())]), 1, (row, rows))
            self.assertEqual(len(rows), 7, rows)
            uuid = re.search(r"Filesystem UUID: +(\S+)", tool("dumpe2fs", "-h", self.folder / "d0"))[1]
            blkid = guest.run("blkid")
            self.assertIn(f'/dev/sda: LABEL="first" UUID="{uuid}" TYPE="ext4"', blkid)
            self.assertRegex(blkid, r'/dev/vda2: LABEL="SECOND" UUID="[-0-9A-F]{9}" TYPE="vfat"')
            self.assertRegex(blkid, r'/dev/sr0: .*LABEL="THE_CD"')
            text = guest.run("for i in sda vda2 sr0; do mkdir /tmp/$i; done; mount -t ext4 /dev/sda /tmp/sda; "
                             "mount -t vfat /dev/vda2 /tmp/vda2; "
                             "mount -t iso9660 /dev/sr0 /tmp/sr0 2>/dev/null; cat /tmp/s??/hello")
            self.assertEqual(text.count("hello"), 2, text)
            mounts = guest.run("mount")
            for line in ("/dev/sda on /tmp/sda type ext4 (rw", "/dev/vda2 on /tmp/vda2 type vfat (rw",
                         "/dev/sr0 on /tmp/sr0 type iso9660 (ro"):
                self.assertIn(line, mounts)
            sizes = {line.split()[5]: line.split() for line in guest.lines("df -k") if "/tmp/" in line}
            blocks = dict(re.findall(r"(?m)^(Block count|Overhead clusters): +(\d+)", tool("dumpe2fs", "-h",
                                                                                         self.folder / "d0")))
            self.assertLessEqual(int(sizes["/tmp/sda"][1]), int(blocks["Block count"]) * 4)
            self.assertGreater(int(sizes["/tmp/sda"][1]), 8 << 10)
            self.assertEqual(sizes["/tmp/vda2"][0], "/dev/vda2")
            self.services(guest, {"ahci.0": "SATA|AHCI", "virtio-blk.0": "Virtio", "virtio-blk.1": "Virtio"})
            guest.run("cd /; umount /tmp/sda; umount /tmp/vda2; umount /tmp/sr0")
            self.assertNotIn("/tmp/", guest.run("mount"))
            if name == "q35":
                self.plug(guest)
            guest.send("poweroff\n")
            self.assertEqual(guest.ended(), OFF)
        tool("e2fsck", "-fn", self.folder / "d0")

    def services(self, guest, wanted):
        """Drivers run, each for a function that lspci has as what it is for."""
        listed = {line.split()[0]: line.split() for line in guest.lines("service list")}
        for service, device in wanted.items():
            self.assertEqual(listed[service][1], "running", listed)
            self.assertRegex(guest.run(f"lspci | grep '^{listed[service][-1]} '"), device)
            self.assertEqual(guest.lines(f"ps | grep -c '^ *{listed[service][2]} '"), ["1"])

    def plug(self, guest):
        guest.wires.command("device_add", driver="virtio-blk-pci", id="hot", drive="d3", bus="port1", addr="0")
        guest.until("[ -e /dev/vdc ]")
        self.assertEqual(set(guest.lines("lspci -n | cut -c-23")), guest.functions())
        self.assertRegex(guest.run("lsblk"), r"(?m)^vdc +4M +0 disk ")
        self.services(guest, {"virtio-blk.2": "Virtio"})
        text = guest.run("mkfs.ext4 -q /dev/vdc; mount -t ext4 /dev/vdc /tmp/sda; df /tmp/sda; umount /tmp/sda; "
                         "blkid /dev/vdc")
        self.assertRegex(text, r"(?m)^/dev/vdc .* /tmp/sda\r?$")
        self.assertRegex(text, r'/dev/vdc: UUID="\S+" TYPE="ext4"')
        guest.wires.command("device_del", id="hot")
        guest.deleted("hot")
        guest.until("[ ! -e /dev/vdc ]")
        self.assertEqual(set(guest.lines("lspci -n | cut -c-23")), guest.functions())
        self.assertNotIn("virtio-blk.2", guest.run("service list"))

    def test_q35(self):
        self.check("q35")

    def test_pc(self):
        self.check("pc")


if __name__ == "__main__":
    unittest.main()
