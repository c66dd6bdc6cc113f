// SPDX-License-Identifier: MIT
/* The console server's parts: virtual terminals, the screen that one of them is seen on, keyboard and mouse. */
#pragma once
#include "emulator.h"
#include <keymap.h>
#include <input.h>
#include <pixels.h>
#include <terminal.h>

#define VTS 6
/* Keys of events; + index, but for the first two. */
enum { KEY_NEWS, KEY_SCREEN, KEY_SESSIONS, KEY_GRAPHICS = KEY_SESSIONS + VTS, KEY_SOURCES = KEY_GRAPHICS + VTS };

/* --- vt.c --- */
struct vt {
    struct terminal terminal; /* first */
    struct emulator emulator; /* begun when it is first seen, drained, or has much to show */
};
extern struct vt vts[VTS];
extern struct vt *vt_seen;
extern const struct terminal_ops vt_ops;

void vt_init(struct scheme *s);
/* Shows another one. */
void vt_switch(struct vt *v);
/* The screen has another size. */
void vts_resize(int rows, int columns);
/* Draws all of the one that is seen. */
void vt_draw(void);
/* Draws the cell at the view's place, if it is on the screen: the pointer of the mouse has come or gone. */
void vt_draw_cell(int row, int column);
/* What is to be done from time to time: frames, blinking; sets s->deadline. */
void vt_tick(struct scheme *s);
/* Keys go to the one that is seen; afterwards vt_typed(). */
void vt_typed(void);

/* --- screen.c: pixels --- */
struct text_size {
    int rows, columns;
};
/* Opens the display and draws all; if there is none, it is looked for from time to time. */
void screen_open(struct scheme *s);
void screen_event(struct scheme *s); /* KEY_SCREEN: its size has changed, or it has gone */
struct text_size screen_size(void);
/* Before something is drawn there: where its first pixel is (null: no screen), the font, the pixels per line. */
uint32_t *screen_cell(int row, int column, const struct font **font, size_t *stride);
void screen_changed(VTermRect cells);
void screen_move(VTermRect to, VTermRect from);
/* In front of what programs draw. */
void screen_show(void);
void screen_clear(void);
void screen_flash(void);
/* Gives what has changed to the driver, at most every FRAME_NS; called when there may be something to do. Returns when
 * to call it next (DEADLINE_NEVER: when something changes). */
int64_t screen_present(int64_t now);
int64_t screen_frame_ns(void); /* when the next frame may be drawn */

/* --- letters.c --- */
void letters_init(void);

/* --- graphics.c: programs that draw, at most one for each terminal --- */
void graphics_init(void);
/* What they ask for, on an open terminal. */
int64_t graphics_user(struct scheme *s, struct port_buffer *call);
/* The one of this terminal, if any, has ended, or its session. */
void graphics_stop(struct scheme *s, struct vt *v);
bool graphics_seen(void);
void graphics_layout(void); /* is another one now */
/* vt_seen has changed. */
void graphics_switch(struct vt *from);
/* The display was opened anew. */
void graphics_display_anew(void);
/* An event goes to the one that is seen; false: there is none. */
bool graphics_take(const struct input_event *event);
void graphics_type(const uint32_t *symbols, size_t count);

/* --- input.c: devices --- */
void input_start(struct scheme *s);
void input_event(uint64_t key); /* KEY_NEWS, or from KEY_SOURCES on */
void input_set_lights(unsigned wanted); /* enum input_led, of all keyboards */

/* --- keyboard.c, mouse.c --- */
void keyboard_start(void);
void key_event(const struct input_event *event);
unsigned input_mods(void); /* enum key_mods */
/* As keys_configure() has it: 0 or -ENOENT. */
int keyboard_set_layout(const char *text, size_t length);
/* The same text and a newline; its length. */
int keyboard_layout(char *out, size_t size);
void mouse_event(const struct input_event *event);
void mouse_hide(void);
bool mouse_take(VTermPos *at); /* hides the pointer without drawing: where it was, if it was shown */
void mouse_resized(void);
void mouse_switched(void); /* to another terminal: what was being selected is not there */
bool mouse_is_at(int row, int column);
/* What each key types alone; of a dead key the sign that it is with a blank. 0: nothing. */
void keyboard_symbols(uint16_t out[KEYMAP_KEYS]);
