// SPDX-License-Identifier: MIT
/*
 * Object counts and deferred destruction.
 *
 * Objects whose last handle or reference went are pushed on a list and run by object_reap() where no
 * lock is held: a channel full of handles to channels is taken apart in a loop, never by recursion.
 * An object is on a list at most once: while it waits for on_last_handle the list holds a reference,
 * so its destruction can only be queued afterwards.  Each thread of a process has a list of its own:
 * what it closes has ended when its system call returns, whatever others are at.  What goes in kernel
 * threads is for whoever comes next.
 */
#include <kernel/channel.h>
#include <kernel/event.h>
#include <kernel/handle.h>
#include <kernel/thread.h>

static _Atomic(struct object *) reap_common;

void object_init(struct object *o, const struct object_ops *ops) {
    o->ops = ops;
    atomic_init(&o->refs, 1);
    atomic_init(&o->handles, 0);
    atomic_init(&o->in_flight, 0);
    atomic_init(&o->watch_count, 0);
    atomic_init(&o->reap_queued, false);
    spin_init(&o->watch_lock, RANK_WATCH);
    list_init(&o->watches);
    o->reap_next = nullptr;
    object_live_add(o);
}

static void reap_push(struct object *o) {
    struct thread *t = thread_current();
    if (likely(t && t->process)) {
        o->reap_next = t->reap;
        t->reap = o;
        atomic_fetch_or(&t->work, WORK_REAP);
        return;
    }
    struct object *head = atomic_load(&reap_common);
    do {
        o->reap_next = head;
    } while (!atomic_compare_exchange_weak(&reap_common, &head, o));
}

static struct object *reap_take(struct thread *t) {
    struct object *o = t->reap;
    t->reap = nullptr;
    return o ? o : atomic_exchange(&reap_common, nullptr);
}

SLOW_PATH void object_put_slow(struct object *o) {
    ASSERT(atomic_load(&o->handles) == 0);
    reap_push(o);
}

void object_handle_get(struct object *o) {
    object_get(o);
    atomic_fetch_add_explicit(&o->handles, 1, memory_order_relaxed);
}

void object_handle_put(struct object *o) {
    bool last = atomic_fetch_sub_explicit(&o->handles, 1, memory_order_acq_rel) == 1;
    bool reap = last || unlikely(atomic_load_explicit(&o->in_flight, memory_order_relaxed)); /* others maybe all are */
    /* The list inherits this handle's reference. Queued already: that run sees the count itself. */
    if (reap && !atomic_exchange(&o->reap_queued, true)) reap_push(o);
    else object_put(o);
}

static void object_end(struct object *o) {
    object_live_remove(o);
    o->ops->destroy(o);
}

static void reap_one(struct object *o) {
    if (atomic_load(&o->refs) == 0) {
        object_end(o);
        return;
    }
    atomic_store(&o->reap_queued, false);
    if (atomic_load(&o->handles) == 0) {
        watch_remove_all(o);
        if (o->ops->on_last_handle) o->ops->on_last_handle(o);
    } else if (atomic_load(&o->in_flight)) {
        channel_stranded(o);
    }
    if (atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) == 1) object_end(o);
}

void object_reap(void) {
    struct thread *t = thread_current();
    atomic_fetch_and(&t->work, ~(uint32_t)WORK_REAP);
    struct object *o;
    while ((o = reap_take(t)) != nullptr) {
        while (o) {
            struct object *next = o->reap_next;
            reap_one(o);
            o = next;
            if (o) preempt_point();
        }
        preempt_point();
    }
}
