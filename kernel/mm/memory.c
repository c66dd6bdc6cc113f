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

/* Enters `pages` frames from `start` on; each frame's one reference becomes the object's. */
static int insert_run(struct memory *m, paddr_t start, uint64_t pages) {
    spin_lock(&m->lock);
    m->physical = start;
    for (uint64_t i = 0; i < pages; i++) {
        struct frame *f = frame_of(start + (i << PAGE_SHIFT));
        atomic_store_explicit(&f->refs, 1, memory_order_relaxed);
        list_init(&f->link);
        if (page_insert(m, i, f, PAGE_CLEAN)) {
            while (i < pages) /* those that are in go with the object */
                frame_put(frame_of(start + (i++ << PAGE_SHIFT)));
            spin_unlock(&m->lock);
            return -ENOMEM;
        }
    }
    spin_unlock(&m->lock);
    return 0;
}

struct memory *memory_create_contiguous(size_t length, bool below_4g) {
    unsigned order = 0;
    while (order < 20 && PAGE_SIZE << order < length) order++;
    struct memory *m = create(MEMORY_RUN, align_up(length, PAGE_SIZE));
    struct frame *run = m ? frame_alloc_run(order, FRAME_OBJECT, below_4g ? 1UL << 32 : 0) : nullptr;
    if (!run) {
        if (m) object_put(&m->object);
        return nullptr;
    }
    uint64_t pages = length ? page_count(length) : 1;
    for (uint64_t i = pages; i < 1UL << order; i++) frame_put(&run[i]);
    memset(frame_virt(run), 0, pages << PAGE_SHIFT);
    if (!insert_run(m, frame_paddr(run), pages)) return m;
    object_put(&m->object);
    return nullptr;
}

struct memory *memory_create_frames(paddr_t start, size_t length) {
    struct memory *m = create(MEMORY_RUN, length);
    for (uint64_t i = 0; m && i < page_count(length); i++) frame_of(start + (i << PAGE_SHIFT))->kind = FRAME_OBJECT;
    if (m && insert_run(m, start, page_count(length))) {
        object_put(&m->object);
        return nullptr;
    }
    return m;
}

/* Moves one page over; -EINVAL if it isn't there (any more) or somebody maps it. */
static int take_page(struct memory *from, uint64_t source, struct memory *to, uint64_t index) {
    spin_lock(&from->lock);
    struct frame *f = page_find(from, source);
    if (f) page_remove(from, f);
    spin_unlock(&from->lock);
    if (!f) return -EINVAL;
    spin_lock(&to->lock);
    int error = page_insert(to, index, f, PAGE_CLEAN);
    spin_unlock(&to->lock);
    if (error) frame_put(f);
    return error;
}

struct memory *memory_create_take(struct memory *from, uint64_t offset, size_t size) {
    size_t limit = memory_size(from);
    if (from->type != MEMORY_RUN || offset % PAGE_SIZE || offset > limit || size > limit - offset)
        return err_ptr(-EINVAL);
    struct memory *m = memory_create(size);
    if (!m) return err_ptr(-ENOMEM);
    uint64_t first = offset >> PAGE_SHIFT;
    spin_lock(&from->lock);
    memory_unmap_pages(from, first, first + page_count(size), false);
    spin_unlock(&from->lock);
    int error = 0;
    for (uint64_t i = 0; !error && i < page_count(size); i++) {
        error = take_page(from, first + i, m, i);
        preempt_point();
    }
    if (error) {
        object_put(&m->object);
        return err_ptr(error);
    }
    if (size % PAGE_SIZE) {
        spin_lock(&m->lock);
        char *last = frame_virt(page_find(m, size >> PAGE_SHIFT));
        spin_unlock(&m->lock);
        memset(last + size % PAGE_SIZE, 0, PAGE_SIZE - size % PAGE_SIZE);
    }
    return m;
}

size_t memory_size(struct memory *m) { return atomic_load_explicit(&m->size, memory_order_relaxed); }

uint64_t memory_pte_cache(struct memory *m) { return m->type == MEMORY_DEVICE ? m->cache_flags | PTE_DEVICE : 0; }

bool memory_is_device(struct memory *m, paddr_t *start) {
    if (m->type == MEMORY_DEVICE && start) *start = m->physical;
    return m->type == MEMORY_DEVICE;
}

bool memory_is_contiguous(struct memory *m, paddr_t *start) {
    if (m->type == MEMORY_RUN) *start = m->physical;
    return m->type == MEMORY_RUN;
}

/* --- size --------------------------------------------------------------------------------------- */

/* Cuts some of the pages from cut_from on; false: none is left. */
static bool cut_some(struct memory *m) REQUIRES(m -> lock) {
    struct frame *f;
    for (unsigned n = 0; n < 64; n++) {
        if (!(f = page_next(m, &m->cut_from, UINT64_MAX))) {
            m->cut_from = UINT64_MAX;
            return false;
        }
        page_make_clean(m, f);
        page_remove(m, f);
        frame_put(f);
    }
    return true;
}

/* Drops the lock now and then, so that interrupts get in. */
static void cut_all(struct memory *m) REQUIRES(m -> lock) {
    while (m->cut_from != UINT64_MAX && cut_some(m)) {
        spin_unlock(&m->lock);
        preempt_point();
        spin_lock(&m->lock);
    }
}

/* Nobody refers to it any more; the clock and the list of paged objects don't either. */
static void memory_destroy(struct object *o) {
    struct memory *m = memory_of(o);
    if (m->pager) pager_object_fini(m);
    spin_lock(&m->lock);
    m->cut_from = 0;
    cut_all(m);
    spin_unlock(&m->lock);
    if (m->pager) object_put(&m->pager->object);
    kfree(m);
}

static void tail_clear(struct memory *m, size_t size) REQUIRES(m -> lock) {
    struct frame *last = size % PAGE_SIZE ? page_find(m, size >> PAGE_SHIFT) : nullptr;
    if (page_present(last)) memset((char *)frame_virt(last) + size % PAGE_SIZE, 0, PAGE_SIZE - size % PAGE_SIZE);
}

void memory_prepare_growth(struct memory *m) {
    while (unlikely(m->cut_from != UINT64_MAX) && cut_some(m));
    if (m->mapping_count) /* who maps the last page may have written beyond the end */
        tail_clear(m, memory_size(m));
}

int memory_resize(struct memory *m, size_t size) {
    if (size > SIZE_MAX_BYTES || m->type == MEMORY_DEVICE || m->type == MEMORY_RUN) return -EINVAL;
    spin_lock(&m->lock);
    size_t old = memory_size(m);
    if (size > old) memory_prepare_growth(m);
    atomic_store_explicit(&m->size, size, memory_order_relaxed);
    if (size < old) {
        uint64_t first = page_count(size);
        memory_unmap_pages(m, first, page_count(old), true);
        grants_drop(m, first, UINT64_MAX);
        tail_clear(m, size);
        m->cut_from = min(m->cut_from, first);
        cut_all(m);
    }
    spin_unlock(&m->lock);
    wait_queue_wake(&m->wait, INT32_MAX); /* loading pages that were cut */
    atomic_store_explicit(&m->mtime, clock_realtime(), memory_order_relaxed);
    return 0;
}

/* --- mappings ----------------------------------------------------------------------------------- */

void memory_mapping_add(struct memory *m, struct region *r) {
    spin_lock(&m->lock);
    list_push_back(&m->mappings, &r->mapping_link); /* at the end: clone.c, move_entries */
    m->mapping_count++;
    spin_unlock(&m->lock);
}

void memory_mapping_remove(struct memory *m, struct region *r) {
    spin_lock(&m->lock);
    list_remove(&r->mapping_link);
    m->mapping_count--;
    spin_unlock(&m->lock);
}

void memory_mapping_set_end(struct memory *m, struct region *r, vaddr_t end) {
    spin_lock(&m->lock);
    r->end = end;
    spin_unlock(&m->lock);
}

/* The part of r that maps pages [first, last) of its object; false: none. */
static bool mapped_range(const struct region *r, uint64_t first, uint64_t last, vaddr_t *start, vaddr_t *end) {
    uint64_t base = r->offset >> PAGE_SHIFT;
    uint64_t pages = (r->end - region_start(r)) >> PAGE_SHIFT;
    uint64_t from = max(first, base), to = min(last, base + pages);
    *start = region_start(r) + ((from - base) << PAGE_SHIFT);
    *end = region_start(r) + ((to - base) << PAGE_SHIFT);
    return from < to;
}

void memory_unmap_pages(struct memory *m, uint64_t first, uint64_t last, bool copies) {
    list_for_each (n, &m->mappings) {
        struct region *r = list_entry(n, struct region, mapping_link);
        vaddr_t start, end;
        if (mapped_range(r, first, last, &start, &end)) space_zap_nowait(r->space, start, end, copies);
    }
}

static void protect_range(struct space *s, vaddr_t at, vaddr_t end) {
    bool changed = false;
    vaddr_t start = at;
    spin_lock(&s->table_lock);
    for (at = pt_next_leaf(&s->table, at, end); at < end; at = pt_next_leaf(&s->table, at + PAGE_SIZE, end)) {
        pte_t *slot = pt_leaf(&s->table, at, false) + pt_index(at), e = pte_get(slot);
        if (!(pte_flags(e) & PTE_WRITE)) continue;
        pte_set(slot, e & ~PTE_WRITE);
        changed = true;
    }
    spin_unlock(&s->table_lock);
    if (changed) tlb_flush(&s->table, start, (end - start) >> PAGE_SHIFT);
}

void memory_protect_pages(struct memory *m, uint64_t first, uint64_t last) {
    list_for_each (n, &m->mappings) {
        struct region *r = list_entry(n, struct region, mapping_link);
        vaddr_t start, end;
        if (r->flags & VM_SHARED && mapped_range(r, first, last, &start, &end)) protect_range(r->space, start, end);
    }
}

static void enter_frame(struct space *s, const struct region *r, pte_t *slot, struct frame *f, bool write)
    REQUIRES(s -> table_lock) {
    uint64_t bits = region_bits(r);
    pte_t old = pte_get(slot);
    if (!write) bits &= ~PTE_WRITE;
    if (!old) {
        frame_get(f);
        space_account(s, 1, 0);
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
    pte_set(slot, pte_make(m->physical + offset, region_bits(r) | memory_pte_cache(m)));
    space_account(r->space, 1, 0);
    spin_unlock(&r->space->table_lock);
    return 0;
}

UNCHECKED int memory_map_page(struct memory *m, struct region *r, vaddr_t at, pte_t *leaf, bool write) {
    pte_t *slot = &leaf[pt_index(at)];
    uint64_t index = region_index(r, at);
    if (unlikely(m->type == MEMORY_DEVICE)) return map_device(m, r, at, slot);
    int error = 0;
    spin_lock(&m->lock);
    struct frame *f = page_find(m, index);
    if (index >= page_count(memory_size(m))) error = -EIO;
    else if (!page_present(f) || (write && !page_make_dirty(m, f))) error = -EAGAIN;
    if (likely(!error)) {
        f->flags |= FRAME_REFERENCED;
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

UNCHECKED struct frame *memory_page_get(struct memory *m, uint64_t index, bool write) {
    if (m->type == MEMORY_DEVICE) return err_ptr(-ENXIO);
    for (int error = 0;;) {
        spin_lock(&m->lock);
        struct frame *f = page_find(m, index);
        if (index >= page_count(memory_size(m))) {
            spin_unlock(&m->lock);
            return err_ptr(-ENXIO);
        }
        if (!f) error = m->pager ? page_in(m, index) : page_fill(m, index);
        else if (f->state == PAGE_LOADING) error = page_wait(m, f);
        else if (write && !page_make_dirty(m, f)) error = page_grant(m, index, 1);
        else {
            f->flags |= FRAME_REFERENCED;
            frame_get(f);
            spin_unlock(&m->lock);
            return f;
        }
        if (error) return err_ptr(error);
    }
}

struct frame *memory_page_try(struct memory *m, uint64_t index, bool write) {
    if (m->type == MEMORY_DEVICE) return nullptr;
    spin_lock(&m->lock);
    struct frame *f = page_find(m, index);
    bool usable = page_present(f) && index < page_count(memory_size(m)) && (!write || page_make_dirty(m, f));
    if (likely(usable)) {
        f->flags |= FRAME_REFERENCED;
        frame_get(f);
    }
    spin_unlock(&m->lock);
    return usable ? f : nullptr;
}

/* --- control ------------------------------------------------------------------------------------ */

static int range_check(uint64_t offset, uint64_t length) {
    return offset % PAGE_SIZE || offset + length < offset ? -EINVAL : 0;
}

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
    int error = m->pager ? range_check(a, op == MEMORY_GRANT || op == MEMORY_REVOKE ? b : c) : -EINVAL;
    if (error) return error;
    switch (op) {
    case MEMORY_SUPPLY: return memory_supply(m, a, &(struct buffer){.user = b}, c);
    case MEMORY_FAIL: return memory_fail(m, a, c, (int)b);
    case MEMORY_GRANT: return memory_grant(m, a >> PAGE_SHIFT, page_count(a + b));
    case MEMORY_REVOKE:
        spin_lock(&m->lock);
        grants_drop(m, a >> PAGE_SHIFT, page_count(a + b));
        memory_protect_pages(m, a >> PAGE_SHIFT, page_count(a + b));
        spin_unlock(&m->lock);
        return 0;
    case MEMORY_DIRTY_NEXT: return dirty_next_user(m, a, b);
    case MEMORY_WRITEBACK_BEGIN: return memory_writeback_begin(m, a, c);
    case MEMORY_WRITEBACK_END: return memory_writeback_end(m, a, c, (int)b);
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
    case MEMORY_LIMIT:
        spin_lock(&m->lock);
        m->page_limit = a;
        spin_unlock(&m->lock);
        return 0;
    case MEMORY_ERROR: return memory_take_error(m, &m->error_seen);
    default: return pager_control(m, op, a, b, c);
    }
}
