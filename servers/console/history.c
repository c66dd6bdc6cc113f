// SPDX-License-Identifier: MIT
/* Lines that have left the screen, each as long as what is in it: 16 bytes per cell. */
#include "history.h"
#include <stdlib.h>
#include <string.h>

struct stored {
    uint32_t letter, mark; /* mark: what combines with it first; more isn't kept */
    uint32_t foreground, background; /* and in their upper bytes enum stored_flags, and the width */
};
enum stored_flags { STORED_UNDERLINE = 3, STORED_STRIKE = 4, STORED_BOLD = 8 };
struct line {
    int count;
    struct stored cells[];
};

static struct line **slot_of(const struct emulator *e, uint64_t line) { return &e->history[line % HISTORY_LINES]; }

static struct stored stored_make(const struct emulator *e, const VTermScreenCell *from) {
    struct cell c;
    if (from->chars[0] == UINT32_MAX) return (struct stored){};
    cell_from_vterm(e, from, &c);
    uint32_t flags = c.underline | (c.strike ? STORED_STRIKE : 0u) | (c.bold ? STORED_BOLD : 0u);
    return (struct stored){c.chars[0], c.chars[0] ? c.chars[1] : 0, c.foreground | flags << 24,
                           c.background | (uint32_t)c.width << 24};
}

/* Nothing is to be seen there. */
static bool is_blank(const VTermScreenCell *c) {
    return c->chars[0] == 0 && VTERM_COLOR_IS_DEFAULT_BG(&c->bg) && !c->attrs.reverse && !c->attrs.underline;
}

void history_push(struct emulator *e, int columns, const VTermScreenCell *cells) {
    struct line **slot = slot_of(e, e->pushed);
    while (columns > 0 && is_blank(&cells[columns - 1])) columns--;
    free(*slot);
    *slot = malloc(sizeof(struct line) + (size_t)columns * sizeof(struct stored)); /* null: an empty line */
    for (int i = 0; *slot && i < columns; i++) (*slot)->cells[i] = stored_make(e, &cells[i]);
    if (*slot) (*slot)->count = columns;
    e->pushed++;
    if (e->kept < HISTORY_LINES) e->kept++;
}

static VTermColor rgb_of(uint32_t colour) {
    VTermColor c;
    vterm_color_rgb(&c, (uint8_t)(colour >> 16), (uint8_t)(colour >> 8), (uint8_t)colour);
    return c;
}

int history_pop(struct emulator *e, int columns, VTermScreenCell *cells) {
    if (e->kept == 0) return 0;
    for (int i = 0; i < columns; i++) {
        struct cell c;
        bool there = history_cell(e, e->pushed - 1, i, &c);
        cells[i] = (VTermScreenCell){.chars = {there ? c.chars[0] : UINT32_MAX, there ? c.chars[1] : 0},
                                     .width = there ? (char)c.width : 1,
                                     .fg = rgb_of(there ? c.foreground : 0),
                                     .bg = rgb_of(there ? c.background : 0)};
        cells[i].attrs.bold = there && c.bold;
        cells[i].attrs.strike = there && c.strike;
        cells[i].attrs.underline = there ? c.underline : 0;
        if (i == columns - 1 && cells[i].width == 2) cells[i].chars[0] = 0, cells[i].width = 1;
    }
    struct line **slot = slot_of(e, --e->pushed);
    e->kept--;
    free(*slot);
    *slot = nullptr;
    return 1;
}

bool history_cell(const struct emulator *e, uint64_t line, int column, struct cell *out) {
    const struct line *l = line + e->kept >= e->pushed ? *slot_of(e, line) : nullptr;
    if (!l || column >= l->count) {
        VTermScreenCell blank = {.width = 1};
        vterm_state_get_default_colors(e->state, &blank.fg, &blank.bg);
        cell_from_vterm(e, &blank, out);
        return true;
    }
    const struct stored *s = &l->cells[column];
    if (s->background >> 24 == 0) return false;
    *out = (struct cell){
        .chars = {s->letter, s->mark},
        .foreground = s->foreground & 0xffffff,
        .background = s->background & 0xffffff,
        .width = (uint8_t)(column + 1 < l->count ? s->background >> 24 : 1),
        .underline = s->foreground >> 24 & STORED_UNDERLINE,
        .strike = s->foreground >> 24 & STORED_STRIKE,
        .bold = s->foreground >> 24 & STORED_BOLD,
    };
    return true;
}

void history_forget(struct emulator *e) {
    for (size_t i = 0; i < HISTORY_LINES; i++) {
        free(e->history[i]);
        e->history[i] = nullptr;
    }
    e->kept = 0;
}

void history_free(struct emulator *e) {
    history_forget(e);
    free(e->history);
    e->history = nullptr;
}
