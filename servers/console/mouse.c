// SPDX-License-Identifier: MIT
/*
 * The mouse: its pointer is a cell in inverse video, shown while it moves.  Left selects, middle pastes what was
 * selected last, the wheel scrolls back; a program that asks for the mouse gets all of it, unless Shift is held.
 */
#include "console.h"
#include <stdlib.h>

#define STEP_X 6 /* movement per column */
#define STEP_Y 12 /* … and per row */
#define WHEEL_LINES 3
#define WHEEL_STEPS_MAX 32 /* of one event */
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

void mouse_switched(void) { selecting = false; }

void mouse_resized(void) {
    shown = selecting = false;
    x = y = 0;
}

static int limited(int value, int end) { return value < 0 ? 0 : value >= end ? end - 1 : value; }

static bool is_programs(const struct emulator *e) {
    return e->mouse != VTERM_PROP_MOUSE_NONE && !(input_mods() & MOD_SHIFT);
}

static int width(void) { return screen_size().columns * STEP_X; }
static int height(void) { return screen_size().rows * STEP_Y; }

static void move_to(struct emulator *e, int to_x, int to_y) {
    int before_row = row(), before_column = column();
    mouse_hide();
    x = limited(to_x, width());
    y = limited(to_y, height());
    shown = true;
    redraw();
    if (row() == before_row && column() == before_column) return;
    if (selecting) emulator_select(e, row(), column(), true);
    else if (is_programs(e)) emulator_mouse_move(e, row(), column(), input_mods());
}

static void wheel(struct emulator *e, int steps) {
    steps = steps > WHEEL_STEPS_MAX ? WHEEL_STEPS_MAX : steps < -WHEEL_STEPS_MAX ? -WHEEL_STEPS_MAX : steps;
    if (!is_programs(e)) {
        emulator_scroll(e, steps * WHEEL_LINES);
        return;
    }
    int button = steps > 0 ? WHEEL_BUTTON : WHEEL_BUTTON + 1;
    for (int i = 0; i < abs(steps); i++) {
        emulator_mouse_button(e, button, true, input_mods());
        emulator_mouse_button(e, button, false, input_mods());
    }
}

static void select_button(struct emulator *e, bool pressed) {
    if (pressed) emulator_select(e, row(), column(), false);
    else if (e->selected) clipboard_length = emulator_selection(e, clipboard, sizeof(clipboard));
    selecting = pressed;
}

static void button(struct emulator *e, uint16_t code, bool pressed) {
    static const int numbers[] = {1, 3, 2}; /* left, right, middle */
    if (code < BTN_LEFT || code > BTN_MIDDLE) return;
    if (is_programs(e) && !selecting) {
        emulator_mouse_move(e, row(), column(), input_mods());
        emulator_mouse_button(e, numbers[code - BTN_LEFT], pressed, input_mods());
    } else if (code == BTN_LEFT) {
        select_button(e, pressed);
    } else if (code == BTN_MIDDLE && pressed) {
        emulator_paste(e, clipboard, clipboard_length);
    }
}

static void moved(struct emulator *e, const struct input_event *event) {
    switch (event->code) {
    case REL_X: move_to(e, x + event->value, y); break;
    case REL_Y: move_to(e, x, y + event->value); break;
    case REL_WHEEL: wheel(e, event->value); break;
    default: break;
    }
}

/* A tablet's place, on the whole screen. */
static void placed(struct emulator *e, const struct input_event *event) {
    const int64_t value = event->value;
    if (event->code == ABS_X) move_to(e, (int)(value * width() / (INPUT_ABS_MAX + 1)), y);
    else if (event->code == ABS_Y) move_to(e, x, (int)(value * height() / (INPUT_ABS_MAX + 1)));
}

void mouse_event(const struct input_event *event) {
    struct emulator *e = &vt_seen->emulator;
    if (!e->vterm) return;
    if (event->type == INPUT_KEY) button(e, event->code, event->value != 0);
    else if (event->type == INPUT_REL) moved(e, event);
    else placed(e, event);
    vt_typed();
}
