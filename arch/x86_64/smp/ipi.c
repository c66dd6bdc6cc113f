// SPDX-License-Identifier: MIT
/*
 * Inter-processor interrupts. A call to other CPUs: the caller fills its own request, sets its bit in
 * each target's mailbox, and waits until every target has cleared its bit in `pending`. A CPU looks
 * into its mailbox on the interrupt, in every spin loop, and while it waits here itself: so two CPUs
 * that call each other, or one that spins on a lock of the caller, serve each other.
 */
#include "smp.h"
#include <asm/arch.h>
#include <kernel/thread.h>

static _Atomic uint64_t online_mask = 1;

uint32_t cpu_online(void) { return (uint32_t)__builtin_popcountll(atomic_load(&online_mask)); }
uint64_t cpu_online_mask(void) { return atomic_load(&online_mask); }
void cpu_set_online(uint32_t id) { atomic_fetch_or(&online_mask, 1ULL << id); }

void arch_ipi_reschedule(uint32_t cpu) {
    struct arch_cpu *target = cpu_table[cpu];
    if (atomic_exchange(&target->cpu.need_resched, 1)) return; /* on its way already */
    cpu_count(COUNT_IPI);
    lapic_send(target->apic_id, ICR_FIXED | VECTOR_WAKE);
}

void ipi_wake_handle(void) {
    struct cpu *cpu = cpu_current();
    atomic_store(&cpu->need_resched, 1);
    if (cpu->current) atomic_fetch_or(&cpu->current->work, WORK_RESCHED);
}

void arch_ipi_poll(void) {
    struct arch_cpu *self = arch_cpu();
    if (likely(!atomic_load_explicit(&self->ipi_from, memory_order_relaxed))) return;
    uint64_t from = atomic_exchange(&self->ipi_from, 0), bit = 1ULL << self->cpu.id;
    for (; from; from &= from - 1) {
        struct ipi_request *r = &cpu_table[__builtin_ctzll(from)]->ipi_request;
        r->fn(r->arg);
        atomic_fetch_and(&r->pending, ~bit);
    }
}

void arch_ipi_call(uint64_t mask, void (*fn)(void *), void *arg) {
    struct arch_cpu *self = arch_cpu();
    struct ipi_request *r = &self->ipi_request;
    mask &= cpu_online_mask() & ~(1ULL << self->cpu.id);
    ASSERT(!atomic_load(&r->pending)); /* fn itself must not call */
    r->fn = fn;
    r->arg = arg;
    atomic_store(&r->pending, mask);
    for (uint64_t left = mask; left; left &= left - 1) {
        struct arch_cpu *target = cpu_table[__builtin_ctzll(left)];
        /* A mailbox with mail has an interrupt on its way. */
        if (!atomic_fetch_or(&target->ipi_from, 1ULL << self->cpu.id)) {
            cpu_count(COUNT_IPI);
            lapic_send(target->apic_id, ICR_FIXED | VECTOR_CALL);
        }
    }
    while (atomic_load(&r->pending)) {
        arch_ipi_poll();
        cpu_pause();
    }
}
