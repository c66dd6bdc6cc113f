// SPDX-License-Identifier: MIT
/*
 * Regions of an address space: finding, splitting, joining, and finding room.
 *
 * A memory object finds the entries that map its pages through its list of regions without holding
 * the space's mutex, so a region with an object is changed in an order that covers each page at all
 * times: a new right half is listed before the left half ends earlier, a joined left half ends later
 * before the right one leaves the list.
 */
#include "space_impl.h"

#include "memory_impl.h"

struct region *region_from(struct space *s, vaddr_t at) {
    struct region *r = region_of(tree_find_le(&s->regions, at));
    if (r && r->end > at) return r;
    return region_of(r ? tree_next(&r->node) : tree_first(&s->regions));
}

struct region *region_find(struct space *s, vaddr_t at) {
    struct region *r = s->last;
    if (likely(r && region_start(r) <= at && at < r->end)) return r;
    r = region_of(tree_find_le(&s->regions, at));
    if (!r || at >= r->end) return nullptr;
    s->last = r;
    return r;
}

UNCHECKED void region_insert(struct space *s, struct region *r) {
    r->space = s;
    list_init(&r->mapping_link);
    tree_insert(&s->regions, &r->node);
    s->region_count++;
    s->mapped_pages += (r->end - region_start(r)) >> PAGE_SHIFT;
    if (!r->object) return;
    spin_lock(&r->object->lock);
    list_push_back(&r->object->mappings, &r->mapping_link); /* at the end: clone.c, move_entries */
    r->object->mapping_count++;
    spin_unlock(&r->object->lock);
}

UNCHECKED void region_remove(struct space *s, struct region *r) {
    s->mapped_pages -= (r->end - region_start(r)) >> PAGE_SHIFT;
    if (s->last == r) s->last = nullptr;
    tree_remove(&s->regions, &r->node);
    s->region_count--;
    if (r->object) {
        spin_lock(&r->object->lock);
        list_remove(&r->mapping_link);
        r->object->mapping_count--;
        spin_unlock(&r->object->lock);
        object_put(memory_object(r->object));
    }
    kfree(r);
}

UNCHECKED void region_set_end(struct space *s, struct region *r, vaddr_t end) {
    s->mapped_pages += ((int64_t)end - (int64_t)r->end) >> PAGE_SHIFT;
    if (r->object) spin_lock(&r->object->lock);
    r->end = end;
    if (r->object) spin_unlock(&r->object->lock);
}

static int region_split(struct space *s, vaddr_t at) REQUIRES(s -> lock) {
    struct region *r = region_find(s, at);
    if (!r || region_start(r) == at) return 0;
    struct region *right = s->region_count < REGIONS_MAX ? kmalloc(sizeof(*right)) : nullptr;
    if (!right) return -ENOMEM;
    *right = *r;
    right->node.key = at;
    right->offset = r->offset + (at - region_start(r));
    if (right->object) object_get(memory_object(right->object));
    region_insert(s, right);
    region_set_end(s, r, at);
    return 0;
}

int region_isolate(struct space *s, vaddr_t start, vaddr_t end) {
    int error = region_split(s, start);
    return error ? error : region_split(s, end);
}

static bool region_continues(const struct region *a, const struct region *b) {
    return a->end == region_start(b) && a->flags == b->flags && a->object == b->object &&
           (!a->object || a->offset + (a->end - region_start(a)) == b->offset);
}

void region_merge(struct space *s, vaddr_t start, vaddr_t end) {
    struct region *r = region_from(s, start ? start - 1 : 0);
    while (r && region_start(r) < end) {
        struct region *next = region_of(tree_next(&r->node));
        if (!next || region_start(next) > end) return;
        if (!region_continues(r, next)) {
            r = next;
            continue;
        }
        region_set_end(s, r, next->end);
        region_remove(s, next);
    }
}

static vaddr_t region_guarded_start(const struct region *r) {
    return region_start(r) - (r->flags & VM_STACK ? STACK_GUARD : 0);
}

bool region_free_at(struct space *s, vaddr_t start, size_t length) {
    struct region *r = region_from(s, start);
    return !r || region_guarded_start(r) >= start + length;
}

static vaddr_t gap_below(struct space *s, vaddr_t top, size_t length) REQUIRES(s -> lock) {
    for (struct tree_node *n = tree_find_le(&s->regions, top - 1);; n = tree_prev(n)) {
        struct region *r = region_of(n);
        vaddr_t low = r ? r->end : SPACE_START;
        if (top > low && top - low >= length) return top - length;
        if (!r) return 0;
        top = min(top, region_guarded_start(r));
    }
}

vaddr_t region_gap(struct space *s, size_t length) {
    vaddr_t at = gap_below(s, s->map_hint, length);
    if (!at) at = gap_below(s, USER_END, length);
    return at;
}

struct region *region_grow_stack(struct space *s, vaddr_t at) {
    struct region *r = region_from(s, at);
    if (!r || !(r->flags & VM_STACK) || r->object) return nullptr;
    vaddr_t start = align_down(at, PAGE_SIZE);
    if (r->end - start > s->stack_pages * PAGE_SIZE || start < SPACE_START + STACK_GUARD) return nullptr;
    struct region *below = region_of(tree_prev(&r->node));
    if (below && below->end > start - STACK_GUARD) return nullptr;
    uint64_t more = (region_start(r) - start) >> PAGE_SHIFT;
    if (s->mapped_pages + more > s->limit_pages) return nullptr;
    tree_remove(&s->regions, &r->node);
    r->node.key = start;
    tree_insert(&s->regions, &r->node);
    s->mapped_pages += more;
    return r;
}
