// SPDX-License-Identifier: MIT
#include "event.h"
#include <errno.h>
#include <string.h>

int config_name(const struct config *c, char *out, size_t room) {
    if (c->size > CONFIG_DATA_MAX) return -EPROTO;
    size_t length = strnlen((const char *)c->data, c->size);
    if (length >= room) length = room - 1;
    for (size_t i = 0; i < length; i++) out[i] = c->data[i] >= ' ' && c->data[i] < 0x7f ? (char)c->data[i] : '?';
    out[length] = 0;
    return 0;
}

int config_bits(const struct config *c, unsigned first, unsigned end) {
    if (c->size > CONFIG_DATA_MAX) return -EPROTO;
    for (unsigned bit = first; bit < end && bit / 8 < c->size; bit++)
        if (c->data[bit / 8] & 1 << bit % 8) return 1;
    return 0;
}

int config_axis(const struct config *c, struct axis *out) {
    if (c->size == 0) return 0;
    if (c->size < AXIS_SIZE || c->size > CONFIG_DATA_MAX) return -EPROTO;
    struct axis a = {.known = true};
    memcpy(&a.minimum, c->data + AXIS_MINIMUM, sizeof(a.minimum));
    memcpy(&a.maximum, c->data + AXIS_MAXIMUM, sizeof(a.maximum));
    if (a.minimum >= a.maximum) return -EPROTO;
    *out = a;
    return 0;
}

/* From the axis' own range to ours. */
static int32_t place(const struct axis *a, int32_t value) {
    if (value < a->minimum) value = a->minimum;
    if (value > a->maximum) value = a->maximum;
    int64_t range = (int64_t)a->maximum - a->minimum, at = (int64_t)value - a->minimum;
    return (int32_t)(at * INPUT_ABS_MAX / range);
}

int event_read(const struct virtio_input_event *raw, uint32_t written, const struct axis axes[INPUT_ABSES],
               struct input_event *out) {
    if (written != sizeof(*raw) || raw->type >= EVDEV_TYPES) return -EPROTO;
    struct input_event e = {.type = raw->type, .code = raw->code, .value = (int32_t)raw->value};
    switch (raw->type) {
    case INPUT_SYN:
        if (raw->code != SYN_REPORT) return 0;
        break;
    case INPUT_KEY:
        if (raw->code >= INPUT_KEYS || raw->value > 2) return -EPROTO;
        break;
    case INPUT_REL:
        if (raw->code >= EVDEV_RELS) return -EPROTO;
        break;
    case INPUT_ABS:
        if (raw->code >= EVDEV_ABSES) return -EPROTO;
        if (raw->code >= INPUT_ABSES) return 0;
        if (!axes[raw->code].known) return -EPROTO;
        e.value = place(&axes[raw->code], e.value);
        break;
    default: return 0;
    }
    *out = e;
    return 1;
}
