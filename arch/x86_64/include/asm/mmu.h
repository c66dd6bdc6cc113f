// SPDX-License-Identifier: MIT
/*
 * The inline half of arch/mmu.h: page-table entries (SDM vol. 3 §4.5) and the address-space layout.
 *
 *   0 … USER_END                user
 *   PHYSMAP                     all RAM, in 2 MiB and 1 GiB pages
 *   ARCH_MAP_START … +4 GiB     the arch's own: device registers, ACPI tables, early stacks
 *   KERNEL_VMAP_START … END     generic kernel mappings
 *   KERNEL_BASE                 the image, 2 GiB below the end
 *
 * Cache kinds use PAT entries 1 (write combining, set up in cpu.c) and 3 (uncached).
 */
#pragma once
#include <asm/offsets.h>
#include <kernel/types.h>

#define PTE_PRESENT 0x1ULL
#define PTE_WRITE 0x2ULL
#define PTE_USER 0x4ULL
#define PTE_WRITECOMBINE 0x8ULL
#define PTE_UNCACHED 0x18ULL
#define PTE_ACCESSED 0x20ULL
#define PTE_DIRTY 0x40ULL
#define PTE_LARGE 0x80ULL
#define PTE_GLOBAL 0x100ULL
#define PTE_DEVICE 0x400ULL
#define PTE_NOEXEC (1ULL << 63)
#define PTE_ADDRESS 0x000ffffffffff000ULL

#define USER_END 0x00007ffffffff000UL
#define ARCH_MAP_START 0xffffbfff00000000UL
#define ARCH_MAP_END 0xffffc00000000000UL
#define KERNEL_VMAP_START 0xffffc00000000000UL
#define KERNEL_VMAP_END 0xffffc08000000000UL
#define PT_LEAF_ENTRIES 512
#define PT_LEAF_SPAN (PT_LEAF_ENTRIES * PAGE_SIZE)

typedef uint64_t pte_t;

static inline pte_t pte_make(paddr_t pa, uint64_t flags) { return pa | flags; }
static inline paddr_t pte_paddr(pte_t e) { return e & PTE_ADDRESS; }
static inline uint64_t pte_flags(pte_t e) { return e & ~PTE_ADDRESS; }
static inline pte_t pte_get(const pte_t *e) { return __atomic_load_n(e, __ATOMIC_RELAXED); }
static inline void pte_set(pte_t *e, pte_t v) { __atomic_store_n(e, v, __ATOMIC_RELEASE); }
static inline pte_t pte_swap(pte_t *e, pte_t v) { return __atomic_exchange_n(e, v, __ATOMIC_ACQ_REL); }

static inline void *phys_to_virt(paddr_t pa) { return (void *)(pa + PHYSMAP); }
static inline paddr_t virt_to_phys(const void *p) { return (paddr_t)p - PHYSMAP; }
static inline paddr_t image_to_phys(const void *p) { return (paddr_t)p - KERNEL_BASE; }

static inline void asm_tlb_flush_page(vaddr_t va) { asm volatile("invlpg (%0)" ::"r"(va) : "memory"); }
