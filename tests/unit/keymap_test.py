#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""keymap_test.py PROGRAM: each key of each layout, with all modifiers, gives what the host's libxkbcommon says.

PROGRAM (keymap_host.c) is the server's code on this machine. Keys are pressed and let go as a person does it, so that
modifiers and locks are tested with the symbols; dead keys against Unicode's compositions, and Python's data.
"""

import functools
import pathlib
import random
import subprocess
import sys
import unicodedata
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "servers" / "lib" / "keymap"))
import xkb  # noqa: E402  (found through the path above)

PROGRAM = sys.argv.pop() if len(sys.argv) > 1 else None
SHIFT, CONTROL, ALT, CAPS, NUM, ALTGR = 42, 29, 56, 58, 69, 100
MODIFIERS = {0xf0e1: 1, 0xf0e2: 1, 0xf103: 4}       # by the symbol of the key: bits of the state
LOCKS = {0xf0e5: 2, 0xf07f: 8}
OTHERS = {0xf0e3, 0xf0e4, 0xf0e7, 0xf0e8, 0xf0e9, 0xf0ea}


@functools.cache
def symbols_of(name):
    layout = xkb.Layout(name)
    return [[layout.symbol(key, state) for state in range(16)] for key in range(128)]


class Model:
    """A keyboard, by libxkbcommon's answers alone."""

    def __init__(self, name):
        self.symbols = symbols_of(name)
        self.held, self.locks = {}, 0

    def event(self, key, value):
        symbol = self.symbols[key][0]
        if symbol in MODIFIERS or symbol in OTHERS or value == 0:
            self.held[key] = MODIFIERS.get(symbol, 0) if value else 0
            return []
        if symbol in LOCKS:
            self.locks ^= LOCKS[symbol] if value == 1 else 0
            return []
        state = self.locks
        for bits in self.held.values():
            state |= bits
        typed = self.symbols[key][state]
        return [typed] if typed else []


def run(name, events):
    text = "".join(f"{key} {value}\n" for key, value in events)
    out = subprocess.run([PROGRAM, name], input=text, capture_output=True, text=True, check=True).stdout
    return [[int(word, 16) for word in line.split()] for line in out.splitlines()]


def is_dead(symbol):
    return 0xf150 <= symbol <= 0xf19f


class KeymapTest(unittest.TestCase):
    def test_every_key_in_every_state(self):
        for name in xkb.LAYOUTS:
            model, events = Model(name), []
            for state in range(16):
                keys = [key for bit, key in ((1, SHIFT), (4, ALTGR)) if state & bit]
                locks = [key for bit, key in ((2, CAPS), (8, NUM)) if state & bit]
                events += [(key, value) for key in locks for value in (1, 0)] + [(key, 1) for key in keys]
                for key in range(128):
                    if key not in (SHIFT, 54, CONTROL, 97, ALT, ALTGR, CAPS, NUM, 125, 126) and not any(
                            is_dead(symbol) for symbol in model.symbols[key]):
                        events += [(key, 1), (key, 0)]
                events += [(key, 0) for key in keys] + [(key, value) for key in locks for value in (1, 0)]
            wanted = [model.event(*event) for event in events]
            found = run(name, events)
            self.assertEqual(len(found), len(wanted))
            for event, ours, theirs in zip(events, found, wanted):
                self.assertEqual(ours, theirs, f"{name}: key {event}")
            self.assertGreater(sum(map(len, wanted)), 1000)

    def test_random_typing(self):
        generator = random.Random(1)
        for name in xkb.LAYOUTS:
            model = Model(name)
            keys = [key for key in range(128) if not any(map(is_dead, model.symbols[key]))]
            events = [(generator.choice(keys), generator.randrange(3)) for _ in range(5000)]
            self.assertEqual(run(name, events), [model.event(*event) for event in events], name)

    def test_dead_keys(self):
        for name, dead, combining, sign in (("de", 13, "\u0301", "'"), ("fr", 26, "\u0302", "^"),
                                            ("es", 26, "\u0300", "`")):
            model, events, wanted = Model(name), [], []
            self.assertTrue(is_dead(model.symbols[dead][0]), name)
            letters = [key for key in range(16, 51) if 0x61 <= model.symbols[key][0] <= 0x7a]
            for key in letters:
                base = model.symbols[key][0]
                whole = unicodedata.normalize("NFC", chr(base) + combining)
                events += [(dead, 1), (dead, 0), (key, 1), (key, 0)]
                wanted += [[], [], [ord(whole)] if len(whole) == 1 else [ord(sign), base], []]
            self.assertGreater(sum(len(typed) == 1 for typed in wanted), 4)
            events += [(dead, 1), (dead, 1), (dead, 1), (57, 1), (dead, 1), (28, 1), (16, 1)]
            wanted += [[], [ord(sign)], [], [ord(sign)], [], [0xf00d], [model.symbols[16][0]]]
            self.assertEqual(run(name, events), wanted, name)


if __name__ == "__main__":
    unittest.main()
