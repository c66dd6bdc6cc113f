// SPDX-License-Identifier: MIT
/*
 * Setting up the controller: both ports off, what they had sent thrown away, self-test, interfaces tested, then the
 * devices reset and told to send.  Until then nothing interrupts, and all answers are polled for.
 */
#include "i8042.h"
#include "i8042_hw.h"
#include <port_io.h>
#include <string.h>
#include <time.h>

#define STEP_NS 100000 /* between two looks */
#define PATIENCE_MS 100 /* for an answer */
#define RESET_MS 800 /* for that of a device's self-test */
#define TRIES 3
#define FLUSH_MAX 64

static uint8_t status_read(const struct i8042 *c) { return port_read8(c->command, PORT_STATUS); }

static void pause_step(void) { nanosleep(&(struct timespec){.tv_nsec = STEP_NS}, nullptr); }

static bool status_wait(const struct i8042 *c, uint8_t mask, uint8_t wanted, unsigned ms) {
    for (unsigned i = 0; (status_read(c) & mask) != wanted; i++) {
        if (i == ms * (1000000 / STEP_NS)) return false;
        pause_step();
    }
    return true;
}

static bool command_write(const struct i8042 *c, uint8_t command) {
    if (!status_wait(c, STATUS_INPUT, 0, PATIENCE_MS)) return false;
    port_write8(c->command, PORT_COMMAND, command);
    return true;
}

static bool data_write(const struct i8042 *c, uint8_t value) {
    if (!status_wait(c, STATUS_INPUT, 0, PATIENCE_MS)) return false;
    port_write8(c->data, PORT_DATA, value);
    return true;
}

/* -1: no answer. */
static int data_read(const struct i8042 *c, unsigned ms) {
    return status_wait(c, STATUS_OUTPUT, STATUS_OUTPUT, ms) ? port_read8(c->data, PORT_DATA) : -1;
}

static int command_ask(const struct i8042 *c, uint8_t command) {
    return command_write(c, command) ? data_read(c, PATIENCE_MS) : -1;
}

static void flush(const struct i8042 *c) {
    for (int i = 0; i < FLUSH_MAX && status_read(c) & STATUS_OUTPUT; i++) port_read8(c->data, PORT_DATA);
}

/* --- devices, by polling --- */
static bool device_write(const struct i8042 *c, enum device d, uint8_t value) {
    return (d == DEVICE_KEYBOARD || command_write(c, CONTROLLER_TO_SECOND)) && data_write(c, value);
}

/* Sends one byte; true: it was acknowledged. */
static bool device_send(const struct i8042 *c, enum device d, uint8_t value) {
    int answer = DEVICE_RESEND;
    for (int i = 0; i < TRIES && answer == DEVICE_RESEND; i++)
        answer = device_write(c, d, value) ? data_read(c, PATIENCE_MS) : -1;
    return answer == DEVICE_ACK;
}

static bool device_reset(const struct i8042 *c, enum device d) {
    if (!device_send(c, d, DEVICE_RESET) || data_read(c, RESET_MS) != DEVICE_TESTED) return false;
    if (d == DEVICE_MOUSE) data_read(c, PATIENCE_MS); /* its kind, which is asked for later */
    return true;
}

static bool keyboard_init(const struct i8042 *c) {
    return device_reset(c, DEVICE_KEYBOARD) && device_send(c, DEVICE_KEYBOARD, DEVICE_SCAN_SET) &&
           device_send(c, DEVICE_KEYBOARD, 2) && device_send(c, DEVICE_KEYBOARD, DEVICE_REPORT);
}

static int mouse_kind(const struct i8042 *c) {
    return device_send(c, DEVICE_MOUSE, DEVICE_IDENTIFY) ? data_read(c, PATIENCE_MS) : -1;
}

/* Sampling rates in this order are the knock that opens a mouse's further abilities. */
static int mouse_knock(const struct i8042 *c, const uint8_t rates[3]) {
    for (int i = 0; i < 3; i++)
        if (!device_send(c, DEVICE_MOUSE, DEVICE_RATE) || !device_send(c, DEVICE_MOUSE, rates[i])) return -1;
    return mouse_kind(c);
}

static bool mouse_init(struct i8042 *c) {
    static const uint8_t wheel[] = {200, 100, 80}, five[] = {200, 200, 80};
    if (!device_reset(c, DEVICE_MOUSE)) return false;
    int kind = mouse_knock(c, wheel);
    if (kind == MOUSE_WHEEL && mouse_knock(c, five) == MOUSE_FIVE) kind = MOUSE_FIVE;
    c->mouse =
        (struct mouse){.packet_size = kind == MOUSE_WHEEL || kind == MOUSE_FIVE ? 4 : 3, .five = kind == MOUSE_FIVE};
    return device_send(c, DEVICE_MOUSE, DEVICE_REPORT);
}

/* --- the controller --- */
static bool config_write(const struct i8042 *c, uint8_t config) {
    return command_write(c, CONTROLLER_WRITE_CONFIG) && data_write(c, config);
}

/* The second port is there if it can be switched on. */
static bool has_second(const struct i8042 *c) {
    if (!command_write(c, CONTROLLER_ENABLE_SECOND)) return false;
    int config = command_ask(c, CONTROLLER_READ_CONFIG);
    return command_write(c, CONTROLLER_DISABLE_SECOND) && config >= 0 && !(config & CONFIG_SECOND_OFF);
}

bool i8042_init(struct i8042 *c) {
    if (status_read(c) == STATUS_NOTHING) return false;
    if (!command_write(c, CONTROLLER_DISABLE_FIRST) || !command_write(c, CONTROLLER_DISABLE_SECOND)) return false;
    flush(c);
    int config = command_ask(c, CONTROLLER_READ_CONFIG);
    if (config < 0) return false;
    config &= ~(CONFIG_FIRST_INTERRUPT | CONFIG_SECOND_INTERRUPT | CONFIG_TRANSLATE);
    if (!config_write(c, (uint8_t)config) || command_ask(c, CONTROLLER_TEST) != CONTROLLER_TESTED) return false;
    if (!config_write(c, (uint8_t)config)) return false; /* some forget it by the test */
    bool second = has_second(c);
    bool first = command_ask(c, CONTROLLER_TEST_FIRST) == 0;
    second = second && command_ask(c, CONTROLLER_TEST_SECOND) == 0;
    if (first && command_write(c, CONTROLLER_ENABLE_FIRST)) c->present[DEVICE_KEYBOARD] = keyboard_init(c);
    if (c->present[DEVICE_KEYBOARD])
        command_write(c, CONTROLLER_DISABLE_FIRST); /* a key must not look like an answer */
    if (second && command_write(c, CONTROLLER_ENABLE_SECOND)) c->present[DEVICE_MOUSE] = mouse_init(c);
    c->leds_sent = 0xff;
    config &= ~(CONFIG_FIRST_OFF | CONFIG_SECOND_OFF);
    config |= c->present[DEVICE_KEYBOARD] ? CONFIG_FIRST_INTERRUPT : CONFIG_FIRST_OFF;
    config |= c->present[DEVICE_MOUSE] ? CONFIG_SECOND_INTERRUPT : CONFIG_SECOND_OFF;
    return config_write(c, (uint8_t)config) && (c->present[DEVICE_KEYBOARD] || c->present[DEVICE_MOUSE]);
}

bool i8042_read(struct i8042 *c, enum device *from, uint8_t *byte) {
    uint8_t status = status_read(c);
    if (status == STATUS_NOTHING || !(status & STATUS_OUTPUT)) return false;
    *byte = port_read8(c->data, PORT_DATA);
    *from = status & STATUS_SECOND ? DEVICE_MOUSE : DEVICE_KEYBOARD;
    return true;
}

/* --- lights: a command that is answered while keys come in between --- */
static void leds_next(struct i8042 *c) {
    c->waits = 0;
    if (c->leds == c->leds_sent || !c->present[DEVICE_KEYBOARD]) return;
    if (data_write(c, DEVICE_LEDS)) c->waits = 1;
}

void i8042_set_leds(struct i8042 *c, unsigned leds) {
    c->leds =
        (uint8_t)((leds & INPUT_LED_SCROLL ? 1 : 0) | (leds & INPUT_LED_NUM ? 2 : 0) | (leds & INPUT_LED_CAPS ? 4 : 0));
    c->tries = 0;
    if (!c->waits) leds_next(c);
}

void i8042_give_up(struct i8042 *c) {
    c->waits = 0;
    c->leds_sent = c->leds; /* no use in asking again for the same */
}

static void leds_answer(struct i8042 *c, uint8_t byte) {
    uint8_t answered = c->waits;
    c->waits = 0;
    if (byte == DEVICE_RESEND) {
        bool again = ++c->tries < TRIES;
        c->leds_sent = again ? 0xff : c->leds;
        leds_next(c);
    } else if (answered == 1) {
        c->leds_sent = c->leds;
        c->waits = data_write(c, c->leds) ? 2 : 0;
    } else {
        leds_next(c); /* if others were wanted meanwhile */
    }
}

/* --- bytes --- */
size_t i8042_byte(struct i8042 *c, enum device from, uint8_t byte, struct decoded *out) {
    if (from == DEVICE_MOUSE) return c->present[DEVICE_MOUSE] ? mouse_byte(&c->mouse, byte, out) : 0;
    if (c->waits && (byte == DEVICE_ACK || byte == DEVICE_RESEND)) {
        leds_answer(c, byte);
        return 0;
    }
    return keyboard_byte(&c->keyboard, byte, out);
}
