// SPDX-License-Identifier: MIT
/* The input device of virtio 1.2 §5.8. */
#pragma once
#include <stdint.h>

enum { QUEUE_EVENTS, QUEUE_STATUS }; /* §5.8.2 */

enum { /* §5.8.4 configuration: what is asked for is written to the first two, and answered behind them */
       CONFIG_SELECT = 0,
       CONFIG_SUBSELECT = 1,
       CONFIG_SIZE = 2,
       CONFIG_DATA = 8,
       CONFIG_DATA_MAX = 128,
};
enum { SELECT_NAME = 0x01, SELECT_BITS = 0x11, SELECT_AXIS = 0x12 };
enum { AXIS_MINIMUM = 0, AXIS_MAXIMUM = 4, AXIS_SIZE = 20 }; /* struct virtio_input_absinfo */

struct virtio_input_event { /* §5.8.6 */
    uint16_t type, code;
    uint32_t value;
};
_Static_assert(sizeof(struct virtio_input_event) == 8, "virtio 1.2 §5.8.6");

/* Types of events that it may have, beside those of input.h (evdev). */
enum { EVDEV_REPETITION = 0x14, EVDEV_TYPES = 0x20, EVDEV_RELS = 0x10, EVDEV_ABSES = 0x40 };
