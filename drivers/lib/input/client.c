// SPDX-License-Identifier: MIT
/* The program's side of an input device (input.h). */
#include <input.h>

#define EVENTS 64

void input_release(struct input_source *s, void (*take)(void *, const struct input_event *), void *context) {
    for (uint16_t code = 1; code < INPUT_KEYS; code++) {
        if (!input_is_down(s, code)) continue;
        s->down[code / 8] &= (uint8_t)~(1 << code % 8);
        take(context, &(struct input_event){0, INPUT_KEY, code, 0});
    }
}

static void key_note(struct input_source *s, const struct input_event *e) {
    if (e->code >= INPUT_KEYS) return;
    if (e->value) s->down[e->code / 8] |= (uint8_t)(1 << e->code % 8);
    else s->down[e->code / 8] &= (uint8_t)~(1 << e->code % 8);
}

int input_take(struct input_source *s, void (*take)(void *, const struct input_event *), void *context) {
    struct input_event events[EVENTS];
    for (;;) {
        long n = sys_read(s->file, events, sizeof(events), OFFSET_CURRENT, IO_NONBLOCK, 0);
        if (n == -EAGAIN || n == -EINTR) return -EAGAIN;
        if (n <= 0) {
            input_release(s, take, context);
            return n < 0 ? (int)n : -EIO;
        }
        for (size_t i = 0; i < (size_t)n / sizeof(events[0]); i++) {
            if (events[i].type == INPUT_SYN && events[i].code == SYN_DROPPED) input_release(s, take, context);
            if (events[i].type == INPUT_KEY) key_note(s, &events[i]);
            take(context, &events[i]);
        }
    }
}

void input_lights(const struct input_source *s, unsigned lights) {
    struct input_event events[3];
    for (uint16_t i = 0; i < 3; i++) events[i] = (struct input_event){0, INPUT_LED, i, lights >> i & 1};
    (void)!sys_write(s->file, events, sizeof(events), OFFSET_CURRENT, IO_NONBLOCK | IO_NO_SIGNAL, 0);
}
