// SPDX-License-Identifier: MIT
/* Bytes of PS/2 keyboards (scan code set 2) and mice to events.  Pure; any byte may come at any time. */
#pragma once
#include <input.h>
#include <stdbool.h>
#include <stddef.h>

struct decoded { /* as struct input_event, without the time */
    uint16_t type, code;
    int32_t value;
};
#define DECODE_EVENTS_MAX 264 /* from one byte: all keys are released, and SYN_REPORT */

struct keyboard { /* zero at the start */
    uint8_t prefix; /* 0, 0xe0 or 0xe1 */
    uint8_t pause_at; /* bytes of Pause's sequence that have come */
    bool release;
    uint8_t down[32]; /* bit = key is pressed */
};
/* Writes the events that the byte completes, returns their number. */
size_t keyboard_byte(struct keyboard *k, uint8_t byte, struct decoded *out);
/* All that are down are released: bytes were lost, or the keyboard has gone. */
size_t keyboard_release(struct keyboard *k, struct decoded *out);

struct mouse { /* zero at the start; packet_size is set when it is known */
    uint8_t packet_size; /* 3, or 4 with a wheel */
    uint8_t buttons; /* buttons that are down: bits 0 left, 1 right, 2 middle, 3 side, 4 extra */
    bool five; /* its 4th byte has two more buttons, and 4 bits of the wheel */
    uint8_t count;
    uint8_t packet[4];
};
size_t mouse_byte(struct mouse *m, uint8_t byte, struct decoded *out);
size_t mouse_release(struct mouse *m, struct decoded *out);
