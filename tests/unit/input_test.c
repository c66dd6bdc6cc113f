// SPDX-License-Identifier: MIT
/* The input class' state (drivers/lib/input/state.c), and what virtio input devices say, sense and nonsense. */
#include "event.h"
#include <errno.h>
#include <input_state.h>
#include <string.h>
#include <unit.h>

static struct input_state state;

/* The value that is told, or -1: no news. */
static int32_t told(uint16_t type, uint16_t code, int32_t value, int64_t now) {
    struct input_event e = {now, type, code, value};
    return input_state_news(&state, &e) ? e.value : -1;
}

TEST(keys) {
    state = (struct input_state){};
    CHECK(told(INPUT_KEY, 30, 0, 0) == -1); /* it isn't down */
    CHECK(told(INPUT_KEY, 30, 1, 0) == 1 && told(INPUT_KEY, 30, 1, 1) == 2 && told(INPUT_KEY, 30, 2, 2) == 2);
    CHECK(told(INPUT_KEY, 30, 0, 3) == 0 && told(INPUT_KEY, 30, 0, 4) == -1);
    CHECK(told(INPUT_KEY, BTN_LEFT, 1, 5) == 1 && told(INPUT_KEY, BTN_LEFT, 1, 6) == -1);
    CHECK(told(INPUT_KEY, BTN_LEFT, 0, 7) == 0);
    CHECK(told(INPUT_KEY, 0, 1, 8) == -1 && told(INPUT_KEY, INPUT_KEYS, 1, 8) == -1);
    CHECK(told(INPUT_KEY, INPUT_KEYS - 1, 1, 8) == 1 && told(INPUT_KEY, UINT16_MAX, 1, 8) == -1);
}

TEST(repetition) {
    const int64_t start = 1000000;
    state = (struct input_state){};
    told(INPUT_KEY, 30, 1, start);
    CHECK(input_state_repeat(&state, start + REPEAT_DELAY_NS - 1) == 0);
    CHECK(input_state_repeat(&state, start + REPEAT_DELAY_NS) == 30);
    CHECK(input_state_repeat(&state, start + REPEAT_DELAY_NS + 1) == 0);
    CHECK(input_state_repeat(&state, start + REPEAT_DELAY_NS + REPEAT_PERIOD_NS) == 30);
    told(INPUT_KEY, 31, 1, start); /* the last one pressed */
    told(INPUT_KEY, BTN_LEFT, 1, start);
    CHECK(input_state_repeat(&state, start + 2 * REPEAT_DELAY_NS) == 31);
    told(INPUT_KEY, 30, 0, start);
    CHECK(input_state_repeat(&state, start + 3 * REPEAT_DELAY_NS) == 31);
    told(INPUT_KEY, 31, 0, start);
    CHECK(input_state_repeat(&state, INT64_MAX / 2) == 0);
}

TEST(movement_and_places) {
    state = (struct input_state){};
    CHECK(told(INPUT_REL, REL_X, -5, 0) == -5 && told(INPUT_REL, REL_X, 0, 0) == -1);
    CHECK(told(INPUT_REL, INPUT_RELS, 5, 0) == -1);
    CHECK(told(INPUT_ABS, ABS_X, 0, 0) == 0 && told(INPUT_ABS, ABS_X, 0, 0) == -1 && told(INPUT_ABS, ABS_X, 7, 0) == 7);
    CHECK(told(INPUT_ABS, ABS_Y, -1, 0) == -1 && told(INPUT_ABS, ABS_Y, INPUT_ABS_MAX + 1, 0) == -1);
    CHECK(told(INPUT_ABS, INPUT_ABSES, 5, 0) == -1 && told(0x15, 0, 1, 0) == -1);
}

/* Whatever comes: presses and releases alternate, so no key is stuck that a program could not know of. */
TEST(garbage_state) {
    static bool down[INPUT_KEYS];
    uint32_t random = 1;
    state = (struct input_state){};
    for (int i = 0; i < 1000000; i++) {
        random = random * 1664525 + 1013904223;
        uint16_t type = (uint16_t)(random >> 28 & 3), code = (uint16_t)(random >> 8 & 0x3ff);
        random = random * 1664525 + 1013904223;
        struct input_event e = {i, type, code, (int32_t)random >> (random >> 27)};
        if (!input_state_news(&state, &e) || type != INPUT_KEY) continue;
        CHECK(code > 0 && code < INPUT_KEYS && e.value >= 0 && e.value <= 2);
        CHECK(down[code] == (e.value != 1));
        down[code] = e.value != 0;
    }
}

/* --- virtio --- */
static const struct axis axes[INPUT_ABSES] = {{true, 0, 0x7fff}, {true, -100, 100}};
static struct input_event event;

static int raw(uint16_t type, uint16_t code, uint32_t value) {
    event = (struct input_event){};
    return event_read(&(struct virtio_input_event){type, code, value}, 8, axes, &event);
}

TEST(virtio_events) {
    CHECK(raw(INPUT_KEY, 30, 1) == 1 && event.type == INPUT_KEY && event.code == 30 && event.value == 1);
    CHECK(raw(INPUT_REL, REL_Y, (uint32_t)-3) == 1 && event.type == INPUT_REL && event.value == -3);
    CHECK(raw(INPUT_SYN, SYN_REPORT, 0) == 1 && event.type == INPUT_SYN);
    CHECK(raw(INPUT_ABS, ABS_X, 0) == 1 && event.value == 0);
    CHECK(raw(INPUT_ABS, ABS_X, 0x7fff) == 1 && event.value == INPUT_ABS_MAX);
    CHECK(raw(INPUT_ABS, ABS_Y, 0) == 1 && event.value == INPUT_ABS_MAX / 2);
    CHECK(raw(INPUT_ABS, ABS_Y, (uint32_t)-5000) == 1 && event.value == 0);
    CHECK(raw(4, 4, 0x70004) == 0 && raw(INPUT_ABS, 0x18, 5) == 0 && raw(INPUT_SYN, SYN_DROPPED, 0) == 0);
}

TEST(virtio_nonsense) {
    struct virtio_input_event good = {INPUT_KEY, 30, 1};
    static const struct axis none[INPUT_ABSES];
    for (uint32_t length = 0; length < 20; length++)
        CHECK(event_read(&good, length, axes, &event) == (length == 8 ? 1 : -EPROTO));
    CHECK(raw(0x20, 0, 0) == -EPROTO && raw(UINT16_MAX, 0, 0) == -EPROTO);
    CHECK(raw(INPUT_KEY, INPUT_KEYS, 1) == -EPROTO && raw(INPUT_KEY, 30, 3) == -EPROTO);
    CHECK(raw(INPUT_KEY, 30, UINT32_MAX) == -EPROTO && raw(INPUT_REL, 0x10, 1) == -EPROTO);
    CHECK(raw(INPUT_ABS, 0x40, 1) == -EPROTO);
    CHECK(event_read(&(struct virtio_input_event){INPUT_ABS, ABS_X, 1}, 8, none, &event) == -EPROTO);
    for (uint32_t i = 0, random = 1; i < 1000000; i++) {
        struct virtio_input_event e;
        random = random * 1664525 + 1013904223;
        e.type = (uint16_t)(random >> 16 & 0x3f);
        e.code = (uint16_t)(random >> 4);
        random = random * 1664525 + 1013904223;
        e.value = random;
        if (event_read(&e, 8, axes, &event) != 1) continue;
        CHECK(event.type != INPUT_KEY || (event.code < INPUT_KEYS && event.value >= 0 && event.value <= 2));
        CHECK(event.type != INPUT_ABS || (event.value >= 0 && event.value <= INPUT_ABS_MAX));
    }
}

TEST(virtio_configuration) {
    struct config c = {.size = 5, .data = "QEMU\n and more"};
    char name[8];
    struct axis a = {};
    CHECK(config_name(&c, name, sizeof(name)) == 0 && strcmp(name, "QEMU?") == 0);
    c.size = 128;
    CHECK(config_name(&c, name, sizeof(name)) == 0 && strlen(name) == 7);
    c = (struct config){.size = 6, .data = "ab"}; /* QEMU counts the end of the string */
    CHECK(config_name(&c, name, sizeof(name)) == 0 && strcmp(name, "ab") == 0);
    memset(c.data, 'x', sizeof(c.data));
    c.size = 128;
    CHECK(config_name(&c, name, sizeof(name)) == 0 && strlen(name) == 7);
    c = (struct config){.size = 4, .data = {0, 0, 0x40, 0}};
    CHECK(config_bits(&c, 22, 23) == 1 && config_bits(&c, 0, 22) == 0 && config_bits(&c, 23, 5000) == 0);
    c.size = 2; /* what is behind it doesn't count */
    CHECK(config_bits(&c, 0, 5000) == 0);
    c = (struct config){.size = 20, .data = {0, 0, 0, 0, 0xff, 0x7f, 0, 0}};
    CHECK(config_axis(&c, &a) == 0 && a.known && a.minimum == 0 && a.maximum == 0x7fff);
    c = (struct config){.size = 20, .data = {0, 0, 0, 0x80, 0xff, 0xff, 0xff, 0x7f}}; /* all of int32_t */
    CHECK(config_axis(&c, &a) == 0);
    const struct axis wide[INPUT_ABSES] = {a, a};
    CHECK(event_read(&(struct virtio_input_event){INPUT_ABS, 0, INT32_MAX}, 8, wide, &event) == 1);
    CHECK(event.value == INPUT_ABS_MAX);
}

TEST(virtio_configuration_nonsense) {
    struct config c = {.size = 129};
    char name[8];
    struct axis a = {};
    CHECK(config_name(&c, name, sizeof(name)) == -EPROTO && config_bits(&c, 0, 2000) == -EPROTO);
    CHECK(config_axis(&c, &a) == -EPROTO);
    c.size = 255;
    CHECK(config_name(&c, name, sizeof(name)) == -EPROTO && config_bits(&c, 0, 2000) == -EPROTO);
    c = (struct config){.size = 19, .data = {0, 0, 0, 0, 1}};
    CHECK(config_axis(&c, &a) == -EPROTO);
    c = (struct config){.size = 20, .data = {5, 0, 0, 0, 5}};
    CHECK(config_axis(&c, &a) == -EPROTO && !a.known);
    c = (struct config){};
    CHECK(config_axis(&c, &a) == 0 && !a.known && config_bits(&c, 0, 10) == 0);
}

UNIT_MAIN
