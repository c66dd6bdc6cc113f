// SPDX-License-Identifier: MIT
/* Scaling and what is seen through (view_scale.h). All is exact but for the one division at the end, which rounds. */
#include "view_scale.h"

#define OPAQUE 255u

static const struct {
    uint32_t up, down;
} steps[] = {{1, 16}, {1, 8}, {1, 4}, {1, 2},  {1, 1},  {2, 1}, {3, 1},
             {4, 1},  {6, 1}, {8, 1}, {12, 1}, {16, 1}, {32, 1}};
#define STEPS ((int)(sizeof(steps) / sizeof(steps[0])))

static uint64_t rounded(uint64_t value, uint64_t divisor) {
    uint64_t result = (value + divisor / 2) / divisor;
    return result ? result : 1;
}

static int64_t within(int64_t at, uint64_t size, uint32_t screen) {
    const int64_t last = (int64_t)screen - (int64_t)size;
    if (last >= 0) return last / 2;
    return at > 0 ? 0 : at < last ? last : at;
}

bool place_move(struct place *v, uint32_t width, uint32_t height, int64_t x, int64_t y) {
    const int64_t x_before = v->x, y_before = v->y;
    v->x = within(v->x + x, v->width, width);
    v->y = within(v->y + y, v->height, height);
    return v->x != x_before || v->y != y_before;
}

void place_fit(struct place *v, const struct picture *p, uint32_t width, uint32_t height) {
    const uint64_t w = p->width, h = p->height;
    v->zoom = ZOOM_FIT;
    if (w <= width && h <= height) {
        const uint64_t across = width / w, down = height / h, factor = across < down ? across : down;
        v->width = w * factor;
        v->height = h * factor;
    } else if (w * height > h * width) {
        v->width = width;
        v->height = rounded(h * width, w);
    } else {
        v->width = rounded(w * height, h);
        v->height = height;
    }
    place_move(v, width, height, 0, 0);
}

/* The step that is next to what is shown, in this direction. */
static int step_next(const struct place *v, const struct picture *p, int direction) {
    int next = v->zoom == ZOOM_FIT ? direction > 0 ? 0 : STEPS - 1 : v->zoom + direction;
    while (v->zoom == ZOOM_FIT && next >= 0 && next < STEPS) {
        const uint64_t size = (uint64_t)p->width * steps[next].up / steps[next].down;
        if (direction > 0 ? size > v->width : size < v->width) break;
        next += direction;
    }
    return next < 0 ? 0 : next < STEPS ? next : STEPS - 1;
}

void place_zoom(struct place *v, const struct picture *p, uint32_t width, uint32_t height, int direction) {
    const struct place before = *v;
    v->zoom = step_next(v, p, direction);
    v->width = rounded((uint64_t)p->width * steps[v->zoom].up, steps[v->zoom].down);
    v->height = rounded((uint64_t)p->height * steps[v->zoom].up, steps[v->zoom].down);
    const double middle_x = ((double)width / 2 - (double)before.x) / (double)before.width;
    const double middle_y = ((double)height / 2 - (double)before.y) / (double)before.height;
    v->x = (int64_t)((double)width / 2 - middle_x * (double)v->width);
    v->y = (int64_t)((double)height / 2 - middle_y * (double)v->height);
    place_move(v, width, height, 0, 0);
}

/* --- pixels --- */
/* A pixel of the screen shows from `first` to `end` of a line of pixels that are `size` long each. */
struct span {
    uint64_t first, end, size;
};

static uint64_t overlap(const struct span *s, uint64_t pixel) {
    const uint64_t from = pixel * s->size, to = from + s->size;
    return (to < s->end ? to : s->end) - (from > s->first ? from : s->first);
}

struct sum { /* weighted; colours also by their alpha */
    uint64_t colour[3], alpha;
};

static struct sum sum_of(const struct picture *p, const struct span *x, const struct span *y) {
    struct sum sum = {};
    for (uint64_t row = y->first / y->size; row * y->size < y->end; row++) {
        const uint64_t high = overlap(y, row);
        for (uint64_t column = x->first / x->size; column * x->size < x->end; column++) {
            const uint8_t *pixel = p->pixels + (row * p->width + column) * 4;
            const uint64_t weight = high * overlap(x, column) * pixel[3];
            for (int i = 0; i < 3; i++) sum.colour[i] += weight * pixel[i];
            sum.alpha += weight;
        }
    }
    return sum;
}

static uint32_t pixel_over(const struct sum *s, uint64_t area, uint32_t behind) {
    const uint64_t whole = area * OPAQUE;
    uint32_t pixel = 0;
    for (int i = 0; i < 3; i++) {
        const uint64_t under = (behind >> (16 - 8 * i)) & 0xff;
        pixel = pixel << 8 | (uint32_t)((s->colour[i] + under * (whole - s->alpha) + whole / 2) / whole);
    }
    return pixel;
}

static uint32_t pixel_at(const struct picture *p, const struct place *v, uint32_t column, uint32_t row) {
    const int64_t x = (int64_t)column - v->x, y = (int64_t)row - v->y;
    if (x < 0 || y < 0 || x >= (int64_t)v->width || y >= (int64_t)v->height) return AROUND;
    const struct span across = {(uint64_t)x * p->width, ((uint64_t)x + 1) * p->width, v->width};
    const struct span down = {(uint64_t)y * p->height, ((uint64_t)y + 1) * p->height, v->height};
    const struct sum sum = sum_of(p, &across, &down);
    const uint64_t area = (uint64_t)p->width * p->height;
    return pixel_over(&sum, area, (column / SQUARE + row / SQUARE) % 2 ? SQUARE_DARK : SQUARE_LIGHT);
}

void picture_draw(const struct picture *p, const struct place *v, uint32_t *out, size_t stride, uint32_t width,
                  uint32_t height) {
    for (uint32_t row = 0; row < height; row++, out += stride)
        for (uint32_t column = 0; column < width; column++) out[column] = pixel_at(p, v, column, row);
}
