// SPDX-License-Identifier: MIT
/* Blocks of files: by extents, or by indirect blocks as in ext2. */
#include "internal.h"

static bool has_extents(const struct ext4_node *n) { return n->flags & FLAG_EXTENTS; }

uint64_t map_blocks_max(const struct ext4_node *n) { return has_extents(n) ? UINT32_MAX : indirect_blocks_max(n->fs); }

uint64_t ext4_size_max(const struct ext4_node *n) { return map_blocks_max(n) << n->fs->block_bits; }

int map_find(struct ext4_node *n, uint64_t logical, uint64_t count, struct ext4_extent *out) {
    if (logical >= map_blocks_max(n)) {
        *out = (struct ext4_extent){.logical = logical, .count = count};
        return 0;
    }
    return has_extents(n) ? extent_find(n, logical, count, out) : indirect_find(n, logical, count, out);
}

int map_insert(struct ext4_node *n, const struct ext4_extent *e) {
    return has_extents(n) ? extent_insert(n, e) : indirect_insert(n, e);
}

int map_remove(struct ext4_node *n, uint64_t from, uint64_t to, bool *more) {
    if (has_extents(n)) return extent_remove(n, from, to, more);
    return to < map_blocks_max(n) ? -EOPNOTSUPP : indirect_remove(n, from, more);
}

/* After the block before it; else in the group of the inode. */
uint64_t map_goal(struct ext4_node *n, uint64_t logical) {
    struct ext4_extent e;
    if (logical && !map_find(n, logical - 1, 1, &e) && e.state != EXT4_HOLE) return e.physical + 1;
    if (n->goal) return n->goal;
    return group_start(n->fs, (n->inode - 1) / n->fs->inodes_per_group);
}

int ext4_map(struct ext4_node *n, uint64_t logical, uint64_t count, struct ext4_extent *out) {
    op_begin(n->fs);
    if (!is_type(n->mode, S_IFREG)) return -EINVAL;
    return map_find(n, logical, count, out);
}

/* In the transaction: blocks for the start of a hole. */
static int hole_fill(struct ext4_node *n, struct ext4_extent *e, bool unwritten) {
    struct ext4 *fs = n->fs;
    if (unwritten && !has_extents(n)) return -EOPNOTSUPP;
    uint64_t most = has_extents(n) ? EXTENT_LENGTH_MAX - 1 : 64;
    uint32_t got;
    int result = balloc(fs, map_goal(n, e->logical), (uint32_t)(e->count < most ? e->count : most), &e->physical, &got);
    if (result < 0) return result;
    e->count = got;
    e->state = unwritten ? EXT4_UNWRITTEN : EXT4_WRITTEN;
    n->blocks += (uint64_t)got * fs->sectors_per_block;
    n->goal = e->physical + got;
    return map_insert(n, e);
}

/* Blocks up to there are the file's: its size goes along. */
static void size_grow(struct ext4_node *n, uint64_t blocks, uint64_t size) {
    uint64_t end = blocks << n->fs->block_bits;
    if (size > end) size = end;
    if (size > n->size) n->size = size;
}

int ext4_allocate(struct ext4_node *n, uint64_t logical, uint64_t count, bool unwritten, uint64_t size,
                  struct ext4_extent *out) {
    struct ext4 *fs = n->fs;
    if (!is_type(n->mode, S_IFREG) || !count) return -EINVAL;
    if (logical >= map_blocks_max(n) || count > map_blocks_max(n) - logical) return -EFBIG;
    op_begin(fs);
    int result = map_find(n, logical, count, out);
    if (result < 0 || out->state != EXT4_HOLE) return result;
    result = tx_start(fs, 1);
    if (result < 0) return result;
    uint64_t keep = fs->busy_blocks + fs->reserved + fs->reserved / 64 + SPACE_MARGIN;
    uint64_t most = fs->free_blocks > keep ? fs->free_blocks - keep : 1;
    if (out->count > most) out->count = most;
    result = hole_fill(n, out, unwritten);
    if (!result && !unwritten) size_grow(n, out->logical + out->count, size);
    if (!result) result = node_store(n);
    return tx_stop(fs, result);
}

int ext4_written(struct ext4_node *n, uint64_t logical, uint64_t count, uint64_t size) {
    while (count) {
        struct ext4_extent e;
        int result = tx_start(n->fs, 0);
        if (result < 0) return result;
        result = map_find(n, logical, count, &e);
        if (!result && e.state == EXT4_UNWRITTEN) {
            result = extent_mark_written(n, logical, e.count);
            size_grow(n, logical + e.count, size);
            if (!result) result = node_store(n);
        }
        result = tx_stop(n->fs, result);
        if (result < 0) return result;
        logical += e.count;
        count -= e.count;
    }
    return 0;
}

static int range_allocate(struct ext4_node *n, uint64_t at, uint64_t end) {
    while (at < end) {
        struct ext4_extent e;
        int result = ext4_allocate(n, at, end - at, true, 0, &e);
        if (result < 0) return result;
        at += e.count;
    }
    return 0;
}

static int range_free(struct ext4_node *n, uint64_t from, uint64_t to) {
    for (bool more = from < to; more;) {
        int result = tx_start(n->fs, 0);
        if (result < 0) return result;
        more = false;
        result = map_remove(n, from, to, &more);
        if (!result) result = node_store(n);
        result = tx_stop(n->fs, result);
        if (result < 0) return result;
    }
    return 0;
}

/* Zeros in blocks that stay. */
static int bytes_zero(struct ext4_node *n, uint64_t from, uint64_t to) {
    static const uint8_t zeros[1024];
    if (to > n->size) to = n->size;
    while (from < to) {
        struct ext4_extent e;
        uint64_t part = n->fs->block_size - (from & (n->fs->block_size - 1));
        if (part > to - from) part = to - from;
        if (part > sizeof(zeros)) part = sizeof(zeros);
        int result = ext4_map(n, from >> n->fs->block_bits, 1, &e);
        if (result < 0) return result;
        if (e.state == EXT4_WRITTEN) {
            ssize_t done = ext4_write(n, zeros, part, from);
            if (done < 0) return (int)done;
        }
        from += part;
    }
    return 0;
}

int ext4_fallocate(struct ext4_node *n, uint64_t offset, uint64_t length, uint32_t flags) {
    struct ext4 *fs = n->fs;
    uint64_t most = map_blocks_max(n) << fs->block_bits, mask = fs->block_size - 1, end = offset + length;
    if (!is_type(n->mode, S_IFREG) || !length || flags & ~7u) return -EINVAL;
    if (end < offset || end > most) return -EFBIG;
    if (!has_extents(n)) return -EOPNOTSUPP;
    uint64_t first = (offset + mask) >> fs->block_bits, last = end >> fs->block_bits; /* the whole blocks inside */
    int result = 0;
    if (flags & (EXT4_PUNCH_HOLE | EXT4_ZERO_RANGE)) {
        if (first > last) {
            result = bytes_zero(n, offset, end);
        } else {
            result = bytes_zero(n, offset, first << fs->block_bits);
            if (!result) result = bytes_zero(n, last << fs->block_bits, end);
            if (!result) result = range_free(n, first, last);
        }
    }
    if (!result && !(flags & EXT4_PUNCH_HOLE))
        result = range_allocate(n, offset >> fs->block_bits, (end + mask) >> fs->block_bits);
    if (result < 0) return result;
    if (!(flags & (EXT4_KEEP_SIZE | EXT4_PUNCH_HOLE)) && end > n->size) n->size = end;
    n->mtime = n->ctime = fs_now(fs);
    return ext4_node_changed(n);
}
