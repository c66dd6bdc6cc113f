// SPDX-License-Identifier: MIT
/* The packaged fonts, smallest first, and what a cell of text looks like in pixels.  Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct font {
    uint32_t width, height, line_bytes; /* of a glyph: pixels, pixels, bytes per line */
    size_t count;
    const uint16_t *codes; /* Unicode, ascending */
    const uint16_t *index; /* which glyph */
    const uint8_t *glyphs; /* lines from the top, bits from the left */
};
extern const struct font fonts[];
extern const size_t font_count;

/* The one for a screen of this size: as large as leaves at least 100 columns and 30 rows. */
const struct font *font_for(uint32_t width, uint32_t height);
/* Null: it has none for this code point. */
const uint8_t *font_glyph(const struct font *f, uint32_t code);

/* Letters that no font here has, if there is someone who has: 16 lines of 8 or 16 pixels, from the upper bits down. */
struct glyph {
    uint8_t width;
    uint16_t lines[16];
};
extern const struct glyph *(*font_more)(uint32_t code); /* null, or its answer: none */

#define CELL_CHARS 6
struct cell { /* what is drawn; colours 0x00RRGGBB */
    uint32_t chars[CELL_CHARS]; /* the letter and what combines with it; 0: no more */
    uint32_t foreground, background;
    uint8_t width; /* in cells: 1 or 2 */
    uint8_t underline; /* lines: 0, 1, 2 */
    bool strike, bold;
};
/* at: the cell's upper left pixel; stride: pixels per line. */
void cell_draw(const struct font *f, const struct cell *c, uint32_t *at, size_t stride);
