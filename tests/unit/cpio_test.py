#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""scripts/lib/cpio.py: what it writes must be a valid newc archive with the promised layout."""

import io
import os
import pathlib
import stat
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts" / "lib"))
import cpio  # noqa: E402  (found through the path above)


def read_archive(data):
    """Path -> (header fields, offset of the data, data), by a reader as simple as the kernel's."""
    entries, at = {}, 0
    while at < len(data):
        if data[at] == 0:
            at += 1
            continue
        assert at % 4 == 0 and data[at:at + 6] == b"070701", at
        fields = [int(data[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
        start = (at + 110 + fields[11] + 3) & ~3
        path = data[at + 110:at + 110 + fields[11]].split(b"\0")[0].decode()
        entries[path] = (fields, start, data[start:start + fields[6]])
        at = (start + fields[6] + 3) & ~3
    return entries


def pack(fill):
    archive = cpio.Archive()
    fill(archive)
    out = io.BytesIO()
    archive.write(out)
    return out.getvalue()


class CpioTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = pathlib.Path(temporary.name)

    def make(self, name, size):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(size))
        return path

    def test_names_are_short_enough_for_linux(self):
        self.make("file", 5000)
        out = io.BytesIO()
        for shift in range(0, 4096, 4):
            out.write(bytes(4))
            entry = cpio.Entry(stat.S_IFREG | 0o644, source=str(self.root / "file"))
            cpio.write_entry(out, "a-name-of-some-length", entry, 1, 1, True)
            out.truncate()
        data, at = out.getvalue(), 0
        while (at := data.find(b"070701", at)) >= 0:
            length = int(data[at + 94:at + 102], 16)
            self.assertLessEqual(length, 4096)
            self.assertEqual((at + 110 + length) % 4096, 0)
            at += 110 + length + 5000

    def test_layout_of_every_size(self):
        sizes = [0, 1, 3, 4, 4095, 4096, 4097, 8192, 100000]
        files = {f"d/f{size}": self.make(f"d/f{size}", size) for size in sizes}
        data = pack(lambda a: a.add_tree("", self.root))
        self.assertEqual(len(data) % 4096, 0)
        entries = read_archive(data)
        for name, path in files.items():
            fields, start, content = entries[name]
            self.assertEqual(content, path.read_bytes())
            if len(content) >= 4096:
                self.assertEqual(start % 4096, 0)
                tail = data[start + len(content):(start + len(content) + 4095) & ~4095]
                self.assertEqual(tail.strip(b"\0"), b"")

    def test_two_archives_in_a_row(self):
        self.make("a", 5000)
        one = pack(lambda a: a.add_tree("", self.root))
        two = pack(lambda a: a.add_tree("sub", self.root))
        entries = read_archive(one + two)
        self.assertLessEqual({"a", "sub", "sub/a", "TRAILER!!!"}, set(entries))
        self.assertEqual(entries["sub/a"][1] % 4096, 0)

    def test_links_modes_and_kinds(self):
        file = self.make("x/file", 10)
        file.chmod(0o4751)
        os.link(file, self.root / "x/hard")
        (self.root / "x/soft").symlink_to("file")
        os.mkfifo(self.root / "x/fifo", 0o600)
        entries = read_archive(pack(lambda a: a.add_tree("/", self.root)))
        one, two = entries["x/file"], entries["x/hard"]
        self.assertEqual(one[0][1], stat.S_IFREG | 0o4751)
        self.assertEqual((one[0][0], one[0][4]), (two[0][0], 2))
        self.assertEqual((len(one[2]), len(two[2])), (10, 0))
        self.assertEqual(entries["x/soft"][2], b"file")
        self.assertTrue(stat.S_ISFIFO(entries["x/fifo"][0][1]))
        self.assertEqual(entries["x"][0][1] & stat.S_IFMT(0o777777), stat.S_IFDIR)

    def test_list(self):
        source = self.make("s", 5)
        lines = self.root / "list"
        lines.write_text(f"# comment\nfile /bin/s 0755 0 0 {source}\nlink /bin/t s\n"
                         "dir /tmp 01777 1 2\nmode /bin/s 04755 3 4\n")
        entries = read_archive(pack(lambda a: a.add_list(lines)))
        self.assertEqual(list(entries), ["bin", "bin/s", "bin/t", "tmp", "TRAILER!!!"])
        self.assertEqual(entries["bin/s"][0][1:4], [stat.S_IFREG | 0o4755, 3, 4])
        self.assertEqual(entries["tmp"][0][1:4], [stat.S_IFDIR | 0o1777, 1, 2])

    def test_unchanged_inputs_are_not_written_again(self):
        self.make("in/a", 5)
        output = str(self.root / "out.cpio")
        for _ in range(2):
            archive = cpio.Archive()
            archive.add_tree("", self.root / "in")
            cpio.write_archive(archive, output)
            inode = os.stat(output).st_ino
        archive = cpio.Archive()
        archive.add_tree("", self.root / "in")
        cpio.write_archive(archive, output)
        self.assertEqual(os.stat(output).st_ino, inode)


if __name__ == "__main__":
    unittest.main()
