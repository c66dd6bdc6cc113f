#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""ext4 on a disk, beside the host's e2fsprogs: they make the image, judge it afterwards and read what is in it."""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest

RUN = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "run"
MIB = 1 << 20


def guest_words(disk, command, *more):
    return [RUN, "--no-build", "--boot", "direct", "--smp", "2", "--timeout", "300", "--with", "tests",
            "--disk", f"virtio:{disk}", *more, "--exec", command]


def guest(disk, command, *more):
    """Output of the command in a guest with this disk, kept."""
    result = subprocess.run(guest_words(disk, command, *more), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            check=False)
    if result.returncode:
        raise AssertionError(f"status {result.returncode}: {result.stdout.decode(errors='replace')}")
    return result.stdout.decode()


def tool(*words):
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"  # not every user's
    return subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False, env={**os.environ, "PATH": path})


class Disk(unittest.TestCase):
    """One for each test, made by the host."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="cathode-ext4-")
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name) / "disk.img"
        self.files = pathlib.Path(self.folder.name) / "files"
        (self.files / "folder" / "deep").mkdir(parents=True)
        self.big = os.urandom(3 * MIB + 777)
        (self.files / "big").write_bytes(self.big)
        (self.files / "folder" / "deep" / "hello").write_text("hello from the host\n")
        (self.files / "link").symlink_to("folder/deep/hello")

    def make(self, *options, size=64):
        with open(self.path, "wb") as out:
            out.truncate(size * MIB)
        made = tool("mkfs.ext4", "-q", "-F", "-d", self.files, *options, self.path)
        self.assertEqual(made.returncode, 0, made.stdout)

    def check(self):
        """e2fsck has nothing to say, not even about a journal to be replayed."""
        found = tool("e2fsck", "-fn", self.path)
        self.assertEqual(found.returncode, 0, found.stdout.decode())
        features = tool("dumpe2fs", "-h", self.path).stdout.decode()
        self.assertNotIn("needs_recovery", features)

    def content(self, name):
        out = pathlib.Path(self.folder.name) / "out"
        out.unlink(missing_ok=True)
        tool("debugfs", "-R", f"dump {name} {out}", self.path)
        return out.read_bytes()


class Ext4(Disk):
    def test_reading(self):
        for options in ([], ["-b", "1024"], ["-O", "^extents,^64bit,^metadata_csum"]):
            self.make(*options)
            before = self.path.read_bytes()
            text = guest(self.path, "mkdir /tmp/m; mount -r -t ext4 /dev/vda /tmp/m && cd /tmp/m && cat link && "
                                    "cksum < big; pwd;"
                                    " ls folder; echo x 2>&1 > new | grep -c Read-only; cd ..; umount /tmp/m; ls "
                                    "/tmp/m")
            want = tool("sh", "-c", f"cksum < {self.files}/big").stdout.decode()
            self.assertEqual(text, f"hello from the host\n{want}/tmp/m\ndeep\n1\n", options)
            self.assertTrue(before == self.path.read_bytes(), "written to")

    def test_writing(self):
        """Files, holes, links, attributes, names: the host sees what the guest made."""
        for options in ([], ["-b", "1024", "-I", "128"], ["-O", "^extents,^64bit,^metadata_csum"]):
            self.make(*options)
            text = guest(self.path, "mkdir /tmp/m; mount -t ext4 /dev/vda /tmp/m || exit 1; cd /tmp/m; cp big "
                                    "copy; cat big >> copy;"
                                    " mkdir -p a/b; echo one > a/one; ln a/one a/b/two; mv a/one a/b/three;"
                                    " ln -s ../a a/up; printf end | dd of=sparse bs=1 seek=5000000 2>/dev/null;"
                                    " chmod 640 a/b/two; chown 12:34 a/b/two; rm big; mkdir gone; rmdir gone;"
                                    " printf 123456789 > cut; dd if=/dev/null of=cut bs=1 seek=4 2>/dev/null;"
                                    " i=0; while [ $i -lt 150 ]; do echo $i > a/file$i; i=$((i + 1)); done;"
                                    " rm a/file7*; cksum < copy; stat -c '%h %a %u %g' a/b/three; cd /; umount /tmp/m;"
                                    " mount -t ext4 /dev/vda /tmp/m; cksum < /tmp/m/copy; ls /tmp/m/a | wc -l; "
                                    "umount /tmp/m")
            self.check()
            lines = text.split("\n")
            self.assertEqual(lines[0], lines[2])
            self.assertEqual([lines[1], lines[3]], ["2 640 12 34", str(150 - 11 + 2)])
            self.assertTrue(self.content("/copy") == self.big * 2)
            self.assertEqual(self.content("/a/b/three"), b"one\n")
            self.assertTrue(self.content("/sparse") == bytes(5000000) + b"end")
            self.assertEqual(self.content("/cut"), b"1234")
            self.assertEqual(self.content("/a/file149"), b"149\n")

    def test_power_cut(self):
        """What was synced is there after QEMU was killed, and the journal is replayed."""
        self.make()
        command = ("mkdir /tmp/m; mount -t ext4 /dev/vda /tmp/m; cd /tmp/m; dd if=big of=synced bs=64k "
                   "conv=fsync 2>/dev/null;"
                   " mkdir d; echo kept > d/kept; sync; echo cut-now; sleep 1000")
        process = subprocess.Popen(guest_words(self.path, command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, start_new_session=True)
        line = process.stdout.readline()
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()   # to its end: QEMU has let go of the disk
        self.assertEqual(line, b"cut-now\n")
        self.assertIn("needs_recovery", tool("dumpe2fs", "-h", self.path).stdout.decode())
        text = guest(self.path, "mkdir /tmp/m; mount -t ext4 /dev/vda /tmp/m; cat /tmp/m/d/kept; cmp "
                                "/tmp/m/synced /tmp/m/big && echo same;"
                                " umount /tmp/m")
        self.assertEqual(text, "kept\nsame\n")
        self.check()

    def test_switched_off(self):
        """With open files, and a working directory: all is written, and the journal is empty."""
        self.make()
        guest(self.path, "mkdir /tmp/m; mount -t ext4 /dev/vda /tmp/m && cd /tmp/m || exit 1; sleep 1000 < big & "
                         "cat big > copy; exec 3> open; echo text >&3; (trap '' TERM; exec sleep 1000 > ignored) & "
                         "umount /tmp/m 2>/dev/null && exit 1; echo busy > busy; mkdir new; rm -r folder")
        self.check()
        self.assertTrue(self.content("/copy") == self.big)
        self.assertEqual(self.content("/open"), b"text\n")
        self.assertEqual(self.content("/busy"), b"busy\n")
        names = tool("debugfs", "-R", "ls -p /", self.path).stdout.decode()
        self.assertIn("/new/", names)
        self.assertNotIn("/folder/", names)

    def test_programs(self):
        """Our tests of POSIX have their files in /tmp, and let go of all of them."""
        (self.files / "big").unlink()
        self.make("-b", "4096")  # room for their attributes
        text = guest(self.path, "mount -t ext4 /dev/vda /tmp && chmod 1777 /tmp || exit 1; for name in files "
                                "directories paths attributes xattr; do /tests/posix/$name | grep -v '^ok'; "
                                "done; echo kept > /tmp/kept; umount /tmp; echo $?")
        self.assertNotIn("not ok", text)
        self.assertTrue(text.endswith("\n0\n"), text)
        self.check()
        self.assertEqual(self.content("/kept"), b"kept\n")

    def test_refused(self):
        """No file system, a damaged one, a type that isn't known, a disk in use; what is in use goes on."""
        self.make()
        text = guest(self.path, "mkdir /tmp/m; mount -t ext4 /dev/vda /tmp/m; mount -t ext4 /dev/vda /tmp/m "
                                "2>/dev/null;"
                                " echo again $?; mount -t proc proc /tmp/m 2>/dev/null; echo over $?; cat /tmp/m/link;"
                                " mkdir /tmp/b; mount -o bind /tmp/m /tmp/b; cat /tmp/b/link; umount /tmp/b;"
                                " echo bind $?; ls /tmp/b; cat /tmp/m/link;"
                                " cd /tmp/m; umount /tmp/m 2>/dev/null; echo busy $?; cd /; umount /tmp/m;"
                                " echo free $?; dd if=/dev/zero of=/dev/vda bs=1k seek=1 count=1 conv=notrunc"
                                " 2>/dev/null; mount -t ext4 /dev/vda /tmp/m 2>/dev/null; echo none $?;"
                                " mount -t nofs /dev/vda /tmp/m 2>/dev/null; echo type $?; ls /tmp/m; "
                                "grep -c ^fs /proc/schemes; true")
        self.assertNotIn("again 0", text)
        self.assertNotIn("over 0", text)
        self.assertIn("bind 0", text)
        self.assertEqual(text.count("hello from the host"), 3, text)
        self.assertNotIn("busy 0", text)
        self.assertIn("free 0", text)
        self.assertNotIn("none 0", text)
        self.assertNotIn("type 0", text)
        self.assertTrue(text.endswith("\n0\n"), text)

    def test_server_killed(self):
        """Another takes its place; what was synced is there, what was open gives errors and nothing else."""
        self.make()
        text = guest(self.path, "mkdir /tmp/m; mount -t ext4 /dev/vda /tmp/m; cd /tmp/m; echo kept > kept; sync;"
                                " pid() { set -- $(cat /scheme/service/ext4.0); echo $3; }; old=$(pid);"
                                " exec 3<> big 4<> kept; read line <&4; echo lost > lost; echo more >&4; kill -9 $old;"
                                " while [ $(pid) = $old ] || ! grep -q running /scheme/service/ext4.0; do sleep 1;"
                                " done; cat <&3 > /dev/null 2> /tmp/error; echo open $?; (echo x >&3) 2>/dev/null;"
                                " (echo x >&4) 2>/dev/null; fsync big; fsync /tmp/m/kept; echo sync $?;"
                                " cat /tmp/m/kept /tmp/m/link; echo new > /tmp/m/new; cat /tmp/m/new;"
                                " cd /; exec 3<&- 4<&-; umount /tmp/m; echo $?; cat /tmp/error >&2;"
                                " dmesg | grep -c 'ext4.0.*ended by signal 9'")
        print(text)
        self.assertEqual(text, "open 1\nsync 0\nkept\nhello from the host\nnew\n0\n1\n")
        self.check()
        self.assertEqual(self.content("/new"), b"new\n")

    def test_server_given_up(self):
        """One whose file system is gone is not started again and again; its place can be used."""
        self.make()
        text = guest(self.path, "mkdir /tmp/m; dd if=/dev/vda of=/tmp/super bs=1k skip=1 count=1 2>/dev/null;"
                                " mount -t ext4 /dev/vda /tmp/m; set -- $(cat /scheme/service/ext4.0);"
                                " dd if=/dev/zero of=/dev/vda bs=1k seek=1 count=1 conv=notrunc 2>/dev/null;"
                                " kill -9 $3; while grep -q running /scheme/service/ext4.0; do sleep 1; done;"
                                " cat /tmp/m/link 2>/dev/null && echo alive; umount /tmp/m 2>/dev/null;"
                                " echo killed $?; dd if=/tmp/super of=/dev/vda bs=1k seek=1 count=1 conv=notrunc"
                                " 2>/dev/null; mount -t ext4 /dev/vda /tmp/m && cat /tmp/m/link && umount /tmp/m;"
                                " echo $?; ls /scheme/service | grep -c ext4; true")
        self.assertEqual(text, "killed 1\nhello from the host\n0\n0\n")
        self.check()


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
