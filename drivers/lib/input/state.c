// SPDX-License-Identifier: MIT
#include <input_state.h>

static bool is_button(uint16_t code) { return code >= BTN_FIRST && code < BTN_END; }

static bool key_news(struct input_state *s, struct input_event *e) {
    if (e->code == 0 || e->code >= INPUT_KEYS) return false;
    uint8_t *byte = &s->down[e->code / 8], bit = (uint8_t)(1 << e->code % 8);
    bool was = *byte & bit;
    if (e->value == 0) {
        *byte &= (uint8_t)~bit;
        if (s->repeats == e->code) s->repeats = 0;
        return was;
    }
    *byte |= bit;
    if (was && is_button(e->code)) return false;
    e->value = was ? 2 : 1;
    if (!is_button(e->code)) { /* the last one pressed; by the device's own repetition, later */
        s->repeats = e->code;
        s->repeat_ns = e->time_ns + REPEAT_DELAY_NS;
    }
    return true;
}

bool input_state_news(struct input_state *s, struct input_event *e) {
    switch (e->type) {
    case INPUT_KEY: return key_news(s, e);
    case INPUT_REL: return e->code < INPUT_RELS && e->value != 0;
    case INPUT_ABS:
        if (e->code >= INPUT_ABSES || e->value < 0 || e->value > INPUT_ABS_MAX || s->places[e->code] == e->value + 1)
            return false;
        s->places[e->code] = e->value + 1;
        return true;
    default: return false;
    }
}

uint16_t input_state_repeat(struct input_state *s, int64_t now) {
    if (s->repeats == 0 || now < s->repeat_ns) return 0;
    s->repeat_ns = now + REPEAT_PERIOD_NS;
    return s->repeats;
}
