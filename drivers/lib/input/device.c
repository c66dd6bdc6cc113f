// SPDX-License-Identifier: MIT
/*
 * The driver's side (input_device.h): what the device says goes as events to all who have it open, each through a
 * channel of its own.  A reader whose channel is full loses whole groups of events and finds SYN_DROPPED instead.
 */
#include <flat.h>
#include <input_device.h>
#include <service.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define NAME "0"
#define CHANNEL_BYTES (256 * sizeof(struct input_event))
#define AT_ONCE (4096 / sizeof(struct input_event)) /* these go in one piece or not at all */
#define TURNS 16 /* of taking what one of them writes: then others get theirs */
#define LIGHTS (INPUT_LED_NUM | INPUT_LED_CAPS | INPUT_LED_SCROLL)

struct input_reader { /* one open */
    struct input_reader *next;
    uint64_t id; /* of the file, and of what is written to it */
    handle_t channel, theirs; /* our end, and the one that the file has */
    bool dropped; /* it has to be told so */
};

static uint64_t last_id;

static struct input_device *device_of(struct scheme *s) {
    return (struct input_device *)((char *)s - offsetof(struct input_device, scheme));
}

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* --- events --- */
static bool put(const struct input_reader *r, const struct input_event *events, size_t count) {
    size_t size = count * sizeof(*events);
    return sys_write(r->channel, events, size, OFFSET_CURRENT, IO_NONBLOCK | IO_NO_SIGNAL, 0) == (long)size;
}

static void dropped_tell(struct input_reader *r) {
    struct input_event said = {now_ns(), INPUT_SYN, SYN_DROPPED, 0};
    r->dropped = !put(r, &said, 1);
}

static void give(struct input_reader *r, const struct input_event *events, size_t count) {
    if (r->dropped) dropped_tell(r);
    if (!r->dropped) r->dropped = !put(r, events, count);
}

static void group_send(struct input_device *d) {
    for (size_t done = 0, n; done < d->count; done += n) {
        n = d->count - done < AT_ONCE ? d->count - done : AT_ONCE;
        for (struct input_reader *r = d->readers; r; r = r->next)
            if (!d->grabber || r == d->grabber) give(r, d->group + done, n);
    }
    d->count = 0;
}

void input_tell(struct input_device *d, uint16_t type, uint16_t code, int32_t value) {
    struct input_event e = {now_ns(), type, code, value};
    bool end = type == INPUT_SYN || d->count == INPUT_GROUP_MAX - 2;
    if (type != INPUT_SYN && input_state_news(&d->state, &e)) d->group[d->count++] = e;
    if (!end || d->count == 0) return;
    d->group[d->count++] = (struct input_event){e.time_ns, INPUT_SYN, SYN_REPORT, 0};
    group_send(d);
}

/* --- time --- */
static void deadline_set(struct input_device *d) {
    bool repeats = d->repeats && d->state.repeats;
    d->scheme.deadline = repeats && d->state.repeat_ns < d->deadline ? d->state.repeat_ns : d->deadline;
}

static void device_timeout(struct scheme *s) {
    struct input_device *d = device_of(s);
    if (now_ns() >= d->deadline) {
        d->deadline = DEADLINE_NEVER;
        if (d->ops->timeout) d->ops->timeout(d);
    }
    if (d->ops->poll) d->ops->poll(d);
    uint16_t key = d->repeats ? input_state_repeat(&d->state, now_ns()) : 0;
    if (key) {
        int64_t next = d->state.repeat_ns;
        input_tell(d, INPUT_KEY, key, 2);
        input_tell(d, INPUT_SYN, SYN_REPORT, 0);
        d->state.repeat_ns = next;
    }
    deadline_set(d);
}

/* --- files --- */
static struct input_reader *reader_of(struct input_device *d, uint64_t id) {
    struct input_reader *r = d->readers;
    while (r && r->id != id) r = r->next;
    return r;
}

static bool is_unit(const struct port_buffer *call) {
    return call->request.length == strlen(NAME) && memcmp(call->data, NAME, strlen(NAME)) == 0;
}

static struct input_reader *reader_make(struct input_device *d) {
    struct input_reader *r = calloc(1, sizeof(*r));
    handle_t ends[2];
    if (!r || sys_channel_create(HANDLE_IN_UPPER << 16, CHANNEL_BYTES, ends) < 0) {
        free(r);
        return nullptr;
    }
    *r = (struct input_reader){.next = d->readers, .id = ++last_id, .channel = ends[0], .theirs = ends[1]};
    if (scheme_event_add(&d->scheme, r->channel, EVENT_IN, r->id) != 0) {
        sys_handle_close(ends[0]);
        sys_handle_close(ends[1]);
        free(r);
        return nullptr;
    }
    return d->readers = r;
}

static int64_t device_open(struct scheme *s, struct port_buffer *call) {
    const struct credentials *c = scheme_credentials(s, call->request.credentials);
    if (flat_is_root(call)) return flat_open(call);
    if (!is_unit(call)) return -ENOENT;
    if (!c || !(c->privileges & PRIVILEGE_ROOT)) return -EACCES;
    struct input_reader *r = reader_make(device_of(s));
    if (!r) return -ENOMEM;
    reply_file(call, r->id, FILE_KIND_WATCHABLE);
    call->reply.flags |= REPLY_HANDLE;
    call->reply.handle = r->theirs;
    call->reply.args[2] = PLANE_CHANNEL;
    return 0;
}

static void reader_drop(struct input_device *d, struct input_reader *r) {
    struct input_reader **at = &d->readers;
    while (*at != r) at = &(*at)->next;
    *at = r->next;
    if (d->grabber == r) d->grabber = nullptr;
    (void)!scheme_event_delete(&d->scheme, r->channel);
    sys_handle_close(r->channel);
    sys_handle_close(r->theirs);
    free(r);
}

static int64_t device_close(struct scheme *s, struct port_buffer *call) {
    struct input_device *d = device_of(s);
    struct input_reader *r = reader_of(d, call->request.object);
    if (r) reader_drop(d, r);
    return 0;
}

static int64_t device_read(struct scheme *s, struct port_buffer *call) {
    static const char *const names[] = {NAME};
    return flat_is_root(call) ? flat_read(call, names, 1) : -EINVAL;
}

static int64_t device_stat(struct scheme *s, struct port_buffer *call) {
    struct file_attributes a = {.inode = 2, .links = 1, .mode = S_IFCHR | 0600, .block_size = 4096};
    if (flat_is_root(call)) return flat_stat(call);
    if (call->request.object == 0 && !is_unit(call)) return -ENOENT;
    memcpy(call->data, &a, sizeof(a));
    call->reply.length = sizeof(a);
    return 0;
}

/* --- what readers want --- */

/* The others hear nothing of keys that are let go meanwhile. */
static int64_t request_grab(struct input_device *d, struct input_reader *reader, bool wanted) {
    if (d->grabber && d->grabber != reader) return -EBUSY;
    for (struct input_reader *r = d->readers; wanted && !d->grabber && r; r = r->next)
        if (r != reader) dropped_tell(r);
    d->grabber = wanted ? reader : nullptr;
    return 0;
}

static int64_t device_user(struct scheme *s, struct port_buffer *call) {
    struct input_device *d = device_of(s);
    struct input_reader *r = reader_of(d, call->request.object);
    if (!r) return -ENOSYS;
    switch ((enum input_op)call->request.op) {
    case INPUT_INFO:
        memcpy(call->data, &d->info, sizeof(d->info));
        call->reply.length = sizeof(d->info);
        return 0;
    case INPUT_GRAB: return request_grab(d, r, call->request.args[0] != 0);
    }
    return -ENOSYS;
}

static void written(struct input_device *d, const struct input_reader *r) {
    struct input_event events[16];
    unsigned lights = d->lights;
    long n = 1;
    for (int turn = 0; turn < TURNS && n > 0; turn++) {
        n = sys_read(r->channel, events, sizeof(events), OFFSET_CURRENT, IO_NONBLOCK, 0);
        for (size_t i = 0; n > 0 && i < (size_t)n / sizeof(events[0]); i++) {
            unsigned bit = events[i].type == INPUT_LED && events[i].code <= LED_SCROLLL ? 1u << events[i].code : 0;
            lights = events[i].value ? lights | bit : lights & ~bit;
        }
    }
    if (lights == d->lights) return;
    d->lights = lights;
    d->ops->lights(d, lights & LIGHTS);
}

static void device_event(struct scheme *s, uint64_t key, uint32_t mask) {
    struct input_device *d = device_of(s);
    const struct input_reader *r = key < INPUT_DRIVER_KEYS ? nullptr : reader_of(d, key);
    if (key < INPUT_DRIVER_KEYS) d->ops->interrupt(d, key);
    else if (r) written(d, r);
    deadline_set(d);
}

static const struct scheme_ops device_ops = {
    .handler =
        {
            [OP_OPEN] = device_open,
            [OP_CLOSE] = device_close,
            [OP_READ] = device_read,
            [OP_STAT] = device_stat,
        },
    .user = device_user,
    .event = device_event,
    .timeout = device_timeout,
};

int input_init(struct input_device *d) {
    d->deadline = DEADLINE_NEVER;
    last_id = INPUT_DRIVER_KEYS + (uint64_t)now_ns(); /* no id of an earlier instance */
    return scheme_init(&d->scheme, SERVICE_SCHEME, &device_ops, nullptr);
}

int input_serve(struct input_device *d) {
    struct service_message unit = {.kind = SERVICE_NODE, .unit = 0, .class_code = SERVICE_UNIT_STREAM};
    if (d->info.kinds) service_tell(&unit, HANDLE_NONE);
    service_tell(&(struct service_message){.kind = SERVICE_READY}, HANDLE_NONE);
    deadline_set(d);
    return scheme_serve(&d->scheme);
}
