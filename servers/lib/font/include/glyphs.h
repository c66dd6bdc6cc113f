// SPDX-License-Identifier: MIT
/*
 * Letters of 8x16 and 16x16 pixels, of the Basic Multilingual Plane, in a file that fonts.py makes of Unifont: where
 * each is.  Pure; the file is read a letter at a time, as nobody needs many of them.
 */
#pragma once
#include <font.h>

#define GLYPHS_FILE "/usr/share/fonts/unifont.glyphs"
#define GLYPH_LINES 16
struct glyph_page { /* of 256 code points; a bit for each */
    uint32_t start; /* of their lines, counted from the end of all pages */
    uint32_t there[8], wide[8];
};
#define GLYPH_PAGES 256 /* the file begins with so many; numbers are little-endian */

struct glyph_place {
    uint32_t offset, width; /* in the file, in pixels */
};
/* False: there is none. */
bool glyph_find(const struct glyph_page pages[GLYPH_PAGES], uint32_t code, struct glyph_place *out);
/* From the file's bytes, 1 or 2 for each line. */
void glyph_decode(const uint8_t *bytes, uint32_t width, struct glyph *out);
