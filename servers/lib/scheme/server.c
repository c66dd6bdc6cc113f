// SPDX-License-Identifier: MIT
/*
 * The loop that every server runs.  port_reply_wait() answers one caller and takes the next in one
 * system call; only when parked requests were woken does an answer go out by itself.
 */
#include <scheme.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TURNS_MAX 64 /* between two looks at the clock, while there is always something to do */

struct parked {
    struct parked *next; /* in its queue */
    struct parked *tag_next; /* in scheme->tags */
    struct scheme_queue *queue;
    struct request request;
    uint8_t data[];
};

int scheme_init(struct scheme *s, handle_t scheme, const struct scheme_ops *ops, void *server) {
    *s = (struct scheme){.ops = ops, .deadline = DEADLINE_NEVER, .server = server, .turns = TURNS_MAX};
    long event = sys_event_create(0, HANDLE_IN_UPPER);
    if (event < 0) return (int)event;
    uintptr_t buffer;
    long port = sys_scheme_attach(scheme, (handle_t)event, &buffer);
    if (port < 0) {
        sys_handle_close((handle_t)event);
        return (int)port;
    }
    s->event = (handle_t)event;
    s->port = (handle_t)port;
    s->buffer = (struct port_buffer *)buffer;
    return 0;
}

static void queue_append(struct scheme_queue *q, struct parked *p) {
    p->next = nullptr;
    p->queue = q;
    if (q->last) q->last->next = p;
    else q->first = p;
    q->last = p;
}

static void queue_remove(struct parked *p) {
    struct scheme_queue *q = p->queue;
    struct parked *before = nullptr;
    for (struct parked *i = q->first; i != p; i = i->next) before = i;
    if (before) before->next = p->next;
    else q->first = p->next;
    if (q->last == p) q->last = before;
}

/* Takes the parked request with this tag out of the table; null if there is none. */
static struct parked *tag_take(struct scheme *s, uint32_t tag) {
    for (struct parked **p = &s->tags[tag % SCHEME_TAG_BUCKETS]; *p; p = &(*p)->tag_next) {
        struct parked *found = *p;
        if (found->request.tag == tag) {
            *p = found->tag_next;
            return found;
        }
    }
    return nullptr;
}

int64_t scheme_park(struct scheme *s, struct port_buffer *call, struct scheme_queue *q) {
    struct parked *p = s->spare;
    s->spare = nullptr;
    if (!p) {
        p = malloc(sizeof(*p) + call->request.length);
        if (!p) return -ENOMEM;
        memcpy(p->data, call->data, call->request.length);
    }
    p->request = call->request;
    queue_append(q, p);
    p->tag_next = s->tags[p->request.tag % SCHEME_TAG_BUCKETS];
    s->tags[p->request.tag % SCHEME_TAG_BUCKETS] = p;
    return PARK;
}

void scheme_wake(struct scheme *s, struct scheme_queue *q) {
    struct parked *p;
    while ((p = q->first)) {
        q->first = p->next;
        queue_append(&s->woken, p);
        s->turns = 1;
    }
    q->last = nullptr;
}

static void request_restore(struct scheme *s, const struct parked *p) {
    s->buffer->request = p->request;
    memcpy(s->buffer->data, p->data, p->request.length);
}

/* Of what has no blocks and no limit: all zero. */
static int64_t statfs_nothing(struct port_buffer *b) {
    memset(b->data, 0, sizeof(struct filesystem_info));
    b->reply.length = sizeof(struct filesystem_info);
    return 0;
}

/* A request without a handler. OP_CANCEL is one-way: what is answered is the parked request. */
[[gnu::noinline]] static int64_t request_unhandled(struct scheme *s, struct port_buffer *b) {
    if (b->request.op == OP_ACCESS && s->ops->handler[OP_STAT]) return access_by_stat(s, b);
    if (b->request.op == OP_STATFS && s->ops->handler[OP_STAT]) return statfs_nothing(b);
    if (b->request.op != OP_CANCEL) return -ENOSYS;
    struct parked *p = tag_take(s, (uint32_t)b->request.args[0]);
    if (!p) return 0;
    queue_remove(p);
    request_restore(s, p);
    free(p);
    b->reply.tag = b->request.tag;
    return s->ops->cancel ? s->ops->cancel(s, b) : -EINTR;
}

/* A handle that came along and that nobody took: any client can send one with any operation. */
static inline void request_drop_handle(struct port_buffer *b) {
    if (b->request.flags & REQUEST_HANDLE) sys_handle_close(request_take_handle(b));
}

static inline void request_serve(struct scheme *s, struct port_buffer *b) {
    uint32_t op = b->request.op;
    b->reply.tag = b->request.tag;
    b->reply.handle = HANDLE_NONE;
    b->reply.flags = b->reply.length = 0;
    memset(b->reply.args, 0, sizeof(b->reply.args));
    int64_t (*handler)(struct scheme *, struct port_buffer *) = s->ops->user;
    if (op < OP_USER) handler = op < SCHEME_HANDLERS ? s->ops->handler[op] : nullptr;
    int64_t result = handler ? handler(s, b) : request_unhandled(s, b);
    b->reply.result = result;
    if (result == PARK) b->reply.tag = 0;
    else request_drop_handle(b);
}

/* Sends the answer in the buffer without taking a new request. What comes nevertheless is the CLOSE
 * of a file whose opener had gone. */
static void answer_send(struct scheme *s) {
    while (s->buffer->reply.tag && sys_port_reply_wait(s->port, PORT_REPLY_ONLY, 0) == PORT_REQUEST)
        request_serve(s, s->buffer);
    s->buffer->reply.tag = 0;
}

[[gnu::noinline]] static void woken_serve(struct scheme *s) {
    struct parked *p;
    while ((p = s->woken.first)) {
        answer_send(s);
        queue_remove(p);
        tag_take(s, p->request.tag);
        request_restore(s, p);
        s->spare = p;
        request_serve(s, s->buffer);
        free(s->spare);
        s->spare = nullptr;
    }
}

/* The request, after the files that were closed before it. */
static void closed_serve(struct scheme *s, struct port_buffer *b) {
    struct request next = b->request;
    for (uint32_t i = 0; i < b->closed_count; i++) {
        b->request = (struct request){.op = OP_CLOSE, .object = b->closed[i]};
        s->ops->handler[OP_CLOSE](s, b);
    }
    b->request = next;
    request_serve(s, b);
}

/* What reply_wait says beside PORT_REQUEST: 0, or the error that ends the loop. */
[[gnu::noinline]] static int other_serve(struct scheme *s, long got) {
    if (got == PORT_CLOSED) return closed_serve(s, s->buffer), 0;
    struct event ready[16];
    s->buffer->reply.tag = 0;
    long count = got == PORT_EVENT ? sys_event_wait(s->event, ready, 16, 0) : 0;
    for (long i = 0; i < count; i++) {
        if (!ready[i].reserved && s->ops->event) s->ops->event(s, ready[i].key, ready[i].mask);
        else if (ready[i].reserved && s->ops->posted) s->ops->posted(s);
    }
    if ((got == -ETIMEDOUT || got == -EAGAIN) && s->ops->timeout) s->ops->timeout(s); /* EAGAIN: of the deadline 0 */
    return got == PORT_EVENT || got == -ETIMEDOUT || got == -EINTR || got == -EAGAIN ? 0 : (int)got;
}

/* The kernel tells of a deadline only when nothing else is to be told. */
static void deadline_look(struct scheme *s) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    if (t.tv_sec * 1000000000LL + t.tv_nsec < s->deadline || !s->ops->timeout) return;
    answer_send(s);
    s->ops->timeout(s);
}

/* After some turns, or one that woke requests. */
[[gnu::noinline]] static void turns_end(struct scheme *s) {
    s->turns = TURNS_MAX;
    if (s->deadline != DEADLINE_NEVER) deadline_look(s);
    if (s->woken.first) woken_serve(s);
}

int scheme_serve(struct scheme *s) {
    struct port_buffer *b = s->buffer;
    b->reply.tag = 0;
    for (;;) {
        long got = sys_port_reply_wait(s->port, 0, s->deadline);
        if (got == PORT_REQUEST) {
            request_serve(s, b);
        } else {
            int error = other_serve(s, got);
            if (error) return error;
        }
        if (--s->turns == 0) turns_end(s);
    }
}

int scheme_event_add(struct scheme *s, handle_t h, uint32_t mask, uint64_t key) {
    struct event interest = {.mask = mask, .key = key};
    return (int)sys_event_control(s->event, EVENT_ADD, h, &interest);
}

int scheme_event_delete(struct scheme *s, handle_t h) {
    return (int)sys_event_control(s->event, EVENT_DELETE, h, nullptr);
}

int64_t reply_text(struct port_buffer *call, const char *text, size_t length) {
    uint64_t at = call->request.args[0], size = at < length ? length - at : 0;
    if (size > call->request.args[1]) size = call->request.args[1];
    if (size > CALL_DATA_MAX) size = CALL_DATA_MAX;
    if (size) memcpy(call->data, text + at, size);
    call->reply.length = (uint32_t)size;
    call->reply.args[0] = at + size;
    return (int64_t)size;
}

/* --- access --- */
static bool in_group(const struct credentials *c, uint32_t own, uint32_t gid) {
    for (uint32_t i = 0; i < c->group_count; i++)
        if (c->groups[i] == gid) return true;
    return own == gid;
}

static bool permits(const struct credentials *c, bool effective, const struct file_attributes *a, uint32_t wanted) {
    uint32_t uid = effective ? c->fsuid : c->uid, gid = effective ? c->fsgid : c->gid;
    if (c->privileges & PRIVILEGE_ROOT && (effective || uid == 0)) /* all but execution of what nobody may execute */
        return !(wanted & 1) || a->mode & 0111;
    unsigned shift = uid == a->uid ? 6 : in_group(c, gid, a->gid) ? 3 : 0;
    return (a->mode >> shift & wanted) == wanted;
}

int64_t access_by_stat(struct scheme *s, struct port_buffer *call) {
    const struct credentials *c = scheme_credentials(s, call->request.credentials);
    uint64_t flags = call->request.args[0], wanted = call->request.args[1];
    struct file_attributes a;
    if (wanted & ~7ul) return -EINVAL;
    call->request.op = OP_STAT;
    call->request.args[0] = flags & FILE_NOFOLLOW;
    int64_t result = s->ops->handler[OP_STAT](s, call);
    if (result != 0 || call->reply.flags) return result;
    memcpy(&a, call->data, sizeof(a));
    call->reply.length = 0;
    return c && permits(c, flags & ACCESS_EFFECTIVE, &a, (uint32_t)wanted) ? 0 : -EACCES;
}

const struct credentials *scheme_credentials_fetch(struct scheme *s, uint64_t id) {
    struct credentials **slot = &s->credentials[id % SCHEME_CREDENTIALS_CACHED];
    if (!*slot && !(*slot = malloc(sizeof(**slot)))) return nullptr;
    (*slot)->id = 0;
    if (sys_credentials_info(id, *slot) < 0) return nullptr;
    (*slot)->id = id;
    return *slot;
}
