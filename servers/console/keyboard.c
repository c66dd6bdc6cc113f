// SPDX-License-Identifier: MIT
/* Events of the keyboard: keys of the console's own, the others typed into the terminal that is seen. */
#include "console.h"
#include <service.h>
#include <string.h>

#define EVENTS 64
#define PATIENCE_NS 2000000000LL
#define DEFAULT_LAYOUT "us"

static struct keys keys;
static handle_t file = HANDLE_NONE;
static uint8_t locks_shown;

int keyboard_set_layout(const char *name, size_t length) {
    const struct keymap *m = keymap_find(name, length);
    if (!m) return -ENOENT;
    keys_release(&keys);
    keys.map = m;
    keys.dead = 0;
    return 0;
}

const char *keyboard_layout(void) { return keys.map->name; }

unsigned input_mods(void) { return keys.mods; }

static void lights_set(void) {
    uint8_t locks = keys.mods & (MOD_CAPS | MOD_NUM);
    if (locks == locks_shown || file == HANDLE_NONE) return;
    locks_shown = locks;
    struct call_args args = {
        .request = {.op = INPUT_LEDS,
                    .args = {(locks & MOD_CAPS ? INPUT_LED_CAPS : 0) | (locks & MOD_NUM ? INPUT_LED_NUM : 0)}},
        .carry = HANDLE_NONE,
        .deadline = time_now_ns() + PATIENCE_NS,
    };
    (void)!sys_call(file, &args);
}

/* Alt+F1 … F6, also with Control, as others have it; Shift+PageUp, PageDown. True: it was one of these. */
static bool own_key(uint16_t code) {
    struct emulator *e = &vt_seen->emulator;
    if (keys.mods & MOD_ALT && code >= KEY_F1 && code < KEY_F1 + VTS) {
        vt_switch(&vts[code - KEY_F1]);
        return true;
    }
    if (graphics_seen() || !(keys.mods & MOD_SHIFT) || (code != KEY_PAGEUP && code != KEY_PAGEDOWN) || !e->vterm)
        return false;
    emulator_scroll(e, code == KEY_PAGEUP ? e->rows / 2 : -(e->rows / 2));
    return true;
}

static void key_event(const struct input_event *event) {
    uint16_t symbols[KEYS_SYMBOLS_MAX];
    if (event->value != 0 && own_key(event->code)) {
        vt_typed();
        return;
    }
    size_t count = keys_event(&keys, event->code, event->value, symbols);
    lights_set();
    if (graphics_take(event)) {
        graphics_type(symbols, count);
        return;
    }
    if (count == 0 || !vt_seen->emulator.vterm) return;
    mouse_hide();
    emulator_unselect(&vt_seen->emulator);
    for (size_t i = 0; i < count; i++) emulator_type(&vt_seen->emulator, symbols[i], keys.mods);
    vt_typed();
}

static void event_take(const struct input_event *event) {
    if (event->type == INPUT_SYN && event->code == SYN_DROPPED) keys_release(&keys);
    if (event->type == INPUT_KEY && event->code < BTN_LEFT) key_event(event);
    else if (graphics_take(event)) return;
    else if (event->type == INPUT_KEY || event->type == INPUT_REL) mouse_event(event);
}

static void input_lost(struct scheme *s) {
    (void)!scheme_event_delete(s, file);
    sys_handle_close(file);
    file = HANDLE_NONE;
    locks_shown = 0;
    keys_release(&keys); /* whoever held a key: nobody will tell when it is let go */
    input_open(s);
    lights_set();
}

void input_open(struct scheme *s) {
    static const char name[] = "input:events";
    struct call_args args = {
        .request = {.op = OP_OPEN, .args = {FILE_READ_ONLY}, .length = sizeof(name) - 1},
        .in = name,
        .carry = HANDLE_NONE,
        .handle_flags = HANDLE_IN_UPPER,
        .deadline = time_now_ns() + 5 * PATIENCE_NS,
    };
    if (!keys.map) keys.map = keymap_find(DEFAULT_LAYOUT, strlen(DEFAULT_LAYOUT));
    long e = sys_call(HANDLE_NAMESPACE, &args); /* waits for the driver's next instance */
    if (e >= 0) {
        file = args.reply.handle;
        e = scheme_event_add(s, file, EVENT_IN, KEY_INPUT);
    }
    if (e < 0) service_log("console: no input (error %d)", (int)-e);
}

void input_ready(struct scheme *s) {
    struct input_event events[EVENTS];
    for (;;) {
        long n = sys_read(file, events, sizeof(events), OFFSET_CURRENT, IO_NONBLOCK, 0);
        if (n == -EAGAIN || n == -EINTR) return;
        if (n <= 0) {
            input_lost(s);
            return;
        }
        for (size_t i = 0; i < (size_t)n / sizeof(events[0]); i++) event_take(&events[i]);
    }
}
