// SPDX-License-Identifier: MIT
/*
 * Events of a virtio input device.  A queue that makes no sense ends this instance, and the next one resets the device;
 * an event that makes none is dropped and logged, the first of each instance.
 */
#include "virtio_input.h"
#include <errno.h>
#include <service.h>
#include <stdlib.h>
#include <string.h>

static struct virtio_input *input_of(struct input_device *d) {
    return (struct virtio_input *)((char *)d - offsetof(struct virtio_input, device));
}

[[noreturn]] static void nonsense(const char *what) {
    service_log("virtio-input: the device's %s makes no sense", what);
    exit(1);
}

/* --- configuration --- */
static struct config config_select(struct virtio_input *v, uint8_t select, uint8_t subselect) {
    struct config c = {};
    virtio_config_write(&v->virtio, CONFIG_SELECT, 1, select);
    virtio_config_write(&v->virtio, CONFIG_SUBSELECT, 1, subselect);
    c.size = (uint8_t)virtio_config_read(&v->virtio, CONFIG_SIZE, 1);
    for (unsigned i = 0; i < c.size && i < CONFIG_DATA_MAX; i++)
        c.data[i] = (uint8_t)virtio_config_read(&v->virtio, CONFIG_DATA + i, 1);
    return c;
}

static int has(struct virtio_input *v, uint8_t type, unsigned first, unsigned end) {
    struct config c = config_select(v, SELECT_BITS, type);
    int found = config_bits(&c, first, end);
    if (found < 0) service_log("virtio-input: %u bytes of bits of type %u", c.size, type);
    return found;
}

static int axis_configure(struct virtio_input *v, uint8_t code) {
    struct config c = config_select(v, SELECT_AXIS, code);
    int e = config_axis(&c, &v->axes[code]);
    if (e) service_log("virtio-input: axis %u has no range (%u bytes)", code, c.size);
    return e;
}

int virtio_input_configure(struct virtio_input *v) {
    struct input_info *i = &v->device.info;
    struct config c = config_select(v, SELECT_NAME, 0);
    int e = config_name(&c, i->name, sizeof(i->name));
    if (e) service_log("virtio-input: a name of %u bytes", c.size);
    int keys = has(v, INPUT_KEY, 1, BTN_FIRST), moves = has(v, INPUT_REL, REL_X, REL_Y + 1),
        places = has(v, INPUT_ABS, ABS_X, ABS_Y + 1), repeats = has(v, EVDEV_REPETITION, 0, CONFIG_DATA_MAX * 8);
    for (uint8_t light = 0; light <= LED_SCROLLL; light++)
        if (has(v, INPUT_LED, light, light + 1u) > 0) i->lights |= 1u << light;
    for (uint8_t axis = 0; axis < INPUT_ABSES && places > 0 && !e; axis++) e = axis_configure(v, axis);
    if (e || keys < 0 || moves < 0 || places < 0 || repeats < 0) return -EPROTO;
    i->kinds = (keys ? INPUT_KEYBOARD : 0) | (moves ? INPUT_MOUSE : 0) | (places ? INPUT_TABLET : 0);
    /* §5.8.4: a device with repetition leaves it to the driver; it says no more than that it may be done. */
    v->device.repeats = keys && config_select(v, SELECT_BITS, EVDEV_REPETITION).size > 0;
    return 0;
}

/* --- queues --- */
static volatile struct virtio_input_event *event_at(struct virtio_input *v, unsigned i) {
    return (volatile struct virtio_input_event *)v->memory.at + i;
}

static void event_post(struct virtio_input *v, unsigned i) {
    const size_t size = sizeof(struct virtio_input_event);
    struct virtio_buffer room = {v->memory.physical + i * size, (uint32_t)size};
    if (virtqueue_add(&v->events.ring, &room, 0, 1, (void *)event_at(v, i)) != 0) nonsense("event queue");
}

int virtio_input_queues(struct virtio_input *v) {
    const size_t size = (EVENTS_MAX + LIGHTS_MAX) * sizeof(struct virtio_input_event);
    int e = virtio_queue(&v->virtio, QUEUE_EVENTS, EVENTS_MAX, 0, &v->events);
    if (!e) e = virtio_queue(&v->virtio, QUEUE_STATUS, LIGHTS_MAX, 0, &v->status);
    v->status.ring.reads_only = true;
    if (!e) e = pci_dma_create(v->virtio.function, size, 0, &v->memory);
    if (!e) e = scheme_event_add(&v->device.scheme, v->events.interrupt, EVENT_IN, 0);
    return e;
}

void virtio_input_start(struct virtio_input *v) {
    for (unsigned i = 0; i < v->events.ring.size; i++) event_post(v, i);
    virtio_start(&v->virtio);
    virtio_kick(&v->events);
}

/* --- events --- */
static void event_take(struct virtio_input *v, unsigned i, uint32_t written) {
    volatile struct virtio_input_event *at = event_at(v, i);
    struct virtio_input_event raw = {at->type, at->code, at->value};
    struct input_event e;
    int news = event_read(&raw, written, v->axes, &e);
    if (news > 0) input_tell(&v->device, e.type, e.code, e.value);
    if (news >= 0 || v->complained) return;
    v->complained = true;
    service_log("virtio-input: not an event: %u bytes, type %#x, code %#x, value %#x", written, raw.type, raw.code,
                raw.value);
}

static void input_poll(struct input_device *d) {
    struct virtio_input *v = input_of(d);
    void *token;
    uint32_t written;
    int got;
    do {
        while ((got = virtqueue_get(&v->events.ring, &token, &written)) > 0) {
            unsigned i = (unsigned)((struct virtio_input_event *)token - (struct virtio_input_event *)v->memory.at);
            event_take(v, i, written);
            event_post(v, i);
        }
        if (got < 0) nonsense("event queue");
        virtio_kick(&v->events);
    } while (!virtqueue_rearm(&v->events.ring));
}

static void input_interrupt(struct input_device *d, uint64_t key) {
    struct virtio_input *v = input_of(d);
    virtio_acknowledge(&v->virtio, v->events.interrupt); /* first: what comes now interrupts again */
    input_poll(d);
}

/* --- lights --- */
static void light_send(struct virtio_input *v, uint16_t code, bool on) {
    const size_t size = sizeof(struct virtio_input_event);
    unsigned i = EVENTS_MAX + v->lights_at;
    volatile struct virtio_input_event *at = event_at(v, i);
    struct virtio_buffer buffer = {v->memory.physical + i * size, (uint32_t)size};
    if (v->status.ring.free_count == 0) return; /* the device is slow: that light stays as it is */
    v->lights_at = (v->lights_at + 1) % v->status.ring.size;
    at->type = INPUT_LED;
    at->code = code;
    at->value = on;
    if (virtqueue_add(&v->status.ring, &buffer, 1, 0, v) != 0) nonsense("status queue");
}

static void input_set_lights(struct input_device *d, unsigned lights) {
    struct virtio_input *v = input_of(d);
    void *token;
    uint32_t written;
    int got;
    while ((got = virtqueue_get(&v->status.ring, &token, &written)) > 0) {
    }
    if (got < 0) nonsense("status queue");
    for (uint16_t code = 0; code <= LED_SCROLLL; code++)
        if (d->info.lights >> code & 1) light_send(v, code, lights >> code & 1);
    virtio_kick(&v->status);
}

const struct input_ops virtio_input_ops = {
    .interrupt = input_interrupt,
    .poll = input_poll,
    .lights = input_set_lights,
};
