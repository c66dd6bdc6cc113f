// SPDX-License-Identifier: MIT
/*
 * screen_host ROWS COLUMNS: what libvterm, by itself, makes of the bytes on stdin; for screen_test.py.  A line for each
 * cell, of the lines that have scrolled out first: line column width foreground background underline strike letters…
 * (hexadecimal), then "cursor row column visible", rows counted from the screen's top.
 */
#include <stdio.h>
#include <stdlib.h>
#include <vterm.h>

static VTermScreen *screen;
static int lines, visible = 1;

static unsigned colour_of(VTermColor c) {
    vterm_screen_convert_color_to_rgb(screen, &c);
    return (unsigned)c.rgb.red << 16 | (unsigned)c.rgb.green << 8 | c.rgb.blue;
}

static void line_print(int columns, const VTermScreenCell *cells) {
    for (int column = 0; column < columns; column++) {
        const VTermScreenCell *c = &cells[column];
        unsigned front = colour_of(c->fg), back = colour_of(c->bg);
        if (c->chars[0] == UINT32_MAX) continue;
        printf("%d %d %d %x %x %d %d", lines, column, c->width, c->attrs.reverse ? back : front,
               c->attrs.reverse ? front : back, c->attrs.underline, c->attrs.strike);
        for (int i = 0; i < VTERM_MAX_CHARS_PER_CELL && c->chars[i]; i++) printf(" %x", c->chars[i]);
        printf("\n");
    }
    lines++;
}

static int on_push(int columns, const VTermScreenCell *cells, void *user) {
    line_print(columns, cells);
    return 1;
}

static int on_property(VTermProp property, VTermValue *value, void *user) {
    if (property == VTERM_PROP_CURSORVISIBLE) visible = value->boolean;
    return 1;
}

int main(int argc, char **argv) {
    static const VTermScreenCallbacks callbacks = {.sb_pushline = on_push, .settermprop = on_property};
    if (argc != 3) return 2;
    int rows = atoi(argv[1]), columns = atoi(argv[2]);
    VTerm *vterm = vterm_new(rows, columns);
    VTermState *state = vterm_obtain_state(vterm);
    VTermColor front, back;
    VTermPos cursor;
    char bytes[4096];
    screen = vterm_obtain_screen(vterm);
    vterm_set_utf8(vterm, 1);
    vterm_color_rgb(&front, 0xd0, 0xd0, 0xd0);
    vterm_color_rgb(&back, 0, 0, 0);
    vterm_state_set_default_colors(state, &front, &back);
    vterm_state_set_bold_highbright(state, 1);
    vterm_screen_enable_altscreen(screen, 1);
    vterm_screen_set_callbacks(screen, &callbacks, NULL);
    vterm_screen_reset(screen, 1);
    for (size_t n; (n = fread(bytes, 1, sizeof(bytes), stdin)) > 0;) vterm_input_write(vterm, bytes, n);
    VTermScreenCell *cells = calloc((size_t)columns, sizeof(*cells));
    for (int row = 0; row < rows; row++) {
        for (int column = 0; column < columns; column++)
            vterm_screen_get_cell(screen, (VTermPos){row, column}, &cells[column]);
        line_print(columns, cells);
    }
    vterm_state_get_cursorpos(state, &cursor);
    printf("cursor %d %d %d\n", cursor.row, cursor.col, visible);
    free(cells);
    vterm_free(vterm);
    return 0;
}
