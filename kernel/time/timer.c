// SPDX-License-Identifier: MIT
/*
 * One-shot timers.  Each CPU has a tree of armed timers by deadline; its hardware timer is set to
 * the first.  A stopped timer leaves the hardware as it is: an interrupt with nothing due only sets
 * the next one.  A timer fires on the CPU that started it, with no lock held; timer_stop elsewhere
 * waits until that is over.
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
    struct timer_queue *q = &queues[t->cpu];
    spin_lock(&q->lock);
    bool armed = t->armed;
    if (armed) tree_remove(&q->timers, &t->node);
    t->armed = false;
    spin_unlock(&q->lock);
    return armed;
}

void timer_start(struct timer *t, nsec_t deadline) {
    if (t->armed) timer_cancel(t);
    struct timer_queue *q = &queues[cpu_current()->id];
    spin_lock(&q->lock);
    t->node.key = (uint64_t)max(deadline, 0);
    t->cpu = cpu_current()->id;
    t->armed = true;
    tree_insert(&q->timers, &t->node);
    if (deadline < q->programmed) {
        q->programmed = deadline;
        arch_timer_set(deadline);
    }
    spin_unlock(&q->lock);
}

bool timer_stop(struct timer *t) {
    bool armed = timer_cancel(t);
    while (t->cpu != cpu_current()->id && atomic_load(&queues[t->cpu].firing) == t) {
        arch_ipi_poll();
        cpu_pause();
    }
    return timer_cancel(t) || armed; /* fire may have started it again */
}

void trap_timer(void) {
    struct timer_queue *q = &queues[cpu_current()->id];
    random_add(arch_cycles());
    spin_lock(&q->lock);
    q->programmed = DEADLINE_NEVER;
    struct tree_node *n;
    while ((n = tree_first(&q->timers)) && n->key <= (uint64_t)clock_now()) {
        struct timer *t = container_of(n, struct timer, node);
        tree_remove(&q->timers, n);
        t->armed = false;
        atomic_store(&q->firing, t);
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
