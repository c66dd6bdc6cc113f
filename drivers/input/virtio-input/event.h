// SPDX-License-Identifier: MIT
/* What a virtio input device says: its configuration and its events.  Pure; any bytes may come. */
#pragma once
#include "virtio_input_hw.h"
#include <input.h>
#include <stdbool.h>
#include <stddef.h>

struct config { /* the answer to a selection */
    uint8_t size, data[CONFIG_DATA_MAX];
};
struct axis {
    bool known;
    int32_t minimum, maximum;
};

/* All return -EPROTO for what a device can't say. A size of 0 is: it has none of it. */
[[nodiscard]] int config_name(const struct config *c, char *out, size_t room);
/* Is any of the bits [first, end) set? 1, 0. */
[[nodiscard]] int config_bits(const struct config *c, unsigned first, unsigned end);
[[nodiscard]] int config_axis(const struct config *c, struct axis *out);
/* 1: an event to tell, in *out (without the time); 0: none that anybody here knows. */
[[nodiscard]] int event_read(const struct virtio_input_event *raw, uint32_t written,
                             const struct axis axes[INPUT_ABSES], struct input_event *out);
