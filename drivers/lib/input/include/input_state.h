// SPDX-License-Identifier: MIT
/* Which keys of a device are down, and what is news of what it says.  Pure; any event may come at any time. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <input.h>

struct input_state { /* zero: nothing is down */
    uint8_t down[INPUT_KEYS / 8];
    int32_t places[INPUT_ABSES]; /* + 1; 0: not known */
    uint16_t repeats; /* the key that repeats while it is down, or 0 */
    int64_t repeat_ns; /* when it does next */
};
#define REPEAT_DELAY_NS 250000000LL
#define REPEAT_PERIOD_NS 33000000LL

/* Is that event one to be told? A key that is down and pressed again is repeated (2), of a button that is no news. */
bool input_state_news(struct input_state *s, struct input_event *e);
/* The key that is to be repeated at this time, or 0. */
uint16_t input_state_repeat(struct input_state *s, int64_t now);
