// SPDX-License-Identifier: MIT
/* Text as pixels (font.h). */
#include <font.h>

#define COLUMNS_MIN 100
#define ROWS_MIN 30
#define UNKNOWN 0xfffd

const struct font *font_for(uint32_t width, uint32_t height) {
    const struct font *best = &fonts[0];
    for (size_t i = 1; i < font_count; i++)
        if (width / fonts[i].width >= COLUMNS_MIN && height / fonts[i].height >= ROWS_MIN) best = &fonts[i];
    return best;
}

const uint8_t *font_glyph(const struct font *f, uint32_t code) {
    size_t low = 0, high = f->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (f->codes[middle] == code) return f->glyphs + (size_t)f->index[middle] * f->line_bytes * f->height;
        if (f->codes[middle] < code) low = middle + 1;
        else high = middle;
    }
    return nullptr;
}

static void fill(uint32_t *at, size_t stride, uint32_t width, uint32_t height, uint32_t colour) {
    for (uint32_t y = 0; y < height; y++, at += stride)
        for (uint32_t x = 0; x < width; x++) at[x] = colour;
}

static void glyph_draw(const struct font *f, const uint8_t *bits, uint32_t *at, size_t stride, uint32_t colour) {
    for (uint32_t y = 0; y < f->height; y++, at += stride, bits += f->line_bytes)
        for (uint32_t x = 0; x < f->width; x++)
            if (bits[x / 8] & 0x80 >> x % 8) at[x] = colour;
}

/* A frame, for what the font doesn't have. */
static void frame_draw(const struct font *f, uint32_t width, uint32_t *at, size_t stride, uint32_t colour) {
    const uint32_t x = f->width / 8, y = f->height / 8, right = width - 2 * x, down = f->height - 3 * y;
    uint32_t *corner = at + y * stride + x;
    fill(corner, stride, right, 1, colour);
    fill(corner + (down - 1) * stride, stride, right, 1, colour);
    fill(corner, stride, 1, down, colour);
    fill(corner + right - 1, stride, 1, down, colour);
}

static void letter_draw(const struct font *f, const struct cell *c, uint32_t width, uint32_t *at, size_t stride) {
    const uint8_t *bits = font_glyph(f, c->chars[0]);
    if (!bits && c->width == 1) bits = font_glyph(f, UNKNOWN);
    if (!bits) frame_draw(f, width, at, stride, c->foreground);
    else glyph_draw(f, bits, at, stride, c->foreground);
    for (int i = 1; i < CELL_CHARS && c->chars[i]; i++) {
        const uint8_t *mark = font_glyph(f, c->chars[i]);
        if (mark) glyph_draw(f, mark, at, stride, c->foreground);
    }
}

void cell_draw(const struct font *f, const struct cell *c, uint32_t *at, size_t stride) {
    const uint32_t width = f->width * c->width, thick = f->height / 16;
    fill(at, stride, width, f->height, c->background);
    if (c->chars[0] > ' ') letter_draw(f, c, width, at, stride);
    for (int i = 0; i < c->underline; i++)
        fill(at + (f->height - (2 * (uint32_t)i + 1) * thick) * stride, stride, width, thick, c->foreground);
    if (c->strike) fill(at + f->height / 2 * stride, stride, width, thick, c->foreground);
}
