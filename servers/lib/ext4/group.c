// SPDX-License-Identifier: MIT
/* Block groups: their descriptors, where the file system's own blocks are, and the bitmaps. */
#include "internal.h"

#include <stdlib.h>

static uint32_t descs_per_block(const struct ext4 *fs) { return fs->block_size / fs->desc_size; }

static bool is_power(uint32_t n, uint32_t base) {
    while (n % base == 0) n /= base;
    return n == 1;
}

bool group_has_super(const struct ext4 *fs, uint32_t group) {
    if (!group) return true;
    if (fs->compat & COMPAT_SPARSE_SUPER2)
        return group == fs->super->backup_groups[0] || group == fs->super->backup_groups[1];
    if (group == 1 || !(fs->ro_compat & RO_COMPAT_SPARSE_SUPER)) return true;
    return is_power(group, 3) || is_power(group, 5) || is_power(group, 7);
}

/* The last one may be short. */
uint32_t group_blocks(const struct ext4 *fs, uint32_t group) {
    uint64_t left = fs->blocks_count - group_start(fs, group);
    return left < fs->blocks_per_group ? (uint32_t)left : fs->blocks_per_group;
}

static bool in_meta_group(const struct ext4 *fs, uint32_t group) {
    return fs->incompat & INCOMPAT_META_BG && group / descs_per_block(fs) >= fs->super->first_meta_bg;
}

static uint64_t desc_block(const struct ext4 *fs, uint32_t group) {
    uint32_t index = group / descs_per_block(fs);
    if (!in_meta_group(fs, group)) return SUPER_OFFSET / fs->block_size + 1 + index;
    uint32_t first = index * descs_per_block(fs);
    return group_start(fs, first) + group_has_super(fs, first);
}

static int desc_get(struct ext4 *fs, uint32_t group, struct buffer **b, struct group_desc **d) {
    int result = buffer_read(fs, desc_block(fs, group), KIND_PLAIN, 0, b);
    if (result < 0) return result;
    *d = (struct group_desc *)(void *)((*b)->data + group % descs_per_block(fs) * fs->desc_size);
    return 0;
}

static uint16_t desc_checksum(const struct ext4 *fs, uint32_t group, const struct group_desc *d) {
    size_t at = offsetof(struct group_desc, checksum), after = at + sizeof(d->checksum);
    const uint8_t *bytes = (const uint8_t *)d;
    if (fs->checksums) {
        uint16_t zero = 0;
        uint32_t crc = crc32c(crc32c(fs->seed, &group, sizeof(group)), d, at);
        return (uint16_t)crc32c(crc32c(crc, &zero, sizeof(zero)), bytes + after, fs->desc_size - after);
    }
    uint16_t crc = crc16(0xffff, fs->super->uuid, sizeof(fs->super->uuid));
    crc = crc16(crc16(crc, &group, sizeof(group)), d, at);
    return fs->desc_size > after ? crc16(crc, bytes + after, fs->desc_size - after) : crc;
}

static void desc_checksum_set(const struct ext4 *fs, uint32_t group, struct group_desc *d) {
    if (fs->checksums || fs->group_checksums) d->checksum = desc_checksum(fs, group, d);
}

static uint32_t table_blocks(const struct ext4 *fs) { return fs->inodes_per_group / (fs->block_size / fs->inode_size); }

static int group_load(struct ext4 *fs, uint32_t group) {
    struct buffer *b;
    struct group_desc *d;
    int result = desc_get(fs, group, &b, &d);
    if (result < 0) return result;
    bool summed = fs->checksums || fs->group_checksums, wide = fs->desc_size >= 64;
    if (summed && d->checksum != desc_checksum(fs, group, d)) return -EUCLEAN;
    struct group *g = &fs->groups[group];
    *g = (struct group){
        .block_bitmap = d->block_bitmap_lo | (wide ? (uint64_t)d->block_bitmap_hi << 32 : 0),
        .inode_bitmap = d->inode_bitmap_lo | (wide ? (uint64_t)d->inode_bitmap_hi << 32 : 0),
        .inode_table = d->inode_table_lo | (wide ? (uint64_t)d->inode_table_hi << 32 : 0),
        .free_blocks = d->free_blocks_lo | (wide ? (uint32_t)d->free_blocks_hi << 16 : 0),
        .free_inodes = d->free_inodes_lo | (wide ? (uint32_t)d->free_inodes_hi << 16 : 0),
        .used_dirs = d->used_dirs_lo | (wide ? (uint32_t)d->used_dirs_hi << 16 : 0),
        .itable_unused = d->itable_unused_lo | (wide ? (uint32_t)d->itable_unused_hi << 16 : 0),
        .flags = summed ? d->flags : 0,
        .run_max = UINT32_MAX,
    };
    bool bigalloc = fs->ro_compat & RO_COMPAT_BIGALLOC;
    bool good = g->block_bitmap < fs->blocks_count && g->inode_bitmap < fs->blocks_count &&
                g->inode_table < fs->blocks_count && table_blocks(fs) <= fs->blocks_count - g->inode_table &&
                g->block_bitmap > fs->first_data_block && g->inode_bitmap > fs->first_data_block &&
                g->inode_table > fs->first_data_block && g->free_inodes <= fs->inodes_per_group &&
                g->itable_unused <= fs->inodes_per_group && (bigalloc || g->free_blocks <= group_blocks(fs, group));
    return good ? 0 : -EUCLEAN;
}

static void zone_add(struct ext4 *fs, uint64_t start, uint64_t count) {
    if (count) fs->zones[fs->zone_count++] = (struct zone){start, start + count};
}

static int zone_compare(const void *a, const void *b) {
    const struct zone *x = a, *y = b;
    return x->start < y->start ? -1 : x->start > y->start;
}

/* Super block and descriptors at the start of a group. */
static uint64_t head_blocks(const struct ext4 *fs, uint32_t group) {
    uint32_t per_block = descs_per_block(fs), in_meta = group % per_block;
    uint64_t super = group_has_super(fs, group);
    if (in_meta_group(fs, group)) return super + (in_meta <= 1 || in_meta == per_block - 1);
    if (!super) return 0;
    uint64_t count = (fs->group_count + per_block - 1) / per_block;
    if (fs->incompat & INCOMPAT_META_BG) count = fs->super->first_meta_bg;
    return 1 + count + fs->super->reserved_gdt_blocks;
}

static int zones_make(struct ext4 *fs) {
    fs->zones = malloc(((size_t)fs->group_count * 4 + 1) * sizeof(struct zone));
    if (!fs->zones) return -ENOMEM;
    fs->zone_count = 0;
    zone_add(fs, 0, (uint64_t)fs->first_data_block + 1);
    for (uint32_t i = 0; i < fs->group_count; i++) {
        zone_add(fs, group_start(fs, i), head_blocks(fs, i));
        zone_add(fs, fs->groups[i].block_bitmap, 1);
        zone_add(fs, fs->groups[i].inode_bitmap, 1);
        zone_add(fs, fs->groups[i].inode_table, table_blocks(fs));
    }
    qsort(fs->zones, fs->zone_count, sizeof(struct zone), zone_compare);
    uint32_t to = 0;
    for (uint32_t i = 1; i < fs->zone_count; i++) {
        struct zone *z = &fs->zones[i], *last = &fs->zones[to];
        if (z->start > last->end) fs->zones[++to] = *z;
        else if (z->end > last->end) last->end = z->end;
    }
    fs->zone_count = to + 1;
    return 0;
}

int groups_load(struct ext4 *fs) {
    op_begin(fs);
    fs->groups = calloc(fs->group_count, sizeof(struct group));
    if (!fs->groups) return -ENOMEM;
    uint64_t blocks = 0, inodes = 0;
    for (uint32_t i = 0; i < fs->group_count; i++) {
        if (desc_block(fs, i) >= fs->blocks_count) return -EUCLEAN;
        if (i % descs_per_block(fs) == 0) op_begin(fs);
        int result = group_load(fs, i);
        if (result < 0) return result;
        blocks += fs->groups[i].free_blocks;
        inodes += fs->groups[i].free_inodes;
    }
    /* Linux keeps the super block's counts only now and then. */
    if (!(fs->ro_compat & RO_COMPAT_BIGALLOC)) fs->free_blocks = blocks;
    fs->free_inodes = (uint32_t)inodes;
    return zones_make(fs);
}

void groups_free(struct ext4 *fs) {
    for (uint32_t i = 0; fs->groups && i < fs->group_count; i++) free(fs->groups[i].busy);
    free(fs->groups);
    free(fs->zones);
    fs->groups = nullptr;
    fs->zones = nullptr;
}

bool blocks_valid(const struct ext4 *fs, uint64_t block, uint64_t count) {
    if (block >= fs->blocks_count || count > fs->blocks_count - block) return false;
    uint32_t low = 0, high = fs->zone_count;
    while (low < high) { /* the first that ends after `block` */
        uint32_t middle = (low + high) / 2;
        if (fs->zones[middle].end <= block) low = middle + 1;
        else high = middle;
    }
    return low == fs->zone_count || fs->zones[low].start >= block + count;
}

int group_store(struct ext4 *fs, uint32_t group) {
    struct buffer *b;
    struct group_desc *d;
    int result = desc_get(fs, group, &b, &d);
    if (result < 0) return result;
    tx_write(fs, b);
    const struct group *g = &fs->groups[group];
    d->free_blocks_lo = (uint16_t)g->free_blocks;
    d->free_inodes_lo = (uint16_t)g->free_inodes;
    d->used_dirs_lo = (uint16_t)g->used_dirs;
    d->itable_unused_lo = (uint16_t)g->itable_unused;
    if (fs->checksums || fs->group_checksums) d->flags = g->flags;
    if (fs->desc_size >= 64) {
        d->free_blocks_hi = (uint16_t)(g->free_blocks >> 16);
        d->free_inodes_hi = (uint16_t)(g->free_inodes >> 16);
        d->used_dirs_hi = (uint16_t)(g->used_dirs >> 16);
        d->itable_unused_hi = (uint16_t)(g->itable_unused >> 16);
    }
    desc_checksum_set(fs, group, d);
    fs->super_changed = true;
    return 0;
}

static uint32_t bitmap_checksum(const struct ext4 *fs, const struct buffer *b) {
    uint32_t bits = b->kind == KIND_BLOCK_BITMAP ? fs->blocks_per_group : fs->inodes_per_group;
    return crc32c(fs->seed, b->data, bits / 8);
}

/* At commit; the descriptor is in the transaction, for the counts in it have changed as well. */
void group_bitmap_checksum(struct ext4 *fs, const struct buffer *bitmap) {
    struct buffer *b;
    struct group_desc *d;
    if (!fs->checksums || desc_get(fs, bitmap->seed, &b, &d) < 0) return;
    uint32_t crc = bitmap_checksum(fs, bitmap);
    bool blocks = bitmap->kind == KIND_BLOCK_BITMAP;
    *(blocks ? &d->block_bitmap_csum_lo : &d->inode_bitmap_csum_lo) = (uint16_t)crc;
    if (fs->desc_size >= 64) *(blocks ? &d->block_bitmap_csum_hi : &d->inode_bitmap_csum_hi) = (uint16_t)(crc >> 16);
    desc_checksum_set(fs, bitmap->seed, d);
}

static int bitmap_verify(struct ext4 *fs, uint32_t group, const struct buffer *bitmap) {
    struct buffer *b;
    struct group_desc *d;
    if (!fs->checksums || bitmap->state == BUFFER_RUNNING) return 0;
    int result = desc_get(fs, group, &b, &d);
    if (result < 0) return result;
    bool blocks = bitmap->kind == KIND_BLOCK_BITMAP, wide = fs->desc_size >= 64;
    uint32_t found = blocks ? d->block_bitmap_csum_lo : d->inode_bitmap_csum_lo, crc = bitmap_checksum(fs, bitmap);
    if (wide) found |= (uint32_t)(blocks ? d->block_bitmap_csum_hi : d->inode_bitmap_csum_hi) << 16;
    return found == (wide ? crc : crc & 0xffff) ? 0 : -EUCLEAN;
}

static void bitmap_fill(struct ext4 *fs, uint32_t group, uint8_t *data, enum block_kind kind) {
    uint32_t end = kind == KIND_BLOCK_BITMAP ? group_blocks(fs, group) : fs->inodes_per_group;
    for (uint32_t i = end; i < fs->block_size * 8; i++) bit_set(data, i);
    if (kind == KIND_INODE_BITMAP) return;
    uint64_t first = group_start(fs, group), last = first + end;
    for (uint32_t i = 0; i < fs->zone_count; i++) {
        uint64_t from = fs->zones[i].start, to = fs->zones[i].end;
        for (uint64_t block = from > first ? from : first; block < to && block < last; block++)
            bit_set(data, (uint32_t)(block - first));
    }
}

int group_bitmap(struct ext4 *fs, uint32_t group, enum block_kind kind, struct buffer **out) {
    const struct group *g = &fs->groups[group];
    bool blocks = kind == KIND_BLOCK_BITMAP;
    uint64_t block = blocks ? g->block_bitmap : g->inode_bitmap;
    struct buffer *b = buffer_find(fs, block);
    if (b && b->kind == kind) return buffer_read(fs, block, kind, group, out);
    if (g->flags & (blocks ? GROUP_BLOCK_UNINIT : GROUP_INODE_UNINIT)) {
        int result = buffer_new(fs, block, kind, group, out);
        if (!result) bitmap_fill(fs, group, (*out)->data, kind);
        return result;
    }
    int result = buffer_read(fs, block, kind, group, out);
    if (!result) result = bitmap_verify(fs, group, *out);
    if (result < 0) {
        b = buffer_find(fs, block);
        if (b && b->state == BUFFER_CLEAN) b->kind = KIND_NONE;
    }
    return result;
}
