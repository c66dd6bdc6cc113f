#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""libposix's table of system calls: all that musl can issue is there, and what answers ENOSYS is refused for good."""

import pathlib
import re
import sys
import tarfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROWS = ROOT / "libposix" / "shim" / "rows.def"
sys.path.insert(0, str(ROOT / "scripts" / "lib"))
import fetch    # noqa: E402

# What this system has no meaning for, or will not let programs do.
REFUSED = set("""
    acct delete_module fanotify_init fanotify_mark init_module ioperm iopl name_to_handle_at open_by_handle_at
    personality pivot_root process_vm_readv process_vm_writev quotactl remap_file_pages setns swapoff swapon
    unshare vhangup
""".split())
# In musl's source, but not issued: replaced by the overlay, or meant for other machines or newer kernels.
NOT_ISSUED = set("clone getdents sendmmsg set_thread_area statx".split())
# The source's files that x86-64 is made of.
SOURCES = r"[^/]+/(src/[^/]+/(x86_64/|mallocng/)?[^/]+\.[cs]|(ldso|crt|src/internal|arch/x86_64)/[^/]+\.[chs])$"


def issued_by_musl():
    """The names that x86-64 has a number for and the source a call of."""
    numbers, names = set(), set()
    with tarfile.open(fetch.fetch("musl")) as tar:
        for member in tar:
            if re.match(SOURCES, member.name):
                text = tar.extractfile(member).read().decode(errors="replace")
                names |= set(re.findall(r"\bSYS_(\w+)|\bsocketcall(?:_cp)?\((\w+)", text))
            elif member.name.endswith("/arch/x86_64/bits/syscall.h.in"):
                text = tar.extractfile(member).read().decode()
                numbers = set(re.findall(r"^#define __NR_(\w+)", text, flags=re.MULTILINE))
    return {name for pair in names for name in pair} & numbers


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
        self.assertEqual(sorted(set(self.none) - REFUSED), [])

    def test_each_call_of_musl_has_a_line(self):
        issued = issued_by_musl()
        self.assertGreater(len(issued), 260)
        self.assertEqual(sorted(issued - NOT_ISSUED - set(self.rows) - set(self.none)), [])


if __name__ == "__main__":
    unittest.main()
