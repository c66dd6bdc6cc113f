// SPDX-License-Identifier: MIT
/*
 * The list of orphans: files without a name that are open still, and files that are being cut.  It begins in the super
 * block and goes on in each inode's time of deletion.  Those on it are nodes in memory, as long as we live.
 */
#include "internal.h"

int orphan_add(struct ext4_node *n) {
    struct ext4 *fs = n->fs;
    if (n->orphan) return 0;
    n->dtime = fs->super->last_orphan;
    fs->super->last_orphan = n->inode;
    fs->super_changed = true;
    n->orphan = true;
    n->orphan_prev = nullptr;
    n->orphan_next = fs->orphans;
    if (fs->orphans) fs->orphans->orphan_prev = n;
    fs->orphans = n;
    return node_store(n);
}

int orphan_remove(struct ext4_node *n) {
    struct ext4 *fs = n->fs;
    if (!n->orphan) return 0;
    int result = 0;
    if (n->orphan_prev) {
        n->orphan_prev->dtime = n->dtime;
        n->orphan_prev->orphan_next = n->orphan_next;
        result = node_store(n->orphan_prev);
    } else {
        fs->super->last_orphan = n->dtime;
        fs->super_changed = true;
        fs->orphans = n->orphan_next;
    }
    if (n->orphan_next) n->orphan_next->orphan_prev = n->orphan_prev;
    n->orphan = false;
    n->dtime = 0;
    return result < 0 ? result : node_store(n);
}

/* What lies after the size, as much as fits the transaction; more: not all. */
static int blocks_cut(struct ext4_node *n, uint64_t size, bool *more) {
    uint64_t from = (size + n->fs->block_size - 1) >> n->fs->block_bits;
    *more = false;
    return node_has_blocks(n) ? map_remove(n, from, map_blocks_max(n), more) : 0;
}

/* Of a file on the list. */
static int cut_complete(struct ext4_node *n) {
    for (bool more = true; more;) {
        int result = tx_start(n->fs, 0);
        if (result < 0) return result;
        result = blocks_cut(n, n->size, &more);
        if (!result && !more && n->links) result = orphan_remove(n);
        if (!result) result = node_store(n);
        result = tx_stop(n->fs, result);
        if (result < 0) return result;
    }
    return 0;
}

static int inode_drop(struct ext4_node *n) {
    struct ext4 *fs = n->fs;
    int result = xattr_release(n);
    if (!result) result = orphan_remove(n);
    if (!result) result = ifree(fs, n->inode, is_type(n->mode, S_IFDIR));
    n->size = 0;
    n->dtime = (uint32_t)(fs_now(fs) / NSEC_PER_SEC);
    if (!n->dtime) n->dtime = 1;
    return result;
}

int node_release(struct ext4_node *n) {
    for (bool more = true; more;) {
        int result = tx_start(n->fs, 0);
        if (result < 0) return result;
        result = blocks_cut(n, 0, &more);
        if (!result && !more) result = inode_drop(n);
        if (!result) result = node_store(n);
        result = tx_stop(n->fs, result);
        if (result < 0) return result;
    }
    return 0;
}

int orphans_complete(struct ext4 *fs) {
    for (uint32_t left = fs->inodes_count; fs->super->last_orphan; left--) {
        struct ext4_node *n;
        uint32_t inode = fs->super->last_orphan;
        op_begin(fs);
        if (!left || inode < fs->first_inode) return -EUCLEAN;
        int result = node_get(fs, inode, true, &n);
        if (result < 0) return result;
        n->orphan = true;
        fs->orphans = n;
        if (n->links) result = cut_complete(n);
        ext4_node_put(n);
        if (fs->error) return fs->error;
        if (result < 0) return result;
    }
    return 0;
}

/* Zeros from `size` to the end of its block: nobody may see later what was there. */
static int tail_zero(struct ext4_node *n, uint64_t size) {
    struct ext4 *fs = n->fs;
    uint32_t inside = size & (fs->block_size - 1);
    struct ext4_extent e;
    if (!inside) return 0;
    int result = map_find(n, size >> fs->block_bits, 1, &e);
    if (result < 0 || e.state != EXT4_WRITTEN) return result;
    uint8_t *block = fs->scratch;
    if (device_read(fs, e.physical, block, 1) < 0) return -EIO;
    memset(block + inside, 0, fs->block_size - inside);
    return device_write(fs, e.physical, block, 1) < 0 ? -EIO : 0;
}

int ext4_truncate(struct ext4_node *n, uint64_t size) {
    struct ext4 *fs = n->fs;
    if (!is_type(n->mode, S_IFREG)) return -EINVAL;
    if (size > map_blocks_max(n) << fs->block_bits) return -EFBIG;
    int result = tx_start(fs, 0);
    if (result < 0) return result;
    bool cut = size < n->size, more = false;
    if (cut) result = tail_zero(n, size);
    if (result < 0) return tx_stop(fs, result);
    n->size = size;
    n->mtime = n->ctime = fs_now(fs);
    if (cut) result = blocks_cut(n, size, &more);
    if (!result) result = more ? orphan_add(n) : 0;
    if (!result) result = node_store(n);
    result = tx_stop(fs, result);
    return result < 0 || !more ? result : cut_complete(n);
}
