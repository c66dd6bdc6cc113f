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

#define LONG_WAIT_NS 20000000LL
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
    if (unlikely(atomic_load_explicit(&t->on_cpu, memory_order_acquire)) && (allowed & last))
        return t->cpu; /* nobody else could take it yet */
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

/* A thread of `from` that may run on `cpu`, taken off; the best one first, or null. */
static struct thread *take_for(struct run_queue *from, uint32_t cpu) REQUIRES(from -> lock) {
    for (uint64_t map = from->bitmap; map;) {
        unsigned priority = 63 - (unsigned)__builtin_clzll(map);
        map &= ~(1ULL << priority);
        list_for_each (l, &from->lists[priority]) {
            struct thread *t = list_entry(l, struct thread, run_link);
            if (!(t->affinity >> cpu & 1) || atomic_load(&t->on_cpu)) continue;
            queue_remove(from, t);
            return t;
        }
    }
    return nullptr;
}

struct thread *sched_steal(struct run_queue *q) {
    uint64_t others = atomic_load(&sched_cpus) & ~(1ULL << q->cpu);
    for (; others; others &= others - 1) {
        struct run_queue *from = &run_queues[__builtin_ctzll(others)];
        if (!__atomic_load_n(&from->bitmap, __ATOMIC_RELAXED)) continue;
        spin_lock(&from->lock);
        struct thread *t = take_for(from, q->cpu);
        bool waited = !t && from->count >= 2 && sched_ns(arch_cycles() - from->crowded_since) > LONG_WAIT_NS;
        spin_unlock(&from->lock);
        if (waited) cpu_count(COUNT_IDLE_WAIT);
        if (!t) continue;
        cpu_count(COUNT_STEAL);
        return t;
    }
    return nullptr;
}

void sched_balance(struct run_queue *q) {
    struct run_queue *to = least_loaded(atomic_load(&sched_cpus));
    if (to == q || queue_load(q) < queue_load(to) + 2) return;
    spin_lock(&q->lock);
    struct thread *t = take_for(q, to->cpu);
    spin_unlock(&q->lock);
    if (!t) return;
    spin_lock(&to->lock);
    queue_push(to, t, false);
    bool preempts = t->priority > atomic_load_explicit(&to->running, memory_order_relaxed);
    spin_unlock(&to->lock);
    cpu_count(COUNT_STEAL);
    sched_kick(to, preempts);
}

/* --- priorities and affinity -------------------------------------------------------------------- */

UNCHECKED static void change_priority(struct thread *t, unsigned base, unsigned lent) {
    struct run_queue *q = queue_lock_of(t);
    bool queued = !list_empty(&t->run_link);
    if (queued) queue_remove(q, t);
    t->base_priority = (uint8_t)base;
    t->lent_priority = (uint8_t)lent;
    t->priority = max(t->base_priority, t->lent_priority);
    int running = atomic_load_explicit(&q->running, memory_order_relaxed);
    bool preempts = false, current = cpu_get(q->cpu)->current == t;
    if (queued) {
        queue_push(q, t, false);
        preempts = t->priority > running;
    } else if (atomic_load(&t->state) == THREAD_RUNNABLE) { /* a successor */
        preempts = t->priority > running;
    } else if (current) {
        atomic_store_explicit(&q->running, (int8_t)t->priority, memory_order_relaxed);
        preempts = q->bitmap >> t->priority > 1;
    }
    spin_unlock(&q->lock);
    if (preempts) sched_kick(q, true);
}

void thread_set_priority(struct thread *t, unsigned base) {
    change_priority(t, min(base, PRIORITY_COUNT - 1U), t->lent_priority);
}

void thread_lend_priority(struct thread *t, unsigned lent) {
    if (t->lent_priority != lent) change_priority(t, t->base_priority, lent);
}

UNCHECKED void thread_set_affinity(struct thread *t, uint64_t mask) {
    struct run_queue *q = queue_lock_of(t);
    t->affinity = mask;
    bool leave = !(mask >> q->cpu & 1), queued = !list_empty(&t->run_link);
    bool running = cpu_get(q->cpu)->current == t;
    if (leave && queued) queue_remove(q, t);
    spin_unlock(&q->lock);
    if (leave && queued) sched_enqueue(t);
    else if (leave && running) sched_kick(q, true); /* preempt() sees that it may not stay */
}

/* --- load averages ------------------------------------------------------------------------------ */

static uint64_t load_average[3];
static struct timer load_timer;

static uint32_t load_now(void) {
    uint32_t n = 0;
    for (uint64_t map = atomic_load(&sched_cpus); map; map &= map - 1)
        n += queue_load(&run_queues[__builtin_ctzll(map)]);
    return n;
}

static void load_sample(struct timer *timer) {
    /* 65536 × exp(-5 s / 1, 5, 15 min) */
    static const uint64_t decay[3] = {60298, 64453, 65173};
    uint64_t active = (uint64_t)load_now() << 16;
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
    /* In two steps: ns << shift needs more than 64 bits. */
    sched_slice_cycles = ((uint64_t)(SLICE_NS / 10) << cycle_shift) / cycle_mult * 10;
}

void sched_init_cpu(void) {
    struct cpu *c = cpu_current();
    struct run_queue *q = &run_queues[c->id];
    struct thread *t = kzalloc(sizeof(*t));
    if (!t) panic("no memory for an idle thread");
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

uint32_t sched_running(void) { return load_now(); }
