// SPDX-License-Identifier: MIT
/*
 * Address spaces: mapping, unmapping, protecting, moving, advice.  Everything that can fail happens
 * before the first change of an entry; what is done in steps lets others run between leaf tables.
 *
 * Lock order: space->lock (mutex) → memory object → table_lock.  space_zap needs no mutex.
 */
#include <abi/process.h>
#include <kernel/clock.h>
#include <kernel/lib.h>
#include <kernel/process.h>

#include "space_impl.h"

#include "memory_impl.h"

#define MAP_TOP 0x7ff000000000UL /* mappings without an address go below, minus a random part */
#define MAP_RANDOM_PAGES (1UL << 24)
#define ZAP_BATCH 56

struct space *space_current(void) {
    struct process *p = process_current();
    return p ? p->space : nullptr;
}

UNCHECKED struct space *space_create(void) {
    static _Atomic uint64_t next_id = 1;
    struct space *s = kzalloc(sizeof(*s));
    if (!s) return nullptr;
    if (pt_create(&s->table)) {
        kfree(s);
        return nullptr;
    }
    mutex_init(&s->lock, RANK_SPACE);
    spin_init(&s->table_lock, RANK_PAGETABLE);
    s->limit_pages = USER_END / PAGE_SIZE;
    s->stack_pages = (8UL << 20) / PAGE_SIZE;
    s->map_hint = MAP_TOP - random_u64() % MAP_RANDOM_PAGES * PAGE_SIZE;
    s->id = atomic_fetch_add(&next_id, 1);
    atomic_init(&s->refs, 1);
    return s;
}

UNCHECKED void space_put(struct space *s) {
    if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1) return;
    struct tree_node *n;
    while ((n = tree_first(&s->regions))) {
        struct region *r = region_of(n);
        space_zap(s, region_start(r), r->end, true, true);
        region_remove(s, r);
        preempt_point();
    }
    quota_release(s->quota, (int64_t)s->table.tables);
    preempt_point();
    pt_destroy(&s->table);
    kfree(s);
}

/* --- entries ------------------------------------------------------------------------------------ */

void space_account(struct space *s, int64_t pages) {
    /* Only changed with table_lock held: no locked instruction needed. */
    uint64_t resident = atomic_load_explicit(&s->resident, memory_order_relaxed) + (uint64_t)pages;
    atomic_store_explicit(&s->resident, resident, memory_order_relaxed);
}

bool quota_charge(struct quota *q, int64_t pages) {
    if (!q) return true;
    int64_t limit = atomic_load_explicit(&q->limit, memory_order_relaxed);
    int64_t used = atomic_fetch_add_explicit(&q->pages, pages, memory_order_relaxed) + pages;
    if (likely(!limit || used <= limit)) return true;
    quota_release(q, pages);
    return false;
}

void space_set_quota(struct space *s, struct quota *q) {
    mutex_lock(&s->lock); /* no fault is under way */
    spin_lock(&s->table_lock);
    quota_release(s->quota, (int64_t)s->table.tables);
    quota_release(q, -(int64_t)s->table.tables);
    s->quota = q;
    spin_unlock(&s->table_lock);
    mutex_unlock(&s->lock);
}

pte_t *space_table_make(struct space *s, vaddr_t at) {
    if (!quota_charge(s->quota, 0)) return nullptr;
    uint64_t before = s->table.tables;
    pte_t *leaf = pt_leaf(&s->table, at, true);
    quota_release(s->quota, (int64_t)(before - s->table.tables));
    return leaf;
}

/* Takes up to ZAP_BATCH frames out of one leaf table; advances *at. */
static size_t zap_some(struct space *s, vaddr_t *at, vaddr_t end, struct frame **frames, bool copies) {
    size_t count = 0;
    int64_t pages = 0;
    vaddr_t va = *at;
    spin_lock(&s->table_lock);
    pte_t *leaf = pt_leaf(&s->table, va, false);
    for (; va < end && count < ZAP_BATCH; va += PAGE_SIZE) {
        pte_t *slot = &leaf[pt_index(va)], e = pte_get(slot);
        if (!e) continue;
        struct frame *f = pte_has_frame(e) ? pte_frame(e) : nullptr;
        if (f && !copies && frame_is_private(f)) continue;
        pte_set(slot, 0);
        pages++;
        if (f) frames[count++] = f;
    }
    space_account(s, -pages);
    spin_unlock(&s->table_lock);
    if (pages) tlb_flush(&s->table, *at, (va - *at) >> PAGE_SHIFT);
    *at = va;
    return count;
}

vaddr_t space_next_leaf_far(struct space *s, vaddr_t at, vaddr_t end) {
    for (vaddr_t stop; at < end; preempt_point()) {
        stop = min(align_down(at, WALK_SPAN) + WALK_SPAN, end);
        at = pt_next_leaf(&s->table, at, stop);
        if (at < stop) return at;
    }
    return end;
}

static vaddr_t next_leaf(struct space *s, vaddr_t at, vaddr_t end, bool wait) {
    return wait ? space_next_leaf(s, at, end) : pt_next_leaf(&s->table, at, end);
}

void space_zap(struct space *s, vaddr_t at, vaddr_t end, bool copies, bool wait) {
    struct frame *frames[ZAP_BATCH];
    while ((at = next_leaf(s, at, end, wait)) < end) {
        size_t count = zap_some(s, &at, leaf_end(at, end), frames, copies);
        while (count-- > 0) frame_put(frames[count]);
        if (wait && at < end) preempt_point();
    }
}

/* --- map and unmap ------------------------------------------------------------------------------ */

static bool range_valid(vaddr_t at, size_t length) {
    return at % PAGE_SIZE == 0 && length && at >= SPACE_START && length <= USER_END - at && at < USER_END;
}

static uint64_t pages_within(struct space *s, vaddr_t start, vaddr_t end) REQUIRES(s -> lock) {
    uint64_t pages = 0;
    for (struct region *r = region_from(s, start); r && region_start(r) < end;
         r = region_of(tree_next(&r->node)), preempt_point())
        pages += (min(r->end, end) - max(region_start(r), start)) >> PAGE_SHIFT;
    return pages;
}

static int unmap_locked(struct space *s, vaddr_t at, size_t length) REQUIRES(s -> lock) {
    vaddr_t end = at + length;
    int error = region_isolate(s, at, end);
    if (error) return error;
    /* committed: nothing below can fail */
    struct region *r;
    while ((r = region_from(s, at)) && region_start(r) < end) {
        vaddr_t r_end = r->end;
        space_zap(s, region_start(r), r_end, true, true);
        region_remove(s, r);
        if (r_end < end) preempt_point();
        s->map_hint = max(s->map_hint, min(r_end, MAP_TOP));
    }
    return 0;
}

/* Where to put new pages: `at` itself if it must or can be, else a gap. */
static long place(struct space *s, vaddr_t at, size_t length, uint32_t flags) REQUIRES(s -> lock) {
    uint64_t replaced = 0;
    if (flags & VM_FIXED) {
        if (!range_valid(at, length)) return -EINVAL;
        replaced = pages_within(s, at, at + length);
        if (replaced && flags & VM_NOREPLACE) return -EEXIST;
    } else if (!range_valid(at, length) || !region_free_at(s, at, length)) {
        at = region_gap(s, length);
    }
    if (!at || s->mapped_pages - replaced + (length >> PAGE_SHIFT) > s->limit_pages) return -ENOMEM;
    return replaced ? unmap_locked(s, at, length) ?: (long)at : (long)at;
}

static long map_locked(struct space *s, vaddr_t at, size_t length, uint32_t flags, struct memory *object,
                       uint64_t offset) REQUIRES(s -> lock) {
    struct region *r = s->region_count < REGIONS_MAX ? kmalloc(sizeof(*r)) : nullptr;
    if (!r) return -ENOMEM;
    long result = place(s, at, length, flags);
    if (result < 0) {
        kfree(r);
        return result;
    }
    at = (vaddr_t)result;
    *r = (struct region){
        .node.key = at, .end = at + length, .flags = flags & VM_LASTING, .object = object, .offset = offset};
    if (object) object_get(memory_object(object));
    region_insert(s, r);
    if (!(flags & VM_FIXED)) s->map_hint = min(s->map_hint, at);
    if (!object) region_merge(s, at, at + length);
    return result;
}

/* Touches pages ahead of use, as far as it goes: a signal ends it, since the range may be the whole address space. */
static void populate(struct space *s, vaddr_t at, size_t length, bool write) {
    for (vaddr_t va = at; va < at + length && !signal_pending(thread_current()); va += PAGE_SIZE) {
        if (space_fault(s, va, write ? FAULT_WRITE : 0)) return;
        preempt_point();
    }
}

static int check_access(const struct space *s, uint32_t flags) {
    if ((flags & VM_WRITE && flags & VM_DENY_WRITE) || (flags & VM_EXEC && flags & VM_DENY_EXEC)) return -EACCES;
    return s->service && (flags & VM_WRITE) && (flags & VM_EXEC) ? -EACCES : 0;
}

long space_map(struct space *s, vaddr_t at, size_t length, uint32_t flags, struct memory *object, uint64_t offset) {
    if (!length || length > USER_END || offset % PAGE_SIZE || offset + length < offset) return -EINVAL;
    length = align_up(length, PAGE_SIZE);
    int error = check_access(s, flags);
    if (error) return error;
    struct memory *fresh = nullptr;
    if (!object && flags & VM_SHARED) {
        object = fresh = memory_create(length);
        if (!fresh) return -ENOMEM;
    }
    if (!(flags & VM_FIXED)) at = align_down(at, PAGE_SIZE);
    mutex_lock(&s->lock);
    long result = map_locked(s, at, length, flags, object, offset);
    mutex_unlock(&s->lock);
    if (fresh) object_put(memory_object(fresh));
    if (result > 0 && flags & (VM_POPULATE | VM_LOCKED) && flags & VM_ACCESS)
        populate(s, (vaddr_t)result, length, flags & VM_WRITE);
    return result;
}

int space_unmap(struct space *s, vaddr_t at, size_t length) {
    length = align_up(length, PAGE_SIZE);
    if (!range_valid(at, length)) return -EINVAL;
    mutex_lock(&s->lock);
    int error = unmap_locked(s, at, length);
    mutex_unlock(&s->lock);
    return error;
}

/* --- protect ------------------------------------------------------------------------------------ */

/* The entry after the region's protection changed: a page becomes writable at once only if its only
 * owner is this entry, or it was so before (a shared page that is dirty). */
static pte_t entry_protect(const struct region *r, pte_t e) {
    uint64_t bits = region_bits(r), keep = PTE_DEVICE | PTE_UNCACHED;
    if (pte_has_frame(e) && bits & PTE_WRITE && !(pte_flags(e) & PTE_WRITE)) {
        struct frame *f = pte_frame(e);
        if (!frame_is_private(f) || r->flags & VM_SHARED || atomic_load_explicit(&f->refs, memory_order_acquire) != 1)
            bits &= ~PTE_WRITE;
    }
    return pte_make(pte_paddr(e), bits | (pte_flags(e) & keep));
}

UNCHECKED void space_protect_entries(const struct region *r, vaddr_t at, vaddr_t end, bool wait) {
    struct space *s = r->space;
    while ((at = next_leaf(s, at, end, wait)) < end) {
        vaddr_t start = at, stop = half_leaf_end(at, end);
        bool changed = false;
        spin_lock(&s->table_lock);
        pte_t *leaf = pt_leaf(&s->table, at, false);
        for (; at < stop; at += PAGE_SIZE) {
            pte_t *slot = &leaf[pt_index(at)], e = pte_get(slot);
            if (!e || !(wait || e & PTE_WRITE)) continue;
            pte_set(slot, wait ? entry_protect(r, e) : e & ~PTE_WRITE);
            changed = true;
        }
        spin_unlock(&s->table_lock);
        if (changed) tlb_flush(&s->table, start, (stop - start) >> PAGE_SHIFT);
        if (wait && at < end) preempt_point();
    }
}

static int protect_locked(struct space *s, vaddr_t at, vaddr_t end, uint32_t prot) REQUIRES(s -> lock) {
    vaddr_t covered = at;
    for (struct region *r = region_from(s, at); r && region_start(r) < end && r->end > covered;
         r = region_of(tree_next(&r->node))) {
        if (region_start(r) > covered) break;
        int error = check_access(s, (r->flags & ~(uint32_t)VM_ACCESS) | prot);
        if (error) return error;
        covered = r->end;
    }
    if (covered < end) return -ENOMEM;
    int error = region_isolate(s, at, end);
    if (error) return error;
    /* committed: nothing below can fail */
    for (struct region *r = region_from(s, at); r && region_start(r) < end; r = region_of(tree_next(&r->node))) {
        if ((r->flags & VM_ACCESS) == prot) continue;
        r->flags = (r->flags & ~(uint32_t)VM_ACCESS) | prot;
        space_protect_entries(r, region_start(r), r->end, true);
        preempt_point();
    }
    region_merge(s, at, end);
    return 0;
}

int space_protect(struct space *s, vaddr_t at, size_t length, uint32_t prot) {
    length = align_up(length, PAGE_SIZE);
    if (!length) return 0;
    if (!range_valid(at, length) || prot & ~(uint32_t)VM_ACCESS) return -EINVAL;
    mutex_lock(&s->lock);
    int error = protect_locked(s, at, at + length, prot);
    mutex_unlock(&s->lock);
    return error;
}

/* --- remap -------------------------------------------------------------------------------------- */

/*
 * Moves entries to a region already listed with its object behind the old one: whoever unmaps a page
 * of the object looks at the old place first, so it cannot miss one on the way.
 */
static int move_entries(struct space *s, vaddr_t from, vaddr_t to, size_t length) REQUIRES(s -> lock) {
    vaddr_t distance = to - from, end = from + length;
    for (vaddr_t at = from; (at = space_next_leaf(s, at, end)) < end; preempt_point()) {
        vaddr_t stop = min(leaf_end(at, end), leaf_end(at + distance, UINTPTR_MAX) - distance), start = at;
        pte_t *old = pt_leaf(&s->table, at, false);
        while (at < stop && !pte_get(&old[pt_index(at)])) at += PAGE_SIZE;
        if (at == stop) continue;
        pte_t *new = space_leaf(s, at + distance);
        if (!new) return -ENOMEM;
        spin_lock(&s->table_lock);
        for (; at < stop; at += PAGE_SIZE) pte_set(&new[pt_index(at + distance)], pte_swap(&old[pt_index(at)], 0));
        /* At once: an object that takes a page away flushes its new place only. */
        tlb_flush(&s->table, start, (stop - start) >> PAGE_SHIFT);
        spin_unlock(&s->table_lock);
    }
    return 0;
}

static long move_locked(struct space *s, struct region *r, size_t old, size_t length, uint32_t flags, vaddr_t to)
    REQUIRES(s -> lock) {
    vaddr_t at = region_start(r);
    if (flags & REMAP_FIXED && (to % PAGE_SIZE || (to < at + old && at < to + length))) return -EINVAL;
    uint32_t map_flags = r->flags | (flags & REMAP_FIXED ? VM_FIXED : 0);
    long result = map_locked(s, flags & REMAP_FIXED ? to : 0, length, map_flags, r->object, r->offset);
    if (result < 0) return result;
    int error = move_entries(s, at, (vaddr_t)result, min(old, length));
    if (error) { /* what has moved, moves back: its leaf tables exist */
        (void)!move_entries(s, (vaddr_t)result, at, min(old, length));
        (void)!unmap_locked(s, (vaddr_t)result, length);
        return error;
    }
    (void)!unmap_locked(s, at, old); /* a whole region: nothing to split */
    return result;
}

static long remap_locked(struct space *s, vaddr_t at, size_t old, size_t length, uint32_t flags, vaddr_t to)
    REQUIRES(s -> lock) {
    struct region *r = region_find(s, at);
    if (!r || r->end - at < old) return -EFAULT;
    if (length < old && !(flags & REMAP_FIXED)) return unmap_locked(s, at + length, old - length) ?: (long)at;
    uint64_t more = length > old ? (length - old) >> PAGE_SHIFT : 0;
    if (s->mapped_pages + more > s->limit_pages) return -ENOMEM;
    if (!(flags & REMAP_FIXED)) {
        if (length == old) return (long)at;
        if (r->end == at + old && range_valid(at, length) && region_free_at(s, r->end, length - old)) {
            region_set_end(s, r, at + length);
            region_merge(s, at, at + length);
            return (long)at;
        }
        if (!(flags & REMAP_MAY_MOVE)) return -ENOMEM;
    }
    int error = region_isolate(s, at, at + old);
    if (error) return error;
    return move_locked(s, region_find(s, at), old, length, flags, to);
}

long space_remap(struct space *s, vaddr_t at, size_t old, size_t length, uint32_t flags, vaddr_t to) {
    old = align_up(old, PAGE_SIZE);
    length = align_up(length, PAGE_SIZE);
    if (!range_valid(at, old) || !length || length > USER_END || (flags & REMAP_FIXED && !range_valid(to, length)))
        return -EINVAL;
    mutex_lock(&s->lock);
    long result = remap_locked(s, at, old, length, flags, to);
    mutex_unlock(&s->lock);
    return result;
}

/* --- advice ------------------------------------------------------------------------------------- */

/* mincore: one byte per page, by pages of the result so that nothing is held while it is copied. */
static int advise_resident(struct space *s, vaddr_t at, size_t length, uaddr_t out) {
    uint8_t resident[64];
    for (size_t done = 0, n; done < length >> PAGE_SHIFT; done += n) {
        n = min((length >> PAGE_SHIFT) - done, sizeof(resident));
        spin_lock(&s->table_lock);
        for (size_t i = 0; i < n; i++) {
            vaddr_t va = at + (done + i) * PAGE_SIZE;
            pte_t *leaf = pt_leaf(&s->table, va, false);
            resident[i] = leaf && pte_get(&leaf[pt_index(va)]);
        }
        spin_unlock(&s->table_lock);
        if (copy_to_user(out + done, resident, n)) return -EFAULT;
        preempt_point();
    }
    return 0;
}

/* The pagers of shared mappings write back. */
static int advise_sync(struct space *s, vaddr_t at, vaddr_t end) {
    int error = 0;
    while (at < end && !error) {
        mutex_lock(&s->lock);
        const struct region *r = region_from(s, at);
        struct memory *m = r && region_start(r) < end && r->flags & VM_SHARED ? r->object : nullptr;
        if (m) object_get(memory_object(m));
        at = r ? r->end : end;
        mutex_unlock(&s->lock);
        if (!m) continue;
        error = memory_sync(m);
        object_put(memory_object(m));
    }
    return error;
}

int space_advise(struct space *s, vaddr_t at, size_t length, uint32_t advice, uaddr_t out) {
    length = align_up(length, PAGE_SIZE);
    if (!length) return 0;
    if (!range_valid(at, length)) return -EINVAL;
    vaddr_t end = at + length;
    mutex_lock(&s->lock);
    int error = pages_within(s, at, end) == length >> PAGE_SHIFT ? 0 : -ENOMEM;
    if (!error && advice == VM_DONTNEED) space_zap(s, at, end, true, true);
    mutex_unlock(&s->lock);
    if (error) return error;
    switch (advice) {
    case VM_LOCK: /* private pages stay anyway, those of files unless memory is low */
    case VM_WILLNEED: populate(s, at, length, false); return 0;
    case VM_SYNC: return advise_sync(s, at, end);
    case VM_RESIDENT: return advise_resident(s, at, length, out);
    case VM_UNLOCK:
    case VM_DONTNEED: return 0;
    default: return -EINVAL;
    }
}

/* --- looking in from outside -------------------------------------------------------------------- */

static uint32_t region_resident(struct space *s, const struct region *r) {
    uint32_t n = 0;
    for (vaddr_t at = region_start(r); (at = space_next_leaf(s, at, r->end)) < r->end; preempt_point()) {
        const pte_t *leaf = pt_leaf(&s->table, at, false); /* a count only: no lock */
        for (vaddr_t stop = leaf_end(at, r->end); at < stop; at += PAGE_SIZE) n += pte_get(&leaf[pt_index(at)]) != 0;
    }
    return n;
}

size_t space_describe(struct space *s, vaddr_t from, struct map_info *info, size_t count) {
    size_t n = 0;
    mutex_lock(&s->lock);
    for (struct region *r = region_from(s, from); r && n < count; r = region_of(tree_next(&r->node)), n++)
        info[n] = (struct map_info){.start = region_start(r),
                                    .end = r->end,
                                    .offset = r->offset,
                                    .object = r->object ? memory_serial(r->object) : 0,
                                    .flags = r->flags & (VM_ACCESS | VM_SHARED | VM_STACK),
                                    .resident = region_resident(s, r)};
    mutex_unlock(&s->lock);
    return n;
}

static int space_access(struct space *s, vaddr_t at, void *kernel, size_t n, bool write) {
    struct pin p;
    for (size_t done = 0, step; done < n; done += step) {
        step = min(n - done, PIN_BYTES_MAX);
        int error = pin_space(&p, s, at + done, step, write);
        if (error) return error;
        if (write) pin_write(&p, 0, (char *)kernel + done, step);
        else pin_read(&p, 0, (char *)kernel + done, step);
        pin_release(&p);
    }
    return 0;
}

int space_write(struct space *s, vaddr_t to, const void *from, size_t n) {
    return space_access(s, to, (void *)from, n, true);
}

int space_read(struct space *s, void *to, vaddr_t from, size_t n) { return space_access(s, from, to, n, false); }

int space_futex_key(struct space *s, uaddr_t at, bool shared, struct futex_key *out) {
    *out = (struct futex_key){s->id, at};
    if (!shared) return 0;
    mutex_lock(&s->lock);
    const struct region *r = region_find(s, at);
    if (r && r->object && r->flags & VM_SHARED) {
        out->a = memory_serial(r->object) | 1UL << 63;
        out->b = r->offset + (at - region_start(r));
    }
    mutex_unlock(&s->lock);
    return r ? 0 : -EFAULT;
}
