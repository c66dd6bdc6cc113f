// SPDX-License-Identifier: MIT
/* Events of the keyboard: keys of the console's own, the others typed into the terminal that is seen. */
#include "console.h"
#include <stdio.h>
#include <string.h>

#define DEFAULT_LAYOUT "us"

static struct keys keys;

int keyboard_set_layout(const char *text, size_t length) { return keys_configure(&keys, text, length) ? 0 : -ENOENT; }

int keyboard_layout(char *out, size_t size) {
    return snprintf(out, size, "%s,compose:%s\n", keys.map->name, keys_compose_name(&keys));
}

void keyboard_start(void) { (void)!keyboard_set_layout(DEFAULT_LAYOUT, strlen(DEFAULT_LAYOUT)); }

unsigned input_mods(void) { return keys.mods; }

static void lights_set(void) {
    input_set_lights((keys.mods & MOD_CAPS ? INPUT_LED_CAPS : 0) | (keys.mods & MOD_NUM ? INPUT_LED_NUM : 0));
}

/* Alt+F1 … F6, also with Control, as others have it; Shift+PageUp, PageDown. True: it was one of these. */
static bool own_key(uint16_t code) {
    struct emulator *e = &vt_seen->emulator;
    if (keys.mods & MOD_ALT && code >= KEY_F1 && code < KEY_F1 + VTS) {
        vt_switch(&vts[code - KEY_F1]);
        return true;
    }
    if (graphics_seen() || !(keys.mods & MOD_SHIFT) || (code != KEY_PAGEUP && code != KEY_PAGEDOWN) || !e->vterm)
        return false;
    emulator_scroll(e, code == KEY_PAGEUP ? e->rows / 2 : -(e->rows / 2));
    return true;
}

void key_event(const struct input_event *event) {
    uint32_t symbols[KEYS_SYMBOLS_MAX];
    if (event->value != 0 && own_key(event->code)) {
        vt_typed();
        return;
    }
    size_t count = keys_event(&keys, event->code, event->value, symbols);
    lights_set();
    if (graphics_take(event)) {
        graphics_type(symbols, count);
        return;
    }
    if (count == 0 || !vt_seen->emulator.vterm) return;
    mouse_hide();
    emulator_unselect(&vt_seen->emulator);
    for (size_t i = 0; i < count; i++) emulator_type(&vt_seen->emulator, symbols[i], keys.mods);
    vt_typed();
}

/* --- what keys are called --- */
#define KEY_SPACE 57

void keyboard_symbols(uint16_t out[KEYMAP_KEYS]) {
    for (uint16_t code = 0; code < KEYMAP_KEYS; code++) {
        struct keys alone = {.map = keys.map};
        uint32_t typed[KEYS_SYMBOLS_MAX];
        size_t count = keys_event(&alone, code, 1, typed);
        if (alone.dead) count = keys_event(&alone, KEY_SPACE, 1, typed);
        out[code] = count > 0 && typed[0] <= UINT16_MAX ? (uint16_t)typed[0] : 0;
    }
}
