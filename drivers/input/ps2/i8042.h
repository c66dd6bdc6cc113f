// SPDX-License-Identifier: MIT
/* The controller and what is at its two ports. */
#pragma once
#include "decode.h"
#include <abi/types.h>

enum device { DEVICE_KEYBOARD, DEVICE_MOUSE, DEVICES };

struct i8042 {
    handle_t data, command; /* ports */
    bool present[DEVICES];
    struct keyboard keyboard;
    struct mouse mouse;
    uint8_t leds, leds_sent; /* bits as the keyboard has them; sent 0xff: not known */
    uint8_t waits; /* for the answer to DEVICE_LEDS (1) or to the lights (2); 0: to none */
    uint8_t tries;
};

/* Tests and sets up the controller and its devices; takes up to 3 s with hardware that doesn't answer.
 * False: there is no controller, or nothing that works behind it. */
bool i8042_init(struct i8042 *c);
/* The next byte, and whose it is; false: none. */
bool i8042_read(struct i8042 *c, enum device *from, uint8_t *byte);
/* One more byte has come: writes the events it completes, returns their number (at most DECODE_EVENTS_MAX). */
size_t i8042_byte(struct i8042 *c, enum device from, uint8_t byte, struct decoded *out);
/* The keyboard's lights (enum input_led). */
void i8042_set_leds(struct i8042 *c, unsigned leds);
/* It waits for an answer: whether that has come is to be looked at after LEDS_PATIENCE_NS. */
static inline bool i8042_waits(const struct i8042 *c) { return c->waits; }
void i8042_give_up(struct i8042 *c); /* the answer didn't come */
#define LEDS_PATIENCE_NS 200000000LL
