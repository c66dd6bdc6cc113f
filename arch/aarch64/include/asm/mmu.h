// SPDX-License-Identifier: MIT
/*
 * The inline half of arch/mmu.h: page-table entries (Arm ARM, D5.3: 4 KiB granule, 48 bits) and
 * the address-space layout.
 *
 *   0 … USER_END                user (TTBR0)
 *   PHYSMAP                     the first 512 GiB of physical addresses, in 1 GiB blocks
 *   KERNEL_VMAP_START … END     generic kernel mappings
 *   KERNEL_BASE                 the image, 2 GiB below the end
 *
 * Hardware has a read-only bit; the contract's PTE_DIRTY is its inverse, so that PTE_WRITE can be
 * the bit that lets hardware clear it (FEAT_HAFDBS: dirty bit modifier).
 */
#pragma once
#include <asm/offsets.h>
#include <kernel/types.h>

#define PTE_PRESENT 0x3ULL /* valid, and a page or a table */
#define PTE_UNCACHED 0x4ULL /* MAIR attribute 1 */
#define PTE_WRITECOMBINE 0x8ULL /* MAIR attribute 2 */
#define PTE_USER 0x40ULL
#define PTE_DIRTY 0x80ULL /* inverted in the entry: read-only */
#define PTE_SHARED 0x300ULL /* inner shareable */
#define PTE_ACCESSED 0x400ULL
#define PTE_NOT_GLOBAL 0x800ULL
#define PTE_WRITE (1ULL << 51)
#define PTE_NOEXEC (3ULL << 53)
#define PTE_DEVICE (1ULL << 56)
#define PTE_ADDRESS 0x0000fffffffff000ULL

#define USER_END 0x00007ffffffff000UL
#define KERNEL_VMAP_START 0xffffc00000000000UL
#define KERNEL_VMAP_END 0xffffc08000000000UL
#define PT_LEAF_ENTRIES 512
#define PT_LEAF_SPAN (PT_LEAF_ENTRIES * PAGE_SIZE)

typedef uint64_t pte_t;

static inline pte_t pte_make(paddr_t pa, uint64_t flags) {
    uint64_t scope = flags & PTE_USER ? PTE_NOT_GLOBAL | PTE_SHARED : PTE_SHARED;
    return pa | (flags ^ PTE_DIRTY) | scope;
}
static inline paddr_t pte_paddr(pte_t e) { return e & PTE_ADDRESS; }
static inline uint64_t pte_flags(pte_t e) {
    return e ? (e & ~(PTE_ADDRESS | PTE_SHARED | PTE_NOT_GLOBAL)) ^ PTE_DIRTY : 0;
}
static inline pte_t pte_get(const pte_t *e) { return __atomic_load_n(e, __ATOMIC_RELAXED); }
static inline void pte_set(pte_t *e, pte_t v) { __atomic_store_n(e, v, __ATOMIC_RELEASE); }
static inline pte_t pte_swap(pte_t *e, pte_t v) { return __atomic_exchange_n(e, v, __ATOMIC_ACQ_REL); }

static inline void *phys_to_virt(paddr_t pa) { return (void *)(pa + PHYSMAP); }
static inline paddr_t virt_to_phys(const void *p) { return (paddr_t)p - PHYSMAP; }
static inline paddr_t image_to_phys(const void *p) { return (paddr_t)p - KERNEL_BASE + RAM_START; }

static inline void asm_tlb_flush_page(vaddr_t va) {
    asm volatile("dsb ishst\n\ttlbi vaae1is, %0\n\tdsb ish\n\tisb" ::"r"(va << 8 >> 20) : "memory");
}
