#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""keymap_test.py PROGRAM: each key of each layout, with all modifiers, gives what the pinned libxkbcommon says, and so
does each sequence that composes a letter.

PROGRAM (keymap_host.c) is the server's code on this machine. Keys are pressed and let go as a person does it, so that
modifiers and locks are tested with the symbols; dead keys also against Unicode's compositions, by Python's data.
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
COMPOSE, COMPOSE_KEY = 0xf020, 127
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
    """events: (key, value), or of a symbol (0, -1, symbol)"""
    text = "".join(f"{event[0]} {event[1]} {' '.join(f'{word:x}' for word in event[2:])}\n" for event in events)
    out = subprocess.run([PROGRAM, name], input=text, capture_output=True, text=True, check=True).stdout
    return [[int(word, 16) for word in line.split()] for line in out.splitlines()]


def codes(text):
    return [ord(letter) for letter in text]


def typed(symbols):
    return [(0, -1, symbol) for symbol in symbols]


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
                    if key not in (SHIFT, 54, CONTROL, 97, ALT, ALTGR, CAPS, NUM, 125, 126, COMPOSE_KEY) and not any(
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
            keys = [key for key in range(128) if key != COMPOSE_KEY and
                    not any(is_dead(symbol) or symbol == COMPOSE for symbol in model.symbols[key])]
            events = [(generator.choice(keys), generator.randrange(3)) for _ in range(5000)]
            self.assertEqual(run(name, events), [model.event(*event) for event in events], name)

    def test_dead_keys(self):
        sequences = xkb.Compose().sequences()
        for name, dead, combining, sign in (("de", 13, "\u0301", "'"), ("fr", 26, "\u0302", "^"),
                                            ("es", 26, "\u0300", "`")):
            model, events, wanted = Model(name), [], []
            self.assertTrue(is_dead(model.symbols[dead][0]), name)
            letters = [key for key in range(16, 51) if 0x61 <= model.symbols[key][0] <= 0x7a]
            for key in letters:
                base = model.symbols[key][0]
                whole = unicodedata.normalize("NFC", chr(base) + combining)
                events += [(dead, 1), (dead, 0), (key, 1), (key, 0)]
                text = sequences.get((model.symbols[dead][0], base))
                wanted += [[], [], codes(text) if text else [ord(sign), base], []]
                self.assertTrue(len(whole) == 2 or whole == text)
            self.assertGreater(sum(len(typed) == 1 for typed in wanted), 4)
            twice = codes(sequences[(model.symbols[dead][0],) * 2])
            events += [(dead, 1), (dead, 1), (dead, 1), (57, 1), (dead, 1), (28, 1), (16, 1)]
            wanted += [[], twice, [], [ord(sign)], [], [0xf00d], [model.symbols[16][0]]]
            self.assertEqual(run(name, events), wanted, name)

    def test_every_sequence(self):
        events, wanted = [], []
        for symbols, text in xkb.Compose().sequences().items():
            events += typed(symbols)
            wanted += [[]] * (len(symbols) - 1) + [codes(text)]
        self.assertGreater(len(events), 15000)
        self.assertEqual(run("us", events), wanted)

    def test_random_sequences(self):
        """libxkbcommon's state machine on the same symbols; what is its own is told below."""
        compose, generator, name_of = xkb.Compose(), random.Random(2), {COMPOSE: b"Multi_key"}
        sequences = list(compose.sequences())
        name_of |= {code: f"U{code:04X}".encode() for code in range(0x20, 0x7f)}
        keysym = {symbol: compose.lib.xkb_keysym_from_name(name, 0) for symbol, name in name_of.items()}
        usable = [symbols for symbols in sequences if set(symbols) <= set(keysym)]
        self.assertGreater(len(usable), 1000)
        events, wanted = [], []
        compose.lib.xkb_compose_state_reset(compose.state)
        for _ in range(5000):
            symbols = list(generator.choice(usable))
            if generator.randrange(2):
                symbols[generator.randrange(len(symbols))] = generator.choice(list(keysym))
            for symbol in symbols:
                wanted.append(compose.feed(keysym[symbol], [symbol]))
                events += typed([symbol])
        self.assertEqual(run("us", events), wanted)
        self.assertGreater(sum(typed == [] for typed in wanted), 5000)

    def test_compose_key(self):
        """On the keyboard; what is not composed vanishes, and a key held down is not the Compose key again."""
        keys = {letter: key for key, letter in enumerate("qwertyuiop", 16)} | {"'": 40, "=": 13}
        for layout, key in (("us", 127), ("us,compose:rctrl", 97), ("us,compose:caps", 58), ("de,compose:ralt", 100)):
            events, wanted = [(key, 1), (key, 2), (key, 2), (key, 0)], [[]] * 4
            for letter, text in (("o", []), ("e", codes("œ")), ("e", codes("e"))):
                events += [(keys[letter], 1), (keys[letter], 0)]
                wanted += [text, []]
            events += [(key, 1), (key, 0), (keys["q"], 1), (keys["q"], 0), (keys["w"], 1)]
            wanted += [[]] * 4 + [codes("w")]
            self.assertEqual(run(layout, events), wanted, layout)
        self.assertEqual(run("us,compose:menu", [(97, 1), (16, 1)]), [[], codes("q")])

    def test_no_such_key(self):
        for layout in ("us,", "us,compose:", "us,compose:nowhere", "us,compos:menu", ",compose:menu",
                       "us,compose:menu!"):
            self.assertEqual(subprocess.run([PROGRAM, layout], input=b"", check=False).returncode, 2, layout)


if __name__ == "__main__":
    unittest.main()
