// SPDX-License-Identifier: MIT
/*
 * AVL tree (Knuth, TAOCP vol. 3 §6.2.3): balance = height of child[1] - height of child[0], within
 * -1 … 1. Parent pointers make removal and iteration need no stack.
 */
#include <kernel/debug.h>
#include <kernel/tree.h>

static struct tree_node **link_of(struct tree *t, struct tree_node *n) {
    return n->parent ? &n->parent->child[n->parent->child[1] == n] : &t->root;
}

/* Moves n down to side `s`; its other child takes its place and is returned. */
static struct tree_node *rotate(struct tree *t, struct tree_node *n, int s) {
    struct tree_node *up = n->child[!s], *middle = up->child[s];
    *link_of(t, n) = up;
    up->parent = n->parent;
    up->child[s] = n;
    n->parent = up;
    n->child[!s] = middle;
    if (middle) middle->parent = n;
    return up;
}

/* n leans by 2 to side s. Returns the new top of this subtree. */
static struct tree_node *rebalance(struct tree *t, struct tree_node *n, int s) {
    int sign = s ? 1 : -1;
    struct tree_node *heavy = n->child[s];
    if (heavy->balance != -sign) { /* single rotation */
        rotate(t, n, !s);
        bool level = heavy->balance == 0; /* only when removing */
        n->balance = level ? sign : 0;
        heavy->balance = level ? -sign : 0;
        return heavy;
    }
    struct tree_node *top = rotate(t, heavy, s);
    rotate(t, n, !s);
    n->balance = top->balance == sign ? -sign : 0;
    heavy->balance = top->balance == -sign ? sign : 0;
    top->balance = 0;
    return top;
}

void tree_insert(struct tree *t, struct tree_node *n) {
    struct tree_node *parent = nullptr, **link = &t->root;
    while (*link) {
        parent = *link;
        link = &parent->child[n->key >= parent->key];
    }
    *n = (struct tree_node){.parent = parent, .key = n->key};
    *link = n;
    for (; parent; n = parent, parent = n->parent) { /* the subtree at n has grown */
        int s = parent->child[1] == n;
        parent->balance += s ? 1 : -1;
        if (parent->balance == 0) return;
        if (parent->balance == 2 || parent->balance == -2) {
            rebalance(t, parent, s);
            return;
        }
    }
}

/* n has two children: its successor, which has no left child, takes its place. */
static void swap_with_next(struct tree *t, struct tree_node *n) {
    struct tree_node *next = n->child[1];
    while (next->child[0]) next = next->child[0];
    struct tree_node *next_parent = next->parent, *right = next->child[1];
    int balance = next->balance;
    *link_of(t, n) = next;
    next->parent = n->parent;
    next->balance = n->balance;
    next->child[0] = n->child[0];
    next->child[0]->parent = next;
    if (next_parent == n) {
        next->child[1] = n;
        n->parent = next;
    } else {
        next->child[1] = n->child[1];
        next->child[1]->parent = next;
        next_parent->child[0] = n;
        n->parent = next_parent;
    }
    n->child[0] = nullptr;
    n->child[1] = right;
    n->balance = balance;
    if (right) right->parent = n;
}

void tree_remove(struct tree *t, struct tree_node *n) {
    if (n->child[0] && n->child[1]) swap_with_next(t, n);
    struct tree_node *child = n->child[!n->child[0]], *parent = n->parent;
    int s = parent && parent->child[1] == n;
    *link_of(t, n) = child;
    if (child) child->parent = parent;
    n->child[0] = n->child[1] = n->parent = nullptr;
    while (parent) { /* its subtree on side s has shrunk */
        struct tree_node *at = parent;
        at->balance -= s ? 1 : -1;
        if (at->balance == 1 || at->balance == -1) return;
        if (at->balance != 0) {
            at = rebalance(t, at, at->balance > 0);
            if (at->balance != 0) return;
        }
        parent = at->parent;
        s = parent && parent->child[1] == at;
    }
}

static struct tree_node *end_of(struct tree_node *n, int s) {
    while (n && n->child[s]) n = n->child[s];
    return n;
}

static struct tree_node *step(const struct tree_node *n, int s) {
    if (n->child[s]) return end_of(n->child[s], !s);
    while (n->parent && n->parent->child[s] == n) n = n->parent;
    return n->parent;
}

struct tree_node *tree_first(const struct tree *t) { return end_of(t->root, 0); }
struct tree_node *tree_next(const struct tree_node *n) { return step(n, 1); }
struct tree_node *tree_prev(const struct tree_node *n) { return step(n, 0); }

struct tree_node *tree_find_le(const struct tree *t, uint64_t key) {
    struct tree_node *found = nullptr;
    for (struct tree_node *n = t->root; n;) {
        if (n->key <= key) found = n;
        n = n->child[n->key <= key];
    }
    return found;
}

struct tree_node *tree_find_ge(const struct tree *t, uint64_t key) {
    struct tree_node *found = nullptr;
    for (struct tree_node *n = t->root; n;) {
        if (n->key >= key) found = n;
        n = n->child[n->key < key];
    }
    return found;
}
