// SPDX-License-Identifier: MIT
/*
 * Keyboards, mice and tablets, as programs use them: /dev/input0, /dev/input1 … (files of their drivers' schemes).
 * Each open of one is a stream of struct input_event, from the moment of the open on, whose bytes move without calls
 * to the driver: read whole structures.  Types, codes and values are those of Linux's evdev, but for INPUT_ABS_MAX; a
 * group of events ends with SYN_REPORT.
 *
 * Who doesn't read loses events, but is told so: after SYN_DROPPED all keys count as released.  The stream ends when
 * the driver dies: open it anew, and count all keys as released.  input_take() does this counting.
 *
 * Written to it: events INPUT_LED, which set the lights.
 */
#pragma once
#ifndef CATHODE_USER_STUBS
#define CATHODE_USER_STUBS
#endif
#include <abi/errno.h>
#include <abi/scheme.h>
#include <abi/syscall.h>
#include <stdbool.h>
#include <stdint.h>

struct input_event {
    int64_t time_ns; /* CLOCK_MONOTONIC */
    uint16_t type, code; /* enum input_type; KEY_*, REL_*, ABS_*, LED_*, SYN_* */
    int32_t value; /* keys: 0 released, 1 pressed, 2 repeated; movement; place; lights: 0 or 1 */
};
_Static_assert(sizeof(struct input_event) == 16, "a program's");

enum input_type { INPUT_SYN, INPUT_KEY, INPUT_REL, INPUT_ABS, INPUT_LED = 0x11 };
enum input_syn { SYN_REPORT = 0, SYN_DROPPED = 3 };
enum input_rel { REL_X = 0, REL_Y = 1, REL_HWHEEL = 6, REL_WHEEL = 8 };
#define INPUT_RELS 16 /* codes are below */
enum input_abs { ABS_X = 0, ABS_Y = 1 };
#define INPUT_ABSES 2 /* others aren't told */
#define INPUT_ABS_MAX 65535 /* places are 0 … this, whatever the device's own range is */
enum input_led_code { LED_NUML = 0, LED_CAPSL = 1, LED_SCROLLL = 2 };
#define INPUT_KEYS 0x300 /* codes are below; from BTN_FIRST on to BTN_END they are buttons */
enum { BTN_FIRST = 0x100, BTN_END = 0x160 };

/* Codes of keys that have a meaning to more than a layout. */
enum input_key {
    KEY_ESC = 1,
    KEY_BACKSPACE = 14,
    KEY_TAB = 15,
    KEY_ENTER = 28,
    KEY_LEFTCTRL = 29,
    KEY_LEFTSHIFT = 42,
    KEY_RIGHTSHIFT = 54,
    KEY_LEFTALT = 56,
    KEY_CAPSLOCK = 58,
    KEY_F1 = 59,
    KEY_F10 = 68,
    KEY_NUMLOCK = 69,
    KEY_SCROLLLOCK = 70,
    KEY_KP7 = 71,
    KEY_KPDOT = 83,
    KEY_F11 = 87,
    KEY_F12 = 88,
    KEY_KPENTER = 96,
    KEY_RIGHTCTRL = 97,
    KEY_KPSLASH = 98,
    KEY_SYSRQ = 99,
    KEY_RIGHTALT = 100,
    KEY_HOME = 102,
    KEY_UP,
    KEY_PAGEUP,
    KEY_LEFT,
    KEY_RIGHT,
    KEY_END,
    KEY_DOWN,
    KEY_PAGEDOWN,
    KEY_INSERT,
    KEY_DELETE,
    KEY_PAUSE = 119,
    BTN_LEFT = 0x110,
    BTN_RIGHT,
    BTN_MIDDLE,
    BTN_SIDE,
    BTN_EXTRA,
};

enum input_op { /* on the open file */
                INPUT_INFO = OP_USER, /* answers struct input_info */
                INPUT_GRAB, /* args[0] 1: only this file gets events from now on; 0: all do. -EBUSY: another one has */
};
enum input_kind { INPUT_KEYBOARD = 1, INPUT_MOUSE = 2, INPUT_TABLET = 4 };
struct input_info {
    char name[56];
    uint32_t kinds; /* enum input_kind */
    uint32_t lights; /* enum input_led: that it has */
};
enum input_led { INPUT_LED_NUM = 1 << LED_NUML, INPUT_LED_CAPS = 1 << LED_CAPSL, INPUT_LED_SCROLL = 1 << LED_SCROLLL };

/* --- client.c: an open device, and which of its keys are down --- */
struct input_source { /* zero but for the file is a device that nobody touches */
    handle_t file;
    uint8_t down[INPUT_KEYS / 8];
};
static inline bool input_is_down(const struct input_source *s, uint16_t code) {
    return code < INPUT_KEYS && s->down[code / 8] & 1 << code % 8;
}
/* Gives `take` all that has come, and releases of the keys that were down where events were lost. -EAGAIN: no more for
 * now; another error: the stream has ended, and all keys are released. */
int input_take(struct input_source *s, void (*take)(void *context, const struct input_event *e), void *context);
/* Releases all keys that are down. */
void input_release(struct input_source *s, void (*take)(void *context, const struct input_event *e), void *context);
/* The lights (enum input_led) that are to be on. Doesn't wait. */
void input_lights(const struct input_source *s, unsigned lights);
