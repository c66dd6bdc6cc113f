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
import bench_login  # pylint: disable=wrong-import-position
import qmp  # pylint: disable=wrong-import-position


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

    def test_prompt_is_found_in_any_font_by_its_equal_letters(self):
        self.assertTrue(bench_login.shows(picture(9, 3, "cathode login: ", 8, 16), bench_login.PROMPT))
        self.assertTrue(bench_login.shows(picture(0, 0, "cathode login: ", 12, 24), bench_login.PROMPT))
        for other in ("", "cathode logon: ", "cathodexlogin: ", "c4thode login: ", "cathode 0.1 on"):
            self.assertEqual(bench_login.shows(picture(9, 3, other, 8, 16), bench_login.PROMPT),
                             other.startswith("c4"), other)     # any sign may be an a


def picture(column, row, text, width, height):
    """640x400, a letter's cell being full of its code and its first pixel white, but for a blank."""
    pixels = bytearray(3 * 640 * 400)
    for at, letter in enumerate(text):
        for y in range(row * height, (row + 1) * height):
            left = 3 * (y * 640 + (column + at) * width)
            pixels[left:left + 3 * width] = bytes(3 * width) if letter == " " else b"\xff" + \
                bytes([ord(letter)]) * (3 * width - 1)
    return qmp.Picture(640, 400, pixels)


if __name__ == "__main__":
    unittest.main()
