#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""terminfo_test.py PROGRAM FOLDER NAME: each capability of a terminfo entry does in the emulator what it says.

PROGRAM (terminal_host.c) is the emulator on this machine; FOLDER has the compiled entry. A capability without a check
fails, but for those of DEVIATIONS, which xterm-256color has and the console has not: these must really do nothing.
"""

import curses
import os
import pathlib
import re
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts" / "lib"))
import fetch  # noqa: E402  (found through the path above)

PROGRAM, FOLDER, NAME = sys.argv[1:]
LIBRARIES = ":".join(str(folder) for folder in fetch.unpack("libtinfo6").glob("**/x86_64-linux-gnu"))
ROWS, COLUMNS = 10, 20
WHITE, BLACK = 0xd0d0d0, 0
SHIFT, CONTROL, ALT = 1, 16, 32

# What of xterm-256color the console doesn't do.
UNSEEN = "is neither drawn nor kept by libvterm 0.1.4"
DEVIATIONS = {
    **dict.fromkeys(("blink", "dim", "invis", "sitm"), UNSEEN),
    **dict.fromkeys(("Cs", "Cr", "initc", "oc"), "colours and palette are fixed"),
    **dict.fromkeys(("Ms",), "programs don't get at the clipboard"),
    **dict.fromkeys(("mc0", "mc4", "mc5"), "no printer"),
    **dict.fromkeys(("meml", "memu"), "only xterm's own scrolling"),
    **dict.fromkeys(("smm", "rmm"), "Alt sends ESC: there is no eighth bit in UTF-8"),
    **dict.fromkeys(("kent", "kbeg", "kp5"), "the keypad's Enter is Enter; the others are no keys of PCs"),
    **dict.fromkeys(("smglr", "smglp", "smgrp"), "text isn't wrapped at margins, though they scroll"),
    "xm": "the entry isn't what xterm sends",
}
# Keys that are sent, but not from the keyboard: the console takes them (keyboard.c).
TAKEN = {"kPRV", "kNXT", "kPRV4", "kPRV6", "kNXT4", "kNXT6", *(f"kf{n}" for n in (*range(49, 55), 61, 62, 63))}

ACS = dict(zip("`afgijklmnopqrstuvwxyz{|}~", "◆▒°±␋┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·"))
MODIFIERS = {"": SHIFT, "3": ALT, "4": SHIFT | ALT, "5": CONTROL, "6": CONTROL | SHIFT, "7": CONTROL | ALT}
KEYS = {"kbs": (0xf008, 0), "kcbt": (0xf009, SHIFT), "kcuu1": (0xf052, 0), "kcud1": (0xf054, 0), "kcuf1": (0xf053, 0),
        "kcub1": (0xf051, 0), "khome": (0xf050, 0), "kend": (0xf057, 0), "kich1": (0xf063, 0), "kdch1": (0xf0ff, 0),
        "kpp": (0xf055, 0), "knp": (0xf056, 0), "kri": (0xf052, SHIFT), "kind": (0xf054, SHIFT),
        "ka1": (0xf0b7, 0), "ka2": (0xf0b8, 0), "ka3": (0xf0b9, 0), "kb1": (0xf0b4, 0), "kb2": (0xf0b5, 0),
        "kb3": (0xf0b6, 0), "kc1": (0xf0b1, 0), "kc2": (0xf0b2, 0), "kc3": (0xf0b3, 0), "kpADD": (0xf0ab, 0),
        "kpDIV": (0xf0af, 0), "kpDOT": (0xf0ae, 0), "kpMUL": (0xf0aa, 0), "kpSUB": (0xf0ad, 0), "kpZRO": (0xf0b0, 0),
        "kent": (0xf08d, 0), "kbeg": (0xf09d, 0), "kp5": (0xf09d, 0), "kpCMA": (0xf0ac, SHIFT)}
KEYS |= {f"k{name}{suffix}": (symbol, mods) for suffix, mods in MODIFIERS.items() for name, symbol in {
    "UP": 0xf052, "DN": 0xf054, "RIT": 0xf053, "LFT": 0xf051, "HOM": 0xf050, "END": 0xf057, "IC": 0xf063, "DC": 0xf0ff,
    "PRV": 0xf055, "NXT": 0xf056}.items()}
KEYS |= {f"kf{12 * at + n + 1}": (0xf0be + n, mods) for at, mods in enumerate(
    (0, SHIFT, CONTROL, CONTROL | SHIFT, ALT, ALT | SHIFT)) for n in range(12)}


def pieces(name, *parameters):
    """The capability's bytes, in pieces between what is to be waited."""
    text = curses.tigetstr(name)
    assert text, f"{name}: not in {NAME}"
    return re.split(rb"\$<[0-9.*/]+>", curses.tparm(text, *parameters) if parameters else text)


class Terminal:
    def __init__(self):
        self.process = subprocess.Popen([PROGRAM, str(ROWS), str(COLUMNS)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def tell(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def write(self, data):
        if data:
            self.tell("w " + (data if isinstance(data, bytes) else data.encode()).hex())

    def do(self, name, *parameters):
        self.write(b"".join(pieces(name, *parameters)))

    def at(self, row, column):
        self.write(f"\x1b[{row + 1};{column + 1}H")

    def key(self, symbol, mods=0):
        self.look()
        self.tell(f"k {symbol:x} {mods:x}")
        return self.look().answers

    def look(self):
        self.tell("?")
        self.cells = {}
        for line in iter(self.process.stdout.readline, ".\n"):
            kind, *words = line.split()
            if kind == "cursor":
                self.cursor, (self.visible, self.shape, self.blinks) = tuple(map(int, words[:2])), map(int, words[2:])
            elif kind == "cell":
                row, column, letter, front, back, underline, strike, bold = words
                self.cells[int(row), int(column)] = (chr(int(letter, 16) or 32), int(front, 16), int(back, 16),
                                                     int(underline), int(strike), int(bold))
            elif kind == "answers":
                self.answers = bytes.fromhex("".join(words))
            else:
                setattr(self, kind, int(words[0]))
        return self

    def lines(self):
        self.look()
        return ["".join(self.cells.get((row, column), " ")[0] for column in range(COLUMNS)) for row in range(ROWS)]

    def style(self):
        """Of an x written where the cursor is: colours, underline, strike, bold."""
        self.write("\rx")
        row, _ = self.look().cursor
        return self.cells[row, 0][1:]

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


FULL = ["".join(chr(48 + (7 * row + column) % 75) for column in range(COLUMNS)) for row in range(ROWS)]
PLAIN = (WHITE, BLACK, 0, 0, 0)
EMPTY = " " * COLUMNS


def filled(t, row=4, column=6):
    for number, line in enumerate(FULL):
        t.at(number, 0)
        t.write(line)
    t.at(row, column)


def colour(number):
    """xterm's."""
    if number >= 232:
        return (8 + 10 * (number - 232)) * 0x10101
    number -= 16
    levels = [55 + 40 * step if step else 0 for step in (number // 36, number // 6 % 6, number % 6)]
    return levels[0] << 16 | levels[1] << 8 | levels[2]


CHECKS = {}


def check(*names):
    def add(function):
        for name in names:
            CHECKS[name] = function
        return function
    return add


def same(found, wanted):
    assert found == wanted, f"{found} and not {wanted}"


def lines_are(t, wanted):
    same(t.lines(), wanted)


def cursor_is(t, row, column):
    same(t.look().cursor, (row, column))


@check("cup", "home", "hpa", "vpa")
def places(t, name):
    t.at(4, 6)
    t.do(name, *{"cup": (3, 17), "hpa": (9,), "vpa": (8,)}.get(name, ()))
    cursor_is(t, *{"cup": (3, 17), "home": (0, 0), "hpa": (4, 9), "vpa": (8, 6)}[name])


@check("cuu", "cud", "cuf", "cub", "cuu1", "cud1", "cuf1", "cub1", "cr", "nel")
def moves(t, name):
    t.at(4, 6)
    t.do(name, *((3,) if name in ("cuu", "cud", "cuf", "cub") else ()))
    cursor_is(t, *{"cuu": (1, 6), "cud": (7, 6), "cuf": (4, 9), "cub": (4, 3), "cuu1": (3, 6), "cud1": (5, 6),
                   "cuf1": (4, 7), "cub1": (4, 5), "cr": (4, 0), "nel": (5, 0)}[name])


@check("ind", "indn", "ri", "rin")
def scrolls(t, name):
    filled(t, 0 if name == "ri" else ROWS - 1, 3)
    count = 1 if name in ("ri", "ind") else 3
    t.do(name, *((3,) if name[-1] == "n" else ()))
    lines_are(t, FULL[count:] + [EMPTY] * count if name[1] == "n" else [EMPTY] * count + FULL[:-count])
    cursor_is(t, 0 if name == "ri" else ROWS - 1, 3)


@check("csr")
def region(t, name):
    filled(t)
    t.do(name, 2, 5)
    t.at(5, 0)
    t.write("\n")
    lines_are(t, FULL[:2] + FULL[3:6] + [EMPTY] + FULL[6:])


@check("ht", "cbt", "hts", "tbc")
def tabs(t, name):
    if name in ("hts", "tbc"):
        t.write("\x1b[3g" if name == "hts" else "")
        t.at(0, 5)
        t.do(name)
        t.at(0, 0)
        t.write("\t")
        return cursor_is(t, 0, 5 if name == "hts" else COLUMNS - 1)
    t.at(2, 10)
    t.do(name)
    return cursor_is(t, 2, {"ht": 2 * curses.tigetnum("it"), "cbt": curses.tigetnum("it")}[name])


@check("clear", "ed", "el", "el1", "ech", "ich", "dch", "dch1", "il", "il1", "dl", "dl1")
def edits(t, name):
    filled(t)
    line = FULL[4]
    t.do(name, *((3,) if name in ("ech", "ich", "dch", "il", "dl") else ()))
    count = 1 if name[-1] == "1" else 3
    lines_are(t, {
        "clear": [EMPTY] * ROWS, "ed": FULL[:4] + [line[:6] + EMPTY[6:]] + [EMPTY] * 5,
        "il": FULL[:4] + [EMPTY] * count + FULL[4:-count], "dl": FULL[:4] + FULL[4 + count:] + [EMPTY] * count,
    }.get(name.rstrip("1")) or FULL[:4] + [{
        "el": line[:6] + EMPTY[6:], "el1": EMPTY[:7] + line[7:], "ech": line[:6] + "   " + line[9:],
        "ich": (line[:6] + "   " + line[6:])[:COLUMNS], "dch": line[:6] + line[9:] + "   ",
        "dch1": line[:6] + line[7:] + " "}[name]] + FULL[5:])
    if curses.tigetflag("bce") and name not in ("il", "il1", "dl", "dl1", "ich", "dch", "dch1"):
        t.write("\x1b[41m")
        t.do(name, *((3,) if name == "ech" else ()))
        row, column = t.look().cursor
        same(t.cells[row, column][2], 0xe00000)


@check("E3")
def forgets(t, name):
    t.write("line\r\n" * 30)
    assert t.look().kept > 10
    before = t.lines()
    t.do(name)
    same(t.look().kept, 0)
    lines_are(t, before)


@check("smir", "rmir", "rep", "smam", "rmam")
def writes(t, name):
    filled(t, 4, 15)
    t.write({"rmir": "\x1b[4h", "smam": "\x1b[?7l"}.get(name, ""))
    if name == "rep":
        t.do(name, ord("x"), 4)
    else:
        t.do(name)
        t.write("xxxx" if name[2:] == "ir" else "xxxxxxx")
    line, below = FULL[4][:15] + "xxxx" + FULL[4][19], FULL[5]
    if name == "smir":
        line = FULL[4][:15] + "xxxx" + FULL[4][15]
    if name[2:] == "am":
        line, below = FULL[4][:15] + "xxxxx", "xx" + FULL[5][2:] if name == "smam" else FULL[5]
    lines_are(t, FULL[:4] + [line, below] + FULL[6:])


@check("smglr", "smglp", "smgrp", "mgc")
def margins(t, name):
    t.write("\x1b[?69h\x1b[6;11s" if name == "mgc" else "")
    t.do(name, *{"smglr": (5, 10), "smglp": (5,), "smgrp": (10,)}.get(name, ()))
    t.at(0, 8 if name != "smglp" else 17)
    t.write("abcde")
    lines_are(t, [{"mgc": EMPTY[:8] + "abcde" + EMPTY[13:], "smglp": EMPTY[:17] + "abc"}.get(
        name, EMPTY[:8] + "abc" + EMPTY[11:])] +
        [{"mgc": EMPTY, "smglp": "     de" + EMPTY[7:], "smgrp": "de" + EMPTY[2:]}.get(
            name, "     de" + EMPTY[7:])] + [EMPTY] * 8)


@check("sc", "rc")
def saves(t, _):
    t.at(3, 4)
    t.do("sc")
    t.at(8, 8)
    t.do("rc")
    cursor_is(t, 3, 4)


@check("smcup", "rmcup")
def other_screen(t, _):
    filled(t, 4, 6)
    t.do("smcup")
    t.do("clear")
    t.write("another")
    lines_are(t, ["another" + EMPTY[7:]] + [EMPTY] * (ROWS - 1))
    t.do("rmcup")
    lines_are(t, FULL)
    cursor_is(t, 4, 6)


@check("civis", "cnorm", "cvvis", "Ss", "Se")
def cursors(t, name):
    t.write({"cnorm": "\x1b[?12h\x1b[?25l", "cvvis": "\x1b[?25l", "Se": "\x1b[5 q"}.get(name, ""))
    if name == "Ss":
        for number in range(1, 7):
            t.do(name, number)
            same((t.look().shape, t.blinks), ((number + 1) // 2, number % 2))
        return
    t.do(name)
    t.look()
    if name == "Se":
        same((t.shape, t.blinks), (1, 0))
    else:
        same(t.visible, int(name != "civis"))
        same(t.blinks, int(name == "cvvis"))


@check("bold", "rev", "smso", "smul", "smxx", "blink", "dim", "invis", "sitm")
def attributes(t, name):
    same(t.style(), PLAIN)
    t.do(name)
    same(t.style(), {"bold": (WHITE, BLACK, 0, 0, 1), "rev": (BLACK, WHITE, 0, 0, 0), "smso": (BLACK, WHITE, 0, 0, 0),
                     "smul": (WHITE, BLACK, 1, 0, 0), "smxx": (WHITE, BLACK, 0, 1, 0)}.get(name))
    t.do("sgr0")
    same(t.style(), PLAIN)


@check("rmso", "rmul", "rmxx", "ritm", "sgr0", "op")
def attributes_off(t, name):
    t.write("\x1b[31;42m" if name == "op" else "\x1b[1;3;4;7;9;31m" if name == "sgr0" else
            {"rmso": "\x1b[7m", "rmul": "\x1b[4m", "rmxx": "\x1b[9m", "ritm": "\x1b[3m"}[name])
    t.do(name)
    same(t.style(), PLAIN)


@check("sgr")
def attributes_together(t, name):
    for bits in range(512):
        on = [bits >> at & 1 for at in range(9)]
        t.do(name, *on)
        swapped = on[0] or on[2]
        same(t.style() if not on[8] else t.style(), (*((BLACK, WHITE) if swapped else (WHITE, BLACK)), on[1], 0, on[5]))
        t.write("\rq")
        row, _ = t.look().cursor
        same(t.cells[row, 0][0], "─" if on[8] else "q")


@check("setaf", "setab", "setrgbf", "setrgbb")
def colours(t, name):
    at, low = (0 if name[-1] == "f" else 1), set()
    for number in range(256):
        if "rgb" in name:
            t.do(name, number, 255 - number, number * 7 % 256)
            same(t.style()[at], number << 16 | 255 - number << 8 | number * 7 % 256)
            continue
        t.do(name, number)
        found = t.style()[at]
        if number < 16:
            low.add(found)
        else:
            same(found, colour(number))
    same(len(low), 0 if "rgb" in name else 16)


@check("bel")
def bell(t, name):
    t.do(name)
    same(t.look().bells, 1)


@check("flash")
def flash(t, name):
    first, second = pieces(name)
    t.write("x")
    t.write(first)
    same(t.look().cells[0, 0][1:3], (BLACK, WHITE))
    t.write(second)
    same(t.look().cells[0, 0][1:3], (WHITE, BLACK))


@check("rs1", "rs2", "is2")
def resets(t, name):
    t.write("abc\x1b[1;4;31m\x1b[4h\x1b[?25l\x1b[5 q\x1b[?1h\x1b=\x1b[3;5r\x1b(0")
    t.do(name)
    same(t.style(), PLAIN)
    if name == "rs1":
        lines_are(t, ["x" + EMPTY[1:]] + [EMPTY] * (ROWS - 1))
    same((t.look().visible, t.shape, t.blinks), (1, 1, 0))
    t.write("q\rx")
    same(t.lines()[t.cursor[0]][:2], "xq")      # nothing is inserted, no lines are drawn
    same(t.key(0xf052), b"\x1b[A")
    t.at(ROWS - 1, 0)
    t.write("\n\n")
    same(t.lines()[ROWS - 1], EMPTY)            # all of the screen scrolls


@check("smacs", "rmacs", "acsc")
def line_letters(t, _):
    text = pieces("acsc")[0].decode()
    for to, letter in zip(text[::2], text[1::2]):
        t.do("smacs")
        t.write("\r" + letter)
        t.do("rmacs")
        t.write("q")
        same(t.lines()[0][:2], ACS[to] + "q")


@check("u6", "u7")
def position(t, _):
    t.at(3, 4)
    t.look()
    t.do("u7")
    same(t.look().answers, b"\x1b[4;5R")
    same(pieces("u6")[0], b"\x1b[%i%d;%dR")


@check("u8", "u9")
def identity(t, _):
    t.look()
    t.do("u9")
    wanted = re.escape(pieces("u8")[0].decode()).replace(re.escape("%[;0123456789]"), "[;0-9]+")
    assert re.fullmatch(wanted, t.look().answers.decode()), t.answers


@check("BE", "BD", "PS", "PE")
def paste(t, name):
    t.do("BE")
    if name == "BD":
        t.do("BD")
    t.look()
    t.tell("p " + b"some text".hex())
    same(t.look().answers, b"some text" if name == "BD" else pieces("PS")[0] + b"some text" + pieces("PE")[0])


@check("kmous", "XM", "xm")
def mouse(t, name):
    t.do("XM", 1)
    t.look()
    t.tell("m 2 13 1 1")
    pressed = t.look().answers
    t.tell("m 2 13 1 0")
    released = t.look().answers
    assert pressed.startswith(pieces("kmous")[0])
    if name == "xm":
        for state, said in (1, pressed), (0, released):
            same(said, pieces("xm", 2, 13, 0, state)[0])
    t.do("XM", 0)
    t.tell("m 2 13 1 1")
    same(t.look().answers, b"")


@check("smkx", "rmkx")
def keypad(t, _):
    for name, up, seven in ("smkx", b"\x1bOA", b"\x1bOw"), ("rmkx", b"\x1b[A", b"7"):
        t.do(name)
        same((t.key(0xf052), t.key(0xf0b7)), (up, seven))


@check(*KEYS)
def keys(t, name):
    t.do("smkx")
    same(t.key(*KEYS[name]), pieces(name)[0])


@check("smm", "rmm")
def meta(t, _):
    t.do("smm")
    same(t.key(ord("a"), ALT), b"\xe1")


@check("initc", "oc", "Cs", "Cr", "Ms", "mc0", "mc4", "mc5", "meml", "memu")
def unseen(t, name):
    filled(t)
    before = t.look().cells
    t.do(name, *{"initc": (1, 1000, 1000, 1000)}.get(name, ()))
    assert t.look().cells != before or t.answers, "does nothing"


class EntryTest(unittest.TestCase):
    def test_each_capability(self):
        curses.setupterm(NAME, 1)
        out = subprocess.run([fetch.unpack("ncurses-bin") / "usr/bin/infocmp", "-x1", NAME], check=True,
                             capture_output=True, text=True, env={**os.environ, "LD_LIBRARY_PATH": LIBRARIES}).stdout
        names = re.findall(r"^\t(\w+)=", out, re.M)
        self.assertGreater(len(names), 200)
        deviations = DEVIATIONS if NAME != "cathode" else {}
        for name in names:
            with self.subTest(name):
                self.assertIn(name, CHECKS)
                self.assertFalse(NAME == "cathode" and name in TAKEN)
                terminal, deviates = Terminal(), None
                try:
                    CHECKS[name](terminal, name)
                except AssertionError as error:
                    deviates = error
                terminal.close()
                if name in deviations:
                    self.assertTrue(deviates, f"{name} works: it is no deviation any more")
                elif deviates:
                    raise deviates
        self.assertLessEqual(set(deviations) | (TAKEN if deviations else set()), set(names))

    def test_wrap_and_its_newline(self):
        """am, xenl: after the last column a letter goes to the next line, but a newline is not one more."""
        for after, row in ("x", 1), ("\r\nx", 1):
            t = Terminal()
            t.write("-" * COLUMNS + after)
            self.assertEqual(t.lines()[row][0], "x")
            t.close()

    def test_attributes_stay_and_move(self):
        """msgr, mir: the cursor may be moved with attributes on, and in insert mode."""
        t = Terminal()
        t.write("abc\x1b[7m\x1b[4h")
        t.at(2, 2)
        t.write("x")
        t.look()
        self.assertEqual((t.cells[2, 2][:3], t.cells[0, 1][:3]), (("x", BLACK, WHITE), ("b", WHITE, BLACK)))
        t.close()

    def test_keys_beyond_the_entry(self):
        """As xterm has them: Alt is ESC before any letter, Shift and Control change nothing of the keypad's."""
        t = Terminal()
        for letter in "aA1 ~äЖ€😀":
            self.assertEqual(t.key(ord(letter), ALT), b"\x1b" + letter.encode())
        self.assertEqual(t.key(ord("a"), ALT | CONTROL), b"\x1b\x01")
        for mods in (0, SHIFT, CONTROL, SHIFT | CONTROL):
            self.assertEqual([t.key(symbol, mods) for symbol in (0xf0aa, 0xf0ab, 0xf0ad, 0xf0ae, 0xf0af, 0xf0b5)],
                             [b"*", b"+", b"-", b".", b"/", b"5"])
        self.assertEqual((t.key(0xf0ab, ALT), t.key(0xf009, ALT), t.key(0xf009, ALT | SHIFT)),
                         (b"\x1b+", b"\x1b\t", b"\x1b[Z"))
        t.write("\x1b=")
        self.assertEqual((t.key(0xf0b5), t.key(0xf0b5, CONTROL)), (b"\x1bOu", b"\x1bOu"))
        t.close()

    def test_reset_after_a_program_that_was_killed(self):
        """RIS: the other screen, the mouse and its encoding, bracketed paste are off."""
        t = Terminal()
        t.write("main\x1b[?1049h\x1b[?1003;1006;2004hother\x1bc")
        lines_are(t, [EMPTY] * ROWS)
        t.tell("m 2 3 1 1")
        t.tell("p 78")
        self.assertEqual(t.look().answers, b"x")
        t.write("\x1b[?1049l\x1b[?1000h")
        lines_are(t, [EMPTY] * ROWS)
        t.tell("m 2 3 1 1")
        self.assertEqual(t.look().answers, b"\x1b[M $#")
        t.write("\x1b[?1049h\x1b[!p\x1b[?1047$p")      # a soft one stays there
        self.assertEqual(t.look().answers, b"\x1b[?1047;1$y")
        t.close()

    def test_default_colours_are_told(self):
        """vim and others ask whether the background is dark (OSC 10, 11); nobody is told of what isn't known."""
        t = Terminal()
        for question, answer in (("10;?", b"\x1b]10;rgb:d0d0/d0d0/d0d0\x1b\\"),
                                 ("11;?", b"\x1b]11;rgb:0000/0000/0000\x1b\\"), ("12;?", b""), ("11;??", b""),
                                 ("11;red", b""), ("11", b""), ("", b"")):
            for end in "\a", "\x1b\\":
                t.write(f"\x1b]{question}{end}")
                self.assertEqual(t.look().answers, answer)
        t.close()

    def test_resize(self):
        """Lower, the cursor's line stays, those above are kept; behind the other screen, too. Higher, they are back."""
        for other in False, True:
            t = Terminal()
            t.write("\r\n".join(f"line {n}" for n in range(2 * ROWS)) + "\r\n# vi")
            if other:
                t.write("\x1b[?1049h\x1b[2J\x1b[HX")
            t.tell(f"r {ROWS - 4} {COLUMNS}")
            t.write("\x1b[?1049l" if other else "")
            t.write("!")
            lines = [f"line {n}" for n in range(2 * ROWS)] + ["# vi!"]
            self.assertEqual([line.rstrip() for line in t.lines()[:ROWS - 4]], lines[4 - ROWS:])
            self.assertEqual((t.look().kept, t.cursor), (ROWS + 5, (ROWS - 5, 5)))
            t.tell(f"r {ROWS} {COLUMNS}")
            self.assertEqual([line.rstrip() for line in t.lines()], lines[-ROWS:])
            self.assertEqual((t.look().kept, t.cursor), (ROWS + 1, (ROWS - 1, 5)))
            t.close()

    def test_strings_that_mean_nothing_here(self):
        """ECMA-48's: what is in them is not shown, however it comes."""
        for start in "P]X^_":
            t = Terminal()
            t.write(f"a\x1b{start}Gi=31;AAAA")
            t.write("more\x1b\\b")
            self.assertEqual(t.lines()[0].rstrip(), "ab")
            t.close()


if __name__ == "__main__":
    os.environ["TERMINFO"] = FOLDER
    sys.argv[1:] = []
    unittest.main()
