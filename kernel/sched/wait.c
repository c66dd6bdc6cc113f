// SPDX-License-Identifier: MIT
/* Wait queues: the simple form of waiting, for conditions that are tested under the queue's lock. */
#include <kernel/thread.h>

struct waiter {
    struct list link;
    struct thread *thread;
};

void wait_queue_init(struct wait_queue *q) {
    spin_init(&q->lock, RANK_WAIT);
    list_init(&q->waiters);
}

int wait_queue_sleep(struct wait_queue *q, bool (*cond)(void *), void *arg, bool interruptible, nsec_t deadline) {
    struct waiter w = {.thread = thread_current()};
    list_init(&w.link);
    int result = 0;
    for (;;) {
        thread_block_prepare(q, interruptible);
        spin_lock(&q->lock);
        list_remove(&w.link);
        bool over = cond(arg);
        if (!over && !result && deadline) list_push_back(&q->waiters, &w.link);
        spin_unlock(&q->lock);
        if (over || result || !deadline) {
            thread_block_cancel();
            return over ? 0 : result ? result : -EAGAIN;
        }
        result = thread_block(deadline);
    }
}

void wait_queue_wake(struct wait_queue *q, int count) {
    spin_lock(&q->lock);
    while (count-- > 0 && !list_empty(&q->waiters)) {
        struct waiter *w = list_entry(list_pop_front(&q->waiters), struct waiter, link);
        thread_wake(w->thread, 0); /* under the lock: w is on its stack */
    }
    spin_unlock(&q->lock);
}
