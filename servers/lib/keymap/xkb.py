# SPDX-License-Identifier: MIT
"""The host's libxkbcommon, by ctypes: what a key of a layout gives, with the packaged xkb-data."""

import ctypes

STATES = 16     # Shift 1, Lock 2, level 3 (Mod5) 4, NumLock (Mod2) 8
MODIFIERS = [b"Shift", b"Lock", b"Mod5", b"Mod2"]
LAYOUTS = {"us": "us", "gb": "gb", "de": "de", "fr": "fr", "es": "es", "dvorak": "us(dvorak)", "it": "it", "pt": "pt",
           "br": "br", "se": "se", "no": "no", "dk": "dk", "fi": "fi", "ch": "ch", "be": "be", "pl": "pl", "cz": "cz",
           "colemak": "us(colemak)"}


class Names(ctypes.Structure):
    _fields_ = [(name, ctypes.c_char_p) for name in ("rules", "model", "layout", "variant", "options")]


def library():
    lib = ctypes.CDLL("libxkbcommon.so.0")
    for name in ("xkb_context_new", "xkb_keymap_new_from_names", "xkb_state_new"):
        getattr(lib, name).restype = ctypes.c_void_p
    return lib


class Layout:
    def __init__(self, name):
        self.lib = library()
        layout, _, variant = LAYOUTS[name].rstrip(")").partition("(")
        names = Names(b"evdev", b"pc105", layout.encode(), variant.encode(), b"")
        context = ctypes.c_void_p(self.lib.xkb_context_new(0))
        keymap = ctypes.c_void_p(self.lib.xkb_keymap_new_from_names(context, ctypes.byref(names), 0))
        if not keymap.value:
            raise SystemExit(f"keymap {name}: libxkbcommon has no such layout (package xkb-data)")
        self.masks = [1 << self.lib.xkb_keymap_mod_get_index(keymap, modifier) for modifier in MODIFIERS]
        self.state = ctypes.c_void_p(self.lib.xkb_state_new(keymap))

    def symbol(self, key, state):
        """As keymap.h has it, of an evdev key code while the modifiers of `state` are active."""
        held = sum(mask for bit, mask in enumerate(self.masks) if state >> bit & 1 and bit in (0, 2))
        locked = sum(mask for bit, mask in enumerate(self.masks) if state >> bit & 1 and bit in (1, 3))
        self.lib.xkb_state_update_mask(self.state, held, 0, locked, 0, 0, 0)
        keysym = self.lib.xkb_state_key_get_one_sym(self.state, key + 8)
        if keysym >> 8 in (0xff, 0xfe):
            return (0xf000 if keysym >> 8 == 0xff else 0xf100) + (keysym & 0xff)
        code = self.lib.xkb_keysym_to_utf32(keysym)
        return code if code < 0xf000 else 0
