#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tests/harness/ktap.py: a report is good only if all that was planned is there and passed."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "harness"))
import ktap  # noqa: E402


class KtapTest(unittest.TestCase):
    def check(self, text, good, passed=0, failed=0, skipped=0):
        report = ktap.Report(text)
        self.assertEqual(report.good(), good, report.summary())
        counts = (len(report.passed), len(report.failed), len(report.skipped))
        self.assertEqual(counts, (passed, failed, skipped))

    def test_flat(self):
        self.check("KTAP version 1\r\n1..2\r\nok 1 a\r\nnoise\r\nok 2 - b # SKIP why\r\n", True, 1, 0, 1)
        self.check("ok 1 a\nok 2 b\n1..2\n", True, 2)

    def test_failures(self):
        self.check("1..1\nnot ok 1 a\n", False, 0, 1)
        self.check("1..3\nok 1 a\nok 2 b\n", False, 2)
        self.check("ok 1 a\n", False, 1)
        self.check("1..2\nok 1 a\nok 3 b\n", False, 2)
        self.check("1..0\n", False)
        self.check("", False)

    def test_nested(self):
        nested = "1..2\n  1..2\n  ok 1 a\n  ok 2 b\nok 1 suite\n  1..1\n  ok 1 c\nok 2 other\n"
        self.check(nested, True, 3)
        self.check(nested.replace("  ok 2 b\n", ""), False, 2)


if __name__ == "__main__":
    unittest.main()
