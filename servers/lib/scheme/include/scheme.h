// SPDX-License-Identifier: MIT
/*
 * libscheme: a server is an ops table plus this loop.
 *
 * A handler gets the port buffer: `call->request` and its data in `call->data`; it leaves its answer
 * in `call->reply` (cleared before) and, overwriting the request's data, in `call->data` with
 * reply.length.  It returns a result ≥ 0, -errno, or what scheme_park() returned: then nobody is
 * answered now, and the same handler runs again with the same request when the queue is woken.
 *
 * Order of the loop: bound event first, then woken requests, then new ones; the deadline when nothing waits, or after
 * some turns.  One thread; handlers never block.  A handler that calls another scheme calls one of lower rank only.
 */
#pragma once
#ifndef CATHODE_USER_STUBS
#define CATHODE_USER_STUBS
#endif
#include <abi/errno.h>
#include <abi/syscall.h>

#define PARK INT64_MIN /* no answer now; only by way of scheme_park() */
#define SCHEME_HANDLERS (OP_REOPEN + 1)

struct scheme;
struct parked; /* a request that waits */

struct scheme_ops {
    /* By enum scheme_op; null is ENOSYS (but see access_by_stat). One-way messages have tag 0 and their result is
     * ignored. */
    int64_t (*handler[SCHEME_HANDLERS])(struct scheme *s, struct port_buffer *call);
    int64_t (*user)(struct scheme *s, struct port_buffer *call); /* OP_USER and above */
    /* A parked request gives up: its answer (bytes already done, -EINTR). Null: -EINTR. */
    int64_t (*cancel)(struct scheme *s, struct port_buffer *call);
    void (*event)(struct scheme *s, uint64_t key, uint32_t mask); /* see scheme_event_add */
    void (*posted)(struct scheme *s); /* s->event itself was posted: whom it was given to (RIGHT_WRITE) rings so */
    void (*timeout)(struct scheme *s); /* s->deadline has passed */
};

struct scheme_queue { /* requests that wait for one condition; zero is empty */
    struct parked *first, *last;
};

#define SCHEME_TAG_BUCKETS 64
#define SCHEME_CREDENTIALS_CACHED 32
struct scheme {
    const struct scheme_ops *ops;
    struct port_buffer *buffer;
    handle_t port, event;
    int64_t deadline; /* absolute CLOCK_MONOTONIC ns for ops->timeout; DEADLINE_NEVER */
    void *server; /* the server's own */
    /* private to libscheme */
    uint32_t turns; /* of the loop, until it looks at the clock and at `woken` */
    struct scheme_queue woken;
    struct parked *tags[SCHEME_TAG_BUCKETS];
    struct parked *spare; /* the request being run again: parks again without allocating */
    struct credentials *credentials[SCHEME_CREDENTIALS_CACHED];
};

/* Attaches to the scheme (a handle with RIGHT_SERVE) as its server thread. 0 or -errno. */
[[nodiscard]] int scheme_init(struct scheme *s, handle_t scheme, const struct scheme_ops *ops, void *server);
/* Serves until the port is gone; returns -errno. */
int scheme_serve(struct scheme *s);

/* Puts the request at hand (its data untouched) on q: PARK, or -ENOMEM. What the handler stored in
 * request.args is kept for the next run: progress of a partly done request lives there, but not in args[3], which is
 * the handle that any client may have sent along. */
[[nodiscard]] int64_t scheme_park(struct scheme *s, struct port_buffer *call, struct scheme_queue *q);
/* Is the request at hand running again after scheme_park()? */
static inline bool scheme_again(const struct scheme *s) { return s->spare; }
/* All requests on q run again after the one at hand, in the order in which they parked. */
void scheme_wake(struct scheme *s, struct scheme_queue *q);

/* ops->event(key) is called while `mask` holds for h. h: channel, interrupt, timer, process, file. */
[[nodiscard]] int scheme_event_add(struct scheme *s, handle_t h, uint32_t mask, uint64_t key);
[[nodiscard]] int scheme_event_delete(struct scheme *s, handle_t h);

/* The record of request.credentials, valid until the next such call; null if it is unknown.
 * Records are immutable and ids never reused: a cached one stays true. */
const struct credentials *scheme_credentials_fetch(struct scheme *s, uint64_t id);
static inline const struct credentials *scheme_credentials(struct scheme *s, uint64_t id) {
    const struct credentials *known = s->credentials[id % SCHEME_CREDENTIALS_CACHED];
    return known && known->id == id ? known : scheme_credentials_fetch(s, id);
}
static inline long scheme_caller(struct scheme *s, struct port_buffer *call, struct caller_info *out) {
    return sys_port_caller(s->port, call->request.tag, out);
}

/* Readiness of one open file: OP_WATCH answers through watch_arm, changes go through watch_post. */
struct scheme_watch {
    uint32_t armed;
};
static inline int64_t watch_arm(struct scheme_watch *w, uint32_t wanted, uint32_t ready) {
    ready &= wanted | EVENT_ERROR | EVENT_HANGUP;
    if (!ready || wanted & EVENT_EDGE) w->armed |= wanted | EVENT_ERROR | EVENT_HANGUP;
    return ready;
}
static inline void watch_post(struct scheme *s, struct scheme_watch *w, uint64_t object, uint32_t ready) {
    if (!(w->armed & ready)) return;
    w->armed = 0;
    sys_port_notify(s->port, object, ready);
}

/* The handle that came along (REQUEST_HANDLE) becomes the handler's; else it is closed after the answer. */
static inline handle_t request_take_handle(struct port_buffer *call) {
    call->request.flags &= (uint16_t)~REQUEST_HANDLE;
    return (handle_t)call->request.args[3];
}

/* The answer to OP_OPEN: a file of this scheme without a data plane. Returns 0. */
static inline int64_t reply_file(struct port_buffer *call, uint64_t object, uint32_t kind) {
    call->reply.flags = REPLY_FILE;
    call->reply.args[0] = object;
    call->reply.args[2] = PLANE_NONE;
    call->reply.args[3] = kind;
    return 0;
}

/* The answer to OP_READ of a file that is this text (not in call->data). */
int64_t reply_text(struct port_buffer *call, const char *text, size_t length);

/* OP_ACCESS, by the owner and the mode that ops' OP_STAT tells: what a scheme without a handler of its own answers. */
int64_t access_by_stat(struct scheme *s, struct port_buffer *call);
