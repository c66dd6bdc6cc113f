# SPDX-License-Identifier: MIT
"""A small terminal: what a program's output looks like on a screen (no colours).

It knows what full-screen programs need of ECMA-48 and the VT100: moving the cursor, erasing, scrolling
regions, inserting and deleting lines and characters, and the report of the cursor's position.
"""

import re

SEQUENCE = re.compile(r"\x1b(?:\[([?>]?)([0-9;]*)([@-~])|([()])(.)|([78=>DMc]))")
UNFINISHED = re.compile(r"\x1b(?:\[[?>]?[0-9;]*|[()])?$")


class Screen:
    def __init__(self, rows=24, columns=80):
        self.rows, self.columns = rows, columns
        self.reset()

    def reset(self):
        self.cells = [[" "] * self.columns for _ in range(self.rows)]
        self.row = self.column = 0
        self.top, self.bottom = 0, self.rows - 1
        self.saved = (0, 0)
        self.rest = ""

    def lines(self):
        return ["".join(line).rstrip() for line in self.cells]

    def feed(self, text):
        """Shows the text; what a terminal would answer."""
        text = self.rest + text
        answer, at = "", 0
        while at < len(text):
            if text[at] != "\x1b":
                self.put(text[at])
                at += 1
                continue
            found = SEQUENCE.match(text, at)
            if not found and UNFINISHED.match(text, at):
                break
            if found:
                answer += self.escape(found)
            at = found.end() if found else at + 1
        self.rest = text[at:]
        return answer

    def put(self, letter):
        if letter == "\n":
            self.line_feed()
        elif letter == "\r":
            self.column = 0
        elif letter == "\b":
            self.column = max(0, min(self.column, self.columns - 1) - 1)
        elif letter == "\t":
            self.column = min(self.columns - 1, (self.column // 8 + 1) * 8)
        elif letter >= " ":
            if self.column == self.columns:     # wraps when the next one comes
                self.column = 0
                self.line_feed()
            self.cells[self.row][self.column] = letter
            self.column += 1

    def line_feed(self):
        if self.row == self.bottom:
            self.delete_lines(self.top, 1)
        else:
            self.row = min(self.row + 1, self.rows - 1)

    def delete_lines(self, at, count):
        for _ in range(min(count, self.bottom - at + 1)):
            del self.cells[at]
            self.cells.insert(self.bottom, [" "] * self.columns)

    def insert_lines(self, at, count):
        for _ in range(min(count, self.bottom - at + 1)):
            del self.cells[self.bottom]
            self.cells.insert(at, [" "] * self.columns)

    def escape(self, found):
        _, numbers, final, _, _, simple = found.groups()
        if simple:
            return self.simple(simple)
        if not final:
            return ""
        values = [int(word or 0) for word in (numbers or "").split(";")]
        count = max(1, values[0])
        line, column = self.cells[self.row], min(self.column, self.columns - 1)
        if final in "Hf":
            self.row = min(count, self.rows) - 1
            self.column = min(max(1, values[1] if len(values) > 1 else 1), self.columns) - 1
        elif final in "ABCDG":
            self.row = min(max(0, self.row + {"A": -count, "B": count}.get(final, 0)), self.rows - 1)
            self.column = min(max(0, column + {"C": count, "D": -count}.get(final, 0)), self.columns - 1)
            if final == "G":
                self.column = min(count, self.columns) - 1
        elif final == "J":
            self.erase_rows(values[0], column)
        elif final == "K":
            self.erase(line, values[0], column)
        elif final == "L":
            self.insert_lines(self.row, count)
        elif final == "M":
            self.delete_lines(self.row, count)
        elif final == "P":
            line[column:] = line[column + count:] + [" "] * min(count, self.columns - column)
        elif final == "@":
            line[column:] = ([" "] * count + line[column:])[:self.columns - column]
        elif final == "r":
            self.top = count - 1
            self.bottom = min(values[1] if len(values) > 1 else self.rows, self.rows) - 1
            self.row = self.column = 0
        elif final == "n" and values[0] == 6:
            return f"\x1b[{self.row + 1};{column + 1}R"
        return ""

    def simple(self, letter):
        if letter == "7":
            self.saved = (self.row, self.column)
        elif letter == "8":
            self.row, self.column = self.saved
        elif letter == "D":
            self.line_feed()
        elif letter == "M":
            if self.row == self.top:
                self.insert_lines(self.top, 1)
            else:
                self.row = max(0, self.row - 1)
        elif letter == "c":
            self.reset()
        return ""

    def erase(self, line, how, column):
        """0 from the cursor on, 1 up to it, 2 all."""
        first = 0 if how else column
        last = column + 1 if how == 1 else self.columns
        line[first:last] = [" "] * (last - first)

    def erase_rows(self, how, column):
        if how < 2:
            self.erase(self.cells[self.row], how, column)
        rows = {0: range(self.row + 1, self.rows), 1: range(self.row)}.get(how, range(self.rows))
        for row in rows:
            self.cells[row] = [" "] * self.columns
