// SPDX-License-Identifier: MIT
/* Scan codes and mouse packets as events; garbage. */
#include "decode.h"
#include <unit.h>

static struct decoded out[DECODE_EVENTS_MAX];
static size_t count;

static struct keyboard keyboard;

static void bytes(const char *text, size_t length) {
    struct decoded one[DECODE_EVENTS_MAX];
    count = 0;
    for (size_t i = 0; i < length; i++) {
        size_t n = keyboard_byte(&keyboard, (uint8_t)text[i], one);
        memcpy(out + count, one, n * sizeof(one[0]));
        count += n;
    }
}
#define BYTES(text) bytes(text, sizeof(text) - 1)

static bool is_key(size_t at, uint16_t code, int32_t value) {
    return at + 1 < count && out[at].type == INPUT_KEY && out[at].code == code && out[at].value == value &&
           out[at + 1].type == INPUT_SYN && out[at + 1].code == SYN_REPORT;
}

TEST(press_repeat_release) {
    keyboard = (struct keyboard){};
    BYTES("\x1c\x1c\xf0\x1c");
    CHECK(count == 6 && is_key(0, 30, 1) && is_key(2, 30, 2) && is_key(4, 30, 0));
    BYTES("\xf0\x1c");
    CHECK(count == 0); /* it isn't down */
    BYTES("\x83\xf0\x83\x84");
    CHECK(count == 6 && is_key(0, 65, 1) && is_key(2, 65, 0) && is_key(4, KEY_SYSRQ, 1));
}

TEST(extended_keys) {
    keyboard = (struct keyboard){};
    BYTES("\xe0\x75\xe0\xf0\x75\x75\xf0\x75");
    CHECK(count == 8 && is_key(0, KEY_UP, 1) && is_key(2, KEY_UP, 0) && is_key(4, 72, 1) && is_key(6, 72, 0));
    BYTES("\xe0\x12\xe0\x7c\xe0\xf0\x7c\xe0\xf0\x12");
    CHECK(count == 4 && is_key(0, KEY_SYSRQ, 1) && is_key(2, KEY_SYSRQ, 0));
    BYTES("\xe0\x14\x14");
    CHECK(is_key(0, KEY_RIGHTCTRL, 1) && is_key(2, KEY_LEFTCTRL, 1));
}

TEST(pause_has_no_release) {
    keyboard = (struct keyboard){};
    BYTES("\xe1\x14\x77\xe1\xf0\x14\xf0\x77");
    CHECK(count == 4 && is_key(0, KEY_PAUSE, 1) && is_key(2, KEY_PAUSE, 0));
    BYTES("\xe1\x14\x1c\x1c");
    CHECK(count == 2 && is_key(0, 30, 1)); /* broken off: the next key counts again */
}

TEST(lost_bytes_release_all) {
    keyboard = (struct keyboard){};
    BYTES("\x12\x1c\xe0\x75");
    BYTES("\xff");
    CHECK(count == 4 && out[0].value == 0 && out[1].value == 0 && out[2].value == 0 && out[3].type == INPUT_SYN);
    BYTES("\x00");
    CHECK(count == 0);
}

/* Whatever comes: values alternate as they must, so no key is stuck that a program could not know of. */
TEST(garbage) {
    static bool down[256];
    uint32_t state = 1;
    keyboard = (struct keyboard){};
    for (int i = 0; i < 3000000; i++) {
        state = state * 1664525 + 1013904223;
        size_t n = keyboard_byte(&keyboard, (uint8_t)(state >> 24), out);
        for (size_t j = 0; j < n; j++) {
            if (out[j].type != INPUT_KEY) continue;
            CHECK(out[j].code > 0 && out[j].code < 256);
            CHECK(down[out[j].code] == (out[j].value != 1));
            down[out[j].code] = out[j].value != 0;
        }
        CHECK(n <= DECODE_EVENTS_MAX && (n == 0 || out[n - 1].type == INPUT_SYN));
    }
    keyboard_release(&keyboard, out);
}

static struct mouse mouse;
static void packet(const char *text, size_t length) {
    count = 0;
    for (size_t i = 0; i < length; i++) count += mouse_byte(&mouse, (uint8_t)text[i], out + count);
}
#define PACKET(text) packet(text, sizeof(text) - 1)
static bool is(size_t at, uint16_t type, uint16_t code, int32_t value) {
    return at < count && out[at].type == type && out[at].code == code && out[at].value == value;
}

TEST(mouse_packets) {
    mouse = (struct mouse){.packet_size = 3};
    PACKET("\x09\x05\x03");
    CHECK(count == 4 && is(0, INPUT_KEY, BTN_LEFT, 1) && is(1, INPUT_REL, REL_X, 5) && is(2, INPUT_REL, REL_Y, -3));
    PACKET("\x38\xfb\xfd");
    CHECK(count == 4 && is(0, INPUT_KEY, BTN_LEFT, 0) && is(1, INPUT_REL, REL_X, -5) && is(2, INPUT_REL, REL_Y, 3));
    PACKET("\x48\xff\x01");
    CHECK(count == 0); /* overflow */
    PACKET("\x01\x02\x08\x01\x00");
    CHECK(count == 2 && is(0, INPUT_REL, REL_X, 1)); /* into step again */
}

TEST(mouse_wheels) {
    mouse = (struct mouse){.packet_size = 4};
    PACKET("\x08\x00\x00\x01");
    CHECK(count == 2 && is(0, INPUT_REL, REL_WHEEL, -1));
    PACKET("\x0c\x00\x00\xff");
    CHECK(count == 3 && is(0, INPUT_KEY, BTN_MIDDLE, 1) && is(1, INPUT_REL, REL_WHEEL, 1));
    mouse = (struct mouse){.packet_size = 4, .five = true};
    PACKET("\x08\x00\x00\x1f");
    CHECK(count == 3 && is(0, INPUT_KEY, BTN_SIDE, 1) && is(1, INPUT_REL, REL_WHEEL, 1));
    CHECK(mouse_release(&mouse, out) == 2 && out[0].code == BTN_SIDE && out[0].value == 0);
}

UNIT_MAIN
