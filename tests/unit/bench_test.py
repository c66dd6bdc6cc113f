#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The table of figures in README.md is that of tests/bench, and what makes it."""

import json
import pathlib
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts" / "lib"))

import bench  # pylint: disable=wrong-import-position


class Table(unittest.TestCase):
    def test_readme_shows_what_is_recorded(self):
        rows = bench.table(*(bench.read_rows(bench.FOLDER / name)
                             for name in ("budgets.tsv", "recorded.tsv", "linux.tsv")))
        self.assertIn(rows + "\n", bench.README.read_text(encoding="utf-8"))

    def test_history_ends_with_what_is_recorded(self):
        lines = (bench.FOLDER / "history.jsonl").read_text(encoding="utf-8").splitlines()
        counts = {name: value for line in lines for name, value in json.loads(line)["counts"].items()}
        recorded = bench.read_rows(bench.FOLDER / "recorded.tsv")
        self.assertEqual(counts, {name: float(row[0]) for name, row in recorded.items()})

    def test_only_the_table_is_replaced(self):
        page = "before\n\n" + bench.TABLE + "| old | 1 | 2 | 3 | 4 |\n\nafter\n\nmore\n"
        new = bench.with_table(page, bench.TABLE + "| new | 5 | | | |\n")
        self.assertEqual(new, "before\n\n" + bench.TABLE + "| new | 5 | | | |\n\nafter\n\nmore\n")

    def test_a_page_without_table_is_an_error(self):
        with self.assertRaises(ValueError):
            bench.with_table("nothing", bench.TABLE)


if __name__ == "__main__":
    unittest.main()
