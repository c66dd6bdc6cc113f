// SPDX-License-Identifier: MIT
/*
 * A terminal's picture: libvterm, the lines that have scrolled out, the view on both, the selection.  No I/O: what
 * changed is told through emulator_ops.  Rows are those of the view, from its top; line numbers count from the first
 * line that was ever there, so that they stay when the screen scrolls.
 */
#pragma once
#include <font.h>
#include <stdbool.h>
#include <stdint.h>
#include <vterm.h>

#define HISTORY_LINES 1000

struct emulator;
struct emulator_ops {
    void (*changed)(struct emulator *e, VTermRect cells); /* of the view: to be drawn anew */
    void (*moved)(struct emulator *e, VTermRect to, VTermRect from); /* the same cells are elsewhere now */
    void (*cursor)(struct emulator *e); /* it has moved, or looks different; after all changes and moves */
    void (*answer)(struct emulator *e, const char *bytes, size_t length); /* to the program's input */
    void (*bell)(struct emulator *e);
};
enum cursor_shape { CURSOR_BLOCK = 1, CURSOR_UNDERLINE, CURSOR_BAR };

struct line; /* of the history */
struct emulator {
    const struct emulator_ops *ops;
    VTerm *vterm; /* null: not begun */
    VTermScreen *screen;
    VTermState *state;
    int rows, columns;
    VTermPos cursor;
    bool cursor_visible, cursor_blinks, cursor_changed;
    bool untold; /* something is to be told: emulator_flush() */
    bool redraw; /* all of the view, when it is */
    int cursor_shape, mouse; /* enum cursor_shape; VTERM_PROP_MOUSE_* */
    struct line **history; /* a ring of HISTORY_LINES */
    uint64_t pushed; /* lines that have left the screen: the number of the line at its top */
    uint32_t kept; /* of them in the ring */
    uint32_t back; /* lines that the view is scrolled back */
    bool selected;
    uint64_t from_line, to_line; /* the selection: both ends belong to it, in any order */
    int from_column, to_column;
};

/* False: no memory. */
[[nodiscard]] bool emulator_init(struct emulator *e, const struct emulator_ops *ops, int rows, int columns);
void emulator_fini(struct emulator *e);
void emulator_resize(struct emulator *e, int rows, int columns);
void emulator_write(struct emulator *e, const uint8_t *bytes, size_t length);
/* Tells what has changed since the last call: lines that came and went meanwhile are never drawn. */
void emulator_flush(struct emulator *e);
/* What is to be drawn at a place of the view, selection and all; false: the right half of a wide letter. */
bool emulator_cell(const struct emulator *e, int row, int column, struct cell *out);
/* A symbol (keymap.h) is typed, with these modifiers (enum key_mods). */
void emulator_type(struct emulator *e, uint32_t symbol, unsigned mods);
/* Moves the view by so many lines, back if positive. */
void emulator_scroll(struct emulator *e, int lines);
void emulator_bottom(struct emulator *e);
/* The mouse is at this cell of the view; the program learns of it if it asked. */
void emulator_mouse_move(struct emulator *e, int row, int column, unsigned mods);
void emulator_mouse_button(struct emulator *e, int button, bool pressed, unsigned mods);
void emulator_select(struct emulator *e, int row, int column, bool extend);
void emulator_unselect(struct emulator *e);
/* The selected text as UTF-8, lines as far as they were written; its length, at most size. */
size_t emulator_selection(const struct emulator *e, char *out, size_t size);
void emulator_paste(struct emulator *e, const char *bytes, size_t length);
