// SPDX-License-Identifier: MIT
/*
 * Intrusive balanced tree keyed by uint64_t (regions by start, timers by deadline, ids).
 * Equal keys are allowed and keep insertion order.  The owner locks.
 */
#pragma once
#include <kernel/types.h>

struct tree_node {
    struct tree_node *child[2], *parent;
    uint64_t key;
    int balance;
};
struct tree {
    struct tree_node *root;
};

void tree_insert(struct tree *t, struct tree_node *n); /* n->key set by the caller */
void tree_remove(struct tree *t, struct tree_node *n);
struct tree_node *tree_first(const struct tree *t);
struct tree_node *tree_next(const struct tree_node *n);
struct tree_node *tree_prev(const struct tree_node *n);
struct tree_node *tree_find_le(const struct tree *t, uint64_t key); /* greatest key ≤ key, or null */
struct tree_node *tree_find_ge(const struct tree *t, uint64_t key); /* smallest key ≥ key, or null */
