// SPDX-License-Identifier: MIT
/*
 * Memory objects: pages for files, MAP_SHARED, DMA, devices, boot modules (ARCHITECTURE-level rules:
 * kernel/mm/README.md).  Page states: absent → loading → clean ⇄ dirty → writing → clean.
 * While an object exists its size here is the truth.  Lock: `lock` (RANK_OBJECT); nobody sleeps, takes
 * a user fault or waits for a pager with it.
 */
#pragma once
#include <abi/memory.h>
#include <kernel/object.h>
#include <kernel/pin.h>
#include <kernel/thread.h>

enum page_state { PAGE_ABSENT, PAGE_LOADING, PAGE_CLEAN, PAGE_DIRTY, PAGE_WRITING };
struct scheme;
struct memory; /* private to kernel/mm/memory*.c */

extern const struct object_ops memory_ops;
struct object *memory_object(struct memory *m);
struct memory *memory_of(struct object *o); /* o->ops == &memory_ops */

struct memory *memory_create(size_t size); /* zero-filled on first touch; null: no memory */
struct memory *memory_create_paged(struct scheme *pager, uint64_t id, size_t size);
struct memory *memory_create_device(paddr_t start, size_t length, uint64_t pte_cache_flags);
struct memory *memory_create_contiguous(size_t length, bool below_4g);
struct memory *memory_create_frames(paddr_t start, size_t length); /* boot module: takes the RAM over */
struct memory *memory_create_take(struct memory *from, uint64_t offset, size_t size); /* MEMORY_TAKE; err_ptr */
size_t memory_size(struct memory *m);
MUST_CHECK int memory_resize(struct memory *m, size_t size);

/*
 * The page at `index`, for a reader or a writer, brought in if need be: a frame with a reference,
 * or err_ptr(-EIO, -ENOSPC, -EINTR, -ENOMEM, -EDEADLK, -ENXIO beyond the end).  May sleep.  For a
 * writer the page is inside a grant and becomes dirty.
 */
struct frame *memory_page_get(struct memory *m, uint64_t index, bool write);
/* For a reader, without sleeping: null if it would, or cannot be had. */
struct frame *memory_page_try(struct memory *m, uint64_t index);

/* Streams: current process's user memory ↔ object. Bytes done (short at end of file), or -errno. */
MUST_CHECK long memory_read(struct memory *m, uaddr_t to, size_t n, uint64_t offset);
MUST_CHECK long memory_write(struct memory *m, uaddr_t from, size_t n, uint64_t offset); /* grows */
MUST_CHECK long memory_append(struct memory *m, uaddr_t from, size_t n, uint64_t *at); /* offset under the lock */
MUST_CHECK long memory_read_kernel(struct memory *m, void *to, size_t n, uint64_t offset);
MUST_CHECK long memory_write_kernel(struct memory *m, const void *from, size_t n, uint64_t offset);
void memory_accessed(struct memory *m); /* now: as reading does */

bool memory_is_contiguous(struct memory *m, paddr_t *start); /* with frames: boot modules, DMA */
bool memory_is_device(const struct memory *m); /* no frames behind it */

/* Pager side and control, called by kernel/syscall/memory.c with checked arguments. */
MUST_CHECK long memory_control(struct memory *m, uint32_t op, uint64_t a, uint64_t b, uint64_t c);
struct file_attributes;
bool memory_attributes_get(struct memory *m, struct file_attributes *out); /* false: ask the server */
int memory_take_error(struct memory *m, uint64_t *seen); /* fsync: error once per description */
/* The pager died / a new instance adopts. */
void memory_pager_lost(struct scheme *pager);
void memory_pager_failed(struct scheme *pager); /* for good: dirty pages go */
struct memory *memory_adopt(struct scheme *pager, uint64_t id); /* reference, or null */
uint64_t memory_cache_pages(void); /* clean + dirty pages of pagers: "cached" */
/* Frees up to so many clean pages, unless only `floor` of them are left; asks pagers for dirty ones. */
size_t memory_reclaim(size_t pages, uint64_t floor);
