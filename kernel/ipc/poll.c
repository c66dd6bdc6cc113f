// SPDX-License-Identifier: MIT
/*
 * poll(2): waits for any of an ad-hoc set of handles.  A look goes over all entries, with the handle
 * table's lock taken once per batch, and registers nothing.  Only if nothing is ready at first, a
 * watch per entry is hung on its source, and the entries are looked at again before each sleep:
 *
 *   1 fired = false    2 look at all entries    3 prepare to block    4 fired? look again    5 block
 *
 * A source that becomes ready after 2 sets `fired` before it wakes, so 4 or the wake-up sees it.
 */
#include "event_impl.h"
#include <kernel/mm.h>
#include <kernel/process.h>

#define BATCH 64 /* entries in the kernel at a time */

struct watch_batch {
    struct watch_batch *next;
    size_t count;
    struct watch watches[];
};

static uint32_t wanted(const struct poll_entry *e) { return (uint16_t)e->mask | EVENT_ERROR | EVENT_HANGUP; }

struct chunk { /* of handle slots, looked into last */
    handle_t first;
    struct handle_slot *slots;
};

/* What an entry's handle refers to if it may be waited for, else null; with the table's lock held. */
static inline struct object *entry_source(struct handle_table *t, struct chunk *c, const struct poll_entry *e)
    REQUIRES(t -> lock) {
    if (unlikely((uint32_t)(e->handle - c->first) >= HANDLE_CHUNK || !c->slots)) {
        c->first = e->handle - e->handle % HANDLE_CHUNK;
        c->slots = handle_slot_find(t, c->first);
        if (!c->slots) return nullptr;
    }
    const struct handle_slot *s = &c->slots[e->handle - c->first];
    bool open = (uintptr_t)s->object > (uintptr_t)HANDLE_RESERVED;
    return likely(open && s->rights & RIGHT_WAIT) ? watch_target(s->object) : nullptr;
}

/* Looks at a batch: the number of entries with an answer, or -EINTR from a server. */
static long look(struct poll_entry *entries, size_t count) {
    struct handle_table *t = &process_current()->handles;
    struct chunk chunk = {};
    long n = 0;
    spin_lock(&t->lock);
    for (struct poll_entry *e = entries; e < entries + count; e++) {
        if (unlikely(e->handle < 0)) {
            e->ready = 0;
            continue;
        }
        struct object *o = entry_source(t, &chunk, e);
        int ready = EVENT_INVALID;
        if (likely(o && !o->ops->arm)) {
            ready = source_ready(o, 0) & (int)wanted(e);
        } else if (o) { /* its server is asked, without the lock */
            object_get(o);
            spin_unlock(&t->lock);
            ready = source_ready(o, wanted(e));
            object_put(o);
            if (ready < 0) return ready;
            ready &= (int)wanted(e);
            spin_lock(&t->lock);
        }
        e->ready = (int16_t)ready;
        n += ready != 0;
    }
    spin_unlock(&t->lock);
    return n;
}

static long look_all(uaddr_t at, size_t count) {
    struct poll_entry entries[BATCH];
    long ready = 0;
    for (size_t n; count; count -= n, at += n * sizeof(*entries)) {
        n = min(count, (size_t)BATCH);
        if (copy_from_user(entries, at, n * sizeof(*entries))) return -EFAULT;
        long found = look(entries, n);
        if (found < 0) return found;
        if (copy_to_user(at, entries, n * sizeof(*entries))) return -EFAULT;
        ready += found;
        if (count > BATCH) preempt_point();
    }
    return ready;
}

static int watches_link(uaddr_t at, size_t count, struct poll_call *call, struct watch_batch **batches) {
    struct handle_table *t = &process_current()->handles;
    struct poll_entry entries[BATCH];
    for (size_t n; count; count -= n, at += n * sizeof(*entries)) {
        n = min(count, (size_t)BATCH);
        struct watch_batch *b = kmalloc(sizeof(*b) + n * sizeof(b->watches[0]));
        if (!b) return -ENOMEM;
        b->next = *batches;
        b->count = 0;
        *batches = b;
        if (copy_from_user(entries, at, n * sizeof(*entries))) return -EFAULT;
        struct chunk chunk = {};
        spin_lock(&t->lock);
        for (size_t i = 0; i < n; i++) {
            struct object *o = entries[i].handle < 0 ? nullptr : entry_source(t, &chunk, &entries[i]);
            if (!o) continue;
            object_get(o);
            struct watch *w = &b->watches[b->count++];
            *w = (struct watch){.source = o, .mask = wanted(&entries[i]), .poll = call};
            watch_link(w);
        }
        spin_unlock(&t->lock);
    }
    return 0;
}

static void watches_unlink(struct watch_batch *b) {
    while (b) {
        struct watch_batch *next = b->next;
        for (size_t i = 0; i < b->count; i++) {
            watch_unlink(&b->watches[i]);
            object_put(b->watches[i].source);
        }
        kfree(b);
        b = next;
    }
}

long event_poll(uaddr_t entries, size_t count, nsec_t deadline) {
    struct poll_call call = {.thread = thread_current()};
    struct watch_batch *batches = nullptr;
    bool linked = false;
    long n;
    for (;;) {
        atomic_store(&call.fired, false);
        n = look_all(entries, count);
        if (n || deadline == 0) break;
        if (!linked) {
            n = watches_link(entries, count, &call, &batches);
            if (n) break;
            linked = true;
            continue;
        }
        thread_block_prepare(&call, true);
        if (atomic_load(&call.fired)) {
            thread_block_cancel();
            continue;
        }
        n = thread_block(deadline);
        if (n < 0) break;
    }
    watches_unlink(batches);
    return n;
}
