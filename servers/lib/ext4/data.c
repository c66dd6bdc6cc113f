// SPDX-License-Identifier: MIT
/* Reading and writing for those who wait: data goes straight between the caller and the device. */
#include "internal.h"

/* A part of one block; what a new block has beside it are zeros. */
static int part_write(struct ext4_node *n, const struct ext4_extent *e, bool fresh, uint32_t at, const void *in,
                      size_t size) {
    struct ext4 *fs = n->fs;
    if (fresh) memset(fs->scratch, 0, fs->block_size);
    else if (device_read(fs, e->physical, fs->scratch, 1) < 0) return -EIO;
    memcpy(fs->scratch + at, in, size);
    return device_write(fs, e->physical, fs->scratch, 1) < 0 ? -EIO : 0;
}

/* Bytes at the start: a part of a block, or blocks that lie together. */
static ssize_t piece_write(struct ext4_node *n, const void *in, size_t size, uint64_t offset) {
    struct ext4 *fs = n->fs;
    struct ext4_extent e;
    uint64_t logical = offset >> fs->block_bits;
    uint32_t at = offset & (fs->block_size - 1);
    bool part = at || size < fs->block_size;
    uint64_t count = part ? 1 : size >> fs->block_bits;
    int result = map_find(n, logical, count, &e);
    bool fresh = !result && e.state != EXT4_WRITTEN, hole = !result && e.state == EXT4_HOLE;
    if (hole) result = ext4_allocate(n, logical, count, false, offset + size, &e);
    if (result < 0) return result;
    if (part && size > fs->block_size - at) size = fs->block_size - at;
    if (!part) size = e.count << fs->block_bits;
    if (part) result = part_write(n, &e, fresh, at, in, size);
    else result = device_write(fs, e.physical, in, (uint32_t)e.count) < 0 ? -EIO : 0;
    if (result < 0) { /* nobody may see what was in the new blocks */
        if (hole)
            ext4_fallocate(n, e.logical << fs->block_bits, e.count << fs->block_bits, EXT4_PUNCH_HOLE | EXT4_KEEP_SIZE);
        return result;
    }
    if (fresh && !hole) result = ext4_written(n, logical, e.count, offset + size);
    return result < 0 ? result : (ssize_t)size;
}

ssize_t ext4_write(struct ext4_node *n, const void *in, size_t size, uint64_t offset) {
    struct ext4 *fs = n->fs;
    uint64_t most = map_blocks_max(n) << fs->block_bits;
    size_t done = 0;
    ssize_t result = 0;
    op_begin(fs);
    if (!is_type(n->mode, S_IFREG)) return -EINVAL;
    if (fs->read_only) return -EROFS;
    if (offset >= most || size > most - offset) return -EFBIG;
    while (done < size) {
        result = piece_write(n, (const uint8_t *)in + done, size - done, offset + done);
        if (result < 0) break;
        done += (size_t)result;
    }
    if (!done) return result;
    if (offset + done > n->size) n->size = offset + done;
    n->mtime = n->ctime = fs_now(fs);
    int stored = ext4_node_changed(n);
    return stored < 0 ? stored : (ssize_t)done;
}

static ssize_t piece_read(struct ext4_node *n, void *out, size_t size, uint64_t offset) {
    struct ext4 *fs = n->fs;
    struct ext4_extent e;
    uint32_t at = offset & (fs->block_size - 1);
    bool part = at || size < fs->block_size;
    int result = map_find(n, offset >> fs->block_bits, part ? 1 : size >> fs->block_bits, &e);
    if (result < 0) return result;
    if (part && size > fs->block_size - at) size = fs->block_size - at;
    if (!part) size = e.count << fs->block_bits;
    if (e.state != EXT4_WRITTEN) {
        memset(out, 0, size);
    } else if (part) {
        if (device_read(fs, e.physical, fs->scratch, 1) < 0) return -EIO;
        memcpy(out, fs->scratch + at, size);
    } else if (device_read(fs, e.physical, out, (uint32_t)e.count) < 0) {
        return -EIO;
    }
    return (ssize_t)size;
}

ssize_t ext4_read(struct ext4_node *n, void *out, size_t size, uint64_t offset) {
    size_t done = 0;
    op_begin(n->fs);
    if (!is_type(n->mode, S_IFREG)) return -EINVAL;
    if (offset >= n->size) return 0;
    if (size > n->size - offset) size = n->size - offset;
    while (done < size) {
        op_begin(n->fs);
        ssize_t result = piece_read(n, (uint8_t *)out + done, size - done, offset + done);
        if (result < 0) return done ? (ssize_t)done : result;
        done += (size_t)result;
    }
    return (ssize_t)done;
}
