// SPDX-License-Identifier: MIT
/*
 * Memory objects: creation, size, mappings, getting a page.
 *
 * Lock order: object->lock → table_lock of the spaces that map it.  A mapping's entries are entered
 * and taken away with the object's lock held, so no entry outlives its page in the object.  Who
 * needs something that sleeps (a frame, the pager) drops the lock and looks again.
 */
#include <kernel/clock.h>
#include <kernel/lib.h>
#include <kernel/process.h>

#include "space_impl.h"

#include "memory_impl.h"

#define SIZE_MAX_BYTES (1UL << 50)
#define CUT_PAGES 22 /* cut off without letting others in */
#define AROUND_PAGES 16 /* entered by one fault, if they are there */

static void memory_destroy(struct object *o);

static void memory_last_handle(struct object *o) {
    struct memory *m = memory_of(o);
    /* While its pager lives, letting go is the pager's decision: it doesn't want the rest. */
    if (m->pager && (m->pager->server || m->pager->failed)) memory_discard(m);
}

const struct object_ops memory_ops = {
    .type = OBJECT_MEMORY,
    .name = "memory",
    .on_last_handle = memory_last_handle,
    .destroy = memory_destroy,
};

struct object *memory_object(struct memory *m) { return &m->object; }

struct memory *memory_of(struct object *o) { return container_of(o, struct memory, object); }

UNCHECKED static struct memory *create(enum memory_type type, size_t size) {
    static _Atomic uint64_t next_serial = 1;
    if (size > SIZE_MAX_BYTES) return nullptr;
    struct memory *m = kzalloc(sizeof(*m));
    if (!m) return nullptr;
    object_init(&m->object, &memory_ops);
    spin_init(&m->lock, RANK_OBJECT);
    list_init(&m->mappings);
    list_init(&m->grants);
    list_init(&m->paged_link);
    list_init(&m->writeback_note.link);
    wait_queue_init(&m->wait);
    m->type = type;
    m->cut_from = m->page_limit = UINT64_MAX;
    atomic_init(&m->size, size);
    m->serial = atomic_fetch_add_explicit(&next_serial, 1, memory_order_relaxed);
    return m;
}

struct memory *memory_create(size_t size) { return create(MEMORY_ANONYMOUS, size); }

struct memory *memory_create_paged(struct scheme *pager, uint64_t id, size_t size) {
    struct memory *m = create(MEMORY_PAGED, size);
    if (!m) return nullptr;
    object_get(&pager->object);
    m->pager = pager;
    m->id = id;
    pager_object_init(m);
    return m;
}

struct memory *memory_create_device(paddr_t start, size_t length, uint64_t pte_cache_flags) {
    struct memory *m = create(MEMORY_DEVICE, length);
    if (m) {
        m->physical = start;
        m->cache_flags = pte_cache_flags;
    }
    return m;
}

static void tail_clear(struct memory *m, size_t size) REQUIRES(m -> lock) {
    struct frame *last = size % PAGE_SIZE ? page_find(m, size >> PAGE_SHIFT) : nullptr;
    if (page_present(last)) memset((char *)frame_virt(last) + size % PAGE_SIZE, 0, PAGE_SIZE - size % PAGE_SIZE);
}

static int page_add(struct memory *m, uint64_t index, struct frame *f) {
    spin_lock(&m->lock);
    int error = page_insert(m, index, f, PAGE_CLEAN);
    spin_unlock(&m->lock);
    return error;
}

struct memory *memory_create_frames(paddr_t start, size_t length) {
    struct memory *m = create(MEMORY_RUN, length);
    int error = m ? 0 : -ENOMEM;
    if (m) m->physical = start;
    for (uint64_t i = 0; i < page_count(length); i++) {
        struct frame *f = frame_of(start + (i << PAGE_SHIFT));
        f->kind = FRAME_OBJECT;
        atomic_store_explicit(&f->refs, 1, memory_order_relaxed);
        list_init(&f->link);
        error = error ?: page_add(m, i, f);
        if (error) frame_put(f);
        preempt_point();
    }
    if (!error) return m;
    if (m) object_put(&m->object);
    return nullptr;
}

struct memory *memory_create_contiguous(size_t length, bool below_4g) {
    unsigned order = 0;
    length = align_up(max(length, 1UL), PAGE_SIZE);
    while (order < 20 && PAGE_SIZE << order < length) order++;
    struct frame *run = frame_alloc_run(order, FRAME_OBJECT, below_4g ? 1UL << 32 : 0);
    for (uint64_t i = 0; run && i < 1UL << order; i++) {
        if (i >= page_count(length)) frame_put(&run[i]);
        else page_clear(frame_virt(&run[i]));
        preempt_point();
    }
    return run ? memory_create_frames(frame_paddr(run), length) : nullptr;
}

/* Moves one page over; -EINVAL if it isn't there (any more). */
static int take_page(struct memory *from, uint64_t source, struct memory *to, uint64_t index) {
    spin_lock(&from->lock);
    struct frame *f = page_find(from, source);
    if (f) {
        memory_unmap_pages(from, source, source + 1, UNMAP_PAGES);
        page_remove(from, f);
    }
    spin_unlock(&from->lock);
    int error = f ? page_add(to, index, f) : -EINVAL;
    if (f && error) frame_put(f);
    return error;
}

struct memory *memory_create_take(struct memory *from, uint64_t offset, size_t size) {
    size_t limit = memory_size(from);
    if (from->type != MEMORY_RUN || offset % PAGE_SIZE || offset > limit || size > limit - offset)
        return err_ptr(-EINVAL);
    struct memory *m = memory_create(size);
    int error = m ? 0 : -ENOMEM;
    for (uint64_t i = 0; !error && i < page_count(size); i++) {
        error = take_page(from, (offset >> PAGE_SHIFT) + i, m, i);
        preempt_point();
    }
    if (!error) {
        spin_lock(&m->lock);
        tail_clear(m, size);
        spin_unlock(&m->lock);
        return m;
    }
    if (m) object_put(&m->object);
    return err_ptr(error);
}

size_t memory_size(struct memory *m) { return atomic_load_explicit(&m->size, memory_order_relaxed); }

bool memory_is_device(const struct memory *m) { return m->type == MEMORY_DEVICE; }

bool memory_is_contiguous(struct memory *m, paddr_t *start) {
    if (m->type == MEMORY_RUN) *start = m->physical;
    return m->type == MEMORY_RUN;
}

/* --- size --------------------------------------------------------------------------------------- */

/* The part of r that maps pages [first, last) of its object; false: none. */
static bool mapped_range(const struct region *r, uint64_t first, uint64_t last, vaddr_t *start, vaddr_t *end) {
    uint64_t base = r->offset >> PAGE_SHIFT;
    uint64_t pages = (r->end - region_start(r)) >> PAGE_SHIFT;
    uint64_t from = max(first, base), to = min(last, base + pages);
    *start = region_start(r) + ((from - base) << PAGE_SHIFT);
    *end = region_start(r) + ((to - base) << PAGE_SHIFT);
    return from < to;
}

/* The next page from index on that a mapping may have an entry for. */
static uint64_t mapped_next(struct memory *m, uint64_t index) REQUIRES(m -> lock) {
    uint64_t next = UINT64_MAX;
    list_for_each (n, &m->mappings) {
        struct region *r = list_entry(n, struct region, mapping_link);
        vaddr_t start, end;
        if (!mapped_range(r, index, next, &start, &end)) continue;
        start = pt_next_leaf(&r->space->table, start, end);
        if (start < end) next = region_index(r, start);
    }
    return next;
}

/* Takes some pages from cut_from on out of the mappings and the object; false: others first, then again. */
static bool cut_done(struct memory *m) REQUIRES(m -> lock) {
    if (likely(m->cut_from == UINT64_MAX)) return true;
    uint64_t from = m->cut_from;
    if (!page_next(m, &from, UINT64_MAX)) from = UINT64_MAX;
    from = min(from, mapped_next(m, m->cut_from));
    m->cut_from = from == UINT64_MAX ? from : from + CUT_PAGES;
    if (from == UINT64_MAX) return true;
    memory_unmap_pages(m, from, m->cut_from, UNMAP_COPIES);
    struct frame *f;
    for (; (f = page_next(m, &from, m->cut_from)); from++) {
        page_make_clean(m, f);
        page_remove(m, f);
        frame_put(f);
    }
    return false;
}

bool memory_may_grow(struct memory *m) {
    if (unlikely(!cut_done(m))) return false;
    if (m->mapping_count) /* who maps the last page may have written beyond the end */
        tail_clear(m, memory_size(m));
    return true;
}

static void let_others_in(struct memory *m) REQUIRES(m -> lock) {
    spin_unlock(&m->lock);
    preempt_point();
    spin_lock(&m->lock);
}

/* Nobody refers to it any more; the clock and the list of paged objects don't either. */
static void memory_destroy(struct object *o) {
    struct memory *m = memory_of(o);
    if (m->pager) pager_object_fini(m);
    spin_lock(&m->lock);
    m->cut_from = 0;
    while (!cut_done(m)) let_others_in(m);
    kfree(m->attributes);
    spin_unlock(&m->lock);
    if (m->pager) object_put(&m->pager->object);
    kfree(m);
}

int memory_resize(struct memory *m, size_t size) {
    if (size > SIZE_MAX_BYTES || m->type == MEMORY_DEVICE || m->type == MEMORY_RUN) return -EINVAL;
    spin_lock(&m->lock);
    while (size > memory_size(m) && !memory_may_grow(m)) let_others_in(m);
    bool shrinks = size < memory_size(m);
    atomic_store_explicit(&m->size, size, memory_order_relaxed);
    if (shrinks) { /* from here on no entry is made beyond the end, and nobody makes it grow before all is cut */
        grants_drop(m, page_count(size), UINT64_MAX);
        tail_clear(m, size);
        m->cut_from = min(m->cut_from, page_count(size));
        while (!cut_done(m)) let_others_in(m);
    }
    spin_unlock(&m->lock);
    wait_queue_wake(&m->wait, INT32_MAX); /* loading pages that were cut */
    atomic_store_explicit(&m->mtime, clock_realtime(), memory_order_relaxed);
    return 0;
}

/* --- mappings ----------------------------------------------------------------------------------- */

void memory_unmap_pages(struct memory *m, uint64_t first, uint64_t last, enum unmap what) {
    list_for_each (n, &m->mappings) {
        struct region *r = list_entry(n, struct region, mapping_link);
        vaddr_t start, end;
        if (!mapped_range(r, first, last, &start, &end)) continue;
        if (what != UNMAP_WRITE) space_zap(r->space, start, end, what == UNMAP_COPIES, false);
        else if (r->flags & VM_SHARED) space_protect_entries(r, start, end, false);
    }
}

static void enter_frame(struct space *s, const struct region *r, pte_t *slot, struct frame *f, bool write)
    REQUIRES(s -> table_lock) {
    uint64_t bits = region_bits(r);
    pte_t old = pte_get(slot);
    if (!write) bits &= ~PTE_WRITE;
    if (!old) {
        frame_get(f);
        space_account(s, 1);
    }
    pte_set(slot, pte_make(frame_paddr(f), bits));
}

/* Entries for neighbours that are there: a program's next pages usually are. Both locks are held. */
UNCHECKED static void enter_around(struct memory *m, struct region *r, vaddr_t at, pte_t *leaf) {
    vaddr_t start = max(align_down(at, AROUND_PAGES * PAGE_SIZE), region_start(r));
    vaddr_t end = min(align_down(at, AROUND_PAGES * PAGE_SIZE) + AROUND_PAGES * PAGE_SIZE, r->end);
    uint64_t limit = page_count(memory_size(m));
    for (vaddr_t va = start; va < end; va += PAGE_SIZE) {
        pte_t *slot = &leaf[pt_index(va)];
        uint64_t index = region_index(r, va);
        if (pte_get(slot)) continue;
        struct frame *f = index < limit ? page_find(m, index) : nullptr;
        if (page_present(f)) enter_frame(r->space, r, slot, f, false);
    }
}

static int map_device(struct memory *m, struct region *r, vaddr_t at, pte_t *slot) {
    uint64_t offset = region_index(r, at) << PAGE_SHIFT;
    if (offset >= memory_size(m)) return -EIO;
    spin_lock(&r->space->table_lock);
    pte_set(slot, pte_make(m->physical + offset, region_bits(r) | m->cache_flags | PTE_DEVICE));
    space_account(r->space, 1);
    spin_unlock(&r->space->table_lock);
    return 0;
}

/* The page at index if it is there and may be used so at once. */
static struct frame *page_usable(struct memory *m, uint64_t index, bool write) REQUIRES(m -> lock) {
    struct frame *f = page_find(m, index);
    if (!page_present(f) || index >= page_count(memory_size(m)) || (write && !page_make_dirty(m, f))) return nullptr;
    f->flags |= FRAME_REFERENCED;
    return f;
}

UNCHECKED int memory_map_page(struct memory *m, struct region *r, vaddr_t at, pte_t *leaf, bool write) {
    pte_t *slot = &leaf[pt_index(at)];
    uint64_t index = region_index(r, at);
    if (unlikely(m->type == MEMORY_DEVICE)) return map_device(m, r, at, slot);
    spin_lock(&m->lock);
    struct frame *f = page_usable(m, index, write);
    int error = f ? 0 : index < page_count(memory_size(m)) ? -EAGAIN : -EIO;
    if (likely(f)) {
        spin_lock(&r->space->table_lock);
        bool upgrade = pte_get(slot);
        enter_frame(r->space, r, slot, f, write);
        if (!write) enter_around(m, r, at, leaf);
        spin_unlock(&r->space->table_lock);
        if (upgrade) tlb_flush_local_page(at);
        if (write) atomic_store_explicit(&m->mtime, clock_realtime(), memory_order_relaxed);
    }
    spin_unlock(&m->lock);
    return error;
}

/* --- getting a page ----------------------------------------------------------------------------- */

/* A zeroed page for an object without a pager. The lock is held, and dropped. */
static int page_fill(struct memory *m, uint64_t index) RELEASES(&m->lock) {
    spin_unlock(&m->lock);
    struct frame *f = frame_alloc_zeroed(FRAME_OBJECT);
    if (!f) return -ENOMEM;
    spin_lock(&m->lock);
    int error = 0;
    bool unwanted = page_find(m, index) || index >= page_count(memory_size(m));
    if (m->type == MEMORY_RUN) error = -ENXIO; /* taken out of a boot module */
    else if (!unwanted) error = m->pages < m->page_limit ? page_insert(m, index, f, PAGE_CLEAN) : -ENOSPC;
    spin_unlock(&m->lock);
    if (unwanted || error) frame_put(f);
    return error;
}

struct frame *memory_page_try(struct memory *m, uint64_t index) {
    spin_lock(&m->lock);
    struct frame *f = page_usable(m, index, false);
    if (likely(f)) frame_get(f);
    spin_unlock(&m->lock);
    return f;
}

UNCHECKED struct frame *memory_page_get(struct memory *m, uint64_t index, bool write) {
    if (m->type == MEMORY_DEVICE) return err_ptr(-ENXIO);
    for (int error;;) {
        spin_lock(&m->lock);
        struct frame *f = page_usable(m, index, write);
        if (likely(f) || index >= page_count(memory_size(m))) {
            if (f) frame_get(f);
            spin_unlock(&m->lock);
            return f ?: err_ptr(-ENXIO);
        }
        f = page_find(m, index);
        if (!f) error = m->pager ? page_in(m, index) : page_fill(m, index);
        else if (f->state == PAGE_LOADING) error = page_wait(m, f);
        else error = page_grant(m, index, 1);
        if (error) return err_ptr(error);
    }
}

/* --- control ------------------------------------------------------------------------------------ */

UNCHECKED static int memory_describe(struct memory *m, uaddr_t out) {
    spin_lock(&m->lock);
    struct memory_info i = {.size = memory_size(m),
                            .pages = m->pages,
                            .dirty = m->dirty,
                            .mtime_ns = m->mtime,
                            .atime_ns = m->atime,
                            .physical = m->physical,
                            .mappings = m->mapping_count,
                            .id = m->pager ? m->id : m->serial};
    spin_unlock(&m->lock);
    return copy_to_user(out, &i, sizeof(i));
}

static long dirty_next_user(struct memory *m, uint64_t offset, uaddr_t out) {
    uint64_t length = 0;
    long result = memory_dirty_next(m, offset, &length);
    return result >= 0 && copy_to_user(out, &length, sizeof(length)) ? -EFAULT : result;
}

/* What only the object's pager may ask. */
static long pager_control(struct memory *m, uint32_t op, uint64_t a, uint64_t b, uint64_t c) {
    uint64_t length = op == MEMORY_GRANT || op == MEMORY_REVOKE ? b : c;
    uint64_t first = a >> PAGE_SHIFT, last = page_count(a + length);
    if (!m->pager || a % PAGE_SIZE || a + length < a) return -EINVAL;
    switch (op) {
    case MEMORY_SUPPLY: return memory_supply(m, a, &(struct buffer){.user = b}, c);
    case MEMORY_FAIL: return memory_fail(m, first, last, (int)b);
    case MEMORY_GRANT: return memory_grant(m, first, last);
    case MEMORY_REVOKE:
        spin_lock(&m->lock);
        grants_drop(m, first, last);
        spin_unlock(&m->lock);
        memory_protect_pages(m, first, last, false);
        return 0;
    case MEMORY_DIRTY_NEXT: return dirty_next_user(m, a, b);
    case MEMORY_WRITEBACK_BEGIN: memory_protect_pages(m, first, last, true); return 0;
    case MEMORY_WRITEBACK_END: return memory_writeback_end(m, first, last, (int)b);
    default: return -ENOSYS;
    }
}

long memory_control(struct memory *m, uint32_t op, uint64_t a, uint64_t b, uint64_t c) {
    switch (op) {
    case MEMORY_INFO: return memory_describe(m, a);
    case MEMORY_RESIZE: return memory_resize(m, a);
    case MEMORY_CLEAR_TIMES:
        atomic_store_explicit(&m->mtime, 0, memory_order_relaxed);
        atomic_store_explicit(&m->atime, 0, memory_order_relaxed);
        return 0;
    case MEMORY_ATTRIBUTES: return memory_attributes_set(m, a);
    case MEMORY_LIMIT:
        spin_lock(&m->lock);
        m->page_limit = a;
        spin_unlock(&m->lock);
        return 0;
    case MEMORY_ZERO_ON_PANIC: return m->type == MEMORY_DEVICE && a < m->size ? panic_zero(m->physical + a) : -EINVAL;
    default: return pager_control(m, op, a, b, c);
    }
}
