// SPDX-License-Identifier: MIT
/* What event.c (event objects) and poll.c (poll(2)) share. */
#pragma once
#include <kernel/event.h>
#include <kernel/file.h>

struct poll_call { /* one event_poll under way */
    struct thread *thread;
    _Atomic bool fired; /* a source has notified since the last look */
};
struct watch { /* on its source's list, under source->watch_lock */
    struct list link;
    struct object *source;
    uint32_t mask;
    bool linked;
    struct event_object *event; /* part of a struct interest; or null: */
    struct poll_call *poll;
};
struct interest {
    struct watch watch;
    _Atomic uint32_t refs; /* one while linked */
    /* under the event's lock */
    struct tree_node node; /* key = handle number << 32 | serial */
    struct list ready_link;
    uint64_t key; /* the user's */
    uint32_t flags; /* EVENT_EDGE, EVENT_ONESHOT */
    bool disabled, dead; /* one shot fired; removed */
};
struct event_object {
    struct object object;
    uint64_t counter;
    struct list ready; /* struct interest */
    struct spinlock lock; /* RANK_EVENT */
    struct list readers, writers; /* struct waiter */
    struct thread *port_waiter; /* reference */
    _Atomic bool *port_hint; /* its port's */
    struct tree interests;
    uint32_t serial;
    _Atomic uint32_t status;
    _Atomic bool chained; /* in a list of events whose watchers are to be told */
    struct event_object *chain;
};

/* The object whose list a watch of `o` goes to: a file's channel, if it has one. */
struct object *watch_target(struct object *o);
/* The mask ready now, or -errno; may make a call to the source's server. */
int source_ready(struct object *o, uint32_t mask);
void watch_link(struct watch *w);
bool watch_unlink(struct watch *w); /* false: it was off already */
