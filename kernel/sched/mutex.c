// SPDX-License-Identifier: MIT
/*
 * Sleeping locks.  The owner word is the owner's address; bit 0 says that threads wait, so that the
 * uncontended cases are one compare-and-swap.  Unlocking hands the mutex to the first waiter of the
 * highest priority.  Waiters lend the owner their priority; it gets its former loan back at unlock.
 */
#include <kernel/thread.h>

#define WAITED 1UL

struct waiter {
    struct list link;
    struct thread *thread;
};

void mutex_init(struct mutex *m, enum lock_rank rank) {
    *m = (struct mutex){.rank = (uint8_t)rank};
    spin_init(&m->lock, RANK_WAIT);
    list_init(&m->waiters);
}

static struct thread *tagged(struct thread *t, bool waited) {
    return (struct thread *)((uintptr_t)t | (waited ? WAITED : 0));
}
static struct thread *untagged(struct thread *t) { return (struct thread *)((uintptr_t)t & ~WAITED); }

static void check_ranks(struct mutex *m, int change) {
#if CATHODE_DEBUG
    struct thread *t = thread_current();
    lock_check_none();
    for (unsigned rank = m->rank + 1; change > 0 && rank < RANK_COUNT; rank++)
        if (t->mutexes_held[rank]) panic("mutex of rank %u taken with rank %u held", m->rank, rank);
    t->mutexes_held[m->rank] = (uint8_t)(t->mutexes_held[m->rank] + change);
#endif
}

static void lend(struct mutex *m, struct thread *owner, struct thread *self) REQUIRES(m -> lock) {
    if (self->priority <= owner->priority) return;
    if (!m->lent) {
        m->lent = true;
        m->owner_lent = owner->lent_priority;
    }
    thread_lend_priority(owner, self->priority);
}

/* Marks the mutex waited for, or takes it if it has become free: its owner, or null if taken. */
static struct thread *claim_or_mark(struct mutex *m, struct thread *self) {
    struct thread *owner = atomic_load(&m->owner), *want;
    do {
        want = owner ? tagged(owner, true) : self;
    } while (!atomic_compare_exchange_weak(&m->owner, &owner, want));
    return untagged(owner);
}

static void lock_slow(struct mutex *m, struct thread *self) {
    struct waiter w = {.thread = self};
    spin_lock(&m->lock);
    struct thread *owner = claim_or_mark(m, self);
    if (!owner) {
        spin_unlock(&m->lock);
        return;
    }
    ASSERT(owner != self);
    lend(m, owner, self);
    struct list *at = m->waiters.prev;
    while (at != &m->waiters && list_entry(at, struct waiter, link)->thread->priority < self->priority) at = at->prev;
    list_insert_between(&w.link, at, at->next);
    spin_unlock(&m->lock);
    for (;;) {
        thread_block_prepare(m, false);
        if (untagged(atomic_load(&m->owner)) == self) {
            thread_block_cancel();
            return;
        }
        (void)thread_block(DEADLINE_NEVER);
    }
}

UNCHECKED void mutex_lock(struct mutex *m) {
    struct thread *self = thread_current(), *expected = nullptr;
    check_ranks(m, 1);
    if (!likely(atomic_compare_exchange_strong_explicit(&m->owner, &expected, self, memory_order_acquire,
                                                        memory_order_relaxed)))
        lock_slow(m, self);
}

static void unlock_slow(struct mutex *m, struct thread *self) {
    spin_lock(&m->lock);
    struct waiter *w = list_entry(list_pop_front(&m->waiters), struct waiter, link);
    struct thread *next = w->thread;
    bool lent = m->lent;
    unsigned before = m->owner_lent;
    m->lent = false;
    if (!list_empty(&m->waiters)) /* the next owner has the best priority of all who wait already */
        atomic_store(&m->owner, tagged(next, true));
    else atomic_store(&m->owner, next);
    thread_get(next); /* from here on it may run, unlock and exit */
    spin_unlock(&m->lock);
    thread_wake(next, 0);
    thread_put(next);
    if (lent) thread_lend_priority(self, before);
}

UNCHECKED void mutex_unlock(struct mutex *m) {
    struct thread *self = thread_current(), *expected = self;
    check_ranks(m, -1);
    if (!likely(atomic_compare_exchange_strong_explicit(&m->owner, &expected, nullptr, memory_order_release,
                                                        memory_order_relaxed)))
        unlock_slow(m, self);
}
