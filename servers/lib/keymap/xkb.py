# SPDX-License-Identifier: MIT
"""The pinned libxkbcommon, by ctypes: what a key of a layout gives, with the pinned xkb-data, and what a sequence of
symbols composes, by libx11-data's table for en_US.UTF-8."""

import ctypes
import functools
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "scripts" / "lib"))
import fetch  # noqa: E402  (found through the path above)

STATES = 16     # Shift 1, Lock 2, level 3 (Mod5) 4, NumLock (Mod2) 8
MODIFIERS = [b"Shift", b"Lock", b"Mod5", b"Mod2"]
LAYOUTS = {"us": "us", "gb": "gb", "de": "de", "fr": "fr", "es": "es", "dvorak": "us(dvorak)", "it": "it", "pt": "pt",
           "br": "br", "se": "se", "no": "no", "dk": "dk", "fi": "fi", "ch": "ch", "be": "be", "pl": "pl", "cz": "cz",
           "colemak": "us(colemak)"}
NO_DEFAULT_INCLUDES = 1
NOTHING, COMPOSED = 0, 2


class Names(ctypes.Structure):
    _fields_ = [(name, ctypes.c_char_p) for name in ("rules", "model", "layout", "variant", "options")]


@functools.cache
def library():
    lib = ctypes.CDLL(str(next(fetch.unpack("libxkbcommon").glob("usr/lib/*/libxkbcommon.so.0"))))
    for name in ("xkb_context_new", "xkb_keymap_new_from_names", "xkb_state_new", "xkb_compose_table_new_from_buffer",
                 "xkb_compose_state_new"):
        getattr(lib, name).restype = ctypes.c_void_p
    return lib


@functools.cache
def context():
    found = ctypes.c_void_p(library().xkb_context_new(NO_DEFAULT_INCLUDES))
    library().xkb_context_include_path_append(found, bytes(fetch.unpack("xkb-data") / "usr/share/X11/xkb"))
    return found


def symbol_of(keysym):
    """As keymap.h has it; 0 for what it hasn't."""
    if keysym >> 8 in (0xff, 0xfe):
        return (0xf000 if keysym >> 8 == 0xff else 0xf100) + (keysym & 0xff)
    code = library().xkb_keysym_to_utf32(keysym)
    return code if code < 0xf000 else 0


class Layout:
    def __init__(self, name):
        self.lib = library()
        layout, _, variant = LAYOUTS[name].rstrip(")").partition("(")
        names = Names(b"evdev", b"pc105", layout.encode(), variant.encode(), b"")
        keymap = ctypes.c_void_p(self.lib.xkb_keymap_new_from_names(context(), ctypes.byref(names), 0))
        if not keymap.value:
            raise SystemExit(f"keymap {name}: libxkbcommon has no such layout (package xkb-data)")
        self.masks = [1 << self.lib.xkb_keymap_mod_get_index(keymap, modifier) for modifier in MODIFIERS]
        self.state = ctypes.c_void_p(self.lib.xkb_state_new(keymap))

    def symbol(self, key, state):
        """Of an evdev key code while the modifiers of `state` are active."""
        held = sum(mask for bit, mask in enumerate(self.masks) if state >> bit & 1 and bit in (0, 2))
        locked = sum(mask for bit, mask in enumerate(self.masks) if state >> bit & 1 and bit in (1, 3))
        self.lib.xkb_state_update_mask(self.state, held, 0, locked, 0, 0, 0)
        return symbol_of(self.lib.xkb_state_key_get_one_sym(self.state, key + 8))


class Compose:
    def __init__(self):
        self.lib = library()
        self.text = (fetch.unpack("libx11-data") / "usr/share/X11/locale/en_US.UTF-8/Compose").read_bytes()
        table = ctypes.c_void_p(self.lib.xkb_compose_table_new_from_buffer(
            context(), self.text, ctypes.c_size_t(len(self.text)), b"en_US.UTF-8", 1, 0))
        self.state = ctypes.c_void_p(self.lib.xkb_compose_state_new(table, 0))

    def composed(self, keysyms):
        """The text of a whole sequence; None if it is none."""
        self.lib.xkb_compose_state_reset(self.state)
        status = 0
        for keysym in keysyms:
            if status == COMPOSED:
                return None
            self.lib.xkb_compose_state_feed(self.state, keysym)
            status = self.lib.xkb_compose_state_get_status(self.state)
        return self.text_now() if status == COMPOSED else None

    def text_now(self):
        out = ctypes.create_string_buffer(64)
        self.lib.xkb_compose_state_get_utf8(self.state, out, ctypes.c_size_t(len(out)))
        return out.value.decode()

    def feed(self, keysym, plain):
        """What this key types after those before: code points, or `plain`, outside of sequences."""
        self.lib.xkb_compose_state_feed(self.state, keysym)
        status = self.lib.xkb_compose_state_get_status(self.state)
        return plain if status == NOTHING else [ord(c) for c in self.text_now()] if status == COMPOSED else []

    def sequences(self):
        """{symbols: text}; the file tells which there are, libxkbcommon what they give. Without those of symbols that
        keymap.h hasn't: musical notes, Arabic ligatures. Two keysyms for one symbol: the first one's."""
        found = {}
        for line in self.text.decode().splitlines():
            names = re.findall(r"<(\w+)>", line.split(":")[0]) if line.startswith("<") else []
            keysyms = [self.lib.xkb_keysym_from_name(name.encode(), 0) for name in names]
            symbols, text = tuple(map(symbol_of, keysyms)), self.composed(keysyms)
            if text and all(symbols) and max(symbols) < 0x10000:
                found.setdefault(symbols, text)
        return found
