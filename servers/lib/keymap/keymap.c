// SPDX-License-Identifier: MIT
/* Keys to symbols (keymap.h). */
#include <keymap.h>
#include <string.h>

const struct keymap *keymap_find(const char *name, size_t length) {
    for (size_t i = 0; i < keymap_count; i++)
        if (strlen(keymaps[i].name) == length && memcmp(keymaps[i].name, name, length) == 0) return &keymaps[i];
    return nullptr;
}

static uint8_t modifier_of(uint16_t symbol) {
    switch (symbol) {
    case SYMBOL_SHIFT_LEFT:
    case SYMBOL_SHIFT_RIGHT: return MOD_SHIFT;
    case SYMBOL_CONTROL_LEFT:
    case SYMBOL_CONTROL_RIGHT: return MOD_CONTROL;
    case SYMBOL_META_LEFT:
    case SYMBOL_META_RIGHT:
    case SYMBOL_ALT_LEFT:
    case SYMBOL_ALT_RIGHT: return MOD_ALT;
    case SYMBOL_LEVEL3: return MOD_LEVEL3;
    default: return 0;
    }
}

static uint8_t lock_of(uint16_t symbol) {
    return symbol == SYMBOL_CAPS_LOCK ? MOD_CAPS : symbol == SYMBOL_NUM_LOCK ? MOD_NUM : 0;
}

static void mods_update(struct keys *k) {
    k->mods &= MOD_CAPS | MOD_NUM;
    for (unsigned i = 0; i < KEYMAP_KEYS; i++) k->mods |= k->held[i];
}

void keys_release(struct keys *k) {
    memset(k->held, 0, sizeof(k->held));
    mods_update(k);
}

static uint16_t composition_find(uint16_t dead, uint16_t base) {
    size_t low = 0, high = composition_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct compose *c = &compositions[middle];
        if (c->dead == dead && c->base == base) return c->result;
        if (c->dead < dead || (c->dead == dead && c->base < base)) low = middle + 1;
        else high = middle;
    }
    return 0;
}

/* What doesn't go together is typed one after the other, the accent as the sign that it is with a blank. */
static size_t dead_end(struct keys *k, uint16_t symbol, uint16_t out[KEYS_SYMBOLS_MAX]) {
    size_t count = 0;
    uint16_t dead = k->dead, result = composition_find(dead, symbol);
    k->dead = 0;
    if (!result && symbol >= SYMBOL_FUNCTION && symbol <= SYMBOL_DEAD_LAST && symbol != dead) {
        out[count++] = symbol; /* a key that types no letter: the accent is dropped */
        return count;
    }
    if (!result && (result = composition_find(dead, ' '))) out[count++] = result, result = symbol == dead ? 0 : symbol;
    if (result) out[count++] = result;
    return count;
}

static size_t symbol_typed(struct keys *k, uint16_t symbol, uint16_t out[KEYS_SYMBOLS_MAX]) {
    if (symbol == 0) return 0;
    if (k->dead) return dead_end(k, symbol, out);
    if (symbol >= SYMBOL_DEAD_FIRST && symbol <= SYMBOL_DEAD_LAST) {
        k->dead = symbol;
        return 0;
    }
    out[0] = symbol;
    return 1;
}

size_t keys_event(struct keys *k, uint16_t code, int32_t value, uint16_t out[KEYS_SYMBOLS_MAX]) {
    if (code >= KEYMAP_KEYS) return 0;
    const uint16_t *row = keymap_rows[k->map->rows[code]];
    uint8_t modifier = modifier_of(row[0]), lock = lock_of(row[0]);
    if (value == 0 || modifier) {
        k->held[code] = value ? modifier : 0;
        mods_update(k);
        return 0;
    }
    if (lock) {
        if (value == 1) k->mods ^= lock;
        return 0;
    }
    return symbol_typed(k, row[k->mods % KEYMAP_STATES], out);
}
