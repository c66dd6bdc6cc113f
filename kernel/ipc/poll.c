// SPDX-License-Identifier: MIT
/*
 * poll(2): waits for any of an ad-hoc set of handles.  The first look takes the handle table's lock
 * once for all entries and registers nothing.  Only if nothing is ready, a watch per entry is hung
 * on its source, on the stack for small sets, and the sources are looked at again before each sleep:
 *
 *   1 fired = false    2 look at all sources    3 prepare to block    4 fired? look again    5 block
 *
 * A source that becomes ready after 2 sets `fired` before it wakes, so 4 or the wake-up sees it.
 */
#include "event_impl.h"
#include <kernel/mm.h>
#include <kernel/process.h>

#define SMALL 32
#define STEP 32 /* entries between two preemption points */

static uint32_t wanted(const struct poll_entry *e) { return (uint16_t)e->mask | EVENT_ERROR | EVENT_HANGUP; }

static int16_t answer(const struct poll_entry *e, uint32_t ready) { return (int16_t)(ready & wanted(e)); }

/* What an entry's handle refers to if it may be waited for, else null; with the table's lock held. */
static struct object *entry_source(struct handle_table *t, const struct poll_entry *e) REQUIRES(t -> lock) {
    struct handle_slot *s = handle_slot_find(t, e->handle);
    bool open = s && (uintptr_t)s->object > (uintptr_t)HANDLE_RESERVED;
    return open && s->rights & RIGHT_WAIT ? watch_target(s->object) : nullptr;
}

/* Looks at every handle: the number of entries with an answer, or -EINTR from a server. */
static long first_look(struct poll_entry *entries, size_t count) {
    struct handle_table *t = &process_current()->handles;
    long n = 0;
    spin_lock(&t->lock);
    for (size_t i = 0; i < count; i++) {
        struct poll_entry *e = &entries[i];
        if (unlikely(i % STEP == STEP - 1)) {
            spin_unlock(&t->lock);
            preempt_point();
            spin_lock(&t->lock);
        }
        e->ready = 0;
        if (unlikely(e->handle < 0)) continue;
        struct object *o = entry_source(t, e);
        int ready = EVENT_INVALID;
        if (likely(o && !o->ops->arm)) {
            ready = source_ready(o, wanted(e));
        } else if (o) { /* its server is asked, without the lock */
            object_get(o);
            spin_unlock(&t->lock);
            ready = source_ready(o, wanted(e));
            object_put(o);
            if (ready < 0) return ready;
            spin_lock(&t->lock);
        }
        e->ready = o ? answer(e, (uint32_t)ready) : EVENT_INVALID;
        n += e->ready != 0;
    }
    spin_unlock(&t->lock);
    return n;
}

static void watches_link(struct poll_entry *entries, size_t count, struct watch *watches, struct poll_call *call) {
    struct handle_table *t = &process_current()->handles;
    for (size_t i = 0; i < count; i++) {
        struct watch *w = &watches[i];
        *w = (struct watch){.mask = wanted(&entries[i]), .poll = call};
        list_init(&w->link);
        spin_lock(&t->lock);
        w->source = entries[i].handle < 0 ? nullptr : entry_source(t, &entries[i]);
        if (w->source) object_get(w->source);
        spin_unlock(&t->lock);
        if (w->source) watch_link(w);
        if (i % STEP == STEP - 1) preempt_point();
    }
}

static long look(struct poll_entry *entries, size_t count, const struct watch *watches) {
    long n = 0;
    for (size_t i = 0; i < count; i++) {
        if (!watches[i].source) continue;
        int ready = source_ready(watches[i].source, watches[i].mask);
        if (ready < 0) return ready;
        entries[i].ready = answer(&entries[i], (uint32_t)ready);
        n += entries[i].ready != 0;
        if (i % STEP == STEP - 1) preempt_point();
    }
    return n;
}

static long wait(struct poll_entry *entries, size_t count, struct watch *watches, nsec_t deadline) {
    struct poll_call call = {.thread = thread_current()};
    watches_link(entries, count, watches, &call);
    long n;
    for (;;) {
        atomic_store(&call.fired, false);
        n = look(entries, count, watches);
        if (n) break;
        thread_block_prepare(&call, true);
        if (atomic_load(&call.fired)) {
            thread_block_cancel();
            continue;
        }
        n = thread_block(deadline);
        if (n < 0) break;
    }
    for (size_t i = 0; i < count; i++) {
        if (!watches[i].source) continue;
        watch_unlink(&watches[i]);
        object_put(watches[i].source);
        if (i % STEP == STEP - 1) preempt_point();
    }
    return n;
}

long event_poll(struct poll_entry *entries, size_t count, nsec_t deadline) {
    struct watch small[SMALL], *watches = small;
    long n = first_look(entries, count);
    if (n || deadline == 0) return n;
    if (count > SMALL) watches = kmalloc(count * sizeof(*watches));
    if (!watches) return -ENOMEM;
    n = wait(entries, count, watches, deadline);
    if (watches != small) kfree(watches);
    return n;
}
