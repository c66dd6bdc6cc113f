// SPDX-License-Identifier: MIT
/*
 * Keyboards and mice, as programs use them: the file `input:events` (/scheme/input/events).  Each open of it is a
 * stream of struct input_event, from the moment of the open on, whose bytes move without calls to the driver: read
 * whole structures.  Types, codes and values are those of Linux's evdev; a group of events ends with SYN_REPORT.
 *
 * Who doesn't read loses events, but is told so: after SYN_DROPPED all keys count as released.  The stream ends when
 * the driver dies: open it anew, and count all keys as released.
 */
#pragma once
#include <abi/scheme.h>
#include <stdint.h>

struct input_event {
    int64_t time_ns; /* CLOCK_MONOTONIC */
    uint16_t type, code; /* enum input_type; KEY_*, REL_*, SYN_* */
    int32_t value; /* keys: 0 released, 1 pressed, 2 repeated; movement */
};
_Static_assert(sizeof(struct input_event) == 16, "a program's");

enum input_type { INPUT_SYN, INPUT_KEY, INPUT_REL };
enum input_syn { SYN_REPORT = 0, SYN_DROPPED = 3 };
enum input_rel { REL_X = 0, REL_Y = 1, REL_WHEEL = 8 };
#define INPUT_KEYS 0x120 /* codes are below */

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
                INPUT_LEDS = OP_USER, /* args[0]: enum input_led, the lights that are to be on */
};
enum input_led { INPUT_LED_NUM = 1, INPUT_LED_CAPS = 2, INPUT_LED_SCROLL = 4 };
