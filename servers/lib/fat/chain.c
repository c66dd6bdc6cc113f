// SPDX-License-Identifier: MIT
/* The clusters of a node, as runs that are learned from the table when they are first needed. */
#include "internal.h"

#include <stdlib.h>

static int run_add(struct fat_node *n, uint32_t cluster, uint32_t count) {
    struct chain_run *last = n->run_count ? &n->runs[n->run_count - 1] : nullptr;
    if (last && last->cluster + last->count == cluster) {
        last->count += count;
        n->mapped += count;
        return 0;
    }
    if (n->run_count == n->run_capacity) {
        uint32_t capacity = n->run_capacity ? n->run_capacity * 2 : 4;
        struct chain_run *runs = realloc(n->runs, capacity * sizeof(*runs));
        if (!runs) return -ENOMEM;
        n->runs = runs;
        n->run_capacity = capacity;
    }
    n->runs[n->run_count++] = (struct chain_run){n->mapped, cluster, count};
    n->mapped += count;
    return 0;
}

static uint32_t last_of(const struct fat_node *n) {
    const struct chain_run *r = n->run_count ? &n->runs[n->run_count - 1] : nullptr;
    return r ? r->cluster + r->count - 1 : 0;
}

/* Until `count` are known, or all of them. A chain with more clusters than there are is a ring. */
static int learn(struct fat_node *n, uint32_t count) {
    struct fat *fs = n->fs;
    while (n->mapped < count && !n->complete) {
        uint32_t last = last_of(n), next = n->first;
        int e = last ? table_get(fs, last, &next) : 0;
        if (e) return e;
        if (last ? next >= CHAIN_END : !next) n->complete = true;
        else if (!cluster_valid(fs, next) || n->mapped >= fs->clusters) return -EUCLEAN;
        else if ((e = run_add(n, next, 1))) return e;
    }
    return 0;
}

int chain_map(struct fat_node *n, uint32_t index, uint32_t *cluster, uint32_t *count) {
    int e = learn(n, index + 1);
    if (e) return e;
    if (index >= n->mapped) return -ENOENT;
    uint32_t low = 0, high = n->run_count - 1;
    while (low < high) { /* the last run that begins at or before it */
        uint32_t middle = low + (high - low + 1) / 2;
        if (n->runs[middle].index <= index) low = middle;
        else high = middle - 1;
    }
    const struct chain_run *r = &n->runs[low];
    *cluster = r->cluster + (index - r->index);
    *count = r->count - (index - r->index);
    return 0;
}

int chain_length(struct fat_node *n, uint32_t *count) {
    int e = learn(n, UINT32_MAX);
    *count = n->mapped;
    return e;
}

void chain_forget(struct fat_node *n) {
    free(n->runs);
    n->runs = nullptr;
    n->run_count = n->run_capacity = n->mapped = 0;
    n->complete = false;
}

/* The new part of a chain that ends at `last`. */
static void pend(struct fat_node *n, uint32_t last, uint32_t first) {
    n->pending = true;
    n->link_from = last;
    n->link_to = first;
    n->disk_first = n->first;
    n->disk_size = (uint32_t)n->size;
    n->pending_next = n->fs->pending;
    n->fs->pending = n;
    n->refs++;
}

static int runs_add(struct fat_node *n, uint32_t first) {
    int e = 0;
    for (uint32_t c = first, next; !e && c < CHAIN_END; c = next)
        if (!(e = table_get(n->fs, c, &next))) e = run_add(n, c, 1);
    return e;
}

int chain_extend(struct fat_node *n, uint32_t count) {
    struct fat *fs = n->fs;
    uint32_t first;
    int e = learn(n, count);
    if (e || n->mapped >= count) return e;
    uint32_t last = last_of(n);
    if ((e = table_allocate(fs, count - n->mapped, last, &first))) return e;
    if (!n->pending) pend(n, last, first);
    else if ((e = table_set(fs, last, first))) return e; /* nothing refers to that part either */
    if (!last) n->first = first;
    e = runs_add(n, first);
    n->complete = true;
    if (!e) return 0;
    (void)!barrier(fs);
    chain_forget(n);
    return e;
}

int chain_link(struct fat_node *n) {
    n->pending = false;
    int e = n->link_from ? table_set(n->fs, n->link_from, n->link_to) : 0;
    return e ?: node_write(n);
}

static int released_add(struct fat *fs, uint32_t first, uint32_t clusters) {
    if (fs->released_count == fs->released_capacity) {
        uint32_t capacity = fs->released_capacity ? fs->released_capacity * 2 : 16;
        uint32_t *released = realloc(fs->released, capacity * sizeof(*released));
        if (!released) return -ENOMEM;
        fs->released = released;
        fs->released_capacity = capacity;
    }
    fs->released[fs->released_count++] = first;
    fs->released_clusters += clusters;
    return 0;
}

/* Of a damaged chain, what is known is released. */
int chain_release(struct fat_node *n) {
    uint32_t length;
    (void)!chain_length(n, &length);
    int e = n->first && length ? released_add(n->fs, n->first, length) : 0;
    n->first = 0;
    chain_forget(n);
    n->complete = true;
    return e;
}

int chain_cut(struct fat_node *n, uint32_t count) {
    uint32_t cluster, more, length, last;
    if (n->pending && count < n->mapped) {
        int e = barrier(n->fs);
        if (e) return e;
    }
    if (!count) {
        int e = chain_release(n);
        return node_write(n) ?: e;
    }
    int e = chain_map(n, count, &cluster, &more);
    if (e) return e == -ENOENT ? 0 : e;
    if ((e = chain_length(n, &length))) return e;
    if ((e = chain_map(n, count - 1, &last, &more))) return e;
    if ((e = table_set(n->fs, last, CHAIN_END | 7))) return e;
    chain_forget(n);
    return released_add(n->fs, cluster, length - count);
}
