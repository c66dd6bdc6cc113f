#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""FAT and ISO 9660 on disks: the host's mkfs.fat and xorriso make them, fsck.fat and mtools judge afterwards."""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest

RUN = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "run"
MIB = 1 << 20
ESP = 1 << 20   # where the first partition of a disk with the root begins


def words(command, *more, extra=()):
    return [RUN, "--no-build", "--boot", "direct", "--smp", "2", "--timeout", "300", *more, "--exec", command,
            *(["--", *extra] if extra else [])]


def guest(command, *more, extra=()):
    """Output of the command in a guest."""
    result = subprocess.run(words(command, *more, extra=extra), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            check=False)
    if result.returncode:
        raise AssertionError(f"status {result.returncode}: {result.stdout.decode(errors='replace')}")
    return result.stdout.decode()


def tool(*line):
    environment = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin",  # not every user's
                   "MTOOLS_SKIP_CHECK": "1", "LC_ALL": "C.UTF-8"}
    return subprocess.run(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False, env=environment)


class Fat(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="cathode-fat-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.path = self.folder / "disk.img"
        self.files = self.folder / "files"
        (self.files / "Folder" / "deep").mkdir(parents=True)
        self.big = os.urandom(3 * MIB + 777)
        (self.files / "A big file").write_bytes(self.big)
        (self.files / "Folder" / "deep" / "hello.txt").write_text("hello from the host\n")

    def make(self, *options, size=64):
        with open(self.path, "wb") as out:
            out.truncate(size * MIB)
        made = tool("mkfs.fat", "-n", "LABEL", *options, self.path)
        self.assertEqual(made.returncode, 0, made.stdout)
        copied = tool("mcopy", "-s", "-i", self.path, *self.files.iterdir(), "::")
        self.assertEqual(copied.returncode, 0, copied.stdout)

    def disk(self):
        return "--disk", f"virtio:{self.path}"

    def check(self, image=None):
        found = tool("fsck.fat", "-n", image or self.path)
        self.assertEqual(found.returncode, 0, found.stdout.decode())

    def content(self, name, offset=0):
        out = self.folder / "out"
        out.unlink(missing_ok=True)
        tool("mcopy", "-n", "-i", f"{self.path}@@{offset}", f"::{name}", out)
        return out.read_bytes()

    def names(self, folder, offset=0):
        listed = tool("mdir", "-b", "-i", f"{self.path}@@{offset}", f"::{folder}").stdout.decode()
        return sorted(line.rsplit("/", 2)[-2 if line.endswith("/") else -1] for line in listed.splitlines())

    def test_writing(self):
        """Files, names, attributes, what FAT can't have: the host sees what the guest made."""
        for bits, cluster_sectors, size in ((32, 1, 64), (16, 4, 32), (12, 8, 12)):
            self.make("-F", str(bits), "-s", str(cluster_sectors), size=size)
            text = guest("mkdir /tmp/m; mount -t vfat /dev/vda /tmp/m || exit 1; cd /tmp/m; cat folder/DEEP/Hello.TXT;"
                         " cp 'A big file' copy; cmp copy 'a BIG file' && cat copy >> 'A big file';"
                         " mkdir -p 'A new one/in it'; echo one > 'A new one/in it/\u00e4 \u20ac.txt';"
                         " mv 'A new one/in it' Moved; mv copy Moved/COPY; mv Moved/COPY Moved/copy; rmdir 'A new one';"
                         " ln -s a b 2>/dev/null; echo $?; ln copy x 2>/dev/null; echo $?; chown 1 Moved 2>/dev/null;"
                         " echo $?; chmod -w Moved/copy; printf end | dd of=sparse bs=1 seek=500000 2>/dev/null;"
                         " printf 123456789 > cut; dd if=/dev/null of=cut bs=1 seek=4 2>/dev/null;"
                         " i=0; while [ $i -lt 120 ]; do echo $i > \"Folder/a file $i\"; i=$((i + 1)); done;"
                         " rm Folder/*file?7*; echo old > target; echo new > source; mv source target;"
                         " (exec 3> open; rm open; echo lost >&3; ls open 2>/dev/null); cd /; umount /tmp/m; echo $?;"
                         " mount -t vfat /dev/vda /tmp/m; cksum < '/tmp/m/A big file';"
                         " ls -l /tmp/m/moved | grep -c '^-r-xr-xr-x.*copy';"
                         " ls /tmp/m/Folder | wc -l; df /tmp/m | grep -c vda; umount /tmp/m",
                         *self.disk())
            self.check()
            summed = subprocess.run(["cksum"], input=self.big * 2, stdout=subprocess.PIPE, check=True).stdout.decode()
            self.assertEqual(text, f"hello from the host\n1\n1\n1\n0\n{summed}1\n110\n1\n", bits)
            self.assertTrue(self.content("/A big file") == self.big * 2, bits)
            self.assertTrue(self.content("/Moved/copy") == self.big, bits)
            self.assertTrue(self.content("/sparse") == bytes(500000) + b"end")
            self.assertEqual(self.content("/cut"), b"1234")
            self.assertEqual(self.content("/target"), b"new\n")
            self.assertEqual(self.content("/Moved/\u00e4 \u20ac.txt"), b"one\n")
            self.assertEqual(self.content("/Folder/a file 119"), b"119\n")
            self.assertEqual(self.names("/"), ["A big file", "Folder", "Moved", "cut", "sparse", "target"])

    def test_efi_partition(self):
        """That of the disk the system runs from."""
        disk = ["--root", "disk", *self.disk()]  # made by the first run
        guest("true", *disk)
        made = tool("mcopy", "-s", "-i", f"{self.path}@@{ESP}", self.files / "Folder", "::")
        self.assertEqual(made.returncode, 0, made.stdout)
        text = guest("mount -t vfat /dev/vda1 /mnt && cat /mnt/Folder/deep/hello.txt; mkdir -p /mnt/EFI/Cathode;"
                     " cp /bin/busybox '/mnt/EFI/Cathode/A loader with a long name.efi'; sync; mount | grep /mnt;"
                     " cmp /bin/busybox /mnt/efi/cathode/*; umount /mnt; echo $?", *disk)
        self.assertEqual(text, "hello from the host\n/dev/vda1 on /mnt type vfat (rw,relatime)\n0\n")
        with open(self.path, "rb") as disk_file, open(self.folder / "esp", "wb") as out:
            disk_file.seek(ESP)
            out.write(disk_file.read(64 * MIB))
        self.check(self.folder / "esp")
        self.assertEqual(self.names("/EFI/Cathode", ESP), ["A loader with a long name.efi"])
        self.assertTrue(self.content("/EFI/Cathode/A loader with a long name.efi", ESP).startswith(b"\x7fELF"))

    def test_power_cut(self):
        """What was synced is there after QEMU was killed; the next mount says that it was not unmounted."""
        self.make("-F", "32", "-s", "1")
        process = subprocess.Popen(words("mkdir /tmp/m; mount -t vfat /dev/vda /tmp/m; cd /tmp/m; mkdir d; "
                                         "cp 'A big file' d/synced; rm 'A big file'; sync; echo cut-now; sleep 1000",
                                         *self.disk()),
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True)
        line = process.stdout.readline()
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        self.assertEqual(line, b"cut-now\n")
        found = tool("fsck.fat", "-a", self.path).stdout.decode()
        self.assertIn("Dirty bit is set", found)
        self.assertNotIn("luster", found.replace("clusters\n", ""), found)
        self.check()
        self.assertTrue(self.content("/d/synced") == self.big)

    def test_full_and_refused(self):
        """Without room: ENOSPC, and what was there is well. What isn't FAT isn't mounted; what is in use stays."""
        self.make("-F", "16", "-s", "4", size=16)
        text = guest("mkdir /tmp/m; mount -t vfat /dev/vda /tmp/m; cd /tmp/m;"
                     " dd if=/dev/zero of=full bs=1M 2>/dev/null; echo $?; cmp 'A big file' 'A big file';"
                     " umount /tmp/m 2>/dev/null; echo $?; rm full; cd /; umount /tmp/m; echo $?;"
                     " mount -t iso9660 /dev/vda /tmp/m 2>/dev/null; echo $?;"
                     " mount -r -t vfat /dev/vda /tmp/m; echo x 2>&1 > /tmp/m/x | grep -c Read-only; umount /tmp/m",
                     *self.disk())
        numbers = text.split()
        self.assertEqual([numbers[0], numbers[2], numbers[4]], ["1", "0", "1"], text)
        self.assertNotIn("0", [numbers[1], numbers[3]], text)
        self.check()
        self.assertTrue(self.content("/A big file") == self.big)

    def test_cd(self):
        (self.files / "link").symlink_to("Folder/deep/hello.txt")
        (self.files / "Folder" / ("long name " * 20)).write_text("x")
        (self.files / "run").write_text("#!/bin/sh\necho ran\n")
        (self.files / "run").chmod(0o750)
        iso = self.folder / "cd.iso"
        made = tool("xorriso", "-as", "mkisofs", "-quiet", "-R", "-J", "-o", iso, self.files)
        self.assertEqual(made.returncode, 0, made.stdout)
        text = guest("mkdir /tmp/m; mount -t iso9660 /dev/sr0 /tmp/m || exit 1; cd /tmp/m; cksum < 'A big file';"
                     " cat link; ./run; stat -c %a run; ls Folder; echo x 2>&1 > x | grep -c Read-only;"
                     " cp -r . /tmp/x; diff -r . /tmp/x; mount | grep -c 'iso9660 (ro'; cd /; umount /tmp/m; echo $?",
                     extra=["-cdrom", iso])
        summed = subprocess.run(["cksum"], input=self.big, stdout=subprocess.PIPE, check=True).stdout.decode()
        self.assertEqual(text, f"{summed}hello from the host\nran\n750\ndeep\n{'long name ' * 20}\n1\n1\n0\n")


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
