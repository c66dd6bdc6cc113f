// SPDX-License-Identifier: MIT
/*
 * Four-level page tables (SDM vol. 3 §4.5). The top half of every root is a copy of the kernel's,
 * whose entries all exist since boot, so kernel mappings need no propagation.
 */
#include "../smp/smp.h"
#include <asm/arch.h>
#include <asm/regs.h>
#include <kernel/lib.h>
#include <kernel/mm.h>
#include <kernel/thread.h>

#define TABLE_FLAGS (PTE_PRESENT | PTE_WRITE | PTE_USER)
#define ROOT_HALF (PAGE_SIZE / 2)
#define STEP_TABLES 4 /* freed between two preemption points */

struct pagetable kernel_pagetable;

int pt_create(struct pagetable *pt) {
    paddr_t root = frame_alloc_table();
    if (!root) return -ENOMEM;
    memcpy((char *)phys_to_virt(root) + ROOT_HALF, (char *)phys_to_virt(kernel_pagetable.root) + ROOT_HALF, ROOT_HALF);
    pt->root = root;
    pt->tables = 1;
    return 0;
}

static void table_free(paddr_t table, unsigned level, unsigned entries, unsigned *work) {
    pte_t *e = phys_to_virt(table);
    for (const pte_t *end = level > 1 ? e + entries : e; e < end; e += 8) { /* most are empty: eight at once */
        if (likely(!(e[0] | e[1] | e[2] | e[3] | e[4] | e[5] | e[6] | e[7]))) continue;
        for (unsigned i = 0; i < 8; i++)
            if (e[i]) table_free(pte_paddr(e[i]), level - 1, PT_LEAF_ENTRIES, work);
        memset(e, 0, 8 * sizeof(*e));
    }
    frame_free_table(table);
    *work += level > 1 ? 2 : 1; /* looking through one takes time */
    if (*work < STEP_TABLES) return;
    preempt_point();
    *work = 0;
}

/* Other CPUs that may hold translations or walk the tables. */
static uint64_t other_cpus(const struct pagetable *pt) {
    uint64_t cpus = 0;
    atomic_thread_fence(memory_order_seq_cst); /* the entries' change before the look */
    for (uint64_t left = cpu_online_mask() & ~(1ULL << cpu_current()->id); left; left &= left - 1) {
        const struct cpu *c = &cpu_table[__builtin_ctzll(left)]->cpu;
        if (__atomic_load_n(&c->pagetable_left, __ATOMIC_ACQUIRE) == pt ||
            __atomic_load_n(&c->pagetable, __ATOMIC_RELAXED) == pt)
            cpus |= left & -left;
    }
    return cpus;
}

/* CPUs that run a kernel thread may still have it loaded. */
static void leave_pagetable(void *pt) {
    if (cpu_current()->pagetable == pt) pt_activate(&kernel_pagetable);
}

void pt_destroy(struct pagetable *pt) {
    leave_pagetable(pt);
    uint64_t others = other_cpus(pt);
    if (others) arch_ipi_call(others, leave_pagetable, pt);
    memset((char *)phys_to_virt(pt->root) + ROOT_HALF, 0, ROOT_HALF);
    unsigned work = 0; /* since the last preemption point */
    table_free(pt->root, 4, PT_LEAF_ENTRIES / 2, &work);
    pt->root = 0;
}

/* The table below *e, made if made isn't null, and counted. Kernel mappings race for one: the loser frees its own. */
static pte_t *table_below(pte_t *e, uint64_t *made, uint64_t flags) {
    pte_t v = pte_get(e);
    if (!v && made) {
        paddr_t table = frame_alloc_table();
        if (!table) return nullptr;
        if (__atomic_compare_exchange_n(e, &v, table | flags, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
            v = table | flags;
            ++*made;
        } else {
            frame_free_table(table);
        }
    }
    return v ? phys_to_virt(pte_paddr(v)) : nullptr;
}

static pte_t *leaf_find(paddr_t root, vaddr_t va, uint64_t *made, uint64_t flags) {
    pte_t *table = phys_to_virt(root);
    for (unsigned shift = 39; table && shift > 12; shift -= 9)
        table = table_below(&table[va >> shift & 511], made, flags);
    return table;
}

pte_t *pt_leaf(struct pagetable *pt, vaddr_t va, bool create) {
    ASSERT(va < USER_END);
    /* The common case, that it exists, without the loop: every fault and pin comes through here. */
    pte_t e = pt->root;
    for (unsigned shift = 39; shift > 12; shift -= 9) {
        e = pte_get((pte_t *)phys_to_virt(pte_paddr(e)) + (va >> shift & 511));
        if (unlikely(!e)) return create ? leaf_find(pt->root, va, &pt->tables, TABLE_FLAGS) : nullptr;
    }
    return phys_to_virt(pte_paddr(e));
}

vaddr_t pt_next_leaf(struct pagetable *pt, vaddr_t va, vaddr_t end) {
    while (va < end) {
        pte_t *table = phys_to_virt(pt->root);
        unsigned shift = 39;
        for (; shift > 12; shift -= 9) {
            pte_t e = pte_get(&table[va >> shift & 511]);
            if (!e) break;
            table = phys_to_virt(pte_paddr(e));
        }
        if (shift == 12) return va;
        va = align_down(va, 1UL << shift) + (1UL << shift);
    }
    return end;
}

bool physmap_has(paddr_t pa) {
    const pte_t *table = phys_to_virt(kernel_pagetable.root);
    for (unsigned shift = 39; shift > 12; shift -= 9) {
        pte_t e = pte_get(&table[(PHYSMAP + pa) >> shift & 511]);
        if (!e || e & PTE_LARGE) return e;
        table = phys_to_virt(pte_paddr(e));
    }
    return false;
}

pte_t *kernel_entry(vaddr_t va, bool create) {
    uint64_t made = 0; /* nobody counts the kernel's */
    pte_t *leaf = leaf_find(kernel_pagetable.root, va, create ? &made : nullptr, PTE_PRESENT | PTE_WRITE);
    return leaf ? &leaf[pt_index(va)] : nullptr;
}

int kernel_map(vaddr_t va, paddr_t pa, uint64_t pte_flags) {
    pte_t *entry = kernel_entry(va, true);
    if (!entry) return -ENOMEM;
    ASSERT(!pte_get(entry));
    pte_set(entry, pte_make(pa, pte_flags | PTE_PRESENT | PTE_GLOBAL));
    return 0;
}

void pt_activate(struct pagetable *pt) { pt_load(pt); }

/* --- flushing ------------------------------------------------------------------------------- */

#define FLUSH_ALL_PAGES 32 /* from here on, dropping everything is cheaper */

struct flush {
    vaddr_t start;
    size_t pages;
};

static void flush_local(void *arg) {
    const struct flush *f = arg;
    cpu_count(COUNT_TLB_FLUSH);
    if (f->pages >= FLUSH_ALL_PAGES) {
        cpu_count(COUNT_CR3);
        write_cr3(read_cr3()); /* keeps global entries, which are all the kernel's */
        return;
    }
    for (size_t i = 0; i < f->pages; i++) asm_tlb_flush_page(f->start + i * PAGE_SIZE);
}

void tlb_flush(struct pagetable *pt, vaddr_t start, size_t pages) {
    struct flush f = {start, pages};
    uint64_t others = other_cpus(pt);
    if (cpu_current()->pagetable == pt) flush_local(&f);
    if (others) arch_ipi_call(others, flush_local, &f);
}

void kernel_unmap_pages(vaddr_t start, size_t pages, paddr_t *old) {
    struct flush f = {start, pages};
    ASSERT(pages <= KERNEL_UNMAP_MAX);
    static_assert(KERNEL_UNMAP_MAX < FLUSH_ALL_PAGES, "they are global");
    for (size_t i = 0; i < pages; i++) old[i] = pte_paddr(pte_swap(kernel_entry(start + i * PAGE_SIZE, false), 0));
    flush_local(&f);
    uint64_t others = cpu_online_mask() & ~(1ULL << cpu_current()->id);
    if (others) arch_ipi_call(others, flush_local, &f);
}
