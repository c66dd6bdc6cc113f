// SPDX-License-Identifier: MIT
/*
 * Inside kernel/mm: the memory object.
 *
 *   ABSENT ──fault, read──▶ LOADING ──supply──▶ CLEAN ◀──writeback_end──┐
 *     ▲                        │ fail             │ write, in a grant   │
 *     └────────────────────────┘                  ▼                     │
 *                                               DIRTY ──writeback_begin──▶ WRITING ──write──▶ DIRTY
 *
 * Objects without a pager have CLEAN pages only, writable and never reclaimed.  A page that is
 * WRITING or DIRTY counts as dirty.  Who waits for a LOADING page holds a reference to its frame; a
 * frame that has left its object is ABSENT, with the errno to report (0: try again) in its index.
 */
#pragma once
#include <kernel/memory.h>
#include <kernel/mm.h>
#include <kernel/scheme.h>
#include <kernel/thread.h>

#define BATCH_PAGES 64 /* handled without letting others in */
#define NODE_BITS 6
#define NODE_SLOTS (1U << NODE_BITS)

struct page_node { /* 64-way radix tree; slots hold nodes, at the lowest level frames */
    void *slots[NODE_SLOTS];
    struct page_node *parent;
    uint16_t used, position; /* slots in use; own slot in the parent */
};
enum memory_type { MEMORY_ANONYMOUS, MEMORY_PAGED, MEMORY_DEVICE, MEMORY_RUN /* contiguous frames */ };

struct memory {
    struct object object;
    struct spinlock lock;
    enum memory_type type;
    uint32_t height GUARDED_BY(lock); /* levels of nodes; 0: no page */
    struct page_node *root GUARDED_BY(lock);
    _Atomic size_t size; /* bytes; changed under lock */
    uint64_t pages GUARDED_BY(lock), dirty GUARDED_BY(lock), page_limit GUARDED_BY(lock);
    uint64_t cut_from GUARDED_BY(lock); /* pages from here on are being cut off; UINT64_MAX: none */
    struct list mappings GUARDED_BY(lock); /* struct region */
    uint64_t mapping_count GUARDED_BY(lock);
    uint64_t serial; /* never reused */
    _Atomic nsec_t mtime, atime; /* CLOCK_REALTIME */
    struct file_attributes *attributes GUARDED_BY(lock); /* the server's, or null */

    paddr_t physical; /* DEVICE, RUN: address of the first page */
    uint64_t cache_flags; /* DEVICE: for entries */

    /* PAGED */
    struct scheme *pager; /* reference; null for the other types */
    uint64_t id; /* the pager's */
    struct list grants GUARDED_BY(lock); /* struct grant, sorted, apart */
    bool held GUARDED_BY(lock); /* the dirty pages hold a reference to the object */
    int error GUARDED_BY(lock); /* of write-back */
    uint64_t error_count GUARDED_BY(lock);
    struct note writeback_note;
    struct list paged_link; /* all paged objects */
    struct wait_queue wait; /* for LOADING pages, and for write-back to end */
};

static inline uint64_t page_count(size_t size) { return (size + PAGE_MASK) >> PAGE_SHIFT; }
static inline uint64_t memory_serial(const struct memory *m) { return m->serial; }
static inline bool page_present(const struct frame *f) { return f && f->state != PAGE_LOADING; }

int memory_attributes_set(struct memory *m, uaddr_t from); /* attributes.c; 0: none any more */
/* memory.c */
struct region;
/* Takes pages [first, last), a batch at most, out of all mappings. Flushes. */
enum unmap { UNMAP_PAGES, UNMAP_COPIES, UNMAP_WRITE }; /* COPIES: private ones too; WRITE: only that permission */
void memory_unmap_pages(struct memory *m, uint64_t first, uint64_t last, enum unmap what) REQUIRES(m -> lock);
/*
 * Enters the page at `at` of region r, and some neighbours that are there, in a leaf table of r's
 * space (its mutex is held).  -EAGAIN: memory_page_get must be called first; -EIO beyond the end.
 */
MUST_CHECK int memory_map_page(struct memory *m, struct region *r, vaddr_t at, pte_t *leaf, bool write);
MUST_CHECK int memory_sync(struct memory *m); /* msync: the pager writes back */
/* Before the size grows nothing old may come to light; false: to be tried again, after others had their turn. */
bool memory_may_grow(struct memory *m) REQUIRES(m -> lock);

/* page.c: the tree of pages */
struct frame *page_find(struct memory *m, uint64_t index) REQUIRES(m -> lock);
struct frame *page_next(struct memory *m, uint64_t *index, uint64_t end) REQUIRES(m -> lock); /* first from *index on */
MUST_CHECK int page_insert(struct memory *m, uint64_t index, struct frame *f, enum page_state state)
    REQUIRES(m -> lock); /* consumes the reference on success. -ENOMEM */
void page_remove(struct memory *m, struct frame *f) REQUIRES(m -> lock); /* gives the tree's reference to the caller */
/* Calls visit for each page of [first, last), with the lock held and dropped now and then. */
void page_visit(struct memory *m, uint64_t first, uint64_t last, void (*visit)(struct memory *, struct frame *, int),
                int arg);

/* pager.c: called with the lock held, which they drop. 0: look again. */
MUST_CHECK int page_in(struct memory *m, uint64_t index) RELEASES(m->lock);
MUST_CHECK int page_wait(struct memory *m, struct frame *f) RELEASES(m->lock);
MUST_CHECK int page_grant(struct memory *m, uint64_t index, uint64_t count) RELEASES(m->lock);
bool page_granted(struct memory *m, uint64_t index) REQUIRES(m -> lock);
void grants_drop(struct memory *m, uint64_t first, uint64_t last) REQUIRES(m -> lock);
void pager_object_init(struct memory *m);
void pager_object_fini(struct memory *m);
struct buffer { /* user memory if kernel is null */
    uaddr_t user;
    char *kernel;
};
MUST_CHECK long memory_supply(struct memory *m, uint64_t offset, const struct buffer *from, size_t length);
MUST_CHECK int memory_fail(struct memory *m, uint64_t first, uint64_t last, int error);
MUST_CHECK int memory_grant(struct memory *m, uint64_t first, uint64_t last);

/* writeback.c */
/* Makes a page that is there dirty if it may be so now: false: it needs a grant first. */
bool page_make_dirty(struct memory *m, struct frame *f) REQUIRES(m -> lock);
void page_make_clean(struct memory *m, struct frame *f) REQUIRES(m -> lock);
MUST_CHECK long memory_dirty_next(struct memory *m, uint64_t offset, uint64_t *length);
/* Takes write permission from all mappings; what is dirty and not pinned is WRITING then, if so asked. */
void memory_protect_pages(struct memory *m, uint64_t first, uint64_t last, bool write_back);
int memory_writeback_end(struct memory *m, uint64_t first, uint64_t last, int error);
void memory_ask_writeback(struct memory *m);
MUST_CHECK int memory_throttle(struct memory *m); /* before a write: waits while too much is dirty. -EINTR */
/* Drops the dirty pages: nobody is left who would write them back. */
void memory_discard(struct memory *m);

bool memory_revive(struct memory *m); /* takes a reference, unless the last one is gone */
void memory_ask_all(void); /* all pagers: write back */
uint64_t memory_dirty_pages(void);

/* reclaim.c: the clock of clean pages of pagers */
void clock_add(struct frame *f);
void clock_remove(struct frame *f);
