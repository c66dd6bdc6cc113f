// SPDX-License-Identifier: MIT
/* PNG files as pixels. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct picture {
    uint32_t width, height;
    uint8_t *pixels; /* red, green, blue, alpha; null: none */
};
#define ERROR_MAX 200
/* Takes at most `room` bytes for the pixels. 0, or -1 and `error` says why not. */
[[nodiscard]] int picture_read(struct picture *p, const char *path, uint64_t room, char error[ERROR_MAX]);
void picture_free(struct picture *p);
