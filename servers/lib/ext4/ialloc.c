// SPDX-License-Identifier: MIT
/*
 * Allocation of inodes: in the directory's group, or the next that has one; a new directory of the root goes to the
 * group with the most free blocks, so that trees stay apart.
 */
#include "internal.h"

static uint32_t inode_group(const struct ext4 *fs, uint32_t inode) { return (inode - 1) / fs->inodes_per_group; }

static bool group_suits(const struct ext4 *fs, uint32_t group) {
    const struct group *g = &fs->groups[group];
    return g->free_inodes && (g->free_blocks || fs->free_blocks < fs->group_count);
}

static uint32_t group_emptiest(const struct ext4 *fs) {
    uint32_t best = 0, average = fs->free_inodes / fs->group_count;
    for (uint32_t i = 1; i < fs->group_count; i++) {
        const struct group *g = &fs->groups[i];
        if (g->free_inodes >= average && g->free_blocks > fs->groups[best].free_blocks) best = i;
    }
    return best;
}

/* 1: none here, whatever the descriptor says. */
static int group_take(struct ext4 *fs, uint32_t group, bool directory, uint32_t *inode) {
    struct group *g = &fs->groups[group];
    struct buffer *b, *blocks;
    int result = group_bitmap(fs, group, KIND_INODE_BITMAP, &b);
    if (result < 0) return result;
    uint32_t i = group ? 0 : fs->first_inode - 1;
    while (i < fs->inodes_per_group && bit_test(b->data, i)) i += b->data[i / 8] == 0xff && i % 8 == 0 ? 8 : 1;
    if (i >= fs->inodes_per_group) return 1;
    if (g->flags & GROUP_BLOCK_UNINIT) { /* in use now, so its blocks' bitmap has to be there */
        result = group_bitmap(fs, group, KIND_BLOCK_BITMAP, &blocks);
        if (result < 0) return result;
        tx_write(fs, blocks);
    }
    tx_write(fs, b);
    bit_set(b->data, i);
    g->flags &= (uint16_t)~(GROUP_INODE_UNINIT | GROUP_BLOCK_UNINIT);
    g->free_inodes--;
    g->used_dirs += directory;
    fs->free_inodes--;
    if (fs->inodes_per_group - i - 1 < g->itable_unused) g->itable_unused = fs->inodes_per_group - i - 1;
    *inode = group * fs->inodes_per_group + i + 1;
    return group_store(fs, group);
}

int ialloc(struct ext4 *fs, const struct ext4_node *dir, uint32_t mode, uint32_t *inode) {
    if (!fs->free_inodes) return -ENOSPC;
    bool directory = is_type(mode, S_IFDIR);
    uint32_t first = directory && dir->inode == EXT4_ROOT ? group_emptiest(fs) : inode_group(fs, dir->inode);
    for (int strict = 1; strict >= 0; strict--) {
        for (uint32_t i = 0; i < fs->group_count; i++) {
            uint32_t group = (first + i) % fs->group_count;
            if (strict ? !group_suits(fs, group) : !fs->groups[group].free_inodes) continue;
            int result = group_take(fs, group, directory, inode);
            if (result <= 0) return result;
        }
    }
    return -ENOSPC;
}

int ifree(struct ext4 *fs, uint32_t inode, bool directory) {
    uint32_t group = inode_group(fs, inode), i = (inode - 1) % fs->inodes_per_group;
    struct group *g = &fs->groups[group];
    struct buffer *b;
    int result = group_bitmap(fs, group, KIND_INODE_BITMAP, &b);
    if (result < 0) return result;
    if (!bit_test(b->data, i) || g->free_inodes >= fs->inodes_per_group || (directory && !g->used_dirs))
        return -EUCLEAN;
    tx_write(fs, b);
    bit_clear(b->data, i);
    g->free_inodes++;
    g->used_dirs -= directory;
    fs->free_inodes++;
    return group_store(fs, group);
}
