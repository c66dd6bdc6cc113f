// SPDX-License-Identifier: MIT
/*
 * Physical frames, kernel allocator, kernel virtual memory.  kernel/mm/{frame,slab,vmap}.c
 */
#pragma once
#include <kernel/list.h>
#include <kernel/lock.h>

enum frame_kind { FRAME_RESERVED, FRAME_FREE, FRAME_KERNEL, FRAME_SLAB, FRAME_TABLE, FRAME_PRIVATE, FRAME_OBJECT };
struct memory;
struct frame { /* one per page of RAM */
    _Atomic uint32_t refs; /* PTEs + pins + owning object */
    _Atomic uint16_t write_pins;
    uint8_t kind, order;
    uint8_t state; /* FRAME_OBJECT: enum page_state, under the object's lock */
    uint8_t flags;
    struct memory *object; /* FRAME_OBJECT */
    uint64_t index; /* page number in the object */
    struct list link; /* free list, per-CPU cache, slab, clock */
};

struct bootinfo;
void frame_init(const struct bootinfo *boot); /* boot: takes all free RAM */
struct frame *frame_alloc(enum frame_kind kind); /* contents undefined; one reference; null: none (after reclaim) */
struct frame *frame_alloc_zeroed(enum frame_kind kind);
struct frame *frame_alloc_run(unsigned order, enum frame_kind kind, paddr_t below); /* 2^order contiguous; below 0 = anywhere */
void frame_free_run(struct frame *f, unsigned order);
void frame_put(struct frame *f); /* drops a reference; the last frees */
static inline void frame_get(struct frame *f) { atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed); }
struct frame *frame_of(paddr_t pa); /* null if not RAM */
paddr_t frame_paddr(const struct frame *f);
void *frame_virt(const struct frame *f);
uint64_t frame_free_count(void);
uint64_t frame_total_count(void);
/* For the arch: zeroed 4 KiB table page, 0 if none. */
paddr_t frame_alloc_table(void);
void frame_free_table(paddr_t pa);

/* kmalloc: ≤ 64 KiB; null if no memory. Debug builds poison and audit; SYSTEM_FAIL_ALLOCATION applies. */
void *kmalloc(size_t size);
void *kzalloc(size_t size);
void kfree(void *p);
size_t kmalloc_total(void); /* bytes live, for the leak audit */

/* Kernel virtual ranges with guard pages. */
vaddr_t kernel_stack_alloc(void); /* top of a KERNEL_STACK_SIZE stack, 0 if none */
void kernel_stack_free(vaddr_t top);
void *vmap_frames(struct frame *const *frames, size_t count, bool write); /* null if none; no references taken */
void *vmap_device(paddr_t start, size_t length, uint64_t cache_flags);
void vunmap(void *address, size_t length);
