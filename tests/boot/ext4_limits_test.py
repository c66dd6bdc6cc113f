#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""ext4 at its limits: no blocks, no inodes, large directories, long names, large files, damaged images, a slow disk.
The host's e2fsck judges afterwards."""

import random
import re
import subprocess
import sys
import unittest

import disk_test
import ext4_test
from ext4_test import MIB, guest, tool

MOUNT = "mkdir /tmp/m; mount -t ext4 /dev/vda /tmp/m || exit 1; cd /tmp/m; "
AGAIN = "cd /; umount /tmp/m && mount -t ext4 /dev/vda /tmp/m; cd /tmp/m; "
UNMOUNT = "; cd /; umount /tmp/m; echo $?"
KINDS = ([], ["-b", "1024"], ["-b", "1024", "-O", "^extents,^64bit,^metadata_csum"])


class Disk(ext4_test.Disk):
    def setUp(self):
        super().setUp()
        (self.files / "big").unlink()

    def run_guest(self, commands, *more):
        lines = guest(self.path, MOUNT + commands + UNMOUNT, *more).split("\n")
        self.assertEqual(lines[-2:], ["0", ""], lines)
        self.check()
        return lines[:-2]


class Limits(Disk):
    def test_full(self):
        """ENOSPC comes to the writer: what write() has taken is on the disk, though no block was chosen by then."""
        fill = ("yes 0123456789abcde | dd of=fill bs=16k iflag=fullblock 2>/tmp/log && echo no end; "
                "grep -c 'No space' /tmp/log; fsync fill; echo $?; size=$(stat -c %s fill); "
                "yes 0123456789abcde | head -c $size | cmp - fill; echo $?; ")
        for options in KINDS:
            self.make(*options, size=24)
            lines = self.run_guest(
                f"echo kept > kept; fsync kept; {fill} df . | tail -n 1 | grep -o '[0-9]*%'; echo $size; "
                f"(echo x > small) 2>/dev/null; stat -c %s small; {AGAIN} stat -c %s fill; "
                "yes 0123456789abcde | head -c $size | "
                f"cmp - fill; echo $?; cat kept; rm fill small; {fill} echo $size; rm fill; echo text > small; "
                "cat small")
            first, second = int(lines[4]), int(lines[-2])
            self.assertEqual(lines[:3], ["1", "0", "0"], options)
            self.assertIn(lines[3], ("97%", "98%", "99%", "100%"))
            self.assertGreater(first, 8 * MIB)
            self.assertEqual(lines[6:9], [lines[4], "0", "kept"])
            self.assertEqual(lines[9:12], ["1", "0", "0"])
            self.assertAlmostEqual(first, second, delta=MIB)
            self.assertEqual(lines[-1], "text")

    def test_full_of_names(self):
        """Directories that can't grow, links whose targets have no room: all that was made is there, none is half."""
        self.make("-b", "1024", "-N", "20000", size=24)
        lines = self.run_guest(
            "dd if=/dev/zero of=spare bs=1k count=100 2>/dev/null; dd if=/dev/zero of=fill bs=64k 2>/dev/null; sync; "
            "dd if=/dev/zero of=fill2 bs=1k 2>/dev/null; sync; rm spare; long=$(printf 'n%.0s' $(seq 200)); i=0; "
            "while ln folder/deep/hello folder/$long$i 2>/tmp/log; do i=$((i + 1)); done; grep -c 'No space' /tmp/log; "
            f"sync; echo $?; echo $i; {AGAIN} ls folder | wc -l; rm fill; rm -f fill2; "
            "ln folder/deep/hello folder/more && rm folder/n*; ls folder | wc -l")
        self.assertEqual(lines[:2], ["1", "0"])
        self.assertGreater(int(lines[2]), 20)
        self.assertEqual(int(lines[3]), int(lines[2]) + 1)
        self.assertEqual(lines[4], "2")

    def test_no_inodes(self):
        self.make("-N", "64")
        lines = self.run_guest(
            "i=0; while (echo $i > n$i) 2>/tmp/log; do i=$((i + 1)); done; grep -c 'No space' /tmp/log; "
            "df -i . | tail -n 1 | grep -o '[0-9]*%'; (mkdir d || ln -s x l || mkfifo p) 2>/dev/null && echo made; "
            "echo more >> n0; ln n0 n0link; rm n1; mkdir d; echo $?; rm n2; echo again > f; cat f n0; echo $i; "
            f"{AGAIN} ls n* | wc -l")
        self.assertEqual(lines[:6], ["1", "100%", "0", "again", "0", "more"])
        self.assertEqual(int(lines[7]), int(lines[6]) - 2 + 1)

    def test_long_names(self):
        """255 bytes, UTF-8 or anything; paths up to 4,095 bytes."""
        self.make()
        lines = self.run_guest(
            "n=$(printf 'n%.0s' $(seq 255)); u=$(printf 'ü%.0s' $(seq 127)); echo a > $n; cat $n; echo b > $u; cat $u; "
            "(echo x > ${n}n) 2>&1 | grep -c 'too long'; ln -s $n l; cat l; mv $n ${u}x; cat ${u}x; "
            "d=$(printf 'd%.0s' $(seq 254)); p=.; for i in $(seq 15); do mkdir $p/$d; p=$p/$d; done; "
            "f=$(printf 'f%.0s' $(seq 100)); mkdir $p/$f; p=$p/$f; e=$(printf 'e%.0s' $(seq $((4094 - ${#p})))); "
            "echo last > $p/$e; cat $p/$e; "
            "(echo x > $p/${e}e) 2>&1 | grep -c 'too long'; echo ${#p} ${#e}; ls $p/d 2>&1 | grep -c 'No such'; "
            f"{AGAIN} cat $p/$e ${{u}}x; rm -r ./$d; ls | wc -l")
        self.assertEqual(lines, ["a", "b", "1", "a", "a", "last", "1", "3927 167", "1", "last", "a", "6"])

    def test_large_files(self):
        """Holes of gigabytes: data on both sides of 4 GiB, blocks only where there is data."""
        for options in ([], ["-b", "4096", "-O", "^extents,^64bit,^metadata_csum"]):
            self.make(*options)
            lines = self.run_guest(
                "put() { printf $1 | dd of=$2 bs=1 seek=$3 conv=notrunc 2>/dev/null; };"
                " get() { dd if=$1 bs=1 skip=$2 count=4 2>/dev/null; echo; };"
                " put edge s 4294967294; put last s 10737418240; put over t 1099511627776; sync; stat -c %s s t;"
                f" [ $(stat -c %b s) -lt 200 ] && echo sparse; {AGAIN} get s 4294967294; get s 10737418240;"
                " get s 6442450944 | tr '\\0' 0; get t 1099511627776; truncate -s 4294967296 s; get s 4294967294;"
                " truncate -s 12884901888 s; get s 10737418240 | tr '\\0' 0; stat -c %s s;"
                " truncate -s 99999999999999999 s 2>&1 | grep -c 'too large'; stat -c %s s")
            self.assertEqual(lines, ["10737418244", "1099511627780", "sparse", "edge", "last", "0000", "over",
                                     "ed", "0000", "12884901888", "1", "12884901888"], options)

    def test_too_large(self):
        """Beyond what block maps and extents can name: EFBIG, and up to there all is well."""
        for options, most in ((["-b", "1024"], (2 ** 32 - 1) * 1024 & ~4095),
                              (["-b", "1024", "-O", "^extents,^64bit"], (12 + 256 + 256 ** 2 + 256 ** 3) * 1024)):
            self.make(*options)
            lines = self.run_guest(
                f"for at in {most} {most * 2} {most - 4} {most - 4096}; do (printf last | dd of=s bs=4 conv=notrunc "
                f"seek=$((at / 4))) 2>&1 | grep -c 'too large'; done; "
                f"truncate -s {most + 4096} s 2>&1 | grep -c 'too large'; "
                "sync; stat -c %s s; "
                f"{AGAIN} dd if=s bs=4 count=1 skip=$(({most - 4} / 4)) 2>/dev/null | tr '\\0' 0; echo; stat -c %s s")
            self.assertEqual(lines, ["1", "1", "0", "0", "1", str(most), "last", str(most)])

    def test_damaged(self):
        """Images with bytes of their metadata changed, each on a partition: refused or read, and the server lives."""
        count, size = 24, 4 * MIB
        choice = random.Random(4)
        sectors = (count * size) // 512 + 4096
        bounds = [(2048 + i * size // 512, 2047 + (i + 1) * size // 512, f"p{i}") for i in range(count)]
        front, back = disk_test.gpt(sectors, bounds)
        image = self.path.with_name("image")
        with open(self.path, "wb") as disk:
            disk.truncate(sectors * 512)
            disk.write(front)
            disk.seek(-len(back), 2)
            disk.write(back)
            for i, (first, _, _) in enumerate(bounds):
                disk.seek(first * 512)
                disk.write(self.damage(image, size, choice, i))
        text = guest(self.path, "mkdir /tmp/m; for i in $(seq " + str(count) + "); do "
                     "if mount -t ext4 /dev/vda$i /tmp/m 2>/tmp/log || "
                     "mount -r -t ext4 /dev/vda$i /tmp/m 2>/tmp/log; then (cd /tmp/m; "
                     "find . -exec stat {} + ; find . -type f -exec cat {} +; echo new > new; mkdir -p x/y; "
                     "mv folder x/y; rm -r x; sync) >/dev/null 2>&1; umount /tmp/m 2>/dev/null || umount -f /tmp/m; "
                     "echo $i mounted; else echo $i $(cat /tmp/log); fi; done; dmesg | grep -E 'ext4.*(signal|hung)'; "
                     "mount | grep -c /tmp/m; echo end", "--timeout", "400")
        lines = text.split("\n")
        self.assertEqual(lines[-3:], ["0", "end", ""], text)
        self.assertEqual(len(lines), count + 3, text)
        for line in lines[:count]:
            self.assertRegex(line, r"^\d+ (mounted|.*(No error information|Invalid argument|I/O error|Not supported))")
            # (the first is EUCLEAN in musl)
        self.assertGreater(text.count("mounted"), 3, text)
        self.assertGreater(len(re.findall("No error information|Invalid argument", text)), 3, text)

    def damage(self, image, size, choice, number):
        """A file system with some bytes of its metadata changed."""
        with open(image, "wb") as out:
            out.truncate(size)
        options = KINDS[1 + number % 2]
        made = tool("mkfs.ext4", "-q", "-F", "-d", self.files, "-N", "64", "-J", "size=1", *options, image)
        self.assertEqual(made.returncode, 0, made.stdout)
        data = bytearray(image.read_bytes())
        used = [at for at in range(1024, size, 1024) if any(data[at:at + 1024])]
        for _ in range(1 + number):
            block = choice.choice(used[:1] if number % 6 == 0 else used)
            at = block + choice.choice([i for i in range(1024) if data[block + i]])
            data[at] ^= 1 << choice.randrange(8)
        return bytes(data)

    def test_slow_fsync(self):
        """While one waits for the disk in fsync, another reads what is in memory."""
        self.make()
        (self.files / "cached").write_bytes(b"c" * MIB)
        self.make()
        result = subprocess.run(
            [ext4_test.RUN, "--no-build", "--boot", "direct", "--smp", "2", "--timeout", "300", "--with", "tests",
             "--exec",
             f"{MOUNT} cat cached > /dev/null; (dd if=/dev/zero of=big bs=64k count=80 conv=fsync 2>/dev/null; "
             "echo synced > /tmp/synced) & /tests/boot/reader cached /tmp/synced; wait; cd /; umount /tmp/m", "--",
             "-object", "throttle-group,id=slow,x-bps-write=1000000", "-blockdev",
             f"driver=throttle,node-name=top,throttle-group=slow,file.driver=file,file.filename={self.path}",
             "-device", "virtio-blk-pci,drive=top"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
        self.assertEqual(result.returncode, 0, result.stdout)
        _, gap, all_of_it = map(int, result.stdout.split())
        self.assertGreater(all_of_it, 2000)
        self.assertLess(gap * 4, all_of_it)
        self.check()


class Many(Disk):
    def test_many_names(self):
        """100,000 in a directory: found by its index, and removed."""
        self.make("-N", "110000", size=192)
        lines = self.run_guest(
            f"mkdir d; cd d; seq 100000 | xargs touch; ls | wc -l; cd ..; {AGAIN} cd d; stat -c %n 1 777 99999 100000; "
            "[ -e 100001 ] && echo there; mv 777 seven; seq 2 2 100000 | xargs rm; ls | wc -l; [ -e 99999 ] && "
            f"echo left; cd ..; {AGAIN} ls d | sort -n | tail -n 2; ls d | wc -l; df -i . | tail -n 1",
            "--timeout", "3000")
        self.assertEqual(lines[:9], ["100000", "1", "777", "99999", "100000", "50000", "left", "99997", "99999"])
        self.assertEqual(lines[9], "50000")
        flags = re.search(r"Flags: (0x\w+)", tool("debugfs", "-R", "stat /d", self.path).stdout.decode())[1]
        self.assertTrue(int(flags, 16) & 0x1000)    # it has an index


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
