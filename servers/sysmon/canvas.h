// SPDX-License-Identifier: MIT
/*
 * A screen of text cells, and areas of pixels among them.  Each picture is told as a whole; what differs from the one
 * before is drawn.
 */
#pragma once
#include <display.h>
#include <font.h>

enum colour { /* 0x00RRGGBB */
              COLOUR_WINDOW = 0x10141b,
              COLOUR_PANEL = 0x171d27,
              COLOUR_HEAD = 0x1e2632,
              COLOUR_LINE = 0x273140,
              COLOUR_BRANCH = 0x46546b,
              COLOUR_DIM = 0x75839a,
              COLOUR_TEXT = 0xbcc6d4,
              COLOUR_BRIGHT = 0xf0f4fa,
              COLOUR_TITLE = 0x86b4e6,
              COLOUR_GREEN = 0x7fbf8f,
              COLOUR_AMBER = 0xe0b060,
              COLOUR_RED = 0xe07a72,
              COLOUR_BLUE = 0x5b8dd6,
              COLOUR_TEAL = 0x3f8f96,
};
/* A part of the way from a to b, 0 … 256. */
uint32_t colour_mix(uint32_t a, uint32_t b, uint32_t part);

struct canvas_cell {
    uint32_t code, foreground, background; /* code 0: pixels of somebody else */
};
struct canvas {
    struct display *display;
    const struct font *font;
    int rows, columns;
    struct canvas_cell *wanted, *shown; /* rows × columns */
    struct damage damage;
};
struct area { /* in cells */
    int row, column, rows, columns;
};

/* Of the display's surface, which is new: 0 or -ENOMEM. */
[[nodiscard]] int canvas_begin(struct canvas *c, struct display *d);
/* A new picture: all window. */
void canvas_clear(struct canvas *c);
void canvas_fill(struct canvas *c, struct area a, uint32_t background);
/* What doesn't fit from this column to `end` is cut off; the background is as it was. Returns the column behind it. */
[[gnu::format(printf, 6, 7)]] int canvas_text(struct canvas *c, int row, int column, int end, uint32_t colour,
                                              const char *format, ...);
/* The same, ending before column `end`. */
[[gnu::format(printf, 5, 6)]] void canvas_text_right(struct canvas *c, int row, int end, uint32_t colour,
                                                     const char *format, ...);
/* The cells' pixels, which the caller draws all of now; empty where there is no such place. */
struct rect canvas_pixels(struct canvas *c, struct area a);
/* Within such an area. */
void canvas_rect(struct canvas *c, struct rect r, uint32_t colour);
/* Draws, and tells the display: 0 or -errno. */
[[nodiscard]] int canvas_finish(struct canvas *c);
