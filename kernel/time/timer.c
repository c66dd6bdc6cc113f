// SPDX-License-Identifier: MIT
/*
 * One-shot timers.  Each CPU has a tree of armed timers by deadline; its hardware timer is set to
 * the first.  A stopped timer leaves the hardware as it is: an interrupt with nothing due only sets
 * the next one.  A timer fires on the CPU that started it, with no lock held; timer_stop elsewhere
 * waits until that is over.  While it fires it can be started on another CPU.
 */
#include <arch/time.h>
#include <kernel/clock.h>
#include <kernel/timer.h>
#include <kernel/lock.h>
#include <arch/thread.h>

struct timer_queue {
    struct spinlock lock;
    struct tree timers GUARDED_BY(lock);
    nsec_t programmed GUARDED_BY(lock); /* what the hardware is set to */
    struct timer *_Atomic firing;
};
static struct timer_queue queues[CPU_MAX];

void timer_init_cpu(void) {
    struct timer_queue *q = &queues[cpu_current()->id];
    *q = (struct timer_queue){.programmed = DEADLINE_NEVER};
    spin_init(&q->lock, RANK_TIMER);
}

void timer_init(struct timer *t, void (*fire)(struct timer *)) { *t = (struct timer){.fire = fire}; }

/* Takes t off its queue if it is armed. The owner serialises start, cancel and stop of a timer. */
bool timer_cancel(struct timer *t) {
    uint32_t on;
    while ((on = atomic_load(&t->queue))) {
        struct timer_queue *q = &queues[on - 1];
        spin_lock(&q->lock);
        bool here = atomic_load_explicit(&t->queue, memory_order_relaxed) == on; /* not started elsewhere meanwhile */
        if (here) {
            tree_remove(&q->timers, &t->node);
            atomic_store_explicit(&t->queue, 0, memory_order_release);
        }
        spin_unlock(&q->lock);
        if (here) return true;
    }
    return false;
}

void timer_start(struct timer *t, nsec_t deadline) {
    timer_cancel(t);
    struct timer_queue *q = &queues[cpu_current()->id];
    spin_lock(&q->lock);
    if (likely(!atomic_load_explicit(&t->stopping, memory_order_relaxed))) {
        t->node.key = (uint64_t)max(deadline, 0);
        tree_insert(&q->timers, &t->node);
        atomic_store_explicit(&t->queue, cpu_current()->id + 1, memory_order_release);
        if (deadline < q->programmed) {
            q->programmed = deadline;
            arch_timer_set(deadline);
        }
    }
    spin_unlock(&q->lock);
}

/* On another CPU; the timer may be armed on a third one by now. */
static void wait_until_fired(const struct timer *t) {
    for (unsigned cpu = 0; cpu < cpu_online(); cpu++)
        while (cpu != cpu_current()->id && atomic_load(&queues[cpu].firing) == t) {
            arch_ipi_poll();
            cpu_pause();
        }
}

/*
 *   1 stopping = true    2 cancel    3 wait for fire    4 cancel    5 wait for fire
 *
 * A fire that began before 1 may start the timer again, which 4 undoes, unless it fires already; that one can't.
 */
bool timer_stop(struct timer *t) {
    atomic_store(&t->stopping, true);
    bool armed = timer_cancel(t);
    wait_until_fired(t);
    armed |= timer_cancel(t);
    wait_until_fired(t);
    atomic_store_explicit(&t->stopping, false, memory_order_relaxed);
    return armed;
}

void trap_timer(void) {
    struct timer_queue *q = &queues[cpu_current()->id];
    random_add(arch_cycles());
    spin_lock(&q->lock);
    q->programmed = DEADLINE_NEVER;
    struct tree_node *n;
    while ((n = tree_first(&q->timers)) && n->key <= (uint64_t)clock_now()) {
        struct timer *t = container_of(n, struct timer, node);
        atomic_store(&q->firing, t); /* before it is seen not to be armed: see timer_stop() */
        tree_remove(&q->timers, n);
        atomic_store_explicit(&t->queue, 0, memory_order_release);
        spin_unlock(&q->lock);
        t->fire(t); /* may start it again, on this CPU */
        atomic_store(&q->firing, nullptr);
        spin_lock(&q->lock);
    }
    if (n && (nsec_t)n->key < q->programmed) {
        q->programmed = (nsec_t)n->key;
        arch_timer_set(q->programmed);
    }
    spin_unlock(&q->lock);
}
