// SPDX-License-Identifier: MIT
/*
 * Keyboard and mouse of the controller 8042.
 *
 * Nothing is lost between the controller and here: its one byte of buffer is read before the interrupt is acknowledged,
 * and once more after it (the lines are edge-triggered).
 */
#include "i8042.h"
#include <input_device.h>
#include <service.h>
#include <string.h>
#include <time.h>

#define BYTES_MAX 64 /* of one interrupt: then others get their turn */

static struct i8042 controller;

static int64_t patience_end(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec + LEDS_PATIENCE_NS;
}

static void bytes_take(struct input_device *d) {
    struct decoded events[DECODE_EVENTS_MAX];
    enum device from;
    uint8_t byte;
    for (int i = 0; i < BYTES_MAX && i8042_read(&controller, &from, &byte); i++) {
        size_t count = i8042_byte(&controller, from, byte, events);
        for (size_t j = 0; j < count; j++) input_tell(d, events[j].type, events[j].code, events[j].value);
    }
    d->deadline = i8042_waits(&controller) ? patience_end() : DEADLINE_NEVER;
}

static void ps2_interrupt(struct input_device *d, uint64_t key) {
    bytes_take(d);
    sys_irq_acknowledge(SERVICE_SLOT(3) + (handle_t)key);
    bytes_take(d);
}

static void ps2_timeout(struct input_device *d) { i8042_give_up(&controller); }

static void ps2_lights(struct input_device *d, unsigned lights) {
    i8042_set_leds(&controller, lights);
    bytes_take(d);
}

static const struct input_ops ps2_ops = {.interrupt = ps2_interrupt, .timeout = ps2_timeout, .lights = ps2_lights};

/* The lines are unmasked whatever an earlier instance left, and what came meanwhile is taken. */
static void start(struct input_device *d) {
    controller.data = SERVICE_SLOT(1);
    controller.command = SERVICE_SLOT(2);
    bool works = i8042_init(&controller);
    service_log("ps2: %s%s", controller.present[DEVICE_KEYBOARD] ? "keyboard " : "",
                controller.present[DEVICE_MOUSE] ? "mouse"
                : works                          ? ""
                                                 : "no controller, or nothing behind it");
    if (controller.present[DEVICE_KEYBOARD]) d->info.kinds |= INPUT_KEYBOARD;
    if (controller.present[DEVICE_MOUSE]) d->info.kinds |= INPUT_MOUSE;
    if (controller.present[DEVICE_KEYBOARD]) d->info.lights = INPUT_LED_NUM | INPUT_LED_CAPS | INPUT_LED_SCROLL;
    for (uint64_t key = 0; works && key < DEVICES; key++) {
        if (controller.present[key] &&
            scheme_event_add(&d->scheme, SERVICE_SLOT(3) + (handle_t)key, EVENT_IN, key) != 0)
            service_log("ps2: cannot wait for interrupts");
        ps2_interrupt(d, key);
    }
}

int main(void) {
    static struct input_device device = {.ops = &ps2_ops, .info = {.name = "PS/2 keyboard and mouse"}};
    if (input_init(&device) != 0) return 1;
    start(&device);
    return -input_serve(&device);
}
