// SPDX-License-Identifier: MIT
/* Which mode: what the firmware left, what the display says it prefers, what a person asked for.  Pure. */
#pragma once
#include <pixels.h>

struct mode {
    uint32_t width, height, bits;
};
#define MODE_SIDE_MIN 320
#define MODE_SIDE_MAX 8192

bool mode_valid(const struct mode *m);
/* `display=WIDTHxHEIGHT[xBITS]` on the command line. */
bool mode_parse(const char *command_line, struct mode *out);
/* The same, of this system's. */
bool mode_asked(struct mode *out);
/* The preferred one of an EDID block (E-EDID 1.4 §3.10.2: the first detailed timing). */
bool mode_of_edid(const uint8_t edid[128], struct mode *out);
/* Pixels from one line to the next. */
uint32_t mode_stride(const struct mode *m);
struct pixel_format mode_format(const struct mode *m);

/* The screen at address … in the memory [start, start + size) that a device has: false: it isn't there. */
struct framebuffer_info;
bool framebuffer_locate(const struct framebuffer_info *f, uint64_t start, uint64_t size, struct screen *out,
                        uint64_t *offset);
