// SPDX-License-Identifier: MIT
/* The serial side of a terminal (line.h). */
#include "line.h"
#include <service.h>
#include <string.h>
#include <sys/ioctl.h>

#define DRIVER_PATIENCE_NS 10000000000LL

static struct line *line_of(struct terminal *t) { return &((struct serial_terminal *)t)->line; }

static int line_open(struct terminal *t) {
    struct line *l = line_of(t);
    struct call_args args = {
        .request = {.op = OP_OPEN, .args = {FILE_READ_WRITE | FILE_NOCTTY}, .length = (uint32_t)strlen(l->name)},
        .in = l->name,
        .carry = HANDLE_NONE,
        .handle_flags = HANDLE_IN_UPPER,
        .deadline = time_now_ns() + DRIVER_PATIENCE_NS,
    };
    long e = sys_call(HANDLE_NAMESPACE, &args);
    if (e < 0) return (int)e;
    l->file = args.reply.handle;
    l->watched = 0;
    return 0;
}

static void line_watch(struct terminal *t, uint32_t mask) {
    struct line *l = line_of(t);
    if (l->watched == mask) return;
    if (l->watched) (void)!scheme_event_delete(t->scheme, l->file);
    l->watched = scheme_event_add(t->scheme, l->file, mask, l->key) == 0 ? mask : 0;
}

static void line_lost(struct terminal *t) {
    struct line *l = line_of(t);
    line_watch(t, 0);
    sys_handle_close(l->file);
    l->file = HANDLE_NONE;
    int e = line_open(t); /* waits for the driver's next instance */
    if (e) service_log("tty: %s is gone (error %d)", l->name, -e);
}

static void pump_out(struct terminal *t) {
    const uint8_t *bytes;
    size_t count;
    while ((count = ldisc_output_peek(&t->ldisc, &bytes)) > 0) {
        long n = sys_write(line_of(t)->file, bytes, count, OFFSET_CURRENT, IO_NONBLOCK | IO_NO_SIGNAL, 0);
        if (n <= 0) return;
        ldisc_output_done(&t->ldisc, (size_t)n);
    }
}

static void pump_held(struct line *l, struct ldisc *ld) {
    size_t n = ldisc_receive(ld, l->held + l->held_at, l->held_count, time_now_ns());
    l->held_at += (uint32_t)n;
    l->held_count -= (uint32_t)n;
}

/* False: the driver is gone. */
static bool pump_in(struct terminal *t) {
    struct line *l = line_of(t);
    if (l->held_count > 0) pump_held(l, &t->ldisc);
    while (l->held_count == 0) {
        long n = sys_read(l->file, l->held, sizeof(l->held), OFFSET_CURRENT, IO_NONBLOCK, 0);
        if (n <= 0) return n == -EAGAIN || n == -EINTR;
        l->held_at = 0;
        l->held_count = (uint32_t)n;
        pump_held(l, &t->ldisc);
    }
    return true;
}

static void line_pump(struct terminal *t) {
    struct line *l = line_of(t);
    const uint8_t *bytes;
    if (l->file == HANDLE_NONE) return;
    if (!pump_in(t)) {
        line_lost(t);
        if (l->file == HANDLE_NONE) return;
    }
    pump_out(t);
    line_watch(t, (l->held_count == 0 ? EVENT_IN : 0u) | (ldisc_output_peek(&t->ldisc, &bytes) > 0 ? EVENT_OUT : 0u));
}

/* Passes an ioctl on to the driver. */
static int64_t line_control(struct terminal *t, uint32_t request, void *data, uint32_t length, uint32_t room) {
    struct call_args args = {
        .request = {.op = OP_CONTROL, .args = {request, 1, room}, .length = length},
        .in = data,
        .out = data,
        .out_size = room,
        .carry = HANDLE_NONE,
        .deadline = DEADLINE_NEVER,
    };
    return line_of(t)->file == HANDLE_NONE ? -EIO : sys_call(line_of(t)->file, &args);
}

const struct terminal_ops line_ops = {.pump = line_pump, .control = line_control, .drains = true};

void line_start(struct serial_terminal *st) {
    struct line *l = &st->line;
    int e = line_open(&st->terminal);
    if (e) {
        l->file = HANDLE_NONE;
        service_log("tty: cannot open %s (error %d)", l->name, -e);
        return;
    }
    terminal_changed(&st->terminal);
}
