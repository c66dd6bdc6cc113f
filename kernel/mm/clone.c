// SPDX-License-Identifier: MIT
/*
 * fork: copies regions and page-table entries; private pages become shared and read-only in both
 * spaces, and are copied by whoever writes first.
 *
 * The parent's mutex is held throughout, so its entries don't come or change but for objects taking
 * theirs away.  The child's region stands behind the parent's in the object's list and an entry is
 * copied with both table locks held: an object that takes pages away finds each copy.
 * A private page that is write-pinned (a call under way stores into it) is copied at once, and the
 * parent keeps the frame: copying on the parent's next write would part it from the pin.
 * Other threads of the parent may write through stale translations until the final flush: that is
 * before the child first runs, and as if they had written before the fork.
 */
#include <kernel/lib.h>

#include "space_impl.h"

struct clone {
    struct space *from, *to;
    int64_t pages;
    bool protected; /* entries of the parent were made read-only */
};

static int clone_pinned(struct clone *c, const struct region *r, pte_t *slot, struct frame *f) {
    if (!quota_charge(c->from->quota, 1)) return -ENOMEM;
    struct frame *copy = frame_take(FRAME_PRIVATE);
    if (!copy) {
        quota_release(c->from->quota, 1);
        return -ENOMEM;
    }
    copy->quota = c->from->quota;
    page_copy(frame_virt(copy), frame_virt(f));
    pte_set(slot, pte_make(frame_paddr(copy), region_bits(r)));
    c->pages++;
    return 0;
}

static int clone_entry(struct clone *c, const struct region *r, pte_t *from, pte_t *to) {
    pte_t e = pte_get(from);
    if (!pte_has_frame(e)) {
        c->pages += e != 0;
        pte_set(to, e);
        return 0;
    }
    struct frame *f = pte_frame(e);
    if (!(r->flags & VM_SHARED)) {
        if (unlikely(atomic_load_explicit(&f->write_pins, memory_order_relaxed)) && frame_is_private(f))
            return clone_pinned(c, r, to, f);
        if (pte_flags(e) & PTE_WRITE) {
            e &= ~PTE_WRITE;
            pte_set(from, e);
            c->protected = true;
        }
    }
    frame_get(f);
    pte_set(to, e);
    c->pages++;
    return 0;
}

/* Within one leaf table. */
static int clone_some(struct clone *c, const struct region *r, vaddr_t at, vaddr_t end) UNCHECKED {
    pte_t *to = pt_leaf(&c->to->table, at, true);
    if (!to) return -ENOMEM;
    int error = 0;
    c->pages = 0;
    spin_lock_pair(&c->from->table_lock, &c->to->table_lock);
    pte_t *from = pt_leaf(&c->from->table, at, false);
    for (; !error && at < end; at += PAGE_SIZE)
        if (from[pt_index(at)]) error = clone_entry(c, r, &from[pt_index(at)], &to[pt_index(at)]);
    space_account(c->to, c->pages);
    spin_unlock_pair(&c->from->table_lock, &c->to->table_lock);
    return error;
}

static int clone_region(struct clone *c, const struct region *r) UNCHECKED {
    struct region *copy = kmalloc(sizeof(*copy));
    if (!copy) return -ENOMEM;
    *copy = *r;
    if (copy->object) object_get(memory_object(copy->object));
    region_insert(c->to, copy);
    int error = 0;
    for (vaddr_t at = region_start(r); !error && (at = space_next_leaf(c->from, at, r->end)) < r->end;) {
        vaddr_t end = half_leaf_end(at, r->end);
        error = clone_some(c, r, at, end);
        at = end;
        if (at < r->end) preempt_point();
    }
    return error;
}

UNCHECKED struct space *space_fork(struct space *from) {
    struct space *to = space_create();
    if (!to) return nullptr;
    struct clone c = {.from = from, .to = to};
    to->service = from->service;
    to->limit_pages = from->limit_pages;
    to->stack_pages = from->stack_pages;
    preempt_point();
    mutex_lock(&from->lock);
    to->map_hint = from->map_hint;
    int error = 0;
    for (struct tree_node *n = tree_first(&from->regions); n && !error; n = tree_next(n)) {
        error = clone_region(&c, region_of(n));
        preempt_point();
    }
    if (c.protected) tlb_flush(&from->table, 0, USER_END >> PAGE_SHIFT);
    if (!error && quota_charge(from->quota, (int64_t)to->table.tables)) to->quota = from->quota;
    else error = -ENOMEM;
    mutex_unlock(&from->lock);
    if (!error) return to;
    space_put(to);
    return nullptr;
}
