// SPDX-License-Identifier: MIT
/*
 * Schemes: creation, one-way notes, failure and death.  The call itself is call.c, the server's side
 * port.c.
 *
 * A scheme lives as long as anything refers to it; when its last *handle* goes (supervisor and
 * servers hold those) it has failed: nobody can serve it again.
 */
#include <kernel/clock.h>
#include <kernel/file.h>
#include <kernel/mm.h>
#include <kernel/process.h>
#include "ipc.h"

#define CLOSE_LATE_NS 50000000LL

static struct spinlock schemes_lock = SPINLOCK_INIT(RANK_HANDLES);
static struct list schemes = {&schemes, &schemes};

/* Calls not yet received. */
static void scheme_flush_queue(struct scheme *s) {
    spin_lock(&s->lock);
    while (!list_empty(&s->queue)) {
        struct call *c = list_entry(list_pop_front(&s->queue), struct call, link);
        s->queued--;
        call_end(c, -ECONNREFUSED);
    }
    spin_unlock(&s->lock);
}

/* Nobody will take them: they let go of the files that they are about. */
static void scheme_flush_notes(struct scheme *s) {
    spin_lock(&s->lock);
    while (!list_empty(&s->notes)) {
        struct note *n = list_entry(list_pop_front(&s->notes), struct note, link);
        void (*sent)(struct note *) = n->sent;
        spin_unlock(&s->lock);
        if (sent) sent(n);
        spin_lock(&s->lock);
    }
    spin_unlock(&s->lock);
}

static void scheme_last_handle(struct object *o) {
    struct scheme *s = object_as(scheme, o);
    spin_lock(&s->lock);
    s->failed = true;
    s->indirect = INDIRECT_QUEUED;
    s->closed_count = 0;
    spin_unlock(&s->lock);
    scheme_flush_queue(s);
    scheme_flush_notes(s);
    memory_pager_failed(s);
}

static void scheme_destroy(struct object *o) {
    struct scheme *s = object_as(scheme, o);
    spin_lock(&schemes_lock);
    list_remove(&s->link);
    spin_unlock(&schemes_lock);
    timer_stop(&s->close_timer);
    kfree(s);
}

/* No request has taken them along. A server at work finds them when it has answered. */
static void close_timer_fire(struct timer *t) {
    struct scheme *s = container_of(t, struct scheme, close_timer);
    spin_lock(&s->lock);
    s->close_timed = false;
    if (s->closed_count) s->indirect |= INDIRECT_QUEUED;
    struct port *server = s->closed_count ? scheme_take_idle(s) : nullptr;
    spin_unlock(&s->lock);
    if (server) thread_wake_claimed(server->thread, 0);
}

static const struct object_ops scheme_ops = {
    .type = OBJECT_SCHEME,
    .name = "scheme",
    .on_last_handle = scheme_last_handle,
    .destroy = scheme_destroy,
};

struct scheme *scheme_create(const char *name, uint32_t rank, uint32_t flags) {
    struct scheme *s = kzalloc(sizeof(*s));
    if (!s) return nullptr;
    object_init(&s->object, &scheme_ops);
    spin_init(&s->lock, RANK_OBJECT);
    for (size_t i = 0; i < sizeof(s->name) - 1 && name[i]; i++) s->name[i] = name[i];
    static _Atomic uint32_t next_number = 1;
    s->number = atomic_fetch_add(&next_number, 1);
    s->rank = rank;
    s->flags = flags;
    s->last_tag = 1;
    list_init(&s->ports);
    list_init(&s->queue);
    list_init(&s->notes);
    for (unsigned i = 0; i < CALL_BUCKETS; i++) list_init(&s->served[i]);
    timer_init(&s->close_timer, close_timer_fire);
    list_init(&s->memory_low.link);
    s->memory_low.request.op = OP_MEMORY_LOW;
    spin_lock(&schemes_lock);
    list_push_back(&schemes, &s->link);
    spin_unlock(&schemes_lock);
    return s;
}

size_t scheme_describe(struct scheme_info *out, size_t count) {
    size_t n = 0;
    spin_lock(&schemes_lock);
    list_for_each (l, &schemes) {
        if (n == count) break;
        struct scheme *s = list_entry(l, struct scheme, link);
        struct scheme_info *i = &out[n++];
        *i = (struct scheme_info){.rank = s->rank,
                                  .incarnation = s->incarnation,
                                  .calls = s->last_tag / 2,
                                  .queued = s->queued,
                                  .files = s->files};
        for (unsigned c = 0; c < sizeof(i->name); c++) i->name[c] = s->name[c];
        spin_lock(&s->lock);
        list_for_each (p, &s->ports) i->servers++;
        if (s->server) i->pid = s->server->pid;
        spin_unlock(&s->lock);
    }
    spin_unlock(&schemes_lock);
    return n;
}

/* --- one-way messages --------------------------------------------------------------------------- */

/*
 * A note goes straight to an idle server thread, else it is queued.  Its storage belongs to the
 * object it is about, so there is nothing to allocate and each object can have one at a time.
 */
bool scheme_note(struct scheme *s, struct note *n, uint32_t pid) {
    spin_lock(&s->lock);
    bool queued = !list_empty(&n->link), drop = !queued && s->failed;
    if (!queued) n->request.pid = pid;
    if (!queued && !drop) {
        list_push_back(&s->notes, &n->link);
        s->indirect |= INDIRECT_QUEUED;
    }
    struct port *server = queued || drop ? nullptr : scheme_take_idle(s);
    spin_unlock(&s->lock);
    if (drop && n->sent) n->sent(n);
    if (server) thread_wake_claimed(server->thread, 0); /* it looks at the queues itself */
    return !queued;
}

/*
 * Not if somebody waits for an answer: the close may be what for.  Nor behind notes, which late closes would overtake:
 * one may cancel a call on this file.  The timer is left to run out, however many requests took closes along meanwhile.
 */
bool scheme_close_late(struct scheme *s, uint64_t id, uint32_t incarnation) {
    spin_lock(&s->lock);
    bool late = incarnation == s->incarnation && !s->failed && !s->parked && list_empty(&s->notes) &&
                s->closed_count < PORT_CLOSES;
    if (late) {
        s->closed[s->closed_count++] = id;
        s->indirect |= INDIRECT_CLOSES;
        if (!s->close_timed) timer_start(&s->close_timer, clock_now() + CLOSE_LATE_NS);
        s->close_timed = true;
    }
    spin_unlock(&s->lock);
    return late;
}

void scheme_note_remove(struct scheme *s, struct note *n) {
    spin_lock(&s->lock);
    list_remove(&n->link);
    spin_unlock(&s->lock);
}

void scheme_note_memory_low(void) {
    spin_lock(&schemes_lock);
    list_for_each (l, &schemes) {
        struct scheme *s = list_entry(l, struct scheme, link);
        scheme_note(s, &s->memory_low, 0);
    }
    spin_unlock(&schemes_lock);
}

struct port *scheme_take_idle(struct scheme *s) {
    struct port *p;
    while ((p = s->idle)) {
        s->idle = p->idle_next;
        if (thread_claim(p->thread)) return p;
        /* Something else has just woken it: it finds itself off the list and looks again. */
    }
    return nullptr;
}

/* --- endings ------------------------------------------------------------------------------------ */

/* The last port is gone: received calls end, queued ones wait for the next instance. */
void scheme_server_lost(struct scheme *s) {
    spin_lock(&s->lock);
    for (unsigned i = 0; i < CALL_BUCKETS; i++)
        while (!list_empty(&s->served[i]))
            call_end(list_entry(list_pop_front(&s->served[i]), struct call, link), -ENOLINK);
    s->parked = 0;
    spin_unlock(&s->lock);
    memory_pager_lost(s);
    scheme_files_lost(s);
    spin_lock(&s->lock);
    s->server = nullptr;
    spin_unlock(&s->lock);
}
