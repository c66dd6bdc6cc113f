// SPDX-License-Identifier: MIT
/*
 * The mouse: its pointer is a cell in inverse video, shown while it moves.  Left selects, middle pastes what was
 * selected last, the wheel scrolls back; a program that asks for the mouse gets all of it, unless Shift is held.
 */
#include "console.h"

#define STEP_X 6 /* movement per column */
#define STEP_Y 12 /* … and per row */
#define WHEEL_LINES 3
#define CLIPBOARD_BYTES 4096
#define WHEEL_BUTTON 4 /* of terminals: 4 up, 5 down */

static int x, y; /* in steps' units */
static bool shown, selecting;
static char clipboard[CLIPBOARD_BYTES];
static size_t clipboard_length;

static int row(void) { return y / STEP_Y; }
static int column(void) { return x / STEP_X; }

bool mouse_is_at(int r, int c) { return shown && r == row() && c == column(); }

static void redraw(void) { vt_draw_cell(row(), column()); }

void mouse_hide(void) {
    if (!shown) return;
    shown = false;
    redraw();
}

bool mouse_take(VTermPos *at) {
    bool was = shown;
    *at = (VTermPos){row(), column()};
    shown = false;
    return was;
}

void mouse_resized(void) {
    shown = selecting = false;
    x = y = 0;
}

static int limited(int value, int end) { return value < 0 ? 0 : value >= end ? end - 1 : value; }

static bool is_programs(const struct emulator *e) {
    return e->mouse != VTERM_PROP_MOUSE_NONE && !(input_mods() & MOD_SHIFT);
}

static void move(struct emulator *e, int dx, int dy) {
    const struct text_size size = screen_size();
    int before_row = row(), before_column = column();
    mouse_hide();
    x = limited(x + dx, size.columns * STEP_X);
    y = limited(y + dy, size.rows * STEP_Y);
    shown = true;
    redraw();
    if (row() == before_row && column() == before_column) return;
    if (selecting) emulator_select(e, row(), column(), true);
    else if (is_programs(e)) emulator_mouse_move(e, row(), column(), input_mods());
}

static void wheel(struct emulator *e, int steps) {
    if (!is_programs(e)) {
        emulator_scroll(e, steps * WHEEL_LINES);
        return;
    }
    int button = steps > 0 ? WHEEL_BUTTON : WHEEL_BUTTON + 1;
    emulator_mouse_button(e, button, true, input_mods());
    emulator_mouse_button(e, button, false, input_mods());
}

static void select_button(struct emulator *e, bool pressed) {
    if (pressed) emulator_select(e, row(), column(), false);
    else if (e->selected) clipboard_length = emulator_selection(e, clipboard, sizeof(clipboard));
    selecting = pressed;
}

static void button(struct emulator *e, uint16_t code, bool pressed) {
    static const int numbers[] = {1, 3, 2}; /* left, right, middle */
    if (code > BTN_MIDDLE) return;
    if (is_programs(e) && !selecting) {
        emulator_mouse_move(e, row(), column(), input_mods());
        emulator_mouse_button(e, numbers[code - BTN_LEFT], pressed, input_mods());
    } else if (code == BTN_LEFT) {
        select_button(e, pressed);
    } else if (code == BTN_MIDDLE && pressed) {
        emulator_paste(e, clipboard, clipboard_length);
    }
}

void mouse_event(const struct input_event *event) {
    struct emulator *e = &vt_seen->emulator;
    if (!e->vterm) return;
    if (event->type == INPUT_KEY) button(e, event->code, event->value != 0);
    else if (event->code == REL_X) move(e, event->value, 0);
    else if (event->code == REL_Y) move(e, 0, event->value);
    else if (event->code == REL_WHEEL) wheel(e, event->value > 0 ? 1 : -1);
    vt_typed();
}
