// SPDX-License-Identifier: MIT
/* Bytes of a keyboard and a mouse, through the layouts: no wild access, and no modifier is stuck when all is let go. */
#include "decode.h"
#include <keymap.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void type(struct keys *k, const struct decoded *events, size_t count) {
    uint32_t symbols[KEYS_SYMBOLS_MAX];
    if (count > DECODE_EVENTS_MAX || (count > 0 && events[count - 1].type != INPUT_SYN)) abort();
    for (size_t i = 0; i < count; i++)
        if (events[i].type == INPUT_KEY && keys_event(k, events[i].code, events[i].value, symbols) > KEYS_SYMBOLS_MAX)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct decoded events[DECODE_EVENTS_MAX];
    struct keyboard keyboard = {};
    if (size < 2) return 0;
    struct keys keys = {.map = &keymaps[data[0] % keymap_count], .compose = data[1] >> 2};
    struct mouse mouse = {.packet_size = data[1] & 1 ? 4 : 3, .five = (data[1] & 3) == 3};
    for (size_t i = 2; i < size; i++) {
        type(&keys, events, keyboard_byte(&keyboard, data[i], events));
        size_t count = mouse_byte(&mouse, data[i], events);
        if (count > DECODE_EVENTS_MAX) abort();
    }
    type(&keys, events, keyboard_release(&keyboard, events));
    if (keys.mods & ~(MOD_CAPS | MOD_NUM)) abort();
    return 0;
}
