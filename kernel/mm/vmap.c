// SPDX-License-Identifier: MIT
/*
 * Kernel virtual memory: ranges of KERNEL_VMAP_START … END, each followed by an unmapped guard page.
 * The ranges, used and free, tile what was ever given out; used up ranges merge with their free
 * neighbours.  Some kernel stacks are kept, mapped, because each fork needs one.
 */
#include <arch/thread.h>
#include <kernel/mm.h>
#include <kernel/tree.h>

struct range {
    struct tree_node node; /* key = start */
    vaddr_t end; /* guard page included */
    bool free;
};
static struct {
    struct spinlock lock;
    struct tree ranges GUARDED_BY(lock);
    vaddr_t top GUARDED_BY(lock); /* from here on nothing was ever given out */
} vmap = {.lock = SPINLOCK_INIT(RANK_SLAB), .top = KERNEL_VMAP_START + PAGE_SIZE};

#define STACKS_KEPT 32
#define STACK_PAGES (KERNEL_STACK_SIZE / PAGE_SIZE)
static struct {
    struct spinlock lock;
    vaddr_t top[STACKS_KEPT] GUARDED_BY(lock);
    uint32_t count GUARDED_BY(lock);
} stacks = {.lock = SPINLOCK_INIT(RANK_SLAB)};

static struct range *range_of(struct tree_node *n) { return n ? container_of(n, struct range, node) : nullptr; }

/* First fit: there are few ranges, and most are of a stack's or a port buffer's size. */
static struct range *range_find(size_t length) REQUIRES(vmap.lock) {
    for (struct tree_node *n = tree_first(&vmap.ranges); n; n = tree_next(n)) {
        struct range *r = range_of(n);
        if (r->free && r->end - r->node.key >= length) return r;
    }
    return nullptr;
}

static vaddr_t range_alloc(size_t length) {
    length += PAGE_SIZE;
    struct range *new = kmalloc(sizeof(*new));
    if (!new) return 0;
    new->free = false;
    spin_lock(&vmap.lock);
    struct range *from = range_find(length);
    vaddr_t start = from ? from->node.key : vmap.top;
    if (!from && KERNEL_VMAP_END - vmap.top < length) {
        start = 0;
    } else if (from && from->end - start == length) {
        from->free = false;
    } else {
        if (from) { /* cut it off the front */
            tree_remove(&vmap.ranges, &from->node);
            from->node.key += length;
            tree_insert(&vmap.ranges, &from->node);
        } else {
            vmap.top += length;
        }
        new->node.key = start;
        new->end = start + length;
        tree_insert(&vmap.ranges, &new->node);
        new = nullptr;
    }
    spin_unlock(&vmap.lock);
    kfree(new);
    return start;
}

/* Joins r with the range after it if both are free: the one that is left over, or null. */
static struct range *range_join(struct range *r, struct range *next) REQUIRES(vmap.lock) {
    if (!r || !next || !r->free || !next->free || r->end != next->node.key) return nullptr;
    tree_remove(&vmap.ranges, &next->node);
    r->end = next->end;
    return next;
}

static void range_free(vaddr_t start) {
    spin_lock(&vmap.lock);
    struct range *r = range_of(tree_find_le(&vmap.ranges, start));
    ASSERT(r && r->node.key == start && !r->free);
    r->free = true;
    struct range *spare_after = range_join(r, range_of(tree_next(&r->node)));
    struct range *spare = range_join(range_of(tree_prev(&r->node)), r);
    spin_unlock(&vmap.lock);
    kfree(spare_after);
    kfree(spare);
}

void *vmap_frames(struct frame *const *frames, size_t count, bool write) {
    vaddr_t start = range_alloc(count * PAGE_SIZE);
    uint64_t flags = PTE_PRESENT | PTE_NOEXEC | (write ? PTE_WRITE : 0);
    for (size_t i = 0; start && i < count; i++) {
        if (!kernel_map(start + i * PAGE_SIZE, frame_paddr(frames[i]), flags)) continue;
        while (i-- > 0) kernel_unmap(start + i * PAGE_SIZE);
        range_free(start);
        return nullptr;
    }
    return (void *)start;
}

void *vmap_device(paddr_t pa, size_t length, uint64_t cache_flags) {
    size_t skew = pa & PAGE_MASK, count = align_up(skew + length, PAGE_SIZE) / PAGE_SIZE;
    vaddr_t start = range_alloc(count * PAGE_SIZE);
    uint64_t flags = PTE_PRESENT | PTE_NOEXEC | PTE_WRITE | cache_flags;
    for (size_t i = 0; start && i < count; i++) {
        if (!kernel_map(start + i * PAGE_SIZE, pa - skew + i * PAGE_SIZE, flags)) continue;
        while (i-- > 0) kernel_unmap(start + i * PAGE_SIZE);
        range_free(start);
        return nullptr;
    }
    return start ? (void *)(start + skew) : nullptr;
}

void vunmap(void *address, size_t length) {
    vaddr_t start = align_down((vaddr_t)address, PAGE_SIZE);
    for (vaddr_t va = start; va < (vaddr_t)address + length; va += PAGE_SIZE) kernel_unmap(va);
    range_free(start);
}

/* --- kernel stacks ------------------------------------------------------------------------------ */

static void stack_frames_free(struct frame **frames, size_t count) {
    while (count-- > 0) frame_put(frames[count]);
}

/* The guard page below a stack is that of the range before it; the very first has one too. */
static vaddr_t stack_create(void) {
    struct frame *frames[STACK_PAGES];
    for (size_t i = 0; i < STACK_PAGES; i++) {
        frames[i] = frame_take(FRAME_KERNEL);
        if (!frames[i]) {
            stack_frames_free(frames, i);
            return 0;
        }
    }
    void *base = vmap_frames(frames, STACK_PAGES, true);
    if (!base) {
        stack_frames_free(frames, STACK_PAGES);
        return 0;
    }
    return (vaddr_t)base + KERNEL_STACK_SIZE;
}

vaddr_t kernel_stack_alloc(void) {
    if (alloc_fails()) return 0;
    spin_lock(&stacks.lock);
    vaddr_t top = stacks.count ? stacks.top[--stacks.count] : 0;
    spin_unlock(&stacks.lock);
    return likely(top) ? top : stack_create();
}

void kernel_stack_free(vaddr_t top) {
    spin_lock(&stacks.lock);
    bool kept = stacks.count < STACKS_KEPT;
    if (likely(kept)) stacks.top[stacks.count++] = top;
    spin_unlock(&stacks.lock);
    if (likely(kept)) return;
    for (vaddr_t va = top - KERNEL_STACK_SIZE; va < top; va += PAGE_SIZE) frame_put(frame_of(kernel_unmap(va)));
    range_free(top - KERNEL_STACK_SIZE);
}
