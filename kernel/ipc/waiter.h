// SPDX-License-Identifier: MIT
/*
 * Lists of waiting threads under a lock of their owner (channel, event).  A wake-up takes the waiter
 * off its list under the lock, so one that gave up at the same moment looks again and none is lost.
 */
#pragma once
#include <kernel/thread.h>

#define WOKEN 1 /* result of thread_wake here: this waiter is off its list */

static inline struct thread *waiter_first(struct list *waiters) {
    return list_entry(waiters->next, struct thread, wait_link);
}

/* With the owner's lock held. */
static inline void waiter_wake_first(struct list *waiters) {
    struct list *l = list_pop_front(waiters);
    if (l) thread_wake(list_entry(l, struct thread, wait_link), WOKEN);
}

/*
 * Sleeps with the lock held, which is released: 0 look again, -EAGAIN (deadline 0), -EINTR, -ETIMEDOUT.
 * value: for the waker, in wait_value, where the waker may leave another one.
 */
static inline int waiter_sleep(struct list *waiters, struct spinlock *lock, uint64_t value, nsec_t deadline) UNCHECKED {
    struct thread *self = thread_current();
    self->wait_value = value;
    if (unlikely(deadline == 0)) {
        spin_unlock(lock);
        return -EAGAIN;
    }
    thread_block_prepare(waiters, true);
    list_push_back(waiters, &self->wait_link);
    spin_unlock(lock);
    int woke = thread_block(deadline);
    if (likely(woke == WOKEN)) return 0;
    spin_lock(lock);
    bool taken = list_empty(&self->wait_link);
    list_remove(&self->wait_link);
    spin_unlock(lock);
    return taken ? 0 : woke;
}
