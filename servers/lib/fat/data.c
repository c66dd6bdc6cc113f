// SPDX-License-Identifier: MIT
/* Bytes of files: between the caller's memory and the device, not through the cache. */
#include "internal.h"

#define ZEROS 65536u

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* A part of a sector. */
static int part_transfer(struct fat *fs, uint64_t at, uint8_t *bytes, uint32_t size, bool write) {
    uint8_t sector[4096];
    uint32_t sectors = fs->sector_size / BLKDEV_SECTOR, start = at % fs->sector_size;
    uint64_t first = (at - start) / BLKDEV_SECTOR;
    int e = fs->device->read(fs->device, first, sector, sectors);
    if (e) return e;
    if (!write) memcpy(bytes, sector + start, size);
    else memcpy(sector + start, bytes, size);
    return write ? fs->device->write(fs->device, first, sector, sectors) : 0;
}

static int transfer(struct fat_node *n, uint8_t *bytes, uint64_t size, uint64_t offset, bool write) {
    struct fat *fs = n->fs;
    uint64_t cluster_mask = (1u << fs->cluster_bits) - 1;
    while (size) {
        uint32_t cluster, count;
        int e = chain_map(n, (uint32_t)(offset >> fs->cluster_bits), &cluster, &count);
        if (e) return e == -ENOENT ? -EUCLEAN : e;
        uint64_t at = cluster_at(fs, cluster) + (offset & cluster_mask);
        uint64_t part = least(size, ((uint64_t)count << fs->cluster_bits) - (offset & cluster_mask));
        part = least(part, 1u << 30);
        if (at % fs->sector_size || part < fs->sector_size) {
            part = least(part, fs->sector_size - at % fs->sector_size);
            e = part_transfer(fs, at, bytes, (uint32_t)part, write);
        } else {
            part -= part % fs->sector_size;
            uint32_t sectors = (uint32_t)(part / BLKDEV_SECTOR);
            e = write ? fs->device->write(fs->device, at / BLKDEV_SECTOR, bytes, sectors)
                      : fs->device->read(fs->device, at / BLKDEV_SECTOR, bytes, sectors);
        }
        if (e) return e;
        bytes += part;
        offset += part;
        size -= part;
    }
    return 0;
}

ssize_t fat_read(struct fat_node *n, void *out, size_t size, uint64_t offset) {
    if (offset >= n->size) return 0;
    size = least(size, n->size - offset);
    int e = transfer(n, out, size, offset, false);
    return e ?: (ssize_t)size;
}

/* Zeros up to `end`, for which there are clusters. */
static int grow(struct fat_node *n, uint64_t end) {
    static uint8_t zeros[ZEROS];
    while (n->size < end) {
        uint64_t part = least(end - n->size, ZEROS - n->size % ZEROS);
        int e = transfer(n, zeros, part, n->size, true);
        if (e) return e;
        n->size += part;
    }
    return 0;
}

ssize_t fat_write(struct fat_node *n, const void *in, size_t size, uint64_t offset, uint64_t end) {
    if (n->fs->read_only) return -EROFS;
    if (offset > FAT_FILE_MAX || size > FAT_FILE_MAX - offset) return -EFBIG;
    uint64_t reach = offset + size;
    end = end < reach ? reach : least(end, FAT_FILE_MAX);
    int e = chain_extend(n, clusters_of(n->fs, end));
    if (!e) e = grow(n, offset);
    if (!e) e = transfer(n, (uint8_t *)in, size, offset, true);
    if (!e && reach > n->size) n->size = reach;
    return node_write(n) ?: e ?: (ssize_t)size;
}

int fat_truncate(struct fat_node *n, uint64_t size) {
    struct fat *fs = n->fs;
    if (fs->read_only) return -EROFS;
    if (size > FAT_FILE_MAX) return -EFBIG;
    if (size > n->size) {
        int e = chain_extend(n, clusters_of(fs, size));
        if (!e) e = grow(n, size);
        return node_write(n) ?: e;
    }
    n->size = size;
    int e = chain_cut(n, clusters_of(fs, size));
    return node_write(n) ?: e;
}

int fat_missing(struct fat_node *n, uint64_t size, uint32_t *clusters) {
    uint32_t length, wanted = clusters_of(n->fs, size);
    if (size > FAT_FILE_MAX) return -EFBIG;
    int e = chain_length(n, &length);
    if (!e) *clusters = wanted > length ? wanted - length : 0;
    return e;
}
