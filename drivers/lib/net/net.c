// SPDX-License-Identifier: MIT
/*
 * The loop. A turn: what woke us (an interrupt, a post, a call), then all that the client wants and the driver has room
 * for, then one kick of the device and at most one post to the client.
 */
#include "private.h"
#include <stdlib.h>
#include <time.h>

static void turn_end(struct net_device *d) {
    session_pump(d);
    session_publish(d);
    captures_publish(d);
}

static void net_event(struct scheme *s, uint64_t key, uint32_t mask) {
    struct net_device *d = device_of(s);
    d->statistics.interrupts++;
    d->ops->interrupt(d, key);
    turn_end(d);
}

static void net_posted(struct scheme *s) {
    device_of(s)->statistics.doorbells++;
    turn_end(device_of(s));
}

static void net_timeout(struct scheme *s) {
    s->deadline = DEADLINE_NEVER;
    if (device_of(s)->ops->timeout) device_of(s)->ops->timeout(device_of(s));
    turn_end(device_of(s));
}

static struct scheme_ops ops;
static int64_t net_handle(struct scheme *s, struct port_buffer *call) {
    uint32_t op = call->request.op;
    int64_t result = op < SCHEME_HANDLERS ? net_scheme_ops.handler[op](s, call) : net_scheme_ops.user(s, call);
    turn_end(device_of(s));
    return result;
}

void net_link(struct net_device *d, uint32_t link) {
    struct session *s = session_of(d);
    if (d->link == link) return;
    service_log(link ? "link up, %u Mbit/s" : "link down", link);
    d->link = link;
    d->statistics.link_changes++;
    if (!d->running) return;
    atomic_store_explicit(&s->rings->link, link, memory_order_release);
    d->statistics.posts++;
    sys_event_post(s->event, 1);
}

int net_init(struct net_device *d, handle_t function) {
    struct timespec now;
    ops = (struct scheme_ops){.user = net_handle, .event = net_event, .posted = net_posted, .timeout = net_timeout};
    for (unsigned i = 0; i < SCHEME_HANDLERS; i++)
        if (net_scheme_ops.handler[i]) ops.handler[i] = net_handle;
    d->function = function;
    d->private = calloc(1, sizeof(*d->private));
    if (!d->private) return -ENOMEM;
    clock_gettime(CLOCK_MONOTONIC, &now);
    d->private->next_id = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec; /* no id of an earlier instance */
    int e = scheme_init(&d->scheme, SERVICE_SCHEME, &ops, d);
    if (e) return e;
    d->private->doorbell = (handle_t)sys_handle_duplicate(d->scheme.event, HANDLE_FREE, HANDLE_IN_UPPER,
                                                          RIGHT_WRITE | RIGHT_TRANSFER | RIGHT_DUPLICATE);
    return d->private->doorbell < 0 ? d->private->doorbell : 0;
}

int net_serve(struct net_device *d) {
    const uint8_t *a = d->info.address;
    service_log("%s %02x:%02x:%02x:%02x:%02x:%02x", d->info.driver, a[0], a[1], a[2], a[3], a[4], a[5]);
    service_tell(&(struct service_message){.kind = SERVICE_NODE, .unit = 0}, HANDLE_NONE);
    service_tell(&(struct service_message){.kind = SERVICE_READY}, HANDLE_NONE);
    return scheme_serve(&d->scheme);
}
