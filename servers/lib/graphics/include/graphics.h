// SPDX-License-Identifier: MIT
/*
 * A virtual terminal as the screen, keyboard and mouse of one program, which draws while that terminal is seen.  The
 * console server lends all of it, to whoever may read and write the terminal, and has it back when the program ends,
 * however, or when the session does: nothing has to be undone.
 *
 *     struct graphics g;
 *     if (graphics_begin(&g, STDIN_FILENO) == 0 && display_surface(&g.display, 640, 480) == 0) {
 *         g.display.pixels[y * g.display.stride + x] = 0xff0000;
 *         display_damage(&g.display, &(struct rect){0, 0, 640, 480}, 1);
 *         while ((count = graphics_read(&g, events, COUNT)) > 0) …
 *     }
 *
 * Events are those of input.h, and GRAPHICS_EVENT.  Alt+F1 … F6 stay the console's.  Other programs may go on writing
 * to the terminal; it is seen afterwards.
 *
 * If the display's driver is started again, calls on the display answer -ESTALE: graphics_display() gets another one,
 * for which a surface has to be made anew.  A surface stays as it is when the screen's size changes, in its middle.
 * graphics_surface() does what either needs: call it when GRAPHICS_SHOWN comes, or a call on the display fails.
 */
#pragma once
#include <display.h>
#include <input.h>

enum graphics_op { /* on an open terminal, by whoever may read and write it */
                   GRAPHICS_BEGIN = OP_USER + 0x100, /* reply.handle: channel of struct input_event */
                   GRAPHICS_DISPLAY, /* reply.handle: `screen` of its display, with DISPLAY_SHOW left to the console */
                   GRAPHICS_KEYS, /* answers uint16_t[GRAPHICS_KEY_COUNT] */
};
#define GRAPHICS_KEY_COUNT 128

#define GRAPHICS_EVENT 0x20 /* a type of struct input_event that no device has */
enum graphics_event {
    GRAPHICS_SHOWN, /* the terminal is seen from now on, or its screen has another size or driver: draw all of it */
    GRAPHICS_HIDDEN, /* it isn't: all keys count as released */
    GRAPHICS_TEXT, /* value: a code point that was typed, by the keyboard's layout */
    GRAPHICS_LAYOUT, /* it is another one: graphics_keys() */
};

struct graphics {
    handle_t terminal, events; /* descriptors: the caller's; readable when there are events */
    bool opened; /* the terminal is our own descriptor */
    struct display display; /* without a surface */
};

/* terminal: a descriptor. 0 or -errno: -ENOTTY: it is no virtual terminal, -EBUSY: another program draws on it. */
[[nodiscard]] int graphics_begin(struct graphics *g, handle_t terminal);
/* The same on the terminal of standard input or, if that is none, the one that controls the process. */
[[nodiscard]] int graphics_open(struct graphics *g);
void graphics_end(struct graphics *g);
/* Why not, for a person to read. */
const char *graphics_error(int e);
[[nodiscard]] int graphics_display(struct graphics *g);
/* A surface of the whole screen. 1: it is another one, black; 0: it is as it was; or -errno. */
[[nodiscard]] int graphics_surface(struct graphics *g);
/* What the keys KEY_* type alone, as code points: letters are small, of a dead key the sign that it is with a blank; 0:
 * nothing. 0 or -errno. */
[[nodiscard]] int graphics_keys(const struct graphics *g, uint16_t letters[GRAPHICS_KEY_COUNT]);
/* Doesn't wait. The number of events (0: none now), or -errno: -EIO: the session has ended. */
[[nodiscard]] long graphics_read(const struct graphics *g, struct input_event *events, size_t count);
