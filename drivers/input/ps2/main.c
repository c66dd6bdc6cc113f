// SPDX-License-Identifier: MIT
/*
 * The scheme `input:` (drivers/lib/input/include/input.h): what the controller sends goes as events to all who have
 * `events` open, each through a channel of its own.
 *
 * Nothing is lost between the controller and here: its one byte of buffer is read before the interrupt is acknowledged,
 * and once more after it (the lines are edge-triggered).  A reader whose channel is full loses whole groups of events
 * and finds SYN_DROPPED in their place.
 */
#include "i8042.h"
#include <flat.h>
#include <object_map.h>
#include <service.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define NAME "events"
#define CHANNEL_BYTES (256 * sizeof(struct input_event))
#define BYTES_MAX 64 /* of one interrupt: then others get their turn */
enum { KEY_IRQ_KEYBOARD, KEY_IRQ_MOUSE };

struct reader { /* one open */
    struct reader *next;
    uint64_t id;
    handle_t channel, theirs; /* our end, and the one that the file has */
    bool dropped; /* it has to be told so */
};

static struct i8042 controller;
static struct scheme scheme;
static struct reader *readers;
static struct object_map files;
static unsigned leds;

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* --- events --- */
static bool put(const struct reader *r, const struct input_event *events, size_t count) {
    size_t size = count * sizeof(*events);
    /* Up to 4,096 bytes go in one piece or not at all. */
    return sys_write(r->channel, events, size, OFFSET_CURRENT, IO_NONBLOCK | IO_NO_SIGNAL, 0) == (long)size;
}

static void give(struct reader *r, const struct input_event *events, size_t count) {
    if (r->dropped) {
        struct input_event said = {events[0].time_ns, INPUT_SYN, SYN_DROPPED, 0};
        if (!put(r, &said, 1)) return;
    }
    r->dropped = !put(r, events, count);
}

static void broadcast(const struct decoded *found, size_t count) {
    struct input_event events[DECODE_EVENTS_MAX];
    const size_t at_once = 4096 / sizeof(events[0]);
    int64_t now = now_ns();
    for (size_t i = 0; i < count; i++)
        events[i] = (struct input_event){now, found[i].type, found[i].code, found[i].value};
    for (size_t done = 0, n; done < count; done += n) {
        n = count - done < at_once ? count - done : at_once;
        for (struct reader *r = readers; r; r = r->next) give(r, events + done, n);
    }
}

static void bytes_take(void) {
    struct decoded events[DECODE_EVENTS_MAX];
    enum device from;
    uint8_t byte;
    for (int i = 0; i < BYTES_MAX && i8042_read(&controller, &from, &byte); i++) {
        size_t count = i8042_byte(&controller, from, byte, events);
        if (count > 0) broadcast(events, count);
    }
    scheme.deadline = i8042_waits(&controller) ? now_ns() + LEDS_PATIENCE_NS : DEADLINE_NEVER;
}

static void input_event(struct scheme *s, uint64_t key, uint32_t mask) {
    bytes_take();
    sys_irq_acknowledge(key == KEY_IRQ_KEYBOARD ? SERVICE_SLOT(3) : SERVICE_SLOT(4));
    bytes_take();
}

static void input_timeout(struct scheme *s) {
    s->deadline = DEADLINE_NEVER;
    i8042_give_up(&controller);
}

/* --- files --- */
static struct reader *reader_of(const struct port_buffer *call) { return object_get(&files, call->request.object); }

static bool names_events(const struct port_buffer *call) {
    return call->request.length == strlen(NAME) && memcmp(call->data, NAME, strlen(NAME)) == 0;
}

static struct reader *reader_make(void) {
    struct reader *r = calloc(1, sizeof(*r));
    handle_t ends[2];
    if (!r || !(r->id = object_add(&files, r))) {
        free(r);
        return nullptr;
    }
    if (sys_channel_create(HANDLE_IN_UPPER << 16, CHANNEL_BYTES, ends) < 0) {
        object_remove(&files, r->id);
        free(r);
        return nullptr;
    }
    r->channel = ends[0];
    r->theirs = ends[1];
    r->next = readers;
    readers = r;
    return r;
}

static int64_t input_open(struct scheme *s, struct port_buffer *call) {
    const struct credentials *c = scheme_credentials(s, call->request.credentials);
    if (flat_is_root(call)) return flat_open(call);
    if (!names_events(call)) return -ENOENT;
    if (!c || !(c->privileges & PRIVILEGE_ROOT)) return -EACCES;
    struct reader *r = reader_make();
    if (!r) return -ENOMEM;
    reply_file(call, r->id, FILE_KIND_WATCHABLE);
    call->reply.flags |= REPLY_HANDLE;
    call->reply.handle = r->theirs;
    call->reply.args[2] = PLANE_CHANNEL;
    return 0;
}

static int64_t input_close(struct scheme *s, struct port_buffer *call) {
    struct reader *r = reader_of(call), **at = &readers;
    if (!r) return 0;
    while (*at != r) at = &(*at)->next;
    *at = r->next;
    object_remove(&files, r->id);
    sys_handle_close(r->channel);
    sys_handle_close(r->theirs);
    free(r);
    return 0;
}

static int64_t input_read(struct scheme *s, struct port_buffer *call) {
    static const char *const names[] = {NAME};
    return flat_is_root(call) ? flat_read(call, names, 1) : -EINVAL;
}

static int64_t input_stat(struct scheme *s, struct port_buffer *call) {
    struct file_attributes a = {.inode = 2, .links = 1, .mode = S_IFCHR | 0600, .block_size = 4096};
    if (flat_is_root(call)) return flat_stat(call);
    if (call->request.object == 0 && !names_events(call)) return -ENOENT;
    memcpy(call->data, &a, sizeof(a));
    call->reply.length = sizeof(a);
    return 0;
}

static int64_t input_user(struct scheme *s, struct port_buffer *call) {
    if (call->request.op != INPUT_LEDS || !reader_of(call)) return -ENOSYS;
    leds = (unsigned)call->request.args[0] & (INPUT_LED_NUM | INPUT_LED_CAPS | INPUT_LED_SCROLL);
    i8042_set_leds(&controller, leds);
    bytes_take();
    return 0;
}

static const struct scheme_ops input_ops = {
    .handler =
        {
            [OP_OPEN] = input_open,
            [OP_CLOSE] = input_close,
            [OP_READ] = input_read,
            [OP_STAT] = input_stat,
        },
    .user = input_user,
    .event = input_event,
    .timeout = input_timeout,
};

/* The lines are unmasked whatever an earlier instance left, and what came meanwhile is taken. */
static void start(void) {
    controller.data = SERVICE_SLOT(1);
    controller.command = SERVICE_SLOT(2);
    bool works = i8042_init(&controller);
    service_log("ps2: %s%s", controller.present[DEVICE_KEYBOARD] ? "keyboard " : "",
                controller.present[DEVICE_MOUSE] ? "mouse"
                : works                          ? ""
                                                 : "no controller, or nothing behind it");
    for (uint64_t key = 0; works && key < DEVICES; key++) {
        if (controller.present[key] && scheme_event_add(&scheme, SERVICE_SLOT(3) + (handle_t)key, EVENT_IN, key) != 0)
            service_log("ps2: cannot wait for interrupts");
        input_event(&scheme, key, EVENT_IN);
    }
}

int main(void) {
    if (scheme_init(&scheme, SERVICE_SCHEME, &input_ops, nullptr) != 0) return 1;
    start();
    return -scheme_serve(&scheme);
}
