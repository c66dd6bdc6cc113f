// SPDX-License-Identifier: MIT
/*
 * Inside kernel/mm: regions and page-table entries of an address space.
 *
 * An entry is 0 (nothing), present, or not present but with a frame: a page of a region without any
 * access (PROT_NONE).  Entries of regions without an object change only with the space's mutex held;
 * those of regions with one also by the object (resize, write-back, reclaim), hence table_lock.
 */
#pragma once
#include <kernel/memory.h>
#include <kernel/pin.h>
#include <kernel/space.h>

#define SPACE_START 0x10000UL /* nothing is mapped below: null pointers with offsets fault */
#define VM_ACCESS (VM_READ | VM_WRITE | VM_EXEC)
#define VM_LASTING (VM_ACCESS | VM_SHARED | VM_STACK | VM_DENY_WRITE | VM_DENY_EXEC)
#define REGIONS_MAX 65530 /* of a space: what it takes of the kernel's memory has an end */
#define STACK_GUARD (64 * PAGE_SIZE) /* kept free below a growing stack */

static inline struct region *region_of(struct tree_node *n) {
    return n ? container_of(n, struct region, node) : nullptr;
}
static inline vaddr_t region_start(const struct region *r) { return r->node.key; }
static inline uint64_t region_index(const struct region *r, vaddr_t at) { /* page in the object */
    return (r->offset + (at - region_start(r))) >> PAGE_SHIFT;
}
/* Entry bits for a page of r that may be written at once. */
static inline uint64_t region_bits(const struct region *r) {
    return (r->flags & VM_ACCESS ? PTE_PRESENT | PTE_ACCESSED : 0) | PTE_USER |
           (r->flags & VM_WRITE ? PTE_WRITE | PTE_DIRTY : 0) | (r->flags & VM_EXEC ? 0 : PTE_NOEXEC);
}
static inline bool pte_has_frame(pte_t e) { return e && !(pte_flags(e) & PTE_DEVICE); }
static inline struct frame *pte_frame(pte_t e) { return frame_of(pte_paddr(e)); }
static inline bool frame_is_private(const struct frame *f) { return f->kind == FRAME_PRIVATE; }

/* region.c */
struct region *region_find(struct space *s, vaddr_t at) REQUIRES(s -> lock); /* that contains at, or null */
struct region *region_from(struct space *s, vaddr_t at) REQUIRES(s -> lock); /* first with end > at, or null */
/* Enters a region made by kmalloc whose start, end, flags, object (a reference of its own) and offset are set. */
void region_insert(struct space *s, struct region *r) REQUIRES(s -> lock);
void region_remove(struct space *s, struct region *r) REQUIRES(s -> lock); /* and frees it */
void region_set_end(struct space *s, struct region *r, vaddr_t end) REQUIRES(s -> lock);
/* Makes region borders at both ends. -ENOMEM: nothing but borders has changed. */
MUST_CHECK int region_isolate(struct space *s, vaddr_t start, vaddr_t end) REQUIRES(s -> lock);
/* Joins regions that continue each other, in and around the range. */
void region_merge(struct space *s, vaddr_t start, vaddr_t end) REQUIRES(s -> lock);
/* An address with length bytes free, or 0. */
vaddr_t region_gap(struct space *s, size_t length) REQUIRES(s -> lock);
bool region_free_at(struct space *s, vaddr_t start, size_t length) REQUIRES(s -> lock);
/* A growing stack just above at takes it in. Null: none, or its limit. */
struct region *region_grow_stack(struct space *s, vaddr_t at) REQUIRES(s -> lock);

/* space.c: takes entries away and flushes; those of private frames only if `copies`. wait: with preemption points. */
void space_zap(struct space *s, vaddr_t start, vaddr_t end, bool copies, bool wait);
/* Entries of r in [start, end) get its protection; or, without a preemption point, lose their write permission. */
void space_protect_entries(const struct region *r, vaddr_t start, vaddr_t end, bool wait);
void space_account(struct space *s, int64_t pages) REQUIRES(s -> table_lock); /* so many entries came or went */
/* The leaf table for at, made if need be and charged. Null: no memory, or over the limit. */
pte_t *space_table_make(struct space *s, vaddr_t at) REQUIRES(s -> lock);
static inline pte_t *space_leaf(struct space *s, vaddr_t at) REQUIRES(s -> lock) {
    pte_t *leaf = pt_leaf(&s->table, at, false);
    return likely(leaf) ? leaf : space_table_make(s, at);
}
static inline vaddr_t leaf_end(vaddr_t at, vaddr_t end) {
    return min(align_down(at, PT_LEAF_SPAN) + PT_LEAF_SPAN, end);
}
/* So much is done without letting others in, at about 50 instructions per page. */
static inline vaddr_t half_leaf_end(vaddr_t at, vaddr_t end) {
    return min(align_down(at, PT_LEAF_SPAN / 2) + PT_LEAF_SPAN / 2, end);
}
/* pt_next_leaf, which lets others in on long ways. */
#define WALK_SPAN (256 * PT_LEAF_SPAN)
vaddr_t space_next_leaf_far(struct space *s, vaddr_t at, vaddr_t end);
static inline vaddr_t space_next_leaf(struct space *s, vaddr_t at, vaddr_t end) {
    return likely(end - at <= WALK_SPAN) ? pt_next_leaf(&s->table, at, end) : space_next_leaf_far(s, at, end);
}
/* pin.c */
MUST_CHECK int pin_space(struct pin *p, struct space *s, vaddr_t address, size_t length, bool write);
