// SPDX-License-Identifier: MIT
/*
 * Serial ports as the scheme `serial:`, files 0 and 1 (COM1, COM2).  A port has one client at a
 * time; its file's data plane is a byte channel, so that data moves without calls to this driver.
 */
#include "uart.h"
#include <flat.h>
#include <service.h>
#include <string.h>
#include <sys/stat.h>

#define UARTS 2
enum { KEY_IRQ, KEY_CHANNEL, KEYS }; /* event key: KEYS * number of the port + which */

static struct uart uarts[UARTS] = {{.base = 0x3f8}, {.base = 0x2f8}};

static struct uart *uart_of(const struct port_buffer *call) {
    uint64_t id = call->request.object - 1;
    return id < UARTS ? &uarts[id] : nullptr;
}

static struct uart *uart_named(const struct port_buffer *call) {
    unsigned number = call->request.length == 1 ? call->data[0] - '0' : UARTS;
    return number < UARTS && uarts[number].present ? &uarts[number] : nullptr;
}

static int64_t serial_open(struct scheme *s, struct port_buffer *call) {
    struct uart *u = uart_named(call);
    if (flat_is_root(call)) return flat_open(call);
    if (!u) return -ENOENT;
    if (u->channel != HANDLE_NONE) return -EBUSY;
    int e = uart_connect(u);
    if (e) return e;
    reply_file(call, (uint64_t)(u - uarts) + 1, FILE_KIND_WATCHABLE);
    call->reply.flags |= REPLY_HANDLE;
    call->reply.handle = u->client_end;
    call->reply.args[2] = PLANE_CHANNEL;
    return 0;
}

static int64_t serial_read(struct scheme *s, struct port_buffer *call) {
    static const char *const names[UARTS] = {"0", "1"};
    return flat_is_root(call) ? flat_read(call, names, UARTS) : -EINVAL;
}

static int64_t serial_stat(struct scheme *s, struct port_buffer *call) {
    const struct uart *u = call->request.object ? uart_of(call) : uart_named(call);
    struct file_attributes a = {.links = 1, .mode = S_IFCHR | 0600, .block_size = 4096};
    if (flat_is_root(call)) return flat_stat(call);
    if (!u) return -ENOENT;
    a.inode = (uint64_t)(u - uarts) + 2;
    memcpy(call->data, &a, sizeof(a));
    call->reply.length = sizeof(a);
    return 0;
}

static int64_t serial_close(struct scheme *s, struct port_buffer *call) {
    struct uart *u = uart_of(call);
    if (u) uart_disconnect(u);
    return 0;
}

static int64_t serial_control(struct scheme *s, struct port_buffer *call) {
    struct uart *u = uart_of(call);
    return u ? uart_control(u, call) : -EIO;
}

static void serial_event(struct scheme *s, uint64_t key, uint32_t mask) {
    struct uart *u = &uarts[key / KEYS];
    if (key % KEYS == KEY_CHANNEL) {
        uart_channel_ready(u, mask);
        return;
    }
    int64_t deadline = uart_interrupt(u);
    if (deadline < s->deadline) s->deadline = deadline;
}

static void serial_timeout(struct scheme *s) {
    s->deadline = DEADLINE_NEVER;
    for (unsigned i = 0; i < UARTS; i++) uart_deadline(&uarts[i]);
}

static const struct scheme_ops serial_ops = {
    .handler =
        {
            [OP_OPEN] = serial_open,
            [OP_CLOSE] = serial_close,
            [OP_READ] = serial_read,
            [OP_STAT] = serial_stat,
            [OP_CONTROL] = serial_control,
        },
    .event = serial_event,
    .timeout = serial_timeout,
};

int main(void) {
    static struct scheme scheme;
    if (scheme_init(&scheme, SERVICE_SCHEME, &serial_ops, nullptr) != 0) return 1;
    for (unsigned i = 0; i < UARTS; i++) {
        struct uart *u = &uarts[i];
        u->ports = SERVICE_SLOT(1 + 2 * i);
        u->irq = SERVICE_SLOT(2 + 2 * i);
        u->scheme = &scheme;
        u->irq_key = KEYS * i + KEY_IRQ;
        u->channel_key = KEYS * i + KEY_CHANNEL;
        if (uart_probe(u) && scheme_event_add(&scheme, u->irq, EVENT_IN, u->irq_key) != 0) u->present = false;
    }
    return -scheme_serve(&scheme);
}
