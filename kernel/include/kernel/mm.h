// SPDX-License-Identifier: MIT
/*
 * Physical frames, kernel allocator, kernel virtual memory.  kernel/mm/{frame,slab,vmap}.c
 */
#pragma once
#include <arch/mmu.h>
#include <kernel/lib.h>
#include <kernel/list.h>
#include <kernel/lock.h>

enum frame_kind { FRAME_RESERVED, FRAME_FREE, FRAME_KERNEL, FRAME_SLAB, FRAME_TABLE, FRAME_PRIVATE, FRAME_OBJECT };
enum frame_flags {
    FRAME_REFERENCED = 1,
    FRAME_CLOCK = 2
}; /* FRAME_OBJECT: used since the clock's hand passed; on the clock */
struct memory;
struct frame { /* one per page of RAM */
    _Atomic uint32_t refs; /* PTEs + pins + owning object */
    _Atomic uint16_t write_pins;
    union {
        struct {
            uint8_t kind, order;
        };
        _Atomic uint16_t kind_and_order; /* frame.c's */
    };
    uint8_t state; /* FRAME_OBJECT: enum page_state, under the object's lock */
    uint8_t flags;
    uint16_t inuse; /* FRAME_SLAB: objects handed out */
    union {
        struct memory *object; /* FRAME_OBJECT */
        struct quota *quota; /* FRAME_PRIVATE: charged for it until it is free, however many share it */
        void *free; /* FRAME_SLAB: free objects */
    };
    uint64_t index; /* page number in the object; after a failed page-in its errno; FRAME_SLAB: class */
    struct list link; /* free list, per-CPU cache, slab, clock */
};

/* RAM below 4 GiB and RAM above: no table for the hole between. */
struct frame_table {
    struct frame *low, *high;
    uint64_t low_count, high_count;
};
extern struct frame_table frame_table;
extern struct frame *frame_zero; /* the shared page of zeros: never written, counted like others */
#define FRAME_HIGH_START (1UL << 32)

/* Null if not RAM. What lies between RAM is FRAME_RESERVED. */
static inline struct frame *frame_of(paddr_t pa) {
    uint64_t number = pa >> PAGE_SHIFT;
    if (likely(number < frame_table.low_count)) return &frame_table.low[number];
    number -= FRAME_HIGH_START >> PAGE_SHIFT;
    return number < frame_table.high_count ? &frame_table.high[number] : nullptr;
}
static inline paddr_t frame_paddr(const struct frame *f) {
    uint64_t number = (uint64_t)(f - frame_table.low);
    if (likely(number < frame_table.low_count)) return number << PAGE_SHIFT;
    return FRAME_HIGH_START + ((uint64_t)(f - frame_table.high) << PAGE_SHIFT);
}
static inline void *frame_virt(const struct frame *f) { return phys_to_virt(frame_paddr(f)); }

struct bootinfo;
void frame_init(const struct bootinfo *boot); /* boot: takes all free RAM */
void frame_release_boot(paddr_t start, paddr_t end); /* gives reserved RAM (boot code, modules) to the allocator */
/*
 * Contents undefined; one reference; null: none.  frame_alloc reclaims page cache when memory is
 * low and leaves a reserve to the kernel: no spinlock may be held.  frame_take does neither.
 */
struct frame *frame_alloc(enum frame_kind kind);
struct frame *frame_alloc_zeroed(enum frame_kind kind);
struct frame *frame_take(enum frame_kind kind);
struct frame *frame_alloc_run(unsigned order, enum frame_kind kind,
                              paddr_t below); /* 2^order contiguous; below 0 = anywhere */
void frame_free_run(struct frame *f, unsigned order);
void frame_free(struct frame *f); /* nobody refers to it any more */
static inline void frame_get(struct frame *f) { atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed); }
static inline void frame_put(struct frame *f) { /* drops a reference; the last frees */
    /* A sole owner may free without the locked instruction: nobody else can take a reference. */
    if (atomic_load_explicit(&f->refs, memory_order_acquire) == 1 ||
        atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) == 1)
        frame_free(f);
}
uint64_t frame_free_count(void);
uint64_t frame_total_count(void);
/* For the arch: zeroed 4 KiB table page, 0 if none; to be zero again when it is freed. */
paddr_t frame_alloc_table(void);
void frame_free_table(paddr_t pa);
/* Contents of whole pages, through the physmap. */
static inline void page_clear(void *page) { memset(page, 0, PAGE_SIZE); }
static inline void page_copy(void *to, const void *from) { memcpy(to, from, PAGE_SIZE); }

/* kmalloc: ≤ 64 KiB; null if no memory. Debug builds poison and audit; SYSTEM_FAIL_ALLOCATION applies. */
void kmalloc_init(void); /* by frame_init */
void *kmalloc(size_t size);
void *kzalloc(size_t size);
void kfree(void *p);
size_t kmalloc_total(void); /* bytes live, for the leak audit */
/* Debug: the nth allocation (frames included) from now on by a thread of process pid fails; 0 stops. */
#define ALLOC_FAIL_KERNEL UINT32_MAX /* pid: kernel threads */
void alloc_fail_nth(uint32_t pid, uint64_t nth);
#if CATHODE_DEBUG
bool alloc_fails(void); /* asked by each allocator */
#else
static inline bool alloc_fails(void) { return false; }
#endif

/* Kernel virtual ranges with guard pages. */
vaddr_t kernel_stack_alloc(void); /* top of a KERNEL_STACK_SIZE stack, 0 if none */
void kernel_stack_free(vaddr_t top);
void kernel_stack_trim(void); /* gives back those that are kept for the next threads */
void *vmap_frames(struct frame *const *frames, size_t count); /* null if none; no references taken */
void *vmap_device(paddr_t start, size_t length, uint64_t cache_flags);
void vunmap(void *address); /* what one of these returned */
#define VMAP_ALLOC_MAX 17
void *vmap_alloc(size_t count); /* frames of its own, ≤ VMAP_ALLOC_MAX; null if none */
void vmap_free(void *address);
size_t vmap_length(const void *address); /* bytes mapped from here on without a gap */
