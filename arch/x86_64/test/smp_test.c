// SPDX-License-Identifier: MIT
/* Messages between CPUs, flushes, clocks, timer, kernel mappings, sparse page-table walks. */
#include "../smp/smp.h"
#include "provoke.h"
#include <arch/irq.h>
#include <arch/time.h>
#include <kernel/lib.h>
#include <kernel/mm.h>
#include <kernel/test.h>

static _Atomic uint32_t seen;
static void count_cpu(void *arg) {
    atomic_fetch_add(&seen, 1);
    EXPECT(arg == &seen);
}

KTEST(ipi_call_reaches_every_other_cpu) {
    for (int i = 0; i < 1000; i++) {
        atomic_store(&seen, 0);
        arch_ipi_call(cpu_online_mask(), count_cpu, &seen);
        EXPECT(atomic_load(&seen) == cpu_online() - 1);
    }
}

static _Atomic int64_t clock_last;
static void clock_look(void *arg) {
    bool *backwards = arg;
    nsec_t now = arch_clock_now();
    if (now < atomic_load(&clock_last)) *backwards = true;
    atomic_store(&clock_last, now);
}

KTEST(clock_agrees_between_cpus) {
    bool backwards = false;
    for (int i = 0; i < 200; i++) {
        for (uint64_t left = cpu_online_mask(); left; left &= left - 1)
            arch_ipi_call(left & -left, clock_look, &backwards);
        clock_look(&backwards);
    }
    EXPECT(!backwards);
}

KTEST(clock_params_give_the_clock) {
    struct clock_params p;
    arch_clock_params(&p);
    nsec_t before = arch_clock_now();
    nsec_t same = (nsec_t)(p.base_ns + (uint64_t)((unsigned __int128)(arch_cycles() - p.tsc_base) * p.mult >> p.shift));
    nsec_t after = arch_clock_now();
    EXPECT(!p.usable || (before <= same && same <= after));
}

KTEST(kernel_mappings_come_and_go) {
    vaddr_t va = KERNEL_VMAP_END - PAGE_SIZE;
    struct frame *f = frame_alloc_zeroed(FRAME_KERNEL);
    paddr_t pa = f ? frame_paddr(f) : 0;
    EXPECT(pa && !kernel_map(va, pa, PTE_WRITE | PTE_NOEXEC));
    *(volatile uint32_t *)va = 42;
    EXPECT(*(uint32_t *)phys_to_virt(pa) == 42);
    EXPECT(kernel_unmap(va) == pa);
    EXPECT(!kernel_map(va, pa, PTE_WRITE | PTE_NOEXEC) && kernel_unmap(va) == pa);
    paddr_t old[2];
    EXPECT(!kernel_map(va, pa, PTE_WRITE | PTE_NOEXEC) && !kernel_map(va - PAGE_SIZE, pa, PTE_WRITE | PTE_NOEXEC));
    kernel_unmap_pages(va - PAGE_SIZE, 2, old);
    EXPECT(old[0] == pa && old[1] == pa && !pte_get(kernel_entry(va, false)));
    frame_free(frame_of(pa));
}

KTEST(sparse_walk_finds_leaf_tables) {
    const vaddr_t places[] = {0x200000, 0x7f0000000000, 0x7ffffffff000 - PAGE_SIZE};
    struct pagetable pt;
    EXPECT(!pt_create(&pt));
    EXPECT(pt_next_leaf(&pt, 0, USER_END) == USER_END);
    EXPECT(!pt_leaf(&pt, places[0], false));
    for (size_t i = 0; i < array_size(places); i++) EXPECT(pt_leaf(&pt, places[i], true));
    EXPECT(pt_next_leaf(&pt, 0, USER_END) == places[0]);
    EXPECT(pt_next_leaf(&pt, places[0] + PT_LEAF_SPAN, USER_END) == places[1]);
    EXPECT(pt_next_leaf(&pt, places[2], USER_END) == places[2]);
    EXPECT(pt_next_leaf(&pt, 0, places[0]) == places[0]);
    pt_destroy(&pt);
}

static void load_pagetable(void *arg) { pt_activate(arg); }
static void look_pagetable(void *arg) {
    if (cpu_current()->pagetable == arg) atomic_fetch_add(&seen, 1);
}

KTEST(a_destroyed_page_table_is_loaded_nowhere) {
    struct pagetable pt;
    EXPECT(!pt_create(&pt));
    arch_ipi_call(cpu_online_mask(), load_pagetable, &pt);
    tlb_flush(&pt, 0x1000, 1);
    tlb_flush(&pt, 0x1000, 1000);
    pt_destroy(&pt);
    atomic_store(&seen, 0);
    arch_ipi_call(cpu_online_mask(), look_pagetable, &pt);
    EXPECT(atomic_load(&seen) == 0);
}

KTEST(interrupt_vectors_run_out_cleanly) {
    int vectors[IRQ_VECTOR_COUNT], count = 0;
    uint64_t address;
    uint32_t data;
    while (count < IRQ_VECTOR_COUNT && (vectors[count] = arch_msi_allocate(&address, &data)) >= 0) count++;
    EXPECT(count > 0 && arch_msi_allocate(&address, &data) == -ENOSPC);
    while (count) arch_irq_free((unsigned)vectors[--count]);
    EXPECT(arch_irq_route(100000, 0) == -EINVAL);
}

KTEST(nmi_dumps_and_goes_on) {
    for (uint32_t i = 0; i < cpu_online(); i++) {
        uint32_t before = atomic_load(&cpu_table[i]->dumps);
        lapic_send(cpu_table[i]->apic_id, ICR_NMI);
        for (nsec_t end = arch_clock_now() + 1000000000;
             atomic_load(&cpu_table[i]->dumps) == before && arch_clock_now() < end;)
            cpu_pause();
        EXPECT(atomic_load(&cpu_table[i]->dumps) == before + 1);
    }
}

KTEST(random_numbers_differ) {
    uint64_t a, b;
    if (arch_random(&a) && arch_random(&b)) EXPECT(a != b);
}
