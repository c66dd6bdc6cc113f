// SPDX-License-Identifier: MIT
/* Glue around libvterm (emulator.h): its callbacks, the view. */
#include "emulator.h"
#include "history.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOREGROUND 0xd0
#define PIECE 4096 /* bytes given to libvterm at a time */

static VTermRect whole_view(const struct emulator *e) { return (VTermRect){0, e->rows, 0, e->columns}; }

/* The screen's rows are the lowest ones of the view. libvterm's rectangles can lie outside, as after a resize. */
static void tell_changed(struct emulator *e, VTermRect r) {
    vterm_rect_move(&r, (int)e->back < e->rows ? (int)e->back : e->rows, 0);
    if (r.start_row < 0) r.start_row = 0;
    if (r.start_col < 0) r.start_col = 0;
    if (r.end_row > e->rows) r.end_row = e->rows;
    if (r.end_col > e->columns) r.end_col = e->columns;
    if (r.start_row < r.end_row && r.start_col < r.end_col) e->ops->changed(e, r);
}

/* --- callbacks --- */
static int on_damage(VTermRect r, void *user) {
    struct emulator *e = user;
    e->redraw |= e->selected;
    e->selected = false;
    tell_changed(e, r);
    return 1;
}

static bool is_inside(const struct emulator *e, VTermRect r) {
    return r.start_row >= 0 && r.start_col >= 0 && r.end_row <= e->rows && r.end_col <= e->columns;
}

static int on_move(VTermRect to, VTermRect from, void *user) {
    struct emulator *e = user;
    if (e->back || e->selected || !is_inside(e, to) || !is_inside(e, from)) return 0; /* then it is all damage */
    e->ops->moved(e, to, from);
    return 1;
}

static int on_cursor(VTermPos at, VTermPos before, int visible, void *user) {
    struct emulator *e = user;
    e->cursor = at;
    e->cursor_changed = true;
    return 1;
}

static int on_property(VTermProp property, VTermValue *value, void *user) {
    struct emulator *e = user;
    switch (property) {
    case VTERM_PROP_CURSORVISIBLE: e->cursor_visible = value->boolean; break;
    case VTERM_PROP_CURSORBLINK: e->cursor_blinks = value->boolean; break;
    case VTERM_PROP_CURSORSHAPE: e->cursor_shape = value->number; break;
    case VTERM_PROP_MOUSE: e->mouse = value->number; return 1;
    default: return 1;
    }
    e->cursor_changed = true;
    return 1;
}

static int on_bell(void *user) {
    struct emulator *e = user;
    e->ops->bell(e);
    return 1;
}

static int on_push(int columns, const VTermScreenCell *cells, void *user) {
    struct emulator *e = user;
    history_push(e, columns, cells);
    if (e->back == 0) return 1;
    if (e->back < e->kept) e->back++; /* the view stays on what it shows */
    else e->ops->changed(e, whole_view(e)); /* but for what is forgotten */
    return 1;
}

static int on_pop(int columns, VTermScreenCell *cells, void *user) { return history_pop(user, columns, cells); }

static void on_output(const char *bytes, size_t length, void *user) {
    struct emulator *e = user;
    e->ops->answer(e, bytes, length);
}

/* What libvterm leaves to us.  CSI 3 J: to forget the lines that have scrolled out. */
static int on_csi(const char *leader, const long args[], int count, const char *intermediate, char command,
                  void *user) {
    struct emulator *e = user;
    if (command != 'J' || leader || intermediate || count != 1 || CSI_ARG(args[0]) != 3) return 0;
    history_forget(e);
    e->redraw |= e->back > 0 || e->selected;
    e->back = 0;
    e->selected = false;
    return 1;
}

/* OSC 10 and 11 with ?: which are the colours of text and background? */
static int on_osc(const char *command, size_t length, void *user) {
    struct emulator *e = user;
    VTermColor colours[2];
    char text[40];
    if (length != 4 || (memcmp(command, "10;?", 4) != 0 && memcmp(command, "11;?", 4) != 0)) return 0;
    vterm_state_get_default_colors(e->state, &colours[0], &colours[1]);
    const VTermColor *c = &colours[command[1] - '0'];
    const unsigned red = c->rgb.red * 0x101, green = c->rgb.green * 0x101, blue = c->rgb.blue * 0x101;
    int size = snprintf(text, sizeof(text), "\033]1%c;rgb:%04x/%04x/%04x\033\\", command[1], red, green, blue);
    e->ops->answer(e, text, (size_t)size);
    return 1;
}

static const VTermParserCallbacks fallbacks = {.csi = on_csi, .osc = on_osc};
static const VTermScreenCallbacks callbacks = {
    .damage = on_damage,
    .moverect = on_move,
    .movecursor = on_cursor,
    .settermprop = on_property,
    .bell = on_bell,
    .sb_pushline = on_push,
    .sb_popline = on_pop,
};

/* --- life --- */
bool emulator_init(struct emulator *e, const struct emulator_ops *ops, int rows, int columns) {
    VTermColor foreground, background;
    *e = (struct emulator){.ops = ops, .rows = rows, .columns = columns, .cursor_visible = true, .cursor_shape = 1};
    e->history = calloc(HISTORY_LINES, sizeof(*e->history));
    e->vterm = e->history ? vterm_new(rows, columns) : nullptr;
    if (!e->vterm) {
        free(e->history);
        return false;
    }
    vterm_set_utf8(e->vterm, 1);
    vterm_output_set_callback(e->vterm, on_output, e);
    e->state = vterm_obtain_state(e->vterm);
    e->screen = vterm_obtain_screen(e->vterm);
    vterm_color_rgb(&foreground, FOREGROUND, FOREGROUND, FOREGROUND);
    vterm_color_rgb(&background, 0, 0, 0);
    vterm_state_set_default_colors(e->state, &foreground, &background);
    vterm_state_set_bold_highbright(e->state, 1);
    vterm_screen_enable_altscreen(e->screen, 1);
    vterm_screen_set_callbacks(e->screen, &callbacks, e);
    vterm_screen_set_unrecognised_fallbacks(e->screen, &fallbacks, e);
    vterm_screen_set_damage_merge(e->screen, VTERM_DAMAGE_SCROLL);
    vterm_screen_reset(e->screen, 1);
    return true;
}

void emulator_fini(struct emulator *e) {
    if (!e->vterm) return;
    vterm_free(e->vterm);
    e->vterm = nullptr;
    history_free(e);
}

void emulator_resize(struct emulator *e, int rows, int columns) {
    emulator_flush(e);
    e->back = 0;
    e->selected = false;
    e->rows = rows;
    e->columns = columns;
    vterm_set_size(e->vterm, rows, columns);
    vterm_screen_flush_damage(e->screen);
    vterm_state_get_cursorpos(e->state, &e->cursor);
    e->ops->changed(e, whole_view(e));
}

void emulator_write(struct emulator *e, const uint8_t *bytes, size_t length) {
    for (size_t n; length > 0; bytes += n, length -= n) {
        n = length < PIECE ? length : PIECE;
        vterm_input_write(e->vterm, (const char *)bytes, n);
    }
    e->untold = true;
}

void emulator_flush(struct emulator *e) {
    if (!e->untold) return;
    e->untold = false;
    vterm_screen_flush_damage(e->screen);
    if (e->redraw) e->ops->changed(e, whole_view(e));
    if (e->cursor_changed) e->ops->cursor(e);
    e->redraw = e->cursor_changed = false;
}

/* --- cells --- */
static uint32_t colour_of(const struct emulator *e, VTermColor c) {
    vterm_screen_convert_color_to_rgb(e->screen, &c);
    return (uint32_t)c.rgb.red << 16 | (uint32_t)c.rgb.green << 8 | c.rgb.blue;
}

void cell_from_vterm(const struct emulator *e, const VTermScreenCell *from, struct cell *out) {
    bool swap = from->attrs.reverse;
    *out = (struct cell){
        .foreground = colour_of(e, swap ? from->bg : from->fg),
        .background = colour_of(e, swap ? from->fg : from->bg),
        .width = from->width == 2 ? 2 : 1,
        .underline = from->attrs.underline == VTERM_UNDERLINE_DOUBLE ? 2 : from->attrs.underline != 0,
        .strike = from->attrs.strike,
        .bold = from->attrs.bold,
    };
    static_assert(CELL_CHARS == VTERM_MAX_CHARS_PER_CELL);
    memcpy(out->chars, from->chars, sizeof(out->chars));
}

static uint64_t line_of_row(const struct emulator *e, int row) { return e->pushed - e->back + (uint64_t)row; }

static bool is_selected(const struct emulator *e, int row, int column) {
    uint64_t line = line_of_row(e, row), first = e->from_line, last = e->to_line;
    int start = e->from_column, end = e->to_column;
    if (last < first || (last == first && end < start)) {
        first = e->to_line, last = e->from_line;
        start = e->to_column, end = e->from_column;
    }
    return e->selected && line >= first && line <= last && (line > first || column >= start) &&
           (line < last || column <= end);
}

static bool plain_cell(const struct emulator *e, uint64_t line, int column, struct cell *out) {
    VTermScreenCell cell;
    if (line < e->pushed) return history_cell(e, line, column, out);
    VTermPos at = {(int)(line - e->pushed), column};
    if (!vterm_screen_get_cell(e->screen, at, &cell)) cell = (VTermScreenCell){.width = 1};
    if (cell.chars[0] == UINT32_MAX) return false;
    cell_from_vterm(e, &cell, out);
    return true;
}

bool emulator_cell(const struct emulator *e, int row, int column, struct cell *out) {
    if (!plain_cell(e, line_of_row(e, row), column, out)) return false;
    if (is_selected(e, row, column) || (out->width > 1 && is_selected(e, row, column + 1))) {
        uint32_t colour = out->foreground;
        out->foreground = out->background;
        out->background = colour;
    }
    return true;
}

/* --- the view --- */
void emulator_scroll(struct emulator *e, int lines) {
    int64_t back = (int64_t)e->back + lines;
    back = back < 0 ? 0 : back > e->kept ? e->kept : back;
    if (back == e->back) return;
    emulator_flush(e);
    e->back = (uint32_t)back;
    e->ops->changed(e, whole_view(e));
}

void emulator_bottom(struct emulator *e) { emulator_scroll(e, -(int)e->back); }

/* --- selection --- */
void emulator_select(struct emulator *e, int row, int column, bool extend) {
    emulator_flush(e);
    if (!extend) {
        e->from_line = line_of_row(e, row);
        e->from_column = column;
    }
    e->selected = extend;
    e->to_line = line_of_row(e, row);
    e->to_column = column;
    e->ops->changed(e, whole_view(e));
}

void emulator_unselect(struct emulator *e) {
    emulator_flush(e);
    if (!e->selected) return;
    e->selected = false;
    e->ops->changed(e, whole_view(e));
}

static size_t utf8_put(uint32_t code, char *out) {
    if (code < 0x80) return out[0] = (char)code, 1;
    int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    out[0] = (char)((0xff00 >> (more + 1) & 0xff) | code >> 6 * more);
    for (int i = 1; i <= more; i++) out[i] = (char)(0x80 | (code >> 6 * (more - i) & 0x3f));
    return (size_t)more + 1;
}

/* Those of its cells that are selected, also the right half only, without what was never written at the end. */
static size_t line_text(const struct emulator *e, uint64_t line, int first, int last, char *out, size_t size) {
    size_t used = 0, end = 0;
    struct cell half;
    if (first > 0 && !plain_cell(e, line, first, &half)) first--;
    for (int column = first; column <= last && used + 4 * CELL_CHARS <= size; column++) {
        struct cell c;
        if (!plain_cell(e, line, column, &c)) continue;
        const bool written = c.chars[0];
        if (!written) c.chars[0] = ' ';
        for (int i = 0; i < CELL_CHARS && c.chars[i]; i++) used += utf8_put(c.chars[i], out + used);
        if (written) end = used;
    }
    return end;
}

size_t emulator_selection(const struct emulator *e, char *out, size_t size) {
    bool forwards = e->from_line < e->to_line || (e->from_line == e->to_line && e->from_column <= e->to_column);
    uint64_t first = forwards ? e->from_line : e->to_line, last = forwards ? e->to_line : e->from_line;
    int start = forwards ? e->from_column : e->to_column, end = forwards ? e->to_column : e->from_column;
    size_t used = 0;
    for (uint64_t line = first; e->selected && line <= last && used < size; line++) {
        used +=
            line_text(e, line, line == first ? start : 0, line == last ? end : e->columns - 1, out + used, size - used);
        if (line < last && used < size) out[used++] = '\r';
    }
    return used;
}
