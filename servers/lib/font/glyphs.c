// SPDX-License-Identifier: MIT
/* Where letters are in the file of glyphs.h. */
#include <glyphs.h>

static uint32_t bits_below(const uint32_t words[8], uint32_t bit) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < bit / 32; i++) count += (uint32_t)__builtin_popcount(words[i]);
    return count + (uint32_t)__builtin_popcount(words[bit / 32] & ((1u << bit % 32) - 1));
}

bool glyph_find(const struct glyph_page pages[GLYPH_PAGES], uint32_t code, struct glyph_place *out) {
    const uint32_t bit = code % 256;
    if (code / 256 >= GLYPH_PAGES) return false;
    const struct glyph_page *p = &pages[code / 256];
    if (!(p->there[bit / 32] >> bit % 32 & 1)) return false;
    const uint32_t before = bits_below(p->there, bit) + bits_below(p->wide, bit); /* in units of 8 columns */
    out->offset = (uint32_t)sizeof(*p) * GLYPH_PAGES + p->start + before * GLYPH_LINES;
    out->width = p->wide[bit / 32] >> bit % 32 & 1 ? 16 : 8;
    return true;
}

void glyph_decode(const uint8_t *bytes, uint32_t width, struct glyph *out) {
    out->width = (uint8_t)width;
    for (int i = 0; i < GLYPH_LINES; i++)
        out->lines[i] = (uint16_t)(width == 16 ? bytes[2 * i] << 8 | bytes[2 * i + 1] : bytes[i] << 8);
}
