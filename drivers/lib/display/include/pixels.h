// SPDX-License-Identifier: MIT
/*
 * Pixels: rectangles, what still has to be drawn, and the copy from a surface (32 bits, 0x00RRGGBB) to a screen of
 * any format.  Pure: no I/O, no allocation.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rect { /* x0 ≤ x < x1, y0 ≤ y < y1; else it is empty */
    int32_t x0, y0, x1, y1;
};
static inline bool rect_empty(struct rect r) { return r.x0 >= r.x1 || r.y0 >= r.y1; }
struct rect rect_intersect(struct rect a, struct rect b);
struct rect rect_unite(struct rect a, struct rect b); /* the smallest around both; an empty one adds nothing */

/* What changed. When there is no place for another rectangle, two are united: more is drawn, never less. */
#define DAMAGE_RECTS 8
struct damage { /* zero is none */
    uint32_t count;
    struct rect rects[DAMAGE_RECTS];
};
void damage_add(struct damage *d, struct rect r);

/* A pixel 0xAARRGGBB over one that is opaque. */
uint32_t pixel_over(uint32_t pixel, uint32_t under);

struct pixel_format { /* a pixel: little-endian, of 2, 3 or 4 bytes */
    uint8_t bytes, red_shift, red_bits, green_shift, green_bits, blue_shift, blue_bits, reserved;
};
#define PIXELS_XRGB8888 ((struct pixel_format){4, 16, 8, 8, 8, 0, 8, 0})
#define PIXELS_RGB888 ((struct pixel_format){3, 16, 8, 8, 8, 0, 8, 0})
#define PIXELS_RGB565 ((struct pixel_format){2, 11, 5, 5, 6, 0, 5, 0})
bool pixel_format_valid(const struct pixel_format *f);
/* The pixel of a colour 0x00RRGGBB: its upper bits. */
uint32_t pixel_of(const struct pixel_format *f, uint32_t colour);

struct screen {
    uint8_t *pixels; /* written in ascending order and never read: memory of the device */
    uint32_t pitch, width, height; /* bytes, pixels, pixels */
    struct pixel_format format;
};
struct surface {
    const uint32_t *pixels;
    uint32_t stride, width, height; /* pixels */
};
/* Does a screen of this shape lie within `size` bytes from `offset` on? */
bool screen_fits(const struct screen *s, uint64_t offset, uint64_t size);
/* The part `r` of the screen, from the surface whose corner is at (x, y) of the screen; black around it. */
void screen_draw(const struct screen *s, const struct surface *from, int32_t x, int32_t y, struct rect r);
