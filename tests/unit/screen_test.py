#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The terminal model that boot tests look at full-screen programs with."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "harness"))
import screen  # noqa: E402  (found through the path above)


class ScreenTest(unittest.TestCase):
    def show(self, text, rows=4, columns=10):
        self.screen = screen.Screen(rows, columns)
        self.answer = self.screen.feed(text)
        return self.screen.lines()

    def test_text_wraps_and_scrolls(self):
        self.assertEqual(self.show("one\r\n\ttwo\bX"), ["one", "        tw", "X", ""])
        self.assertEqual(self.show("1\r\n2\r\n3\r\n4\r\n5"), ["2", "3", "4", "5"])
        self.assertEqual(self.show("0123456789\rx"), ["x123456789", "", "", ""])

    def test_cursor_and_erasing(self):
        self.assertEqual(self.show("abcdef\x1b[2;3Hxyz\x1b[1;3H\x1b[K"), ["ab", "  xyz", "", ""])
        self.assertEqual(self.show("aaaa\r\nbbbb\r\ncccc\x1b[2;2H\x1b[J"), ["aaaa", "b", "", ""])
        self.assertEqual(self.show("aaaa\r\nbbbb\x1b[H\x1b[2J."), [".", "", "", ""])
        self.assertEqual(self.show("abcd\x1b[3D\x1b[1K."), [" .cd", "", "", ""])
        self.assertEqual(self.show("\x1b[3B\x1b[2Cx\x1b[Ay"), ["", "", "   y", "  x"])

    def test_lines_and_letters_move(self):
        self.assertEqual(self.show("a\r\nb\r\nc\x1b[1;1H\x1b[M"), ["b", "c", "", ""])
        self.assertEqual(self.show("a\r\nb\r\nc\x1b[2;1H\x1b[L"), ["a", "", "b", "c"])
        self.assertEqual(self.show("abcd\x1b[1;2H\x1b[2P"), ["ad", "", "", ""])
        self.assertEqual(self.show("abcd\x1b[1;2H\x1b[2@"), ["a  bcd", "", "", ""])
        self.assertEqual(self.show("a\r\nb\r\nc\r\nd\x1b[2;3r\x1b[3;1H\n"), ["a", "c", "", "d"])
        self.assertEqual(self.show("a\r\nb\x1b[H\x1bM."), [".", "a", "b", ""])

    def test_reports_and_what_is_ignored(self):
        self.show("\x1b[99;99H\x1b[6n")
        self.assertEqual(self.answer, "\x1b[4;10R")
        self.assertEqual(self.show("\x1b[7mr\x1b[m\x1b[?1049h\x1b(B\x1b="), ["r", "", "", ""])

    def test_sequences_in_pieces(self):
        self.show("")
        for letter in "ab\x1b[2;3Hc":
            self.screen.feed(letter)
        self.assertEqual(self.screen.lines(), ["ab", "  c", "", ""])


if __name__ == "__main__":
    unittest.main()
