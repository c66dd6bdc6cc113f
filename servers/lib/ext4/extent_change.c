// SPDX-License-Identifier: MIT
/*
 * Extent trees: changing.  Whatever needs room makes it one step at a time (a node split, or the root moved down) and
 * looks again; keys of index entries stay exact.  The caller stores the node, with its root in it.
 */
#include "internal.h"

static void path_write(struct ext4_node *n, const struct extent_path *p) {
    if (p->b) tx_write(n->fs, p->b);
}

static void length_set(struct extent *e, uint32_t length, bool unwritten) {
    e->length = (uint16_t)(unwritten ? length + EXTENT_LENGTH_MAX : length);
}

static void start_set(struct extent *e, uint64_t start) {
    e->start_lo = (uint32_t)start;
    e->start_hi = (uint16_t)(start >> 32);
}

static void leaf_set(struct extent *e, uint64_t block) {
    e->leaf_lo = (uint32_t)block;
    e->leaf_hi = (uint16_t)(block >> 32);
    e->unused = 0;
}

/* The first entry of path[depth] has changed. */
static void keys_fix(struct ext4_node *n, struct extent_path *path, int depth) {
    for (int level = depth; level > 0; level--) {
        uint32_t key = ((struct extent *)(path[level].header + 1))->block;
        struct extent *parent = extent_at(&path[level - 1]);
        if (parent->block == key) return;
        path_write(n, &path[level - 1]);
        parent->block = key;
        if (path[level - 1].index) return;
    }
}

static void entry_insert(struct ext4_node *n, struct extent_path *p, int at, struct extent e) {
    struct extent *first = (struct extent *)(p->header + 1);
    path_write(n, p);
    memmove(first + at + 1, first + at, (size_t)(p->header->entries - at) * sizeof(e));
    first[at] = e;
    p->header->entries++;
}

static void entry_remove(struct ext4_node *n, struct extent_path *p) {
    struct extent *e = extent_at(p);
    path_write(n, p);
    p->header->entries--;
    memmove(e, e + 1, (size_t)(p->header->entries - p->index) * sizeof(*e));
}

static int node_block_new(struct ext4_node *n, uint16_t depth, uint64_t *block, struct extent_header **out) {
    struct ext4 *fs = n->fs;
    struct buffer *b;
    int result = node_balloc(n, block);
    if (!result) result = buffer_new(fs, *block, KIND_EXTENTS, n->seed, &b);
    if (result < 0) return result;
    tx_write(fs, b);
    *out = (struct extent_header *)(void *)b->data;
    **out = (struct extent_header){
        .magic = EXTENT_MAGIC,
        .max = (uint16_t)((fs->block_size - sizeof(struct extent_header) - (fs->checksums ? 4 : 0)) /
                          sizeof(struct extent)),
        .depth = depth,
    };
    return 0;
}

/* The root's entries move down into a block of their own. */
static int root_grow(struct ext4_node *n) {
    struct extent_header *root = (struct extent_header *)n->root, *h;
    uint64_t block;
    if (root->depth == EXTENT_DEPTH_MAX) return -EFBIG;
    int result = node_block_new(n, root->depth, &block, &h);
    if (result < 0) return result;
    struct extent *e = (struct extent *)(root + 1);
    memcpy(h + 1, e, root->entries * sizeof(*e));
    h->entries = root->entries;
    root->entries = 1;
    root->depth++;
    memset(e + 1, 0, 3 * sizeof(*e));
    leaf_set(e, block);
    return 0;
}

/* path[level] is full, the one above isn't. When all goes to the end, full nodes stay full. */
static int node_split(struct ext4_node *n, struct extent_path *path, int level, int depth, uint32_t logical) {
    struct extent_path *p = &path[level], *parent = &path[level - 1];
    struct extent_header *h;
    uint64_t block;
    bool leaf = level == depth, append = p->index == p->header->entries - 1;
    int keep = !append ? p->header->entries / 2 : p->header->entries - (leaf ? 0 : 1);
    int result = node_block_new(n, p->header->depth, &block, &h);
    if (result < 0) return result;
    struct extent *from = (struct extent *)(p->header + 1) + keep, index = {};
    index.block = keep < p->header->entries ? from->block : logical;
    leaf_set(&index, block);
    path_write(n, p);
    h->entries = (uint16_t)(p->header->entries - keep);
    memcpy(h + 1, from, h->entries * sizeof(*from));
    p->header->entries = (uint16_t)keep;
    entry_insert(n, parent, parent->index + 1, index);
    return 0;
}

static int room_make(struct ext4_node *n, struct extent_path *path, int depth, uint32_t logical) {
    for (int level = depth; level > 0; level--)
        if (path[level - 1].header->entries < path[level - 1].header->max)
            return node_split(n, path, level, depth, logical);
    return root_grow(n);
}

static bool joins(const struct extent *a, const struct extent *b) {
    uint32_t length = extent_length(a), sum = length + extent_length(b);
    return a->block + length == b->block && extent_start(a) + length == extent_start(b) &&
           extent_unwritten(a) == extent_unwritten(b) && sum <= EXTENT_LENGTH_MAX - (extent_unwritten(a) ? 1u : 0u);
}

static bool join(struct ext4_node *n, struct extent_path *p, const struct extent *new) {
    struct extent *before = extent_at(p), *after = before + 1;
    bool has_after = p->index + 1 < p->header->entries;
    if (p->index >= 0 && joins(before, new)) {
        path_write(n, p);
        length_set(before, extent_length(before) + extent_length(new), extent_unwritten(new));
        if (has_after && joins(before, after)) {
            length_set(before, extent_length(before) + extent_length(after), extent_unwritten(new));
            p->index++;
            entry_remove(n, p);
        }
        return true;
    }
    if (!has_after || !joins(new, after)) return false;
    path_write(n, p);
    uint32_t length = extent_length(new) + extent_length(after);
    *after = *new;
    length_set(after, length, extent_unwritten(new));
    return true;
}

static bool overlaps(const struct extent_path *p, const struct ext4_extent *e) {
    const struct extent *x = extent_at(p);
    if (p->index >= 0 && (uint64_t)x->block + extent_length(x) > e->logical) return true;
    return p->index + 1 < p->header->entries && x[1].block < e->logical + e->count;
}

int extent_insert(struct ext4_node *n, const struct ext4_extent *e) {
    struct extent_path path[EXTENT_DEPTH_MAX + 1];
    struct extent new = {.block = (uint32_t)e->logical};
    start_set(&new, e->physical);
    length_set(&new, (uint32_t)e->count, e->state == EXT4_UNWRITTEN);
    for (int steps = 0; steps < 2 * EXTENT_DEPTH_MAX + 2; steps++) {
        int depth = extent_path_find(n, new.block, path);
        if (depth < 0) return depth;
        struct extent_path *p = &path[depth];
        if (overlaps(p, e)) return -EUCLEAN;
        int at = p->index + 1;
        if (!join(n, p, &new)) {
            if (p->header->entries == p->header->max) {
                int result = room_make(n, path, depth, new.block);
                if (result < 0) return result;
                continue;
            }
            entry_insert(n, p, at, new);
        }
        if (at == 0) keys_fix(n, path, depth);
        return 0;
    }
    return -EUCLEAN;
}

/* A node without entries goes, and perhaps the one above. */
static int empty_remove(struct ext4_node *n, struct extent_path *path, int depth) {
    for (int level = depth; level > 0 && !path[level].header->entries; level--) {
        uint64_t block = path[level].b->block;
        int result = node_bfree(n, block);
        if (result < 0) return result;
        entry_remove(n, &path[level - 1]);
        if (path[level - 1].header->entries && !path[level - 1].index) keys_fix(n, path, level - 1);
    }
    struct extent_header *root = (struct extent_header *)n->root;
    if (!root->entries) root->depth = 0;
    return 0;
}

/* What is left of a tree that would fit into the inode moves there. */
static int root_shrink(struct ext4_node *n) {
    struct extent_header *root = (struct extent_header *)n->root;
    struct buffer *b;
    if (root->depth != 1 || root->entries != 1) return 0;
    uint64_t block = extent_leaf((struct extent *)(root + 1));
    int result = buffer_read(n->fs, block, KIND_EXTENTS, n->seed, &b);
    if (result < 0) return result;
    const struct extent_header *h = (const struct extent_header *)(void *)b->data;
    if (h->entries > root->max || h->depth) return 0;
    root->entries = h->entries;
    root->depth = 0;
    memcpy(root + 1, h + 1, h->entries * sizeof(struct extent));
    return node_bfree(n, block);
}

/* Takes [s, t) out of the entry at the path's end. */
static int entry_cut(struct ext4_node *n, struct extent_path *path, int depth, uint64_t s, uint64_t t) {
    struct extent_path *p = &path[depth];
    struct extent *e = extent_at(p);
    bool unwritten = extent_unwritten(e);
    uint64_t end = (uint64_t)e->block + extent_length(e), start = extent_start(e);
    struct ext4_extent tail = {t, start + (t - e->block), end - t, unwritten ? EXT4_UNWRITTEN : EXT4_WRITTEN};
    path_write(n, p);
    if (s > e->block) {
        length_set(e, (uint32_t)(s - e->block), unwritten);
        return t < end ? extent_insert(n, &tail) : 0;
    }
    if (t == end) {
        int index = p->index;
        entry_remove(n, p);
        if (!p->header->entries) return empty_remove(n, path, depth);
        if (!index) keys_fix(n, path, depth);
        return 0;
    }
    e->block = (uint32_t)t;
    start_set(e, tail.physical);
    length_set(e, (uint32_t)tail.count, unwritten);
    if (!p->index) keys_fix(n, path, depth);
    return 0;
}

int extent_remove(struct ext4_node *n, uint64_t from, uint64_t to, bool *more) {
    struct ext4 *fs = n->fs;
    struct extent_path path[EXTENT_DEPTH_MAX + 1];
    while (from < to) {
        if (fs->running_count - fs->tx_base > CREDITS / 2) {
            *more = true;
            return 0;
        }
        int depth = extent_path_find(n, (uint32_t)(to - 1), path);
        if (depth < 0) return depth;
        if (path[depth].index < 0) break;
        const struct extent *e = extent_at(&path[depth]);
        uint64_t end = (uint64_t)e->block + extent_length(e), s = e->block > from ? e->block : from;
        uint64_t t = end < to ? end : to;
        if (t <= s) break;
        uint64_t physical = extent_start(e) + (s - e->block), sectors = (t - s) * fs->sectors_per_block;
        int result = bfree(fs, physical, t - s);
        if (!result && !is_type(n->mode, S_IFREG)) { /* its blocks are metadata */
            for (uint64_t i = 0; !result && i < t - s; i++) {
                result = tx_revoke(fs, physical + i);
                buffer_forget(fs, physical + i);
            }
        }
        if (!result) result = entry_cut(n, path, depth, s, t);
        if (result < 0) return result;
        n->blocks -= n->blocks < sectors ? n->blocks : sectors;
        to = s;
    }
    return root_shrink(n);
}

int extent_mark_written(struct ext4_node *n, uint64_t logical, uint64_t count) {
    struct extent_path path[EXTENT_DEPTH_MAX + 1];
    int depth = extent_path_find(n, (uint32_t)logical, path);
    if (depth < 0) return depth;
    struct extent_path *p = &path[depth];
    if (p->index < 0 || !extent_unwritten(extent_at(p))) return -EUCLEAN;
    const struct extent e = *extent_at(p);
    uint64_t end = (uint64_t)e.block + extent_length(&e), start = extent_start(&e);
    if (logical + count > end) return -EUCLEAN;
    struct ext4_extent head = {e.block, start, logical - e.block, EXT4_UNWRITTEN};
    struct ext4_extent middle = {logical, start + head.count, count, EXT4_WRITTEN};
    struct ext4_extent tail = {logical + count, middle.physical + count, end - logical - count, EXT4_UNWRITTEN};
    entry_remove(n, p); /* a leaf may be empty until the next line, with its key as it was */
    int result = head.count ? extent_insert(n, &head) : 0;
    if (!result) result = extent_insert(n, &middle);
    if (!result && tail.count) result = extent_insert(n, &tail);
    return result;
}
