// SPDX-License-Identifier: MIT
/* Blocks as in ext2: twelve in the inode, then trees of one, two and three levels of blocks of block numbers. */
#include "internal.h"

#define DIRECT 12
#define LEVELS_MAX 3

uint64_t indirect_blocks_max(const struct ext4 *fs) {
    uint64_t n = fs->block_size / 4, all = DIRECT + n + n * n + n * n * n;
    return all < UINT32_MAX ? all : UINT32_MAX;
}

/* Indices on the way to a block: in i_block, then in each block of numbers. Returns the levels. */
static int way_find(const struct ext4 *fs, uint64_t logical, uint32_t *way) {
    uint64_t per_block = fs->block_size / 4, span = 1;
    if (logical < DIRECT) {
        way[0] = (uint32_t)logical;
        return 0;
    }
    logical -= DIRECT;
    for (int levels = 1; levels <= LEVELS_MAX; levels++) {
        span *= per_block;
        if (logical >= span) {
            logical -= span;
            continue;
        }
        way[0] = DIRECT + (uint32_t)levels - 1;
        for (int i = levels; i > 0; i--, logical /= per_block) way[i] = (uint32_t)(logical % per_block);
        return levels;
    }
    return -EFBIG;
}

static int numbers_read(struct ext4_node *n, uint32_t block, struct buffer **b) {
    if (!blocks_valid(n->fs, block, 1)) return -EUCLEAN;
    return buffer_read(n->fs, block, KIND_PLAIN, n->inode, b);
}

static uint32_t *numbers(const struct buffer *b) { return (uint32_t *)(void *)b->data; }

/* The number's place; *b is null if it is in the inode. 1: a hole above it, of *span blocks. */
static int place_find(struct ext4_node *n, const uint32_t *way, int levels, uint32_t **place, struct buffer **b) {
    *place = &n->root[way[0]];
    *b = nullptr;
    for (int i = 1; i <= levels; i++) {
        if (!**place) return 1;
        int result = numbers_read(n, **place, b);
        if (result < 0) return result;
        *place = &numbers(*b)[way[i]];
    }
    return 0;
}

int indirect_find(struct ext4_node *n, uint64_t logical, uint64_t count, struct ext4_extent *out) {
    uint32_t way[LEVELS_MAX + 1], *place;
    struct buffer *b;
    int levels = way_find(n->fs, logical, way);
    if (levels < 0) return levels;
    uint32_t room = levels ? n->fs->block_size / 4 - way[levels] : DIRECT - way[0];
    if (count > room) count = room;
    *out = (struct ext4_extent){.logical = logical, .count = 1};
    int result = place_find(n, way, levels, &place, &b);
    if (result) {
        out->count = count;
        return result < 0 ? result : 0;
    }
    uint32_t first = *place;
    out->state = first ? EXT4_WRITTEN : EXT4_HOLE;
    out->physical = first;
    while (out->count < count && place[out->count] == (first ? first + out->count : 0)) out->count++;
    return !first || blocks_valid(n->fs, first, out->count) ? 0 : -EUCLEAN;
}

static int number_set(struct ext4_node *n, uint64_t logical, uint32_t block) {
    struct ext4 *fs = n->fs;
    uint32_t way[LEVELS_MAX + 1];
    int levels = way_find(fs, logical, way);
    if (levels < 0) return levels;
    uint32_t *place = &n->root[way[0]];
    struct buffer *b = nullptr;
    for (int i = 1; i <= levels; i++) {
        struct buffer *below;
        uint64_t new;
        int result = 0;
        if (!*place) {
            result = node_balloc(n, &new);
            if (!result && new > UINT32_MAX) result = -EFBIG;
            if (!result) result = buffer_new(fs, new, KIND_PLAIN, n->inode, &below);
            if (result < 0) return result;
            tx_write(fs, below);
            if (b) tx_write(fs, b);
            *place = (uint32_t)new;
        } else {
            result = numbers_read(n, *place, &below);
            if (result < 0) return result;
        }
        b = below;
        place = &numbers(b)[way[i]];
    }
    if (*place) return -EUCLEAN;
    if (b) tx_write(fs, b);
    *place = block;
    return 0;
}

int indirect_insert(struct ext4_node *n, const struct ext4_extent *e) {
    if (e->physical + e->count > UINT32_MAX) return -EFBIG;
    for (uint64_t i = 0; i < e->count; i++) {
        int result = number_set(n, e->logical + i, (uint32_t)(e->physical + i));
        if (result < 0) return result;
    }
    return 0;
}

static int block_free(struct ext4_node *n, uint32_t block) {
    if (!is_type(n->mode, S_IFREG)) return node_bfree(n, block); /* metadata */
    int result = bfree(n->fs, block, 1);
    n->blocks -= n->blocks < n->fs->sectors_per_block ? n->blocks : n->fs->sectors_per_block;
    return result;
}

/* Frees what `place` in *owner (null: the inode) leads to, but for the blocks before `from`, counted below it. */
static int tree_free(struct ext4_node *n, struct buffer *owner, uint32_t *place, int level, uint64_t from, bool *more) {
    struct ext4 *fs = n->fs;
    uint32_t per_block = fs->block_size / 4;
    if (!*place) return 0;
    if (fs->running_count - fs->tx_base > CREDITS / 2) {
        *more = true;
        return 0;
    }
    if (level) {
        struct buffer *b;
        uint64_t span = 1;
        for (int i = 1; i < level; i++) span *= per_block;
        int result = numbers_read(n, *place, &b);
        for (uint32_t i = per_block; !result && !*more && i-- > from / span;)
            result = tree_free(n, b, &numbers(b)[i], level - 1, i == from / span ? from % span : 0, more);
        if (result < 0 || *more || from) return result;
        result = node_bfree(n, *place);
        if (result < 0) return result;
    } else {
        int result = block_free(n, *place);
        if (result < 0) return result;
    }
    if (owner) tx_write(fs, owner);
    *place = 0;
    return 0;
}

int indirect_remove(struct ext4_node *n, uint64_t from, bool *more) {
    uint64_t per_block = n->fs->block_size / 4,
             starts[LEVELS_MAX + 1] = {0, DIRECT, DIRECT + per_block, DIRECT + per_block + per_block * per_block};
    for (int level = LEVELS_MAX; level > 0 && !*more; level--) {
        uint64_t span = 1, inside = from > starts[level] ? from - starts[level] : 0;
        for (int i = 0; i < level; i++) span *= per_block;
        if (inside >= span) continue;
        int result = tree_free(n, nullptr, &n->root[DIRECT + level - 1], level, inside, more);
        if (result < 0) return result;
    }
    for (uint64_t i = DIRECT; i-- > from && !*more;) {
        int result = tree_free(n, nullptr, &n->root[i], 0, 0, more);
        if (result < 0) return result;
    }
    return 0;
}
