// SPDX-License-Identifier: MIT
/*
 * What is checked of a metadata block when it is read, so that nobody who uses its buffer has to: bounds, order and
 * checksum; and the checksums it gets at commit.
 */
#include "internal.h"

uint32_t inode_seed(const struct ext4 *fs, uint32_t inode, uint32_t generation) {
    if (!fs->checksums) return inode;
    uint32_t words[2] = {inode, generation};
    return crc32c(fs->seed, words, sizeof(words));
}

static struct dirent_tail *directory_tail(const struct ext4 *fs, const uint8_t *data) {
    return (struct dirent_tail *)(uintptr_t)(data + fs->block_size - sizeof(struct dirent_tail));
}

static int directory_verify(const struct ext4 *fs, const uint8_t *data) {
    for (uint32_t at = 0; at < fs->block_size;) {
        const struct dirent *e = dirent_at(data, at);
        if (at + 8 > fs->block_size || e->length < 8 || e->length % 4 || at + e->length > fs->block_size)
            return -EUCLEAN;
        uint32_t name_length = fs->incompat & INCOMPAT_FILETYPE ? e->name_length : e->name_length | e->type << 8;
        if (e->inode) {
            if (e->inode > fs->inodes_count || !name_length || name_length > EXT4_NAME_MAX) return -EUCLEAN;
            if (dirent_size(name_length) > e->length) return -EUCLEAN;
            if (memchr(e->name, '/', name_length) || memchr(e->name, 0, name_length)) return -EUCLEAN;
        }
        at += e->length;
    }
    if (!fs->checksums) return 0;
    const struct dirent_tail *t = directory_tail(fs, data);
    return t->inode || t->length != sizeof(*t) || t->type != DIRENT_TAIL_TYPE ? -EUCLEAN : 0;
}

/* Offset of the entries, and how many there can be. */
bool dx_limits(const struct ext4 *fs, enum block_kind kind, const uint8_t *data, uint32_t *entries, uint32_t *limit) {
    *entries = kind == KIND_DX_ROOT ? DX_ROOT_ENTRIES : DX_NODE_ENTRIES;
    *limit = (fs->block_size - *entries) / sizeof(struct dx_entry) - (fs->checksums ? 1 : 0);
    const struct dx_count *c = (const struct dx_count *)(const void *)(data + *entries);
    return c->limit == *limit && c->count >= 1 && c->count <= *limit;
}

static int dx_verify(const struct ext4 *fs, enum block_kind kind, const uint8_t *data) {
    uint32_t entries, limit;
    if (!dx_limits(fs, kind, data, &entries, &limit)) return -EUCLEAN;
    if (kind == KIND_DX_NODE) return dirent_at(data, 0)->inode ? -EUCLEAN : 0;
    const struct dx_info *info = (const struct dx_info *)(const void *)(data + DX_ROOT_INFO);
    const struct dirent *dot = dirent_at(data, 0), *dotdot = dirent_at(data, 12);
    uint8_t levels_max = fs->incompat & INCOMPAT_LARGEDIR ? 2 : 1;
    bool good = dot->length == 12 && dot->name_length == 1 && dot->name[0] == '.' && dotdot->name_length == 2 &&
                !memcmp(dotdot->name, "..", 2) && dotdot->inode && dotdot->inode <= fs->inodes_count &&
                dotdot->length == fs->block_size - 12 && info->info_length == 8 && info->hash_version <= 2 &&
                info->levels <= levels_max && !info->reserved;
    return good ? 0 : -EUCLEAN;
}

static uint32_t dx_checksum(const struct ext4 *fs, const struct buffer *b, uint32_t **where) {
    uint32_t entries = b->kind == KIND_DX_ROOT ? DX_ROOT_ENTRIES : DX_NODE_ENTRIES;
    const struct dx_count *c = (const struct dx_count *)(const void *)(b->data + entries);
    uint32_t zeros[2] = {};
    uint32_t crc = crc32c(b->seed, b->data, entries + c->count * sizeof(struct dx_entry));
    uint32_t *tail = (uint32_t *)(void *)(b->data + entries + c->limit * sizeof(struct dx_entry));
    zeros[0] = tail[0];
    *where = &tail[1];
    return crc32c(crc, zeros, sizeof(zeros));
}

int extent_header_verify(const struct ext4 *fs, const struct extent_header *h, uint32_t room, int depth) {
    if (h->magic != EXTENT_MAGIC || !h->max || h->max > room || h->entries > h->max || h->depth > EXTENT_DEPTH_MAX)
        return -EUCLEAN;
    if (depth >= 0 && h->depth != depth) return -EUCLEAN;
    const struct extent *e = (const struct extent *)(h + 1);
    uint64_t next = 0;
    for (uint32_t i = 0; i < h->entries; i++, e++) {
        if (e->block < next) return -EUCLEAN;
        next = (uint64_t)e->block + (h->depth ? 1 : extent_length(e));
        if (!h->depth && (!extent_length(e) || next > UINT32_MAX)) return -EUCLEAN;
    }
    return 0;
}

/* Where the checksum of a block of these kinds is, and what it should be. */
static uint32_t block_checksum(struct ext4 *fs, const struct buffer *b, uint32_t **where) {
    switch (b->kind) {
    case KIND_DIRECTORY:
        *where = &directory_tail(fs, b->data)->checksum;
        return crc32c(b->seed, b->data, fs->block_size - sizeof(struct dirent_tail));
    case KIND_DX_ROOT:
    case KIND_DX_NODE: return dx_checksum(fs, b, where);
    case KIND_EXTENTS: {
        const struct extent_header *h = (const struct extent_header *)(const void *)b->data;
        size_t size = sizeof(*h) + h->max * sizeof(struct extent);
        *where = (uint32_t *)(void *)(b->data + size);
        return crc32c(b->seed, b->data, size);
    }
    case KIND_XATTR: {
        struct xattr_header *h = (struct xattr_header *)(void *)b->data;
        *where = &h->checksum;
        uint32_t kept = h->checksum;
        h->checksum = 0;
        uint32_t crc = crc32c(crc32c(fs->seed, &b->block, sizeof(b->block)), b->data, fs->block_size);
        h->checksum = kept;
        return crc;
    }
    default: *where = nullptr; return 0;
    }
}

static int structure_verify(struct ext4 *fs, const struct buffer *b) {
    switch (b->kind) {
    case KIND_DIRECTORY: return directory_verify(fs, b->data);
    case KIND_DX_ROOT:
    case KIND_DX_NODE: return dx_verify(fs, b->kind, b->data);
    case KIND_EXTENTS: {
        uint32_t room = (fs->block_size - 12 - (fs->checksums ? 4 : 0)) / sizeof(struct extent);
        return extent_header_verify(fs, (const struct extent_header *)(const void *)b->data, room, -1);
    }
    case KIND_XATTR: return xattr_block_verify(fs, b->data);
    default: return 0;
    }
}

int buffer_verify(struct ext4 *fs, const struct buffer *b) {
    int result = structure_verify(fs, b);
    if (result < 0 || !fs->checksums) return result;
    uint32_t *where, crc = block_checksum(fs, b, &where);
    return where && *where != crc ? -EUCLEAN : 0;
}

void buffer_checksum(struct ext4 *fs, struct buffer *b) {
    if (!fs->checksums) return;
    uint32_t *where, crc = block_checksum(fs, b, &where);
    if (where) *where = crc;
}
