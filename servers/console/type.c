// SPDX-License-Identifier: MIT
/* What a terminal sends for keys and mouse: libvterm's answers, in the modes that the program has set. */
#include "emulator.h"
#include <keymap.h>

#define ESCAPE 0x1b

static VTermModifier modifiers_of(unsigned mods) {
    return (VTermModifier)((mods & MOD_SHIFT ? VTERM_MOD_SHIFT : 0) | (mods & MOD_CONTROL ? VTERM_MOD_CTRL : 0) |
                           (mods & MOD_ALT ? VTERM_MOD_ALT : 0));
}

/* The control character of a letter, as terminals have always had it; the letter itself if there is none. */
static uint32_t control_of(uint32_t c) {
    if (c == ' ' || c == '2') return 0;
    if (c == '/' || c == '7') return 0x1f;
    if (c == '?' || c == '8') return 0x7f;
    if (c >= '3' && c <= '6') return c - '3' + 0x1b;
    return (c >= '@' && c <= '_') || (c >= 'a' && c <= 'z') ? c & 0x1f : c;
}

static VTermKey keypad_of(uint32_t symbol) {
    static const VTermKey operators[] = {VTERM_KEY_KP_MULT,  VTERM_KEY_KP_PLUS,   VTERM_KEY_KP_COMMA,
                                         VTERM_KEY_KP_MINUS, VTERM_KEY_KP_PERIOD, VTERM_KEY_KP_DIVIDE};
    if (symbol >= SYMBOL_KP_0 && symbol <= SYMBOL_KP_9) return VTERM_KEY_KP_0 + (VTermKey)(symbol - SYMBOL_KP_0);
    if (symbol >= SYMBOL_KP_MULTIPLY && symbol <= SYMBOL_KP_DIVIDE) return operators[symbol - SYMBOL_KP_MULTIPLY];
    if (symbol == SYMBOL_KP_EQUAL) return VTERM_KEY_KP_EQUAL;
    return VTERM_KEY_NONE;
}

static VTermKey key_of(uint32_t symbol) {
    switch (symbol) {
    case SYMBOL_BACKSPACE: return VTERM_KEY_BACKSPACE;
    case SYMBOL_TAB:
    case SYMBOL_BACK_TAB: return VTERM_KEY_TAB;
    case SYMBOL_RETURN:
    case SYMBOL_KP_ENTER: return VTERM_KEY_ENTER;
    case SYMBOL_ESCAPE: return VTERM_KEY_ESCAPE;
    case SYMBOL_HOME:
    case SYMBOL_KP_HOME: return VTERM_KEY_HOME;
    case SYMBOL_LEFT:
    case SYMBOL_KP_LEFT: return VTERM_KEY_LEFT;
    case SYMBOL_UP:
    case SYMBOL_KP_UP: return VTERM_KEY_UP;
    case SYMBOL_RIGHT:
    case SYMBOL_KP_RIGHT: return VTERM_KEY_RIGHT;
    case SYMBOL_DOWN:
    case SYMBOL_KP_DOWN: return VTERM_KEY_DOWN;
    case SYMBOL_PAGE_UP:
    case SYMBOL_KP_PAGE_UP: return VTERM_KEY_PAGEUP;
    case SYMBOL_PAGE_DOWN:
    case SYMBOL_KP_PAGE_DOWN: return VTERM_KEY_PAGEDOWN;
    case SYMBOL_END:
    case SYMBOL_KP_END: return VTERM_KEY_END;
    case SYMBOL_INSERT:
    case SYMBOL_KP_INSERT: return VTERM_KEY_INS;
    case SYMBOL_DELETE:
    case SYMBOL_KP_DELETE: return VTERM_KEY_DEL;
    default: break;
    }
    if (symbol >= SYMBOL_F1 && symbol <= SYMBOL_F12) return (VTermKey)VTERM_KEY_FUNCTION(symbol - SYMBOL_F1 + 1);
    return keypad_of(symbol);
}

void emulator_type(struct emulator *e, uint32_t symbol, unsigned mods) {
    VTermModifier with = modifiers_of(mods);
    if (symbol == SYMBOL_BACK_TAB) with |= VTERM_MOD_SHIFT;
    emulator_bottom(e);
    if (symbol < SYMBOL_FUNCTION || symbol > SYMBOL_DEAD_LAST) {
        uint32_t code = mods & MOD_CONTROL ? control_of(symbol) : symbol;
        if (with & VTERM_MOD_ALT) vterm_keyboard_unichar(e->vterm, ESCAPE, VTERM_MOD_NONE); /* its own takes one byte */
        vterm_keyboard_unichar(e->vterm, code, VTERM_MOD_NONE);
        return;
    }
    VTermKey key = key_of(symbol);
    /* libvterm has sequences of its own for these with Shift and Control, which few programs know. */
    if (key == VTERM_KEY_ENTER || key == VTERM_KEY_BACKSPACE || key == VTERM_KEY_ESCAPE || key >= VTERM_KEY_KP_0)
        with &= VTERM_MOD_ALT;
    if (key == VTERM_KEY_TAB) with &= with & VTERM_MOD_SHIFT ? VTERM_MOD_SHIFT : VTERM_MOD_ALT;
    if (key != VTERM_KEY_NONE) vterm_keyboard_key(e->vterm, key, with);
}

void emulator_mouse_move(struct emulator *e, int row, int column, unsigned mods) {
    if (!e->back) vterm_mouse_move(e->vterm, row, column, modifiers_of(mods));
}

void emulator_mouse_button(struct emulator *e, int button, bool pressed, unsigned mods) {
    if (!e->back) vterm_mouse_button(e->vterm, button, pressed, modifiers_of(mods));
}

void emulator_paste(struct emulator *e, const char *bytes, size_t length) {
    emulator_bottom(e);
    vterm_keyboard_start_paste(e->vterm);
    e->ops->answer(e, bytes, length);
    vterm_keyboard_end_paste(e->vterm);
}
