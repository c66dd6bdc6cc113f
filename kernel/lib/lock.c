// SPDX-License-Identifier: MIT
/*
 * The slow half of spinlocks, and the rank checks of debug builds. A CPU records the locks it holds
 * in struct cpu; taking one whose rank is not above the last's is a bug, except for two of one rank
 * in rising address (spin_lock_pair).
 */
#include <kernel/lock.h>

SLOW_PATH void spin_lock_slow(struct spinlock *l) {
    do {
        while (atomic_load_explicit(&l->held, memory_order_relaxed)) {
            arch_ipi_poll(); /* the holder may be waiting for this CPU's TLB flush */
            cpu_pause();
        }
    } while (atomic_exchange_explicit(&l->held, 1, memory_order_acquire));
}

UNCHECKED void spin_lock_pair(struct spinlock *a, struct spinlock *b) {
    struct spinlock *first = a < b ? a : b, *second = a < b ? b : a;
    spin_lock(first);
    if (first != second) spin_lock(second);
}

UNCHECKED void spin_unlock_pair(struct spinlock *a, struct spinlock *b) {
    spin_unlock(a);
    if (a != b) spin_unlock(b);
}

#if CATHODE_DEBUG
void lock_check_acquire(const void *l, int rank) {
    struct cpu *cpu = cpu_current();
    uint32_t depth = cpu->spin_depth;
    if (depth == array_size(cpu->held)) panic("more than %u locks held", depth);
    for (uint32_t i = 0; i < depth; i++)
        if (cpu->held[i] == l) panic("lock %p (rank %d) taken twice", l, rank);
    if (depth) {
        int last = cpu->held_rank[depth - 1];
        if (rank < last || (rank == last && l < cpu->held[depth - 1]))
            panic("lock rank %d (%p) taken with rank %d (%p) held", rank, l, last, cpu->held[depth - 1]);
    }
    cpu->held[depth] = l;
    cpu->held_rank[depth] = (uint8_t)rank;
    cpu->spin_depth = depth + 1;
}

void lock_check_release(const void *l) {
    struct cpu *cpu = cpu_current();
    uint32_t i = cpu->spin_depth;
    while (i && cpu->held[i - 1] != l) i--;
    if (!i) panic("lock %p released but not held by this CPU", l);
    for (; i < cpu->spin_depth; i++) {
        cpu->held[i - 1] = cpu->held[i];
        cpu->held_rank[i - 1] = cpu->held_rank[i];
    }
    cpu->spin_depth--;
}

void lock_check_none(void) {
    const struct cpu *cpu = cpu_current();
    if (cpu->spin_depth)
        panic("blocking, or touching user memory, with a lock of rank %d (%p) held",
              cpu->held_rank[cpu->spin_depth - 1], cpu->held[cpu->spin_depth - 1]);
}
#endif
