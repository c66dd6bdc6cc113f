// SPDX-License-Identifier: MIT
/* Cells and pixels on the display's surface (canvas.h). */
#include "canvas.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MIN 100
#define ROWS_MIN 37
#define TEXT_MAX 256

uint32_t colour_mix(uint32_t a, uint32_t b, uint32_t part) {
    uint32_t mixed = 0;
    for (uint32_t shift = 0; shift < 24; shift += 8) {
        uint32_t x = a >> shift & 0xff, y = b >> shift & 0xff;
        mixed |= (x * (256 - part) + y * part) / 256 << shift;
    }
    return mixed;
}

/* The largest that leaves place for the page. */
static const struct font *font_choose(const struct display *d) {
    const struct font *best = &fonts[0];
    for (size_t i = 1; i < font_count; i++)
        if (d->width / fonts[i].width >= COLUMNS_MIN && d->height / fonts[i].height >= ROWS_MIN) best = &fonts[i];
    return best;
}

int canvas_begin(struct canvas *c, struct display *d) {
    free(c->wanted);
    free(c->shown);
    *c = (struct canvas){.display = d, .font = font_choose(d)};
    c->rows = (int)(d->height / c->font->height);
    c->columns = (int)(d->width / c->font->width);
    const size_t count = (size_t)c->rows * (size_t)c->columns + 1;
    c->wanted = calloc(count, sizeof(*c->wanted));
    c->shown = calloc(count, sizeof(*c->shown));
    if (!c->wanted || !c->shown) {
        c->display = nullptr;
        return -ENOMEM;
    }
    const struct rect whole = {0, 0, (int32_t)d->width, (int32_t)d->height};
    canvas_rect(c, whole, COLOUR_WINDOW);
    damage_add(&c->damage, whole);
    return 0;
}

void canvas_clear(struct canvas *c) { canvas_fill(c, (struct area){0, 0, c->rows, c->columns}, COLOUR_WINDOW); }

static struct canvas_cell *cell_at(struct canvas *c, int row, int column) {
    if (row < 0 || row >= c->rows || column < 0 || column >= c->columns) return nullptr;
    return &c->wanted[row * c->columns + column];
}

void canvas_fill(struct canvas *c, struct area a, uint32_t background) {
    for (int row = a.row; row < a.row + a.rows; row++)
        for (int column = a.column; column < a.column + a.columns; column++) {
            struct canvas_cell *cell = cell_at(c, row, column);
            if (cell) *cell = (struct canvas_cell){' ', 0, background};
        }
}

/* UTF-8, of ours. */
static uint32_t code_next(const char **text) {
    const unsigned char *t = (const unsigned char *)*text;
    int more = *t < 0x80 ? 0 : *t < 0xe0 ? 1 : 2;
    uint32_t code = more == 0 ? *t : *t & (more == 1 ? 0x1f : 0x0f);
    for (t++; more > 0 && (*t & 0xc0) == 0x80; more--) code = code << 6 | (*t++ & 0x3f);
    *text = (const char *)t;
    return code;
}

static int text_put(struct canvas *c, int row, int column, int end, uint32_t colour, const char *text) {
    while (*text && column < end) {
        uint32_t code = code_next(&text);
        struct canvas_cell *cell = cell_at(c, row, column++);
        if (!cell) continue;
        cell->code = code;
        cell->foreground = code == ' ' ? 0 : colour;
    }
    return column;
}

int canvas_text(struct canvas *c, int row, int column, int end, uint32_t colour, const char *format, ...) {
    char text[TEXT_MAX];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    return text_put(c, row, column, end, colour, text);
}

void canvas_text_right(struct canvas *c, int row, int end, uint32_t colour, const char *format, ...) {
    char text[TEXT_MAX];
    int length = 0;
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    for (const char *at = text; *at; length++) code_next(&at);
    text_put(c, row, end - length, end, colour, text);
}

struct rect canvas_pixels(struct canvas *c, struct area a) {
    const int width = (int)c->font->width, height = (int)c->font->height;
    if (a.row < 0 || a.column < 0 || a.rows <= 0 || a.columns <= 0 || a.row + a.rows > c->rows ||
        a.column + a.columns > c->columns)
        return (struct rect){};
    for (int row = a.row; row < a.row + a.rows; row++)
        memset(&c->wanted[row * c->columns + a.column], 0, (size_t)a.columns * sizeof(*c->wanted));
    struct rect r = {a.column * width, a.row * height, (a.column + a.columns) * width, (a.row + a.rows) * height};
    damage_add(&c->damage, r);
    return r;
}

void canvas_rect(struct canvas *c, struct rect r, uint32_t colour) {
    const struct display *d = c->display;
    r = rect_intersect(r, (struct rect){0, 0, (int32_t)d->width, (int32_t)d->height});
    if (rect_empty(r)) return;
    for (int32_t y = r.y0; y < r.y1; y++)
        for (int32_t x = r.x0; x < r.x1; x++) d->pixels[(size_t)y * d->stride + (size_t)x] = colour;
}

static void cell_put(struct canvas *c, int row, int column, const struct canvas_cell *from) {
    const struct font *f = c->font;
    const struct cell cell = {
        .chars = {from->code}, .foreground = from->foreground, .background = from->background, .width = 1};
    struct rect r = {column * (int)f->width, row * (int)f->height, (column + 1) * (int)f->width,
                     (row + 1) * (int)f->height};
    cell_draw(f, &cell, c->display->pixels + (size_t)r.y0 * c->display->stride + (size_t)r.x0, c->display->stride);
    damage_add(&c->damage, r);
}

int canvas_finish(struct canvas *c) {
    for (int row = 0; row < c->rows; row++)
        for (int column = 0; column < c->columns; column++) {
            const struct canvas_cell *wanted = &c->wanted[row * c->columns + column];
            struct canvas_cell *shown = &c->shown[row * c->columns + column];
            if (memcmp(wanted, shown, sizeof(*wanted)) == 0) continue;
            *shown = *wanted;
            if (wanted->code) cell_put(c, row, column, wanted);
        }
    int e = c->damage.count ? display_damage(c->display, c->damage.rects, c->damage.count) : 0;
    c->damage.count = 0;
    return e;
}
