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

/* --- sequences --- */
static const struct compose_node *node_after(const struct compose_node *before, uint32_t symbol) {
    size_t low = before->first, high = low + before->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (compose_nodes[middle].symbol == symbol) return &compose_nodes[middle];
        if (compose_nodes[middle].symbol < symbol) low = middle + 1;
        else high = middle;
    }
    return nullptr;
}

static bool is_whole(const struct compose_node *n) { return n->count == 0 || n->count == COMPOSE_TEXT; }

static size_t text_of(const struct compose_node *n, uint32_t out[KEYS_SYMBOLS_MAX]) {
    size_t count = 0;
    if (n->count == 0) out[count++] = n->first;
    else
        for (const uint32_t *at = compose_texts + n->first; *at && count < KEYS_SYMBOLS_MAX; at++) out[count++] = *at;
    return count;
}

static bool is_dead(uint32_t symbol) { return symbol >= SYMBOL_DEAD_FIRST && symbol <= SYMBOL_DEAD_LAST; }

/* What doesn't go together is typed one after the other, the accent as the sign that it is with a blank. */
static size_t dead_end(uint16_t dead, uint16_t symbol, uint32_t out[KEYS_SYMBOLS_MAX]) {
    const struct compose_node *first = node_after(&compose_nodes[0], dead);
    const struct compose_node *sign = first ? node_after(first, ' ') : nullptr;
    size_t count = 0;
    if (symbol >= SYMBOL_FUNCTION && symbol < SYMBOL_DEAD_FIRST) { /* a key that types no letter: no accent */
        out[count++] = symbol;
        return count;
    }
    if (sign && sign->count == 0) out[count++] = sign->first;
    if (!is_dead(symbol)) out[count++] = symbol;
    return count;
}

size_t keys_symbol(struct keys *k, uint16_t symbol, uint32_t out[KEYS_SYMBOLS_MAX]) {
    const struct compose_node *next = node_after(&compose_nodes[k->node], symbol);
    const bool first = k->node == 0;
    const uint16_t dead = k->dead;
    if (symbol == 0) return 0;
    k->node = k->dead = 0;
    if (next && is_whole(next)) return text_of(next, out);
    if (next) {
        k->node = (uint16_t)(next - compose_nodes);
        k->dead = first && is_dead(symbol) ? symbol : 0;
        return 0;
    }
    if (dead) return dead_end(dead, symbol, out);
    if (!first || is_dead(symbol)) return 0; /* no such sequence: nothing of it is typed */
    out[0] = symbol;
    return 1;
}

/* --- which keys --- */
#define COMPOSE_OPTION "compose:"
#define COMPOSE_DEFAULT 3
static const struct {
    const char *name;
    uint16_t code; /* evdev's */
} compose_keys[] = {{"rctrl", 97}, {"ralt", 100}, {"rwin", 126}, {"menu", 127}, {"lctrl", 29}, {"lwin", 125},
                    {"caps", 58},  {"102", 86},   {"paus", 119}, {"prsc", 99},  {"sclk", 70}};
#define COMPOSE_KEYS (sizeof(compose_keys) / sizeof(compose_keys[0]))

bool keys_configure(struct keys *k, const char *text, size_t length) {
    const char *comma = memchr(text, ',', length);
    const size_t name = comma ? (size_t)(comma - text) : length, option = strlen(COMPOSE_OPTION);
    const struct keymap *map = keymap_find(text, name);
    size_t at = COMPOSE_DEFAULT;
    if (comma) {
        const char *key = comma + 1;
        const size_t rest = length - name - 1;
        if (rest < option || memcmp(key, COMPOSE_OPTION, option) != 0) return false;
        for (at = 0; at < COMPOSE_KEYS; at++)
            if (strlen(compose_keys[at].name) == rest - option &&
                memcmp(compose_keys[at].name, key + option, rest - option) == 0)
                break;
    }
    if (!map || at == COMPOSE_KEYS) return false;
    keys_release(k);
    k->map = map;
    k->compose = compose_keys[at].code;
    k->node = k->dead = 0;
    return true;
}

const char *keys_compose_name(const struct keys *k) {
    for (size_t i = 0; i < COMPOSE_KEYS; i++)
        if (compose_keys[i].code == k->compose) return compose_keys[i].name;
    return "";
}

size_t keys_event(struct keys *k, uint16_t code, int32_t value, uint32_t out[KEYS_SYMBOLS_MAX]) {
    if (code >= KEYMAP_KEYS) return 0;
    if (k->compose && code == k->compose) return value == 1 ? keys_symbol(k, SYMBOL_COMPOSE, out) : 0;
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
    return keys_symbol(k, row[k->mods % KEYMAP_STATES], out);
}
