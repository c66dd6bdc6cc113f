// SPDX-License-Identifier: MIT
/* Page tables of the kernel half. One CPU, with interrupts off: no walk runs beside another. */
#include <asm/arch.h>
#include <kernel/debug.h>
#include <kernel/mm.h>

static pte_t *leaf_find(vaddr_t va, bool create) {
    pte_t *table = kernel_root;
    for (unsigned shift = 39; shift > PAGE_SHIFT; shift -= 9) {
        pte_t *e = &table[va >> shift & 511];
        paddr_t below = pte_get(e) ? pte_paddr(pte_get(e)) : create ? frame_alloc_table() : 0;
        if (!below) return nullptr;
        pte_set(e, below | PTE_PRESENT);
        table = phys_to_virt(below);
    }
    return table;
}

pte_t *kernel_entry(vaddr_t va, bool create) {
    pte_t *leaf = leaf_find(va, create);
    return leaf ? &leaf[pt_index(va)] : nullptr;
}

int kernel_map(vaddr_t va, paddr_t pa, uint64_t flags) {
    pte_t *entry = kernel_entry(va, true);
    if (!entry) return -ENOMEM;
    ASSERT(!pte_get(entry));
    /* The kernel's own pages take no faults to note their use. */
    flags |= PTE_PRESENT | PTE_ACCESSED | (flags & PTE_WRITE ? PTE_DIRTY : 0);
    pte_set(entry, pte_make(pa, flags));
    asm volatile("dsb ishst\n\tisb" ::: "memory"); /* the walker sees it */
    return 0;
}

void kernel_unmap_pages(vaddr_t start, size_t pages, paddr_t *old) {
    cpu_count(COUNT_TLB_FLUSH);
    for (size_t i = 0; i < pages; i++) {
        old[i] = pte_paddr(pte_swap(kernel_entry(start + i * PAGE_SIZE, false), 0));
        asm_tlb_flush_page(start + i * PAGE_SIZE);
    }
}
