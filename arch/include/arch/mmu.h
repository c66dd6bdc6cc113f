// SPDX-License-Identifier: MIT
/*
 * Arch contract: page tables and TLBs.
 *
 * Generic code works on leaf tables: arrays of PT_LEAF_ENTRIES entries that map PT_LEAF_SPAN bytes.
 * <asm/mmu.h> supplies pte_t, PTE_* bits and pte_make/pte_paddr/pte_flags inline.  Entries are
 * changed with the address space's page-table lock held; hardware may set ACCESSED and DIRTY at any
 * time, so an entry is taken away with pte_swap.
 */
#pragma once
#include <asm/mmu.h>
#include <kernel/types.h>

/*
 * From <asm/mmu.h>:
 *   PTE_PRESENT PTE_WRITE PTE_USER PTE_NOEXEC PTE_DIRTY PTE_ACCESSED, cache kinds PTE_UNCACHED
 *   PTE_WRITECOMBINE, software bit PTE_DEVICE (no struct frame behind)
 *   pte_t pte_make(paddr_t, uint64_t flags); paddr_t pte_paddr(pte_t); uint64_t pte_flags(pte_t);
 *   pte_t pte_get(pte_t *); void pte_set(pte_t *, pte_t); pte_t pte_swap(pte_t *, pte_t);
 *   void *phys_to_virt(paddr_t); paddr_t virt_to_phys(const void *) for the physmap only
 *   USER_END: first address above user space; KERNEL_VMAP_START/END; PT_LEAF_ENTRIES, PT_LEAF_SPAN
 */

struct pagetable {
    paddr_t root;
    uint64_t tables; /* pages of it, the root included; made by one thread at a time */
};

MUST_CHECK int pt_create(struct pagetable *pt); /* user half empty, kernel half shared. -ENOMEM */
void pt_destroy(struct pagetable *pt); /* frees table pages only; leaves must be clear */
/* The leaf table that covers va, made if create (null: absent, or no memory). */
pte_t *pt_leaf(struct pagetable *pt, vaddr_t va, bool create);
/* First address ≥ va (and < end) whose leaf table exists, or end. For sparse walks. */
vaddr_t pt_next_leaf(struct pagetable *pt, vaddr_t va, vaddr_t end);
static inline unsigned pt_index(vaddr_t va) { return (va / PAGE_SIZE) % PT_LEAF_ENTRIES; }

/* Flushes [start, start + pages) on every CPU that may hold it, and waits. */
void tlb_flush(struct pagetable *pt, vaddr_t start, size_t pages);
static inline void tlb_flush_local_page(vaddr_t va) { asm_tlb_flush_page(va); }

/* Kernel half: one table for all. Pages of [va, va + n) in the vmap range. */
MUST_CHECK int kernel_map(vaddr_t va, paddr_t pa, uint64_t pte_flags); /* -ENOMEM */
#define KERNEL_UNMAP_MAX 17
/* ≤ KERNEL_UNMAP_MAX pages; flushes them everywhere, once. old: their physical addresses. */
void kernel_unmap_pages(vaddr_t start, size_t pages, paddr_t *old);
static inline paddr_t kernel_unmap(vaddr_t va) {
    paddr_t old;
    kernel_unmap_pages(va, 1, &old);
    return old;
}
pte_t *kernel_entry(vaddr_t va, bool create); /* null: no table, or no memory for one */

void pt_activate(struct pagetable *pt); /* load on this CPU if it is not loaded already */
