// SPDX-License-Identifier: MIT
/* What the scheduler's files share: run queues and the thread's sleep word. */
#pragma once
#include <kernel/thread.h>
#include <kernel/timer.h>

struct run_queue {
    struct spinlock lock;
    uint32_t cpu;
    uint64_t bitmap GUARDED_BY(lock); /* priorities with a ready thread; read without the lock as a hint */
    struct list lists[PRIORITY_COUNT] GUARDED_BY(lock);
    uint32_t count GUARDED_BY(lock); /* ready threads, without the running one */
    uint64_t crowded_since GUARDED_BY(lock); /* arch_cycles() when the second one came to wait */
    _Atomic int8_t running; /* priority of the running thread, -1 idle */
    bool slice_armed; /* by this CPU only; others may read it */
    struct timer slice_timer;
    uint64_t started; /* arch_cycles() */
    struct thread *idle;
};
extern struct run_queue run_queues[CPU_MAX];
extern _Atomic uint64_t sched_cpus, sched_idle_cpus; /* CPUs that schedule; those that wait for work */

static inline struct run_queue *run_queue_current(void) { return &run_queues[cpu_current()->id]; }

/*
 * The sleep word: state, SLEEP_INTERRUPTIBLE, and in its upper half the negated result.
 *
 *   AWAKE ── prepare ──→ PREPARED ── thread_block ──→ ASLEEP ── claim ──→ CLAIMED
 *     ↑                     │ wake                      │ wake               │ switch_to, wake_claimed
 *     └──── thread_block ── WOKEN ←─────────────────────┴────────────────────┘
 *
 * Each arrow is one compare-and-swap, so exactly one waker wins.  Who takes a thread out of ASLEEP
 * or CLAIMED must put it on a run queue or run it; who takes it out of PREPARED need do nothing:
 * the thread still runs, and its thread_block returns at once.
 */
enum sleep_state { SLEEP_AWAKE, SLEEP_PREPARED, SLEEP_ASLEEP, SLEEP_CLAIMED, SLEEP_WOKEN };
#define SLEEP_STATE 7u
#define SLEEP_INTERRUPTIBLE 8u
static inline uint32_t sleep_woken(int result) { return SLEEP_WOKEN | (uint32_t)-result << 16; }
static inline int sleep_result(uint32_t word) { return -(int16_t)(word >> 16); }

void queue_push(struct run_queue *q, struct thread *t, bool front) REQUIRES(q->lock);
void queue_remove(struct run_queue *q, struct thread *t) REQUIRES(q->lock);
/* Locks the queue of t's CPU, which may change until it is held. */
struct run_queue *queue_lock_of(struct thread *t) UNCHECKED;
/* A thread nobody else has hold of becomes runnable, on the CPU that suits it best. */
void sched_enqueue(struct thread *t);
void sched_schedule(struct thread *self); /* the caller is blocked, queued or dead: runs another */
/* Switches to next, which nobody else has hold of, on this CPU, on a new time slice or self's. */
void sched_switch(struct run_queue *q, struct thread *self, struct thread *next, bool same_slice);
void sched_finish_switch(void); /* first act of whoever runs after arch_switch */
void sched_kick(struct run_queue *q, bool preempts); /* a thread was queued there */
void sched_request(void); /* this CPU reschedules before it returns to user mode */
uint32_t sched_choose_cpu(struct thread *t);
struct thread *sched_steal(struct run_queue *q);
void sched_balance(struct run_queue *q);
void sched_slice_init(struct run_queue *q);
uint64_t sched_ns(uint64_t cycles);
extern uint64_t sched_slice_cycles;
void thread_init_sleep(struct thread *t);
