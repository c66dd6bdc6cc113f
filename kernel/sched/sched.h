// SPDX-License-Identifier: MIT
/* What the scheduler's files share: run queues and the thread's sleep word. */
#pragma once
#include <arch/switch.h>
#include <arch/time.h>
#include <kernel/thread.h>
#include <kernel/timer.h>
#include <kernel/trace_ring.h>

struct run_queue {
    struct spinlock lock;
    uint32_t cpu;
    uint64_t bitmap GUARDED_BY(lock); /* priorities with a ready thread; read without the lock as a hint */
    struct list lists[PRIORITY_COUNT] GUARDED_BY(lock);
    uint32_t count GUARDED_BY(lock); /* ready threads, without the running one */
    _Atomic int8_t running; /* priority of the running thread, -1 idle */
    bool slice_armed; /* by this CPU only; others may read it */
    struct timer slice_timer;
    uint32_t left_waiting; /* slices in a row that ended with threads left that an idle CPU could run */
    uint64_t started, slice_start; /* arch_cycles(): this CPU, the running slice */
    struct thread *idle;
    /*
     * A thread woken by the running one, to run when that blocks: no list, no lock, and it inherits
     * the slice, so that others wait no longer than for one thread.  For this CPU only.
     */
    struct thread *successor;
};
extern struct run_queue run_queues[CPU_MAX];
extern _Atomic uint64_t sched_cpus, sched_idle_cpus; /* CPUs that schedule; those that wait for work */

static inline struct run_queue *run_queue_current(void) { return cpu_current()->run_queue; }

static inline void queue_push(struct run_queue *q, struct thread *t, bool front) REQUIRES(q -> lock) {
    ASSERT(t->cpu == q->cpu);
    struct list *l = &q->lists[t->priority];
    if (front) list_push_front(l, &t->run_link);
    else list_push_back(l, &t->run_link);
    q->bitmap |= 1ULL << t->priority;
    q->count++;
    atomic_store_explicit(&t->state, THREAD_RUNNABLE, memory_order_relaxed);
}
static inline void queue_remove(struct run_queue *q, struct thread *t) REQUIRES(q -> lock) {
    struct list *l = &q->lists[t->priority];
    list_remove(&t->run_link);
    if (list_empty(l)) q->bitmap &= ~(1ULL << t->priority);
    q->count--;
}
static inline void queue_successor(struct run_queue *q) REQUIRES(q -> lock) {
    if (likely(!q->successor)) return;
    queue_push(q, q->successor, true);
    q->successor = nullptr;
}
/* t, which the caller has hold of and which is off its CPU, belongs to another. */
void sched_move(struct thread *t, uint32_t cpu);
/* A thread nobody else has hold of becomes runnable, on the CPU that suits it best. */
void sched_enqueue(struct thread *t);
void sched_schedule(struct thread *self); /* the caller is blocked, queued or dead: runs another */
void sched_left(struct thread *t); /* t's CPU has left its stack: it is dead, or may not run there */
void sched_kick(struct run_queue *q, bool preempts); /* a thread was queued there */
void sched_request(void); /* this CPU reschedules before it returns to user mode */

/* First act of whoever runs after a switch. */
static inline void sched_finish_switch(struct thread *previous) {
    bool leaves = atomic_peek(uint8_t, &previous->state) >= THREAD_MOVING;
    atomic_signal_fence(memory_order_seq_cst);
    atomic_store_explicit(&previous->on_cpu, false, memory_order_release);
    if (unlikely(leaves)) sched_left(previous);
}

/* Switches to next, which belongs to this CPU, on its own time slice or self's. users: both have user state. */
static inline void sched_switch(struct run_queue *q, struct thread *self, struct thread *next, bool same_slice,
                                bool users) {
    lock_check_none();
    if (CATHODE_DEBUG && same_slice) trace_ring_add(TR_SWITCH, next->tid, 1);
    uint64_t now = arch_cycles();
    self->run_cycles += now;
    next->run_cycles -= now;
    if (!same_slice) {
        q->slice_start = now - next->slice_used;
        next->slice_used = 0;
    }
    atomic_store_explicit(&next->state, THREAD_RUNNING, memory_order_relaxed);
    atomic_store_explicit(&next->on_cpu, true, memory_order_relaxed);
    sched_finish_switch(arch_switch(self, next, users));
}

/* The next thread to run: the first of the highest priority, or the idle thread. */
static inline struct thread *sched_pick(struct run_queue *q) REQUIRES(q -> lock) {
    atomic_store_explicit(&cpu_current()->need_resched, 0, memory_order_relaxed);
    queue_successor(q);
    if (unlikely(!q->bitmap)) {
        atomic_store_explicit(&q->running, -1, memory_order_relaxed);
        return q->idle;
    }
    unsigned priority = 63 - (unsigned)__builtin_clzll(q->bitmap);
    struct list *l = &q->lists[priority], *n = l->next;
    l->next = n->next;
    n->next->prev = l;
    n->next = n->prev = n;
    if (l->next == l) q->bitmap &= ~(1ULL << priority);
    q->count--;
    atomic_store_explicit(&q->running, (int8_t)priority, memory_order_relaxed);
    return list_entry(n, struct thread, run_link);
}

void sched_slice_arm(struct run_queue *q);
/*
 * Slices are counted while threads wait: looked at after each pick, with the lock just released.  Who
 * queues one later finds the timer not armed and interrupts.
 */
static inline void sched_slice_check(struct run_queue *q) UNCHECKED {
    if (unlikely(__atomic_load_n(&q->bitmap, __ATOMIC_RELAXED)) && !q->slice_armed) sched_slice_arm(q);
}

/* Leaves self for what is picked, with q->lock held; it is released. */
static inline void sched_leave(struct run_queue *q, struct thread *self) RELEASES(&q->lock) {
    struct thread *next = sched_pick(q);
    spin_unlock(&q->lock);
    sched_slice_check(q);
    if (unlikely(next == self)) { /* woken already, or still the best */
        atomic_store_explicit(&self->state, THREAD_RUNNING, memory_order_relaxed);
        return;
    }
    trace_ring_add(TR_SWITCH, next->tid, 0);
    sched_switch(q, self, next, false, false);
}

uint32_t sched_choose_cpu_slow(struct thread *t);
/* Where a thread that wakes up had better run. */
static inline uint32_t sched_choose_cpu(struct thread *t) {
    uint32_t cpu = t->cpu;
    bool idle = atomic_load_explicit(&sched_idle_cpus, memory_order_relaxed);
    return likely(!idle && cpu == cpu_current()->id && t->affinity >> cpu & 1) ? cpu : sched_choose_cpu_slow(t);
}
bool sched_steal(struct run_queue *q); /* from another CPU, if there is one for this */
void sched_balance(struct run_queue *q); /* threads wait here: some go to CPUs with less to do */
void sched_slice_init(struct run_queue *q);
extern uint64_t sched_slice_cycles;
void thread_init_sleep(struct thread *t);

/* The short thread_switch_to(): next has self's place, and no other thread is to run first. */
[[gnu::always_inline]] static inline void thread_switch_here(struct thread *self, struct thread *next) {
    self->switches_voluntary++;
    sched_switch(run_queue_current(), self, next, true, true);
}
