// SPDX-License-Identifier: MIT
/* A terminal under hostile output, keys, mouse, sizes and looks at its history; every cell of its view is drawn. */
#include "emulator.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SIDE 40 /* rows and columns at most */
#define PAIR_MAX 2

static uint32_t *pixels;

static void check(const struct emulator *e, VTermRect r) {
    if (r.start_row < 0 || r.start_col < 0 || r.end_row > e->rows || r.end_col > e->columns) abort();
}
static void changed(struct emulator *e, VTermRect r) { check(e, r); }
static void moved(struct emulator *e, VTermRect to, VTermRect from) {
    check(e, to);
    check(e, from);
    if (to.end_row - to.start_row != from.end_row - from.start_row) abort();
    if (to.end_col - to.start_col != from.end_col - from.start_col) abort();
}
static void cursor(struct emulator *e) {}
static void answer(struct emulator *e, const char *bytes, size_t length) {
    static char last[64];
    memcpy(last, bytes, length < sizeof(last) ? length : sizeof(last));
}
static void bell(struct emulator *e) {}
static const struct emulator_ops ops = {changed, moved, cursor, answer, bell};

/* What no font has, has this look. */
static const struct glyph *letter(uint32_t code) {
    static struct glyph g;
    g.width = code % 2 ? 8 : 16;
    for (int i = 0; i < 16; i++) g.lines[i] = (uint16_t)(0xffff << (16 - g.width));
    return code % 5 ? &g : nullptr;
}

static void draw(const struct emulator *e) {
    const struct font *f = &fonts[0];
    const size_t stride = SIDE * f->width;
    for (int row = 0; row < e->rows; row++)
        for (int column = 0; column < e->columns; column++) {
            struct cell c;
            if (!emulator_cell(e, row, column, &c)) continue;
            if (c.width < 1 || c.width > PAIR_MAX || column + c.width > e->columns) abort();
            cell_draw(f, &c, pixels + (size_t)row * f->height * stride + (size_t)column * f->width, stride);
        }
}

static void act(struct emulator *e, uint8_t op, const uint8_t *data, size_t length) {
    char text[256];
    switch (op) {
    case 0:
    case 1:
    case 2: emulator_write(e, data, length); break;
    case 3: emulator_resize(e, 1 + data[0] % SIDE, 1 + data[length - 1] % SIDE); break;
    case 4: emulator_type(e, (uint16_t)(data[0] << 8 | data[length - 1]), data[length / 2]); break;
    case 5: emulator_scroll(e, (int8_t)data[0]); break;
    case 6:
        emulator_mouse_move(e, data[0] % e->rows, data[length - 1] % e->columns, data[length / 2]);
        emulator_mouse_button(e, 1 + data[0] % 5, data[length - 1] & 1, data[length / 2]);
        break;
    case 7:
        emulator_select(e, data[0] % e->rows, data[length - 1] % e->columns, data[length / 2] & 1);
        emulator_paste(e, text, emulator_selection(e, text, sizeof(text)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    font_more = letter;
    struct emulator e;
    if (!pixels) pixels = malloc(SIDE * fonts[0].width * SIDE * fonts[0].height * sizeof(*pixels));
    if (size < 2 || !emulator_init(&e, &ops, 1 + data[0] % SIDE, 1 + data[1] % SIDE)) return 0;
    for (data += 2, size -= 2; size > 2;) {
        const bool told = data[0] & 8; /* a frame */
        uint8_t op = data[0] % 8;
        size_t length = 1 + data[1] % 64;
        data += 2;
        size -= 2;
        if (length > size) length = size;
        act(&e, op, data, length);
        if (told) emulator_flush(&e);
        data += length;
        size -= length;
    }
    draw(&e);
    emulator_fini(&e);
    return 0;
}
