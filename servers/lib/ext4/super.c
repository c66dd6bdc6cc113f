// SPDX-License-Identifier: MIT
/* The super block; mount and unmount. */
#include "internal.h"

#include <stdlib.h>

static uint32_t super_checksum(const struct super *s) { return crc32c(~0u, s, offsetof(struct super, checksum)); }

static bool geometry_good(struct ext4 *fs) {
    const struct super *s = fs->super;
    uint32_t bits_per_block = fs->block_size * 8;
    bool bigalloc = fs->ro_compat & RO_COMPAT_BIGALLOC;
    uint64_t data_blocks = fs->blocks_count - fs->first_data_block;
    return fs->blocks_per_group >= 256 && fs->blocks_per_group % 8 == 0 &&
           (bigalloc || fs->blocks_per_group <= bits_per_block) && fs->inodes_per_group &&
           fs->inodes_per_group % 8 == 0 && fs->inodes_per_group <= bits_per_block &&
           fs->first_data_block == (fs->block_size == 1024 && !bigalloc ? 1 : 0) &&
           fs->blocks_count > fs->first_data_block + 8 &&
           fs->blocks_count <= fs->device->sectors / fs->sectors_per_block && fs->blocks_count >> 48 == 0 &&
           (data_blocks + fs->blocks_per_group - 1) / fs->blocks_per_group <= UINT32_MAX / 64 &&
           (s->log_cluster_size == s->log_block_size || bigalloc);
}

static bool inodes_good(const struct ext4 *fs) {
    bool size =
        fs->inode_size >= INODE_OLD && fs->inode_size <= fs->block_size && (fs->inode_size & (fs->inode_size - 1)) == 0;
    bool desc = fs->desc_size >= 32 && fs->desc_size <= fs->block_size && (fs->desc_size & (fs->desc_size - 1)) == 0 &&
                (!(fs->incompat & INCOMPAT_64BIT) || fs->desc_size >= 64);
    return size && desc && fs->inodes_per_group % (fs->block_size / fs->inode_size) == 0 && fs->first_inode >= 11 &&
           fs->inodes_count == (uint64_t)fs->inodes_per_group * fs->group_count && fs->first_inode < fs->inodes_count;
}

/* What cannot be understood is refused, what cannot be kept up when writing makes it read-only. */
static int features_check(struct ext4 *fs) {
    if (fs->incompat & ~(uint32_t)INCOMPAT_KNOWN) return -EOPNOTSUPP;
    bool both = fs->ro_compat & RO_COMPAT_METADATA_CSUM && fs->super->checksum_type != 1;
    if (fs->ro_compat & ~(uint32_t)RO_COMPAT_KNOWN || both) fs->read_only = true;
    return both ? -EOPNOTSUPP : 0;
}

int super_load(struct ext4 *fs) {
    if (fs->device->sectors < 8) return -EUCLEAN;
    free(fs->super);
    fs->super = malloc(sizeof(struct super));
    if (!fs->super) return -ENOMEM;
    struct super *s = fs->super;
    if (fs->device->read(fs->device, SUPER_OFFSET / BLKDEV_SECTOR, s, 2) < 0) return -EIO;
    if (s->magic != SUPER_MAGIC || s->log_block_size > 5 || s->revision > 1) return -EUCLEAN;
    bool dynamic = s->revision >= 1;
    fs->compat = dynamic ? s->feature_compat : 0;
    fs->incompat = dynamic ? s->feature_incompat : 0;
    fs->ro_compat = dynamic ? s->feature_ro_compat : 0;
    int result = features_check(fs);
    if (result < 0) return result;
    fs->checksums = fs->ro_compat & RO_COMPAT_METADATA_CSUM;
    fs->group_checksums = !fs->checksums && fs->ro_compat & RO_COMPAT_GDT_CSUM;
    if (fs->checksums && s->checksum != super_checksum(s)) return -EUCLEAN;
    fs->block_bits = 10 + s->log_block_size;
    fs->block_size = 1u << fs->block_bits;
    if (fs->options.block_max && fs->block_size > fs->options.block_max) return -EOPNOTSUPP;
    fs->sectors_per_block = fs->block_size / BLKDEV_SECTOR;
    bool wide = fs->incompat & INCOMPAT_64BIT;
    fs->blocks_count = s->blocks_count_lo | (wide ? (uint64_t)s->blocks_count_hi << 32 : 0);
    fs->free_blocks = s->free_blocks_lo | (wide ? (uint64_t)s->free_blocks_hi << 32 : 0);
    fs->free_inodes = s->free_inodes;
    fs->first_data_block = s->first_data_block;
    fs->blocks_per_group = s->blocks_per_group;
    fs->inodes_per_group = s->inodes_per_group;
    fs->inodes_count = s->inodes_count;
    fs->inode_size = dynamic ? s->inode_size : INODE_OLD;
    fs->first_inode = dynamic ? s->first_inode : 11;
    fs->desc_size = wide ? s->desc_size : 32;
    fs->seed = fs->incompat & INCOMPAT_CSUM_SEED ? s->checksum_seed : crc32c(~0u, s->uuid, sizeof(s->uuid));
    fs->hash_unsigned = s->flags & SUPER_UNSIGNED_HASH;
    if (!geometry_good(fs)) return -EUCLEAN;
    fs->group_count =
        (uint32_t)((fs->blocks_count - fs->first_data_block + fs->blocks_per_group - 1) / fs->blocks_per_group);
    return inodes_good(fs) ? 0 : -EUCLEAN;
}

/*
 * A sector is written whole or not at all, and the checksum is in the second one of the super block; all that changes
 * is in the first.  So the checksum stays what it is, and four bytes that mean nothing make it right: a super block
 * that was half written when the power went would have to be repaired before anybody could replay the journal.
 */
void super_balance(struct super *s) {
    static_assert(offsetof(struct super, balance) + 4 <= BLKDEV_SECTOR);
    size_t at = offsetof(struct super, balance), after = at + sizeof(s->balance);
    uint32_t zero = 0, wanted = s->checksum;
    wanted = crc32c_back(wanted, (uint8_t *)s + after, offsetof(struct super, checksum) - after);
    s->balance = crc32c(~0u, s, at) ^ crc32c_back(wanted, &zero, sizeof(zero));
}

static void super_update(struct ext4 *fs) {
    struct super *s = fs->super;
    s->free_blocks_lo = (uint32_t)fs->free_blocks;
    if (fs->incompat & INCOMPAT_64BIT) s->free_blocks_hi = (uint32_t)(fs->free_blocks >> 32);
    s->free_inodes = fs->free_inodes;
    s->wtime = (uint32_t)(fs_now(fs) / NSEC_PER_SEC);
    if (fs->checksums) super_balance(s);
}

static int super_buffer(struct ext4 *fs, struct buffer **b) {
    int result = buffer_read(fs, SUPER_OFFSET / fs->block_size, KIND_PLAIN, 0, b);
    if (result < 0) return result;
    super_update(fs);
    return 0;
}

static void super_copy(struct ext4 *fs, struct buffer *b) {
    memcpy(b->data + SUPER_OFFSET % fs->block_size, fs->super, sizeof(*fs->super));
}

int super_store(struct ext4 *fs) {
    struct buffer *b;
    int result = super_buffer(fs, &b);
    if (result < 0) return result;
    tx_write(fs, b);
    super_copy(fs, b);
    fs->super_changed = false;
    return 0;
}

int super_write(struct ext4 *fs) {
    struct buffer *b;
    int result = super_buffer(fs, &b);
    if (result < 0) return result;
    super_copy(fs, b);
    fs->super_changed = false;
    return device_write(fs, b->block, b->data, 1) < 0 || fs->device->flush(fs->device) < 0 ? -EIO : 0;
}

/* After this every crash is followed by a replay. */
static int mount_write(struct ext4 *fs) {
    struct super *s = fs->super;
    s->mtime = (uint32_t)(fs_now(fs) / NSEC_PER_SEC);
    s->mount_count++;
    if (fs->journal) s->feature_incompat |= INCOMPAT_RECOVER;
    else s->state &= (uint16_t)~STATE_VALID;
    int result = super_write(fs);
    if (!result && fs->journal) result = journal_start(fs);
    return result;
}

static int recover(struct ext4 *fs) {
    bool needed = fs->incompat & INCOMPAT_RECOVER || (fs->journal && fs->journal->super->start);
    if (!needed) return 0;
    if (fs->device->read_only) return -EROFS;
    int result = journal_replay(fs);
    if (result < 0) return result;
    /* All that was read so far is old. */
    uint32_t sequence = fs->journal->sequence;
    journal_close(fs);
    groups_free(fs);
    cache_drop(fs);
    result = super_load(fs);
    if (!result) result = groups_load(fs);
    if (!result) result = journal_open(fs);
    if (result < 0) return result;
    if (!fs->journal) return -EUCLEAN;
    fs->journal->sequence = sequence;
    fs->super->feature_incompat &= ~(uint32_t)INCOMPAT_RECOVER;
    fs->incompat = fs->super->feature_incompat;
    return fs->read_only ? super_write(fs) : 0;
}

static int mount(struct ext4 *fs) {
    int result = super_load(fs);
    if (!result) result = cache_init(fs);
    if (!result) result = groups_load(fs);
    if (!result) {
        fs->scratch = malloc(fs->block_size);
        result = fs->scratch ? journal_open(fs) : -ENOMEM;
    }
    if (!result) result = recover(fs);
    if (result < 0) return result;
    uint32_t bound = fs->buffer_max / 2;
    fs->tx_max = fs->journal ? (fs->journal->end - fs->journal->first) / 4 : bound;
    if (fs->tx_max > bound) fs->tx_max = bound;
    if (fs->tx_max < CREDITS) fs->tx_max = CREDITS;
    struct ext4_node *root;
    result = node_get(fs, EXT4_ROOT, false, &root);
    if (result < 0) return result == -ESTALE ? -EUCLEAN : result;
    bool directory = is_type(root->mode, S_IFDIR);
    ext4_node_put(root);
    if (!directory) return -EUCLEAN;
    if (fs->read_only) return 0;
    result = mount_write(fs);
    if (!result) result = orphans_complete(fs);
    return result;
}

static void fs_free(struct ext4 *fs) {
    for (int i = 0; i < 256; i++)
        while (fs->nodes[i]) node_free(fs->nodes[i]);
    journal_close(fs);
    groups_free(fs);
    cache_fini(fs);
    free(fs->revokes);
    free(fs->scratch);
    free(fs->super);
    free(fs);
}

int ext4_mount(struct blkdev *device, const struct ext4_options *options, struct ext4 **out) {
    struct ext4 *fs = calloc(1, sizeof(*fs));
    if (!fs) return -ENOMEM;
    fs->device = device;
    fs->options = *options;
    fs->read_only = options->read_only || device->read_only;
    list_init(&fs->lru);
    list_init(&fs->running);
    list_init(&fs->checkpoint);
    int result = mount(fs);
    if (result < 0) fs_free(fs);
    else *out = fs;
    return result;
}

static int unmount_write(struct ext4 *fs) {
    int result = ext4_sync(fs);
    if (!result) result = journal_checkpoint(fs);
    if (!result && fs->journal) result = journal_stop(fs);
    if (result < 0) return result;
    fs->super->feature_incompat &= ~(uint32_t)INCOMPAT_RECOVER;
    if (!(fs->super->state & STATE_ERROR)) fs->super->state |= STATE_VALID;
    op_begin(fs);
    return super_write(fs);
}

int ext4_unmount(struct ext4 *fs) {
    int result = fs->error ? -EIO : fs->read_only ? 0 : unmount_write(fs);
    fs_free(fs);
    return result;
}

void ext4_statfs(struct ext4 *fs, struct ext4_info *out) {
    uint64_t held = fs->reserved + fs->reserved / 64 + SPACE_MARGIN;
    *out = (struct ext4_info){
        .block_size = fs->block_size,
        .blocks = fs->blocks_count,
        .blocks_free = fs->free_blocks > held ? fs->free_blocks - held : 0,
        .inodes = fs->inodes_count,
        .inodes_free = fs->free_inodes,
        .read_only = fs->read_only,
        .commits = fs->commits,
        .checkpoints = fs->checkpoints,
        .cached = fs->buffer_count,
    };
    memcpy(out->uuid, fs->super->uuid, sizeof(out->uuid));
}

int ext4_reserve(struct ext4 *fs, uint64_t blocks) {
    if (fs->read_only) return -EROFS;
    uint64_t wanted = fs->reserved + blocks;
    if (wanted < blocks || wanted + wanted / 64 + SPACE_MARGIN > fs->free_blocks) return -ENOSPC;
    fs->reserved = wanted;
    return 0;
}

void ext4_unreserve(struct ext4 *fs, uint64_t blocks) { fs->reserved -= blocks < fs->reserved ? blocks : fs->reserved; }

int64_t fs_now(const struct ext4 *fs) { return fs->options.now ? fs->options.now() : 0; }
