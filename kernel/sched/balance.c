// SPDX-License-Identifier: MIT
/*
 * Which CPU runs what: placement at wake-up, stealing by idle CPUs, balance when a slice ends,
 * priorities and affinity; per-CPU start; load figures.
 *
 * Placement: the CPU of last time if it is idle (caches), else an idle one, else the CPU of last time
 * unless its queue is the longer one by two.  No global lock; two queues are locked by address.
 */
#include "sched.h"
#include <kernel/clock.h>
#include <kernel/log.h>
#include <kernel/mm.h>

#define LOAD_PERIOD_NS 5000000000LL

static uint32_t cycle_shift = 20;
static uint64_t cycle_mult = 1 << 20; /* ns = cycles × mult >> shift */

uint64_t sched_ns(uint64_t cycles) { return (uint64_t)((unsigned __int128)cycles * cycle_mult >> cycle_shift); }

static uint32_t queue_load(struct run_queue *q) UNCHECKED {
    return __atomic_load_n(&q->count, __ATOMIC_RELAXED) +
           (atomic_load_explicit(&q->running, memory_order_relaxed) >= 0);
}

static struct run_queue *least_loaded(uint64_t mask) {
    struct run_queue *best = nullptr;
    for (; mask; mask &= mask - 1) {
        struct run_queue *q = &run_queues[__builtin_ctzll(mask)];
        if (!best || queue_load(q) < queue_load(best)) best = q;
    }
    return best;
}

uint32_t sched_choose_cpu_slow(struct thread *t) {
    uint64_t last = 1ULL << t->cpu, allowed = t->affinity;
    if (unlikely(atomic_load_explicit(&t->on_cpu, memory_order_acquire))) return t->cpu; /* not yet anywhere else */
    uint64_t idle = atomic_load_explicit(&sched_idle_cpus, memory_order_relaxed) & allowed;
    if (unlikely(idle)) {
        uint64_t bit = idle & last ? last : idle & -idle;
        atomic_fetch_and(&sched_idle_cpus, ~bit); /* the next waker looks for another */
        return (uint32_t)__builtin_ctzll(bit);
    }
    struct run_queue *here = run_queue_current();
    if (likely(allowed & last) && (t->cpu == here->cpu || queue_load(&run_queues[t->cpu]) < queue_load(here) + 2))
        return t->cpu;
    allowed &= atomic_load_explicit(&sched_cpus, memory_order_relaxed);
    return allowed ? least_loaded(allowed)->cpu : here->cpu;
}

/* The best thread of `from` that may run on `cpu`, or null. */
static struct thread *find_for(const struct run_queue *from, uint32_t cpu) REQUIRES(from -> lock) {
    for (uint64_t map = from->bitmap; map;) {
        unsigned priority = 63 - (unsigned)__builtin_clzll(map);
        map &= ~(1ULL << priority);
        list_for_each (l, &from->lists[priority]) {
            struct thread *t = list_entry(l, struct thread, run_link);
            if ((t->affinity >> cpu & 1) && !atomic_load(&t->on_cpu)) return t;
        }
    }
    return nullptr;
}

/* Moves such a thread, if there is one. */
static bool take_for(struct run_queue *from, struct run_queue *to) {
    spin_lock(&from->lock);
    struct thread *t = find_for(from, to->cpu);
    if (t) {
        queue_remove(from, t);
        t->cpu = to->cpu;
    }
    spin_unlock(&from->lock);
    if (!t) return false;
    cpu_count(COUNT_STEAL);
    spin_lock(&to->lock);
    queue_push(to, t, false);
    spin_unlock(&to->lock);
    return true;
}

bool sched_steal(struct run_queue *q) {
    for (uint64_t others = atomic_load(&sched_cpus) & ~(1ULL << q->cpu); others; others &= others - 1) {
        struct run_queue *from = &run_queues[__builtin_ctzll(others)];
        if (__atomic_load_n(&from->bitmap, __ATOMIC_RELAXED) && take_for(from, q)) return true;
    }
    return false;
}

/* Whether two threads wait although another CPU, on which one of them may run, has nothing to do. */
static bool should_share(struct run_queue *q) {
    bool found = false;
    if (__atomic_load_n(&q->count, __ATOMIC_RELAXED) < 2) return false;
    spin_lock(&q->lock);
    for (uint64_t cpus = atomic_load(&sched_cpus); cpus && q->count >= 2 && !found; cpus &= cpus - 1) {
        struct run_queue *other = &run_queues[__builtin_ctzll(cpus)];
        found = queue_load(other) == 0 && find_for(q, other->cpu);
    }
    spin_unlock(&q->lock);
    return found;
}

/* Counted in slices: a virtual CPU that its host has stopped lets none wait. */
void sched_balance(struct run_queue *q) {
    struct run_queue *to;
    for (uint64_t others = atomic_load(&sched_cpus) & ~(1ULL << q->cpu); others; others &= ~(1ULL << to->cpu)) {
        to = least_loaded(others);
        if (queue_load(q) < queue_load(to) + 2) break;
        if (take_for(q, to)) sched_kick(to, true);
    }
    q->left_waiting = should_share(q) ? q->left_waiting + 1 : 0;
    if (q->left_waiting == 2) cpu_count(COUNT_IDLE_WAIT);
}

/* --- priorities and affinity -------------------------------------------------------------------- */

/* Locks the queue of t's CPU, which can't change while it is held. */
UNCHECKED static struct run_queue *queue_lock_of(struct thread *t) {
    for (;;) {
        struct run_queue *q = &run_queues[__atomic_load_n(&t->cpu, __ATOMIC_RELAXED)];
        spin_lock(&q->lock);
        if (likely(&run_queues[t->cpu] == q)) return q;
        spin_unlock(&q->lock);
    }
}

/*
 * t may be anywhere: its queue's lock keeps it from being queued or moved meanwhile.  If it runs
 * elsewhere or is about to, WORK_RESCHED, set first, takes it through preempt(), which puts right what
 * was decided by the old values.
 */
UNCHECKED static void change_priority(struct thread *t, _Atomic uint8_t *which, unsigned value) {
    struct run_queue *q = queue_lock_of(t);
    bool queued = !list_empty(&t->run_link), self = t == thread_current();
    unsigned state = atomic_load(&t->state), before = t->priority;
    if (queued) queue_remove(q, t);
    else if (!self) atomic_fetch_or(&t->work, WORK_RESCHED);
    *which = (uint8_t)value;
    t->priority = max(t->base_priority, t->lent_priority);
    bool preempts;
    if (queued) {
        queue_push(q, t, false);
        preempts = t->priority > atomic_load_explicit(&q->running, memory_order_relaxed);
    } else if (self) {
        atomic_store_explicit(&q->running, (int8_t)t->priority, memory_order_relaxed);
        preempts = q->bitmap >> t->priority > 1;
    } else { /* a successor that should go first; one that runs and should no longer */
        preempts = state == THREAD_RUNNABLE ? t->priority > before : t->priority < before && state == THREAD_RUNNING;
    }
    spin_unlock(&q->lock);
    if (preempts) sched_kick(q, true);
}

void thread_set_priority(struct thread *t, unsigned base) {
    change_priority(t, &t->base_priority, min(base, PRIORITY_COUNT - 1U));
}

void thread_lend_priority(struct thread *t, unsigned lent) {
    if (t->lent_priority != lent) change_priority(t, &t->lent_priority, lent);
}

UNCHECKED void thread_set_affinity(struct thread *t, uint64_t mask) {
    struct run_queue *q = queue_lock_of(t);
    bool leaves = !(mask >> q->cpu & 1), queued = !list_empty(&t->run_link);
    t->affinity = mask;
    atomic_fetch_or(&t->work, WORK_RESCHED); /* wherever it comes to run now, preempt() sees if it may */
    if (leaves && queued) queue_remove(q, t);
    spin_unlock(&q->lock);
    if (leaves && queued) sched_enqueue(t);
    else if (leaves) sched_kick(q, true);
}

/* --- load averages ------------------------------------------------------------------------------ */

static uint64_t load_average[3];
static struct timer load_timer;

uint32_t sched_running(void) {
    uint32_t n = 0;
    for (uint64_t map = atomic_load(&sched_cpus); map; map &= map - 1)
        n += queue_load(&run_queues[__builtin_ctzll(map)]);
    return n;
}

static void load_sample(struct timer *timer) {
    /* 65536 × exp(-5 s / 1, 5, 15 min) */
    static const uint64_t decay[3] = {60298, 64453, 65173};
    uint64_t active = (uint64_t)sched_running() << 16;
    for (unsigned i = 0; i < 3; i++) load_average[i] = (load_average[i] * decay[i] + active * (65536 - decay[i])) >> 16;
    timer_start(timer, clock_now() + LOAD_PERIOD_NS);
}

static void load_start(void) {
    timer_init(&load_timer, load_sample);
    timer_start(&load_timer, clock_now() + LOAD_PERIOD_NS);
}

/* --- CPUs --------------------------------------------------------------------------------------- */

/* arch_cycles() counts ns × 2^shift / mult if that is the clock; else it is measured against the clock. */
static void cycles_init(void) {
    struct clock_params clock;
    arch_clock_params(&clock);
    if (clock.usable) {
        cycle_mult = clock.mult;
        cycle_shift = clock.shift;
    } else {
        nsec_t start = clock_now();
        uint64_t cycles = arch_cycles();
        while (clock_now() - start < 1000000) cpu_pause();
        cycle_mult = ((uint64_t)(clock_now() - start) << cycle_shift) / (arch_cycles() - cycles);
    }
    /* In two steps: ns << shift needs more than 64 bits. A bit less: the timer may be early for who began late. */
    sched_slice_cycles = ((uint64_t)(SLICE_NS / 10) << cycle_shift) / cycle_mult * 9;
}

void sched_init_cpu(void) {
    struct cpu *c = cpu_current();
    struct run_queue *q = &run_queues[c->id];
    struct thread *t = kzalloc(sizeof(*t));
    if (!t) panic("no memory for an idle thread");
    trace_init_cpu();
    bool first = !sched_slice_cycles;
    if (first) cycles_init();
    spin_init(&q->lock, RANK_RUNQUEUE);
    for (unsigned i = 0; i < PRIORITY_COUNT; i++) list_init(&q->lists[i]);
    q->cpu = c->id;
    q->idle = t;
    q->started = q->slice_start = arch_cycles();
    t->run_cycles = -q->started;
    sched_slice_init(q);
    timer_init_cpu();
    atomic_init(&q->running, -1);
    t->stack = arch_boot_stack();
    t->cpu = c->id;
    t->affinity = 1ULL << c->id;
    atomic_init(&t->refs, 1);
    atomic_init(&t->state, THREAD_RUNNING);
    atomic_init(&t->on_cpu, true);
    list_init(&t->run_link);
    thread_init_sleep(t);
    __builtin_memcpy(t->name, "idle", 5);
    c->idle = c->current = t;
    c->run_queue = q;
    atomic_fetch_or(&sched_cpus, 1ULL << c->id);
    if (first) load_start();
}

void sched_cpu_times(uint32_t cpu, uint64_t *idle_ns, uint64_t *busy_ns) {
    const struct run_queue *q = &run_queues[cpu];
    uint64_t idle = __atomic_load_n(&q->idle->run_cycles, __ATOMIC_RELAXED), now = arch_cycles();
    if ((int64_t)idle < 0) idle += now;
    *idle_ns = sched_ns(idle);
    *busy_ns = sched_ns(now - q->started - idle);
}

uint64_t sched_load(unsigned which) { return load_average[which]; }
