// SPDX-License-Identifier: MIT
/* The serial side of a terminal: the driver's channel, opened again when the driver restarts. */
#pragma once
#include <terminal.h>

struct line { /* a serial port's file, whose plane is a byte channel */
    const char *name; /* "serial:0" */
    handle_t file;
    uint64_t key; /* of its events */
    uint32_t watched;
    uint32_t held_at, held_count; /* bytes in `held` that the line discipline didn't take yet */
    uint8_t held[4096];
};
struct serial_terminal {
    struct terminal terminal; /* first */
    struct line line;
};

extern const struct terminal_ops line_ops;
/* Opens the line, and logs if that cannot be. */
void line_start(struct serial_terminal *st);
