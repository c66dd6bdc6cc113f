// SPDX-License-Identifier: MIT
/*
 * From keys to symbols: layouts, modifiers, locks, dead keys and other sequences that compose a letter.  Pure; the
 * tables are compiled by the build from the packaged xkb-data and libx11-data (keymaps.py).
 *
 * A symbol is a Unicode code point, or one of the private area for what isn't a letter: SYMBOL_FUNCTION + the low byte
 * of an X keysym 0xff__ (cursor keys, keypad, modifiers), SYMBOL_ISO + that of 0xfe__ (dead keys, AltGr).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SYMBOL_FUNCTION 0xf000
#define SYMBOL_ISO 0xf100
enum symbol { /* those that have a meaning here or to a terminal */
              SYMBOL_BACKSPACE = 0xf008,
              SYMBOL_TAB = 0xf009,
              SYMBOL_RETURN = 0xf00d,
              SYMBOL_PAUSE = 0xf013,
              SYMBOL_SCROLL_LOCK = 0xf014,
              SYMBOL_ESCAPE = 0xf01b,
              SYMBOL_COMPOSE = 0xf020,
              SYMBOL_HOME = 0xf050,
              SYMBOL_LEFT,
              SYMBOL_UP,
              SYMBOL_RIGHT,
              SYMBOL_DOWN,
              SYMBOL_PAGE_UP,
              SYMBOL_PAGE_DOWN,
              SYMBOL_END,
              SYMBOL_INSERT = 0xf063,
              SYMBOL_NUM_LOCK = 0xf07f,
              SYMBOL_KP_ENTER = 0xf08d,
              SYMBOL_KP_HOME = 0xf095,
              SYMBOL_KP_LEFT,
              SYMBOL_KP_UP,
              SYMBOL_KP_RIGHT,
              SYMBOL_KP_DOWN,
              SYMBOL_KP_PAGE_UP,
              SYMBOL_KP_PAGE_DOWN,
              SYMBOL_KP_END,
              SYMBOL_KP_BEGIN,
              SYMBOL_KP_INSERT,
              SYMBOL_KP_DELETE,
              SYMBOL_KP_MULTIPLY = 0xf0aa,
              SYMBOL_KP_ADD,
              SYMBOL_KP_SEPARATOR,
              SYMBOL_KP_SUBTRACT,
              SYMBOL_KP_DECIMAL,
              SYMBOL_KP_DIVIDE,
              SYMBOL_KP_0 = 0xf0b0,
              SYMBOL_KP_9 = 0xf0b9,
              SYMBOL_KP_EQUAL = 0xf0bd,
              SYMBOL_F1 = 0xf0be,
              SYMBOL_F12 = 0xf0c9,
              SYMBOL_SHIFT_LEFT = 0xf0e1,
              SYMBOL_SHIFT_RIGHT,
              SYMBOL_CONTROL_LEFT,
              SYMBOL_CONTROL_RIGHT,
              SYMBOL_CAPS_LOCK,
              SYMBOL_META_LEFT = 0xf0e7,
              SYMBOL_META_RIGHT,
              SYMBOL_ALT_LEFT,
              SYMBOL_ALT_RIGHT,
              SYMBOL_DELETE = 0xf0ff,
              SYMBOL_LEVEL3 = 0xf103,
              SYMBOL_BACK_TAB = 0xf120,
              SYMBOL_DEAD_FIRST = 0xf150,
              SYMBOL_DEAD_LAST = 0xf19f,
};

/* What is held, and what is locked; the first four choose the symbol of a key. */
enum key_mods { MOD_SHIFT = 1, MOD_CAPS = 2, MOD_LEVEL3 = 4, MOD_NUM = 8, MOD_CONTROL = 16, MOD_ALT = 32 };
#define KEYMAP_KEYS 128
#define KEYMAP_STATES 16 /* of the first four modifiers */

struct keymap {
    const char *name;
    const uint16_t *rows; /* by key: index into keymap_rows */
};
/* What may follow a sequence of symbols is compose_nodes[first …], so many as count says, in order.  Of a whole
 * sequence count is 0, and first what it gives; or COMPOSE_TEXT, and first is where in compose_texts that begins. */
struct compose_node {
    uint16_t symbol, first, count;
};
#define COMPOSE_TEXT 0xffff
extern const struct keymap keymaps[];
extern const size_t keymap_count;
extern const uint16_t keymap_rows[][KEYMAP_STATES];
extern const struct compose_node compose_nodes[]; /* the first one: before any symbol */
extern const uint32_t compose_texts[]; /* code points, each text with a 0 behind it */

/* Null: there is none of this name. */
const struct keymap *keymap_find(const char *name, size_t length);

struct keys { /* zero, but for the map, is a keyboard that nobody touches */
    const struct keymap *map;
    uint8_t mods; /* enum key_mods as they are */
    uint16_t compose; /* the Compose key, or 0: only what the layout says is one */
    uint16_t node; /* of compose_nodes: the sequence typed so far */
    uint16_t dead; /* if that is one dead key: this one */
    uint8_t held[KEYMAP_KEYS]; /* by key: which modifier it holds while it is down */
};
#define KEYS_SYMBOLS_MAX 4
/* "LAYOUT" or "LAYOUT,compose:KEY", as X has them; without KEY it is menu. False: no such layout or key, all stays. */
bool keys_configure(struct keys *k, const char *text, size_t length);
/* The KEY that it has. */
const char *keys_compose_name(const struct keys *k);
/* A key is pressed (1), repeated (2), released (0): symbols that it types go to out; their number. */
size_t keys_event(struct keys *k, uint16_t code, int32_t value, uint32_t out[KEYS_SYMBOLS_MAX]);
/* The same of the symbol of a key, in any layout: what it gives after those before. */
size_t keys_symbol(struct keys *k, uint16_t symbol, uint32_t out[KEYS_SYMBOLS_MAX]);
/* All are up; the locks stay. */
void keys_release(struct keys *k);
