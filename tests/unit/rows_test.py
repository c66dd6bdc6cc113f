#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""libposix's table of system calls: what answers ENOSYS is refused for good, or known to be missing."""

import pathlib
import re
import unittest

ROWS = pathlib.Path(__file__).resolve().parents[2] / "libposix" / "shim" / "rows.def"

# What this system has no meaning for, or will not let programs do.
REFUSED = set("""
    acct delete_module fanotify_init fanotify_mark init_module ioperm iopl name_to_handle_at open_by_handle_at
    personality pivot_root process_vm_readv process_vm_writev quotactl remap_file_pages setns swapoff swapon
    unshare vhangup
""".split())

# Still to be written. A call leaves this list with the commit that adds it; none ever comes to it.
MISSING = {"ptrace"}


class RowsTest(unittest.TestCase):
    def setUp(self):
        text = re.sub(r"/\*.*?\*/|//[^\n]*", "", ROWS.read_text(encoding="utf-8"), flags=re.DOTALL)
        self.rows = re.findall(r"^ROW\((\w+),", text, flags=re.MULTILINE)
        self.none = re.findall(r"^NONE\((\w+)\)$", text, flags=re.MULTILINE)
        self.other = re.sub(r"^(ROW|NONE)\((.|\n)*?\)$", "", text, flags=re.MULTILINE).split()

    def test_all_is_understood(self):
        self.assertGreater(len(self.rows), 200)
        self.assertEqual(self.other, [])

    def test_each_call_once(self):
        names = sorted(self.rows + self.none)
        self.assertEqual(names, sorted(set(names)))

    def test_nothing_else_is_missing(self):
        self.assertEqual(sorted(set(self.none) - REFUSED), sorted(MISSING))


if __name__ == "__main__":
    unittest.main()
