// SPDX-License-Identifier: MIT
/*
 * Run queues and switching.
 *
 * A queue holds the ready threads of one CPU; the running one is not in it.  Its lock protects what
 * the scheduler knows of all threads with that `cpu`, queued or not.  A thread that is still `on_cpu`
 * (its context is not saved yet) may already be queued, but only there.  sched_switch() sets the flag
 * for the next thread, sched_finish_switch(), the first thing done after a switch, clears it for the
 * one before: from then on that thread may run, or be freed, anywhere.
 *
 * Interrupts are off throughout, so a queue changes under its CPU's feet only through its lock.
 * Tickless: the slice timer is armed when a second thread wants the CPU and is left to run out
 * otherwise.
 */
#include "sched.h"
#include <kernel/clock.h>
#include <kernel/log.h>
#include <kernel/mm.h>
#include <kernel/process.h>

struct run_queue run_queues[CPU_MAX];
_Atomic uint64_t sched_cpus, sched_idle_cpus;
uint64_t sched_slice_cycles;

/* --- queues ------------------------------------------------------------------------------------- */

void sched_request(void) {
    struct cpu *c = cpu_current();
    atomic_store_explicit(&c->need_resched, 1, memory_order_relaxed);
    atomic_fetch_or(&c->current->work, WORK_RESCHED);
}

void sched_slice_arm(struct run_queue *q) {
    q->slice_armed = true;
    timer_start(&q->slice_timer, clock_now() + SLICE_NS);
}

static void slice_over(struct timer *timer) {
    struct run_queue *q = container_of(timer, struct run_queue, slice_timer);
    q->slice_armed = false;
    sched_balance(q);
    sched_request();
}

void sched_slice_init(struct run_queue *q) { timer_init(&q->slice_timer, slice_over); }

/* Whether a CPU must hear of a thread queued for it: to preempt, or to start counting slices. */
void sched_kick(struct run_queue *q, bool preempts) {
    if (likely(q->cpu == cpu_current()->id)) {
        if (preempts) sched_request();
        if (unlikely(!q->slice_armed)) sched_slice_arm(q);
    } else if (preempts || !__atomic_load_n(&q->slice_armed, __ATOMIC_RELAXED)) {
        arch_ipi_reschedule(q->cpu);
    }
}

void sched_move(struct thread *t, uint32_t cpu) {
    struct run_queue *q = &run_queues[t->cpu];
    spin_lock(&q->lock);
    t->cpu = cpu;
    spin_unlock(&q->lock);
}

/* --- switching ---------------------------------------------------------------------------------- */

void sched_left(struct thread *t) {
    if (atomic_load_explicit(&t->state, memory_order_relaxed) == THREAD_DEAD) thread_put(t);
    else sched_enqueue(t);
}

void sched_schedule(struct thread *self) {
    struct run_queue *q = run_queue_current();
    spin_lock(&q->lock);
    sched_leave(q, self);
}

void thread_yield(void) {
    struct thread *self = thread_current();
    struct run_queue *q = run_queue_current();
    if (!(__atomic_load_n(&q->bitmap, __ATOMIC_RELAXED) >> self->priority) && !q->successor) return;
    spin_lock(&q->lock);
    queue_push(q, self, false);
    sched_leave(q, self);
}

/* WORK_RESCHED: a thread with more priority is ready, the slice is over, or this CPU is forbidden. */
static void preempt(void) {
    struct thread *self = thread_current();
    struct run_queue *q = run_queue_current();
    atomic_store_explicit(&cpu_current()->need_resched, 0, memory_order_relaxed);
    atomic_fetch_and(&self->work, ~(uint32_t)WORK_RESCHED);
    if (unlikely(self == q->idle)) return;
    uint64_t used = arch_cycles() - q->slice_start;
    bool over = used >= sched_slice_cycles && !(self->scheduling & THREAD_FIFO);
    spin_lock(&q->lock);
    atomic_store_explicit(&q->running, (int8_t)self->priority, memory_order_relaxed); /* it may have changed */
    queue_successor(q);
    uint64_t better = q->bitmap >> self->priority;
    if (unlikely(!(self->affinity >> q->cpu & 1))) {
        atomic_store_explicit(&self->state, THREAD_MOVING, memory_order_relaxed); /* sched_left() queues it */
    } else if (better > 1 || (better && over)) {
        self->switches_forced++;
        self->slice_used = over ? 0 : used;
        queue_push(q, self, !over);
    } else {
        spin_unlock(&q->lock);
        if (over) q->slice_start = arch_cycles();
        sched_slice_check(q);
        return;
    }
    sched_leave(q, self);
}

void preempt_point(void) {
    lock_check_none();
    arch_irq_window();
    if (unlikely(atomic_load_explicit(&thread_current()->work, memory_order_relaxed) & WORK_RESCHED)) preempt();
}

/* --- idling ------------------------------------------------------------------------------------- */

NORETURN void sched_idle_loop(void) {
    struct run_queue *q = run_queue_current();
    uint64_t bit = 1ULL << q->cpu;
    for (;;) {
        atomic_store(&cpu_current()->need_resched, 0); /* then a look: who saw 1 queued a thread, and sent nothing */
        atomic_fetch_or(&sched_idle_cpus, bit);
        if (__atomic_load_n(&q->bitmap, __ATOMIC_RELAXED) || sched_steal(q)) {
            atomic_fetch_and(&sched_idle_cpus, ~bit);
            sched_schedule(q->idle);
            continue;
        }
        /*
         * A waker queues its thread, then sends an interrupt since q->running is -1.  Interrupts are
         * off from the test of the queue above until arch_cpu_idle, so it ends the halt.
         */
        arch_cpu_idle();
    }
}
