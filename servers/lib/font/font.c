// SPDX-License-Identifier: MIT
/* Text as pixels (font.h). */
#include <font.h>

#define COLUMNS_MIN 100
#define ROWS_MIN 30
#define UNKNOWN 0xfffd
#define MORE_LINES 16

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

/* --- letters of another size: as large as fits by whole factors, in the cell's middle --- */
const struct glyph *(*font_more)(uint32_t code);

static const struct glyph *more(uint32_t code) { return font_more ? font_more(code) : nullptr; }

static uint16_t halved(uint16_t line) {
    uint16_t out = 0;
    for (int i = 0; i < 8; i++)
        if (line >> (14 - 2 * i) & 3) out |= (uint16_t)(0x8000 >> i);
    return out;
}

/* An accent stays near the edge at which it is. */
static uint32_t mark_top(const struct glyph *g, uint32_t rest) {
    uint16_t upper = 0, lower = 0;
    for (int i = 0; i < MORE_LINES / 2; i++) upper |= g->lines[i], lower |= g->lines[i + MORE_LINES / 2];
    return !lower ? rest / 4 : !upper ? rest - rest / 4 : rest / 2;
}

static void more_draw(const struct font *f, const struct glyph *g, bool mark, uint32_t width, uint32_t *at,
                      size_t stride, uint32_t colour) {
    const bool halve = g->width > width;
    const uint32_t columns = halve ? g->width / 2 : g->width, down = f->height / MORE_LINES;
    const uint32_t across = width / columns < down ? width / columns : down, rest = f->height - MORE_LINES * down;
    at += (width - columns * across) / 2 + (mark ? mark_top(g, rest) : rest / 2) * stride;
    for (int y = 0; y < MORE_LINES; y++, at += down * stride) {
        const uint16_t line = halve ? halved(g->lines[y]) : g->lines[y];
        for (uint32_t x = 0; x < columns; x++)
            if (line & 0x8000 >> x) fill(at + x * across, stride, across, down, colour);
    }
}

static void letter_draw(const struct font *f, const struct cell *c, uint32_t width, uint32_t *at, size_t stride) {
    const uint8_t *bits = font_glyph(f, c->chars[0]);
    const struct glyph *g = !bits || c->width > 1 ? more(c->chars[0]) : nullptr;
    if (!bits && c->width == 1) bits = font_glyph(f, UNKNOWN);
    if (g) more_draw(f, g, false, width, at, stride, c->foreground);
    else if (bits) glyph_draw(f, bits, at, stride, c->foreground);
    else frame_draw(f, width, at, stride, c->foreground);
    for (int i = 1; i < CELL_CHARS && c->chars[i]; i++) {
        const uint8_t *mark = font_glyph(f, c->chars[i]);
        if (mark) glyph_draw(f, mark, at, stride, c->foreground);
        else if ((g = more(c->chars[i]))) more_draw(f, g, true, width, at, stride, c->foreground);
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
