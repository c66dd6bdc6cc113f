// SPDX-License-Identifier: MIT
/*
 * The pages of a memory object: a 64-way radix tree by page number, whose height grows with the
 * highest page and whose empty nodes go at once.  The object's lock is held throughout; nodes come
 * from kmalloc, which doesn't sleep.
 */
#include <kernel/mm.h>

#include "memory_impl.h"

static unsigned slot_at(uint64_t index, unsigned level) { return index >> (level * NODE_BITS) & (NODE_SLOTS - 1); }

static bool tree_covers(const struct memory *m, uint64_t index) REQUIRES(m -> lock) {
    return m->height && index >> (m->height * NODE_BITS) == 0;
}

struct frame *page_find(struct memory *m, uint64_t index) {
    if (unlikely(!tree_covers(m, index))) return nullptr;
    const struct page_node *n = m->root;
    for (unsigned level = m->height - 1; level > 0; level--) {
        n = n->slots[slot_at(index, level)];
        if (!n) return nullptr;
    }
    return n->slots[slot_at(index, 0)];
}

/* First page in the subtree from index on; index moves on to it, or past the subtree. */
static struct frame *subtree_next(const struct page_node *n, unsigned level, uint64_t *index, uint64_t end) {
    uint64_t step = 1UL << (level * NODE_BITS);
    unsigned slot = slot_at(*index, level);
    while (*index < end) {
        void *p = n->slots[slot];
        struct frame *f = !p || !level ? p : subtree_next(p, level - 1, index, end);
        if (f) return f;
        if (!p || !level) *index = (*index & ~(step - 1)) + step;
        if (++slot == NODE_SLOTS) break;
    }
    return nullptr;
}

struct frame *page_next(struct memory *m, uint64_t *index, uint64_t end) {
    return *index < end && tree_covers(m, *index) ? subtree_next(m->root, m->height - 1, index, end) : nullptr;
}

static struct page_node *node_create(struct page_node *parent, unsigned position) {
    struct page_node *n = kzalloc(sizeof(*n));
    if (!n) return nullptr;
    n->parent = parent;
    n->position = (uint16_t)position;
    if (parent) {
        parent->slots[position] = n;
        parent->used++;
    }
    return n;
}

/* Frees n and its ancestors as far as they are empty. */
static void node_prune(struct memory *m, struct page_node *n) REQUIRES(m -> lock) {
    while (n && !n->used) {
        struct page_node *parent = n->parent;
        if (parent) {
            parent->slots[n->position] = nullptr;
            parent->used--;
        } else {
            m->root = nullptr;
            m->height = 0;
        }
        kfree(n);
        n = parent;
    }
}

/* Adds levels above the root until the tree covers index. */
static int tree_grow(struct memory *m, uint64_t index) REQUIRES(m -> lock) {
    while (!tree_covers(m, index)) {
        struct page_node *root = node_create(nullptr, 0);
        if (!root) return -ENOMEM;
        struct page_node *old = m->root;
        m->root = root;
        m->height++;
        if (old) {
            root->slots[0] = old;
            root->used = 1;
            old->parent = root;
        } else {
            while (!tree_covers(m, index)) m->height++;
        }
    }
    return 0;
}

int page_insert(struct memory *m, uint64_t index, struct frame *f, enum page_state state) {
    if (tree_grow(m, index)) return -ENOMEM;
    struct page_node *n = m->root;
    for (unsigned level = m->height - 1; level > 0; level--) {
        struct page_node *below = n->slots[slot_at(index, level)];
        if (!below && !(below = node_create(n, slot_at(index, level)))) {
            node_prune(m, n);
            return -ENOMEM;
        }
        n = below;
    }
    ASSERT(!n->slots[slot_at(index, 0)]);
    n->slots[slot_at(index, 0)] = f;
    n->used++;
    m->pages++;
    f->kind = FRAME_OBJECT;
    f->object = m;
    f->index = index;
    f->state = (uint8_t)state;
    return 0;
}

void page_visit(struct memory *m, uint64_t first, uint64_t last, void (*visit)(struct memory *, struct frame *, int),
                int arg) {
    for (struct frame *f = nullptr;; preempt_point()) {
        spin_lock(&m->lock);
        for (unsigned n = 0; n < BATCH_PAGES && (f = page_next(m, &first, last)); n++, first++) visit(m, f, arg);
        spin_unlock(&m->lock);
        if (!f) return;
    }
}

void page_remove(struct memory *m, struct frame *f) {
    struct page_node *n = m->root;
    for (unsigned level = m->height - 1; level > 0; level--) n = n->slots[slot_at(f->index, level)];
    ASSERT(n->slots[slot_at(f->index, 0)] == f);
    n->slots[slot_at(f->index, 0)] = nullptr;
    n->used--;
    node_prune(m, n);
    m->pages--;
    clock_remove(f);
    f->state = PAGE_ABSENT;
    f->object = nullptr;
    f->index = 0;
}
