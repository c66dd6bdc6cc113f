// SPDX-License-Identifier: MIT
/* The kernel's balanced tree: order and balance after random insertions and removals. */
#include <kernel/tree.h>
#include <stdlib.h>
#include <unit.h>

#define COUNT 500
static struct tree_node nodes[COUNT];
static bool in[COUNT];
static struct tree tree;

static int check_height(struct tree_node *n, struct tree_node *parent) {
    if (!n) return 0;
    CHECK(n->parent == parent);
    int left = check_height(n->child[0], n), right = check_height(n->child[1], n);
    CHECK(right - left == n->balance && n->balance >= -1 && n->balance <= 1);
    return 1 + (left > right ? left : right);
}

static void check_all(void) {
    size_t expected = 0, found = 0;
    struct tree_node *last = NULL;
    for (size_t i = 0; i < COUNT; i++) expected += in[i];
    for (struct tree_node *n = tree_first(&tree); n; last = n, n = tree_next(n)) {
        CHECK(!last || last->key <= n->key);
        CHECK(tree_prev(n) == last);
        found++;
    }
    CHECK(found == expected);
    check_height(tree.root, NULL);
}

TEST(random_operations) {
    srand(7);
    for (int round = 0; round < 20000; round++) {
        size_t i = (size_t)rand() % COUNT;
        if (in[i]) {
            tree_remove(&tree, &nodes[i]);
        } else {
            nodes[i].key = (uint64_t)rand() % 300;
            tree_insert(&tree, &nodes[i]);
        }
        in[i] = !in[i];
        if (round % 50 == 0) check_all();
    }
    for (uint64_t key = 0; key < 302; key++) {
        struct tree_node *le = tree_find_le(&tree, key), *ge = tree_find_ge(&tree, key);
        CHECK(!le || le->key <= key);
        CHECK(!ge || ge->key >= key);
        CHECK(!le || !tree_next(le) || tree_next(le)->key > key);
        CHECK(!ge || !tree_prev(ge) || tree_prev(ge)->key < key);
    }
}

TEST(equal_keys_keep_their_order) {
    struct tree t = {};
    struct tree_node n[10];
    for (int i = 0; i < 10; i++) {
        n[i].key = 5;
        tree_insert(&t, &n[i]);
    }
    struct tree_node *at = tree_first(&t);
    for (int i = 0; i < 10; i++, at = tree_next(at)) CHECK(at == &n[i]);
}

UNIT_MAIN
