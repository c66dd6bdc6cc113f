// SPDX-License-Identifier: MIT
/* Rectangles, damage, copying of pixels (pixels.h). */
#include <pixels.h>
#include <string.h>

#define CHUNK 64 /* pixels converted at a time */

static int32_t smaller(int32_t a, int32_t b) { return a < b ? a : b; }
static int32_t larger(int32_t a, int32_t b) { return a > b ? a : b; }

struct rect rect_intersect(struct rect a, struct rect b) {
    return (struct rect){larger(a.x0, b.x0), larger(a.y0, b.y0), smaller(a.x1, b.x1), smaller(a.y1, b.y1)};
}

struct rect rect_unite(struct rect a, struct rect b) {
    if (rect_empty(a)) return b;
    if (rect_empty(b)) return a;
    return (struct rect){smaller(a.x0, b.x0), smaller(a.y0, b.y0), larger(a.x1, b.x1), larger(a.y1, b.y1)};
}

/* --- damage --- */
static int64_t area(struct rect r) { return ((int64_t)r.x1 - r.x0) * ((int64_t)r.y1 - r.y0); }

/* Pixels that are drawn without need if both are drawn as one. */
static int64_t waste(struct rect a, struct rect b) { return area(rect_unite(a, b)) - area(a) - area(b); }

void damage_add(struct damage *d, struct rect r) {
    if (rect_empty(r)) return;
    for (uint32_t i = 0; i < d->count; i++) {
        if (waste(d->rects[i], r) > 0) continue;
        r = rect_unite(d->rects[i], r); /* which may now touch another one */
        d->rects[i] = d->rects[--d->count];
        damage_add(d, r);
        return;
    }
    if (d->count < DAMAGE_RECTS) {
        d->rects[d->count++] = r;
        return;
    }
    uint32_t best = 0;
    for (uint32_t i = 1; i < d->count; i++)
        if (waste(d->rects[i], r) < waste(d->rects[best], r)) best = i;
    d->rects[best] = rect_unite(d->rects[best], r);
}

/* --- formats --- */
uint32_t pixel_over(uint32_t pixel, uint32_t under) {
    const uint32_t alpha = pixel >> 24;
    uint32_t mixed = 0;
    if (alpha == 0) return under;
    for (uint32_t shift = 0; shift < 24; shift += 8) {
        const uint32_t above = pixel >> shift & 0xff, below = under >> shift & 0xff;
        mixed |= (above * alpha + below * (255 - alpha) + 127) / 255 << shift;
    }
    return mixed;
}

bool pixel_format_valid(const struct pixel_format *f) {
    const uint8_t bits[] = {f->red_bits, f->green_bits, f->blue_bits};
    const uint8_t shift[] = {f->red_shift, f->green_shift, f->blue_shift};
    if (f->bytes < 2 || f->bytes > 4) return false;
    for (int i = 0; i < 3; i++)
        if (bits[i] == 0 || bits[i] > 8 || shift[i] + bits[i] > 8 * f->bytes) return false;
    return true;
}

uint32_t pixel_of(const struct pixel_format *f, uint32_t colour) {
    return (colour >> 16 & 0xff) >> (8 - f->red_bits) << f->red_shift |
           (colour >> 8 & 0xff) >> (8 - f->green_bits) << f->green_shift |
           (colour & 0xff) >> (8 - f->blue_bits) << f->blue_shift;
}

static bool is_native(const struct pixel_format *f) {
    return f->bytes == 4 && f->red_shift == 16 && f->green_shift == 8 && f->blue_shift == 0 && f->red_bits == 8 &&
           f->green_bits == 8 && f->blue_bits == 8;
}

/* --- screens --- */
bool screen_fits(const struct screen *s, uint64_t offset, uint64_t size) {
    uint64_t line = (uint64_t)s->width * s->format.bytes;
    return s->width > 0 && s->height > 0 && s->width <= INT16_MAX && s->height <= INT16_MAX && line <= s->pitch &&
           offset <= size && (uint64_t)s->pitch * (s->height - 1) + line <= size - offset;
}

static void line_convert(const struct screen *s, uint8_t *to, const uint32_t *from, uint32_t count) {
    uint8_t line[4 * CHUNK];
    const uint32_t bytes = s->format.bytes;
    while (count > 0) {
        uint32_t now = count < CHUNK ? count : CHUNK;
        for (uint32_t i = 0; i < now; i++) {
            uint32_t pixel = pixel_of(&s->format, from[i]);
            for (uint32_t j = 0; j < bytes; j++, pixel >>= 8) line[i * bytes + j] = (uint8_t)pixel;
        }
        memcpy(to, line, (size_t)now * bytes);
        to += (size_t)now * bytes;
        from += now;
        count -= now;
    }
}

static void line_draw(const struct screen *s, const struct surface *from, int32_t x, int64_t line, uint8_t *to,
                      struct rect r) {
    const uint32_t bytes = s->format.bytes;
    const int64_t end = (int64_t)x + from->width;
    int32_t first = larger(r.x0, x), last = end < r.x1 ? (int32_t)end : r.x1;
    if (line < 0 || line >= from->height || first >= last) {
        memset(to, 0, (size_t)(r.x1 - r.x0) * bytes);
        return;
    }
    const uint32_t *pixels = from->pixels + (size_t)line * from->stride + (first - x);
    uint8_t *at = to + (size_t)(first - r.x0) * bytes;
    memset(to, 0, (size_t)(first - r.x0) * bytes);
    if (is_native(&s->format)) memcpy(at, pixels, (size_t)(last - first) * 4);
    else line_convert(s, at, pixels, (uint32_t)(last - first));
    memset(to + (size_t)(last - r.x0) * bytes, 0, (size_t)(r.x1 - last) * bytes);
}

void screen_draw(const struct screen *s, const struct surface *from, int32_t x, int32_t y, struct rect r) {
    r = rect_intersect(r, (struct rect){0, 0, (int32_t)s->width, (int32_t)s->height});
    if (rect_empty(r)) return;
    for (int32_t row = r.y0; row < r.y1; row++) {
        uint8_t *to = s->pixels + (size_t)row * s->pitch + (size_t)r.x0 * s->format.bytes;
        line_draw(s, from, x, (int64_t)row - y, to, r);
    }
}
