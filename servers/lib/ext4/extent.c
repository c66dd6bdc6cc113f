// SPDX-License-Identifier: MIT
/* Extent trees: looking up. The root is in the inode; each index entry's key is the first block of what is below it. */
#include "internal.h"

void extent_root_init(struct ext4_node *n) {
    n->flags |= FLAG_EXTENTS;
    memset(n->root, 0, sizeof(n->root));
    *(struct extent_header *)n->root = (struct extent_header){.magic = EXTENT_MAGIC, .max = 4};
}

/* The last entry that starts at or before: -1 if none does. */
static int entry_find(const struct extent_header *h, uint32_t logical) {
    const struct extent *e = (const struct extent *)(h + 1);
    int low = 0, high = h->entries;
    while (low < high) {
        int middle = (low + high) / 2;
        if (e[middle].block <= logical) low = middle + 1;
        else high = middle;
    }
    return low - 1;
}

int extent_path_find(struct ext4_node *n, uint32_t logical, struct extent_path *path) {
    struct extent_header *h = (struct extent_header *)n->root;
    int depth = h->depth;
    if (h->magic != EXTENT_MAGIC || depth > EXTENT_DEPTH_MAX || h->max > 4 || h->entries > h->max) return -EUCLEAN;
    path[0] = (struct extent_path){nullptr, h, entry_find(h, logical)};
    for (int level = 0; level < depth; level++) {
        struct extent_path *p = &path[level];
        if (!p->header->entries) return -EUCLEAN;
        if (p->index < 0) p->index = 0;
        struct buffer *b;
        uint64_t block = extent_leaf(extent_at(p));
        if (!blocks_valid(n->fs, block, 1)) return -EUCLEAN;
        int result = buffer_read(n->fs, block, KIND_EXTENTS, n->seed, &b);
        if (result < 0) return result;
        h = (struct extent_header *)(void *)b->data;
        if (h->depth != depth - level - 1) return -EUCLEAN;
        path[level + 1] = (struct extent_path){b, h, entry_find(h, logical)};
    }
    return depth;
}

/* The first block after `logical` that something may be mapped at. */
static uint64_t next_mapped(const struct extent_path *path, int depth) {
    for (int level = depth; level >= 0; level--)
        if (path[level].index + 1 < path[level].header->entries) return extent_at(&path[level])[1].block;
    return UINT32_MAX;
}

int extent_find(struct ext4_node *n, uint64_t logical, uint64_t count, struct ext4_extent *out) {
    struct extent_path path[EXTENT_DEPTH_MAX + 1];
    int depth = extent_path_find(n, (uint32_t)logical, path);
    if (depth < 0) return depth;
    *out = (struct ext4_extent){.logical = logical, .count = count};
    if (path[depth].index >= 0) {
        const struct extent *e = extent_at(&path[depth]);
        uint64_t inside = logical - e->block;
        if (inside < extent_length(e)) {
            out->state = extent_unwritten(e) ? EXT4_UNWRITTEN : EXT4_WRITTEN;
            out->physical = extent_start(e) + inside;
            if (extent_length(e) - inside < count) out->count = extent_length(e) - inside;
            return blocks_valid(n->fs, out->physical, out->count) ? 0 : -EUCLEAN;
        }
    }
    uint64_t next = next_mapped(path, depth);
    if (next <= logical) return -EUCLEAN;
    if (next - logical < count) out->count = next - logical;
    return 0;
}
