// SPDX-License-Identifier: MIT
/*
 * terminal_host ROWS COLUMNS: the console's emulator on this machine, for terminfo_test.py.  Commands on stdin:
 *     w HEX         bytes of the program
 *     k SYMBOL MODS a key (keymap.h), both hexadecimal
 *     p HEX         something is pasted
 *     m ROW COLUMN BUTTON PRESSED
 *     r ROWS COLUMNS  it is resized
 *     ?             what there is to be seen and was answered: until a line "."
 */
#include "emulator.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES 65536
static char answers[2 * BYTES + 1];
static size_t answered, bells;

static void changed(struct emulator *e, VTermRect r) {}
static void moved(struct emulator *e, VTermRect to, VTermRect from) {}
static void cursor(struct emulator *e) {}
static void bell(struct emulator *e) { bells++; }
static void answer(struct emulator *e, const char *bytes, size_t length) {
    for (size_t i = 0; i < length && answered + 2 < sizeof(answers); i++, answered += 2)
        snprintf(answers + answered, 3, "%02x", (uint8_t)bytes[i]);
}
static const struct emulator_ops ops = {changed, moved, cursor, answer, bell};

static void tell(const struct emulator *e) {
    printf("cursor %d %d %d %d %d\nbells %zu\nkept %u\nanswers %s\n", e->cursor.row, e->cursor.col, e->cursor_visible,
           e->cursor_shape, e->cursor_blinks, bells, e->kept, answers);
    for (int row = 0; row < e->rows; row++)
        for (int column = 0; column < e->columns; column++) {
            struct cell c;
            if (!emulator_cell(e, row, column, &c)) continue;
            printf("cell %d %d %x %x %x %d %d %d\n", row, column, c.chars[0], c.foreground, c.background, c.underline,
                   c.strike, c.bold);
        }
    printf(".\n");
    fflush(stdout);
    answers[answered = bells = 0] = 0;
}

static size_t hex_read(uint8_t out[BYTES]) {
    static char text[2 * BYTES + 1];
    unsigned byte;
    size_t count = 0;
    if (scanf("%131072s", text) != 1) return 0;
    while (count < BYTES && sscanf(text + 2 * count, "%2x", &byte) == 1) out[count++] = (uint8_t)byte;
    return count;
}

/* As mouse.c has it: it is the console's own if the program doesn't want it. */
static void mouse(struct emulator *e, int row, int column, int button, int pressed) {
    if (e->mouse == VTERM_PROP_MOUSE_NONE) return;
    emulator_mouse_move(e, row, column, 0);
    emulator_mouse_button(e, button, pressed, 0);
}

int main(int argc, char **argv) {
    static struct emulator e;
    static uint8_t bytes[BYTES];
    char command;
    unsigned symbol, mods;
    int row, column, button, pressed;
    if (argc != 3 || !emulator_init(&e, &ops, atoi(argv[1]), atoi(argv[2]))) return 2;
    while (scanf(" %c", &command) == 1) {
        if (command == 'w') emulator_write(&e, bytes, hex_read(bytes));
        else if (command == 'k' && scanf("%x %x", &symbol, &mods) == 2) emulator_type(&e, symbol, mods);
        else if (command == 'p') emulator_paste(&e, (char *)bytes, hex_read(bytes));
        else if (command == 'm' && scanf("%d %d %d %d", &row, &column, &button, &pressed) == 4)
            mouse(&e, row, column, button, pressed);
        else if (command == 'r' && scanf("%d %d", &row, &column) == 2) emulator_resize(&e, row, column);
        else if (command == '?') tell(&e);
        else return 2;
        emulator_flush(&e);
    }
    emulator_fini(&e);
    return 0;
}
