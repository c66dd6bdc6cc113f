// SPDX-License-Identifier: MIT
/*
 * Kernel virtual memory: blocks of 2^n pages of KERNEL_VMAP_START … END, aligned to their size, of which
 * at least the last page is never mapped: a guard, and the mark where a mapping ends.  The first page
 * of the whole range guards the first block.  Free blocks are kept in a list per size, linked through
 * their first entry, which isn't present.  Some kernel stacks are kept, mapped, because each fork
 * needs one.
 */
#include <arch/thread.h>
#include <kernel/mm.h>

#define ORDERS 28 /* of blocks: the whole range has 2^27 pages */
#define STACKS_KEPT 32
#define STACK_PAGES (KERNEL_STACK_SIZE / PAGE_SIZE)

static struct {
    struct spinlock lock;
    vaddr_t free[ORDERS] GUARDED_BY(lock); /* 0: none */
    vaddr_t top GUARDED_BY(lock); /* from here on nothing was ever given out */
} vmap = {.lock = SPINLOCK_INIT(RANK_SLAB), .top = KERNEL_VMAP_START + PAGE_SIZE};

static struct {
    struct spinlock lock;
    vaddr_t top[STACKS_KEPT] GUARDED_BY(lock);
    uint32_t count GUARDED_BY(lock);
} stacks = {.lock = SPINLOCK_INIT(RANK_SLAB)};

static unsigned block_order(size_t count) {
    unsigned order = 1;
    while (1UL << order <= count) order++;
    return order;
}

static vaddr_t block_alloc(size_t count) {
    unsigned order = block_order(count);
    spin_lock(&vmap.lock);
    vaddr_t start = vmap.free[order];
    pte_t *entry;
    if (start) {
        entry = kernel_entry(start, false);
        vmap.free[order] = pte_paddr(*entry) ? KERNEL_VMAP_START + pte_paddr(*entry) : 0;
        pte_set(entry, 0);
    } else {
        start = align_up(vmap.top, PAGE_SIZE << order);
        entry = start + (PAGE_SIZE << order) <= KERNEL_VMAP_END ? kernel_entry(start, true) : nullptr;
        if (entry) vmap.top = start + (PAGE_SIZE << order);
    }
    spin_unlock(&vmap.lock);
    return entry ? start : 0;
}

/* The mapping of count pages is gone. */
static void block_free(vaddr_t start, size_t count) {
    vaddr_t *list = &vmap.free[block_order(count)];
    spin_lock(&vmap.lock);
    pte_set(kernel_entry(start, false), pte_make(*list ? *list - KERNEL_VMAP_START : 0, 0));
    *list = start;
    spin_unlock(&vmap.lock);
}

/* Maps frames, or if that is null RAM or a device from pa on. */
static vaddr_t map(struct frame *const *frames, paddr_t pa, size_t count, uint64_t flags) {
    vaddr_t start = block_alloc(count);
    for (size_t i = 0; start && i < count; i++) {
        paddr_t page = frames ? frame_paddr(frames[i]) : pa + i * PAGE_SIZE;
        if (!kernel_map(start + i * PAGE_SIZE, page, PTE_NOEXEC | flags)) continue;
        while (i-- > 0) kernel_unmap(start + i * PAGE_SIZE);
        block_free(start, count);
        return 0;
    }
    return start;
}

void *vmap_frames(struct frame *const *frames, size_t count) { return (void *)map(frames, 0, count, PTE_WRITE); }

void *vmap_device(paddr_t pa, size_t length, uint64_t cache_flags) {
    size_t skew = pa & PAGE_MASK;
    vaddr_t start = map(nullptr, pa - skew, align_up(skew + length, PAGE_SIZE) / PAGE_SIZE, PTE_WRITE | cache_flags);
    return start ? (void *)(start + skew) : nullptr;
}

size_t vmap_length(const void *address) {
    size_t length = 0;
    const pte_t *entry;
    while ((entry = kernel_entry((vaddr_t)address + length, false)) && pte_flags(*entry) & PTE_PRESENT)
        length += PAGE_SIZE;
    return length;
}

/* Unmaps what begins at start; each frame loses a reference if `put`. */
static void unmap(vaddr_t start, bool put) {
    size_t length = vmap_length((void *)start);
    paddr_t old[KERNEL_UNMAP_MAX];
    for (size_t done = 0, n; done < length / PAGE_SIZE; done += n) {
        n = min(length / PAGE_SIZE - done, (size_t)KERNEL_UNMAP_MAX);
        kernel_unmap_pages(start + done * PAGE_SIZE, n, old);
        for (size_t i = 0; put && i < n; i++) frame_put(frame_of(old[i]));
    }
    block_free(start, length / PAGE_SIZE);
}

void vunmap(void *address) { unmap(align_down((vaddr_t)address, PAGE_SIZE), false); }

void *vmap_alloc(size_t count) {
    struct frame *frames[VMAP_ALLOC_MAX];
    size_t n = 0;
    void *start = nullptr;
    ASSERT(count <= VMAP_ALLOC_MAX);
    while (n < count && (frames[n] = frame_take(FRAME_KERNEL))) n++;
    if (n == count) start = vmap_frames(frames, count);
    while (!start && n > 0) frame_put(frames[--n]);
    return start;
}

void vmap_free(void *address) { unmap((vaddr_t)address, true); }

/* --- kernel stacks ------------------------------------------------------------------------------ */

vaddr_t kernel_stack_alloc(void) {
    if (alloc_fails()) return 0;
    spin_lock(&stacks.lock);
    vaddr_t top = stacks.count ? stacks.top[--stacks.count] : 0;
    spin_unlock(&stacks.lock);
    if (likely(top)) return top;
    vaddr_t base = (vaddr_t)vmap_alloc(STACK_PAGES);
    return base ? base + KERNEL_STACK_SIZE : 0;
}

void kernel_stack_free(vaddr_t top) {
    spin_lock(&stacks.lock);
    bool kept = stacks.count < STACKS_KEPT;
    if (likely(kept)) stacks.top[stacks.count++] = top;
    spin_unlock(&stacks.lock);
    if (unlikely(!kept)) vmap_free((void *)(top - KERNEL_STACK_SIZE));
}

void kernel_stack_trim(void) {
    for (;;) {
        spin_lock(&stacks.lock);
        vaddr_t top = stacks.count ? stacks.top[--stacks.count] : 0;
        spin_unlock(&stacks.lock);
        if (!top) return;
        vmap_free((void *)(top - KERNEL_STACK_SIZE));
    }
}
