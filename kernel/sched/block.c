// SPDX-License-Identifier: MIT
/*
 * Blocking, waking, and the direct switch.  The sleep word (sched.h) decides every race:
 *
 *   sleeper                                    waker
 *   1 word = PREPARED (full barrier)           a makes the condition true
 *   2 publishes itself, tests the condition    b full barrier, reads the word
 *   3 PREPARED → ASLEEP                        c PREPARED or ASLEEP → WOKEN
 *   4 switches away                            d if it was ASLEEP: queues the thread
 *
 * Either 2 sees what a did, or b sees the word of 1.  If c comes before 3, then 3 fails and nobody
 * switches.  If it comes after, d may queue a thread that is still on its way through 4: on_cpu
 * keeps it on the queue of its own CPU, which may pick it in 4 itself, and so not switch at all.
 */
#include "sched.h"
#include <kernel/clock.h>
#include <kernel/process.h>

static int awake(struct thread *t, int result) {
    atomic_store_explicit(&t->sleep, SLEEP_AWAKE, memory_order_relaxed);
    atomic_store_explicit(&t->state, THREAD_RUNNING, memory_order_relaxed);
    return result;
}

void thread_block_cancel(void) { awake(thread_current(), 0); }

static void timeout_fire(struct timer *timer) { thread_wake(container_of(timer, struct thread, timeout), -ETIMEDOUT); }

void thread_init_sleep(struct thread *t) {
    atomic_init(&t->sleep, SLEEP_AWAKE);
    timer_init(&t->timeout, timeout_fire);
}

/* Whether a wait must not begin: a signal to handle or a deadline gone by. */
static int refuse(struct thread *self, nsec_t deadline) {
    uint32_t word = atomic_load_explicit(&self->sleep, memory_order_relaxed);
    if (unlikely((word & SLEEP_INTERRUPTIBLE) && signal_pending(self))) return -EINTR;
    return deadline != DEADLINE_NEVER && deadline <= clock_now() ? -ETIMEDOUT : 0;
}

/* Runs `next`, which nobody else has hold of, on the slice of self, without the queue. */
static inline void hand_over(struct run_queue *q, struct thread *self, struct thread *next) {
    if (unlikely(next->cpu != q->cpu)) sched_move(next, q->cpu);
    if (unlikely(atomic_load_explicit(&q->running, memory_order_relaxed) != next->priority))
        atomic_store_explicit(&q->running, (int8_t)next->priority, memory_order_relaxed);
    if (unlikely(atomic_load_explicit(&cpu_current()->need_resched, memory_order_relaxed)))
        atomic_fetch_or(&next->work, WORK_RESCHED);
    sched_switch(q, self, next, true, false);
}

static inline bool outranked(struct run_queue *q, const struct thread *t) UNCHECKED {
    return __atomic_load_n(&q->bitmap, __ATOMIC_RELAXED) >> t->priority > 1;
}

/* The current thread, prepared, goes to sleep: in favour of `next` (claimed), or of anyone. */
[[gnu::noinline]] static int block(struct thread *next, nsec_t deadline) {
    struct thread *self = thread_current();
    lock_check_none();
    int e = refuse(self, deadline);
    if (unlikely(e)) thread_wake(self, e); /* unless somebody was faster */
    if (deadline != DEADLINE_NEVER && !e) timer_start(&self->timeout, deadline);
    uint32_t word = atomic_load_explicit(&self->sleep, memory_order_relaxed);
    bool asleep = (word & SLEEP_STATE) == SLEEP_PREPARED &&
                  atomic_compare_exchange_strong(&self->sleep, &word, SLEEP_ASLEEP | (word & SLEEP_INTERRUPTIBLE));
    if (likely(asleep)) {
        self->switches_voluntary++;
        struct run_queue *q = run_queue_current();
        if (next &&
            unlikely(!(next->affinity >> q->cpu & 1) || atomic_load_explicit(&next->on_cpu, memory_order_acquire))) {
            thread_wake_claimed(next, 0);
            next = nullptr;
        }
        struct thread *successor = q->successor;
        if (next) {
            atomic_store_explicit(&next->sleep, sleep_woken(0), memory_order_relaxed);
            if (unlikely(outranked(q, next))) atomic_fetch_or(&next->work, WORK_RESCHED);
            hand_over(q, self, next);
        } else if (likely(successor && !outranked(q, successor)) && likely(successor->affinity >> q->cpu & 1)) {
            q->successor = nullptr;
            hand_over(q, self, successor);
        } else {
            spin_lock(&q->lock);
            sched_leave(q, self);
        }
    } else if (next) {
        thread_wake_claimed(next, 0);
    }
    if (deadline != DEADLINE_NEVER && !e) timer_stop(&self->timeout);
    return awake(self, sleep_result(atomic_load_explicit(&self->sleep, memory_order_relaxed)));
}

void thread_switch_to(struct thread *next) {
    struct thread *self = thread_current();
    struct run_queue *q = run_queue_current();
    const uint32_t signals = WORK_SIGNAL | WORK_EXIT | WORK_STOP;
    if (unlikely(atomic_load_explicit(&self->work, memory_order_relaxed) & signals) && signal_pending(self))
        thread_wake(self, -EINTR);
    if (unlikely(atomic_load_explicit(&self->work, memory_order_relaxed) & WORK_REAP)) thread_wake(self, 0);
    self->switches_voluntary++;
    if (likely(next->affinity >> q->cpu & 1) && likely(!atomic_load_explicit(&next->on_cpu, memory_order_acquire))) {
        atomic_store_explicit(&next->sleep, sleep_woken(0), memory_order_relaxed);
        if (unlikely(outranked(q, next))) atomic_fetch_or(&next->work, WORK_RESCHED);
        hand_over(q, self, next);
    } else {
        thread_wake_claimed(next, 0);
        spin_lock(&q->lock);
        sched_leave(q, self);
    }
}

/*
 * The short way: an interruptible wait without deadline, no work pending, and a successor of the same
 * priority.  Were another thread to go first, WORK_RESCHED would be set.  The successor last ran here.
 */
int thread_block(nsec_t deadline) {
    struct thread *self = thread_current();
    struct run_queue *q = run_queue_current();
    struct thread *next = q->successor;
    uint32_t word = SLEEP_PREPARED | SLEEP_INTERRUPTIBLE;
    if (unlikely(deadline != DEADLINE_NEVER || !next || atomic_load_explicit(&self->work, memory_order_relaxed)) ||
        unlikely(next->priority != atomic_load_explicit(&q->running, memory_order_relaxed) || signal_pending(self)) ||
        unlikely(!(next->affinity >> q->cpu & 1)) ||
        unlikely(!atomic_compare_exchange_strong(&self->sleep, &word, SLEEP_ASLEEP | SLEEP_INTERRUPTIBLE)))
        return block(nullptr, deadline);
    self->switches_voluntary++;
    q->successor = nullptr;
    sched_switch(q, self, next, true, false);
    return awake(self, sleep_result(atomic_load_explicit(&self->sleep, memory_order_relaxed)));
}

int thread_block_switch_to(struct thread *next, nsec_t deadline) { return block(next, deadline); }

void sched_enqueue(struct thread *t) {
    uint32_t cpu = sched_choose_cpu(t);
    if (CATHODE_DEBUG) trace_ring_add(TR_WAKE, t->tid, cpu);
    if (unlikely(cpu != t->cpu)) sched_move(t, cpu);
    struct run_queue *q = &run_queues[cpu];
    spin_lock(&q->lock);
    queue_push(q, t, false);
    int running = atomic_load_explicit(&q->running, memory_order_relaxed), priority = t->priority;
    uint64_t allowed = t->affinity;
    spin_unlock(&q->lock);
    sched_kick(q, priority > running);
    if (running < 0) return;
    /* A CPU that goes idle says so, then looks for threads to steal; here it is the other way round. */
    atomic_thread_fence(memory_order_seq_cst);
    allowed &= atomic_load_explicit(&sched_idle_cpus, memory_order_relaxed);
    if (unlikely(allowed)) sched_kick(&run_queues[__builtin_ctzll(allowed)], true);
}

/* As sched_enqueue; a thread that would run here after the current one becomes its successor. */
static inline void enqueue_woken(struct thread *t) {
    struct run_queue *q = run_queue_current();
    if (likely(t->cpu == q->cpu && !atomic_load_explicit(&sched_idle_cpus, memory_order_relaxed)) &&
        likely(!q->successor && q->slice_armed && t->affinity >> q->cpu & 1) &&
        likely(t->priority <= atomic_load_explicit(&q->running, memory_order_relaxed)) &&
        likely(!(t->scheduling & THREAD_FIFO))) {
        q->successor = t;
        atomic_store_explicit(&t->state, THREAD_RUNNABLE, memory_order_relaxed);
    } else {
        sched_enqueue(t);
    }
}

[[gnu::noinline]] static bool wake_slow(struct thread *t, int result) {
    uint32_t word = atomic_load_explicit(&t->sleep, memory_order_relaxed), state;
    do {
        state = word & SLEEP_STATE;
        if (state != SLEEP_PREPARED && state != SLEEP_ASLEEP) return false;
        if (result == -EINTR && !(word & SLEEP_INTERRUPTIBLE)) return false;
    } while (!atomic_compare_exchange_weak(&t->sleep, &word, sleep_woken(result)));
    if (state == SLEEP_ASLEEP) enqueue_woken(t);
    return true;
}

bool thread_wake(struct thread *t, int result) {
    uint32_t word = SLEEP_ASLEEP | SLEEP_INTERRUPTIBLE; /* a full barrier also where it fails */
    if (unlikely(!atomic_compare_exchange_strong(&t->sleep, &word, sleep_woken(result)))) return wake_slow(t, result);
    enqueue_woken(t);
    return true;
}

void thread_interrupt(struct thread *t) {
    if (thread_wake(t, -EINTR) || t == thread_current()) return;
    /* Running elsewhere: the interrupt takes it through the return path. If it moves, it passes there too. */
    if (atomic_load(&t->state) == THREAD_RUNNING && atomic_load(&t->on_cpu))
        arch_ipi_reschedule(__atomic_load_n(&t->cpu, __ATOMIC_RELAXED));
}

bool thread_claim_slow(struct thread *t) {
    atomic_thread_fence(memory_order_seq_cst);
    uint32_t word = atomic_load_explicit(&t->sleep, memory_order_relaxed);
    if (likely((word & SLEEP_STATE) == SLEEP_ASLEEP) &&
        likely(atomic_compare_exchange_strong(&t->sleep, &word, SLEEP_CLAIMED)))
        return true;
    thread_wake(t, 0); /* not asleep yet: its thread_block returns at once */
    return false;
}

void thread_wake_claimed(struct thread *t, int result) {
    ASSERT((t->sleep & SLEEP_STATE) == SLEEP_CLAIMED);
    atomic_store_explicit(&t->sleep, sleep_woken(result), memory_order_relaxed);
    sched_enqueue(t);
}
