// SPDX-License-Identifier: MIT
/*
 * Spinlocks and sleeping mutexes with ranks.
 *
 * The kernel runs with interrupts off, so a spinlock never saves flags.  A CPU that spins serves its
 * IPI mailbox (arch_ipi_poll), so a TLB shoot-down sent by the holder cannot deadlock.  Locks are
 * taken in rising rank; two of one rank by rising address (spin_lock_pair).  Debug builds check
 * both, and that no spinlock is held across a block, a user copy or a preemption point.
 */
#pragma once
#include <arch/cpu.h>
#include <kernel/debug.h>
#include <kernel/list.h>

enum lock_rank {
    RANK_PROCESS = 1, /* process tree, groups, sessions, signal state */
    RANK_FILE, /* file offset (mutex): held across user copies, so before what a fault takes */
    RANK_SPACE, /* address-space regions (mutex) */
    RANK_HANDLES, /* handle table */
    RANK_OBJECT, /* scheme, channel, memory object */
    RANK_PAGETABLE,
    RANK_WATCH, /* an object's list of watches */
    RANK_EVENT, /* event objects: posted to with an object held */
    RANK_SIGNAL, /* a process's threads and signals */
    RANK_WAIT, /* futex buckets, wait queues */
    RANK_THREAD,
    RANK_TIMER,
    RANK_RUNQUEUE,
    RANK_SLAB,
    RANK_FRAME,
    RANK_LOG,
    RANK_COUNT
};

#define CAPABILITY __attribute__((capability("lock")))
/* The #define GUARDED_BY(l) __attribute__((guarded_by(l))) without parentheses: clang 19
 * resolves "&lock" against the structure, nothing else. */
#define GUARDED_BY(l) __attribute__((guarded_by(&l)))
#define REQUIRES(l) __attribute__((requires_capability(&l)))
#define ACQUIRES(...) __attribute__((acquire_capability(__VA_ARGS__)))
#define RELEASES(...) __attribute__((release_capability(__VA_ARGS__)))
#define UNCHECKED __attribute__((no_thread_safety_analysis))

struct CAPABILITY spinlock {
    _Atomic uint32_t held;
    uint8_t rank;
};
#define SPINLOCK_INIT(r) {.rank = (r)}

static inline void spin_init(struct spinlock *l, enum lock_rank rank) {
    atomic_init(&l->held, 0);
    l->rank = (uint8_t)rank;
}

SLOW_PATH void spin_lock_slow(struct spinlock *l);
#if CATHODE_DEBUG
void lock_check_acquire(const void *l, int rank); /* panics on a rank violation; records the lock */
void lock_check_release(const void *l);
void lock_check_none(void); /* panics if this CPU holds any spinlock */
#else
static inline void lock_check_acquire(const void *, int) {}
static inline void lock_check_release(const void *) {}
static inline void lock_check_none(void) {}
#endif

static inline void spin_lock(struct spinlock *l) ACQUIRES(l) UNCHECKED {
    lock_check_acquire(l, l->rank);
    cpu_count(COUNT_LOCK);
    if (unlikely(atomic_exchange_explicit(&l->held, 1, memory_order_acquire))) spin_lock_slow(l);
}
static inline void spin_unlock(struct spinlock *l) RELEASES(l) UNCHECKED {
    lock_check_release(l);
    atomic_store_explicit(&l->held, 0, memory_order_release);
}
void spin_lock_pair(struct spinlock *a, struct spinlock *b); /* a may equal b */
void spin_unlock_pair(struct spinlock *a, struct spinlock *b);

/* Sleeping lock, for paths that may wait for a pager or run long. Lends priority to its holder. */
struct thread;
struct CAPABILITY mutex {
    _Atomic(struct thread *) owner;
    struct spinlock lock;
    struct list waiters;
    uint8_t rank;
    bool lent; /* a waiter has lent its priority to the owner, */
    uint8_t owner_lent; /* who had this loan before */
};
#define MUTEX_INIT(name, r)                                                                                            \
    {.lock = SPINLOCK_INIT(RANK_WAIT), .waiters = {&(name).waiters, &(name).waiters}, .rank = (r)}
void mutex_init(struct mutex *m, enum lock_rank rank);
void mutex_lock(struct mutex *m) ACQUIRES(m);
void mutex_unlock(struct mutex *m) RELEASES(m);
