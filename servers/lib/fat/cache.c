// SPDX-License-Identifier: MIT
/*
 * Blocks of metadata: tables and directories. Written sector by sector, only what was changed; sectors of the table go
 * to the other tables as well. Data of files doesn't come here, though a block may lie over some: it is neither read
 * from nor written to it.
 */
#include "internal.h"

#include <stdlib.h>

int cache_init(struct fat *fs) {
    fs->block_max = fs->options.cache_blocks ?: 256;
    uint32_t count = 64;
    while (count < fs->block_max) count *= 2;
    fs->bucket_mask = count - 1;
    fs->buckets = calloc(count, sizeof(struct block *));
    return fs->buckets ? 0 : -ENOMEM;
}

static struct block **bucket_of(struct fat *fs, uint64_t number) {
    return &fs->buckets[(uint32_t)(number * 0x9e3779b97f4a7c15ull >> 40) & fs->bucket_mask];
}

static void unlink_use(struct fat *fs, struct block *b) {
    if (b->newer) b->newer->older = b->older;
    else fs->newest = b->older;
    if (b->older) b->older->newer = b->newer;
    else fs->oldest = b->newer;
}

static void link_use(struct fat *fs, struct block *b) {
    b->newer = nullptr;
    b->older = fs->newest;
    if (fs->newest) fs->newest->newer = b;
    else fs->oldest = b;
    fs->newest = b;
}

static void block_free(struct fat *fs, struct block *b) {
    struct block **p = bucket_of(fs, b->number);
    while (*p != b) p = &(*p)->hash_next;
    *p = b->hash_next;
    unlink_use(fs, b);
    fs->block_count--;
    free(b);
}

void cache_fini(struct fat *fs) {
    while (fs->oldest) block_free(fs, fs->oldest);
    free(fs->buckets);
}

static int tables_write(struct fat *fs, uint64_t sector, const uint8_t *data, uint32_t count) {
    uint64_t first = fs->table / BLKDEV_SECTOR, end = first + fs->table_bytes / BLKDEV_SECTOR;
    uint64_t from = sector > first ? sector : first, to = sector + count < end ? sector + count : end;
    for (int i = 0; i < 2 && from < to; i++) {
        if (!fs->tables[i]) continue;
        int e = fs->device->write(fs->device, fs->tables[i] / BLKDEV_SECTOR + from - first,
                                  data + (from - sector) * BLKDEV_SECTOR, (uint32_t)(to - from));
        if (e) return e;
    }
    return 0;
}

/* The changed sectors of `mask`, in runs. */
static int block_write(struct fat *fs, struct block *b, uint8_t mask) {
    for (uint32_t i = 0; i < BLOCK_SECTORS; i++) {
        uint32_t count = 0;
        while (i + count < BLOCK_SECTORS && b->dirty & mask & 1u << (i + count)) count++;
        if (!count) continue;
        uint64_t sector = b->number * BLOCK_SECTORS + i;
        const uint8_t *data = b->data + (size_t)i * BLKDEV_SECTOR;
        int e = fs->device->write(fs->device, sector, data, count);
        if (!e) e = tables_write(fs, sector, data, count);
        if (e) return e;
        i += count;
    }
    b->dirty &= (uint8_t)~mask;
    if (!b->dirty) fs->dirty_count--;
    return 0;
}

/* Room for one more. */
static int cache_shrink(struct fat *fs) {
    while (fs->block_count >= fs->block_max) {
        struct block *b = fs->oldest;
        int e = b->dirty ? block_write(fs, b, UINT8_MAX) : 0;
        if (e) return e;
        block_free(fs, b);
    }
    return 0;
}

/* The block is there until the next one is asked for. */
static int block_get(struct fat *fs, uint64_t number, struct block **out) {
    struct block *b = *bucket_of(fs, number);
    while (b && b->number != number) b = b->hash_next;
    if (b) {
        if (b != fs->newest) {
            unlink_use(fs, b);
            link_use(fs, b);
        }
        *out = b;
        return 0;
    }
    uint64_t sector = number * BLOCK_SECTORS;
    if (sector >= fs->device->sectors) return -EUCLEAN;
    uint64_t left = fs->device->sectors - sector;
    int e = cache_shrink(fs);
    if (e) return e;
    b = calloc(1, sizeof(*b));
    if (!b) return -ENOMEM;
    e = fs->device->read(fs->device, sector, b->data, left < BLOCK_SECTORS ? (uint32_t)left : BLOCK_SECTORS);
    if (e) {
        free(b);
        return e;
    }
    b->number = number;
    b->hash_next = *bucket_of(fs, number);
    *bucket_of(fs, number) = b;
    link_use(fs, b);
    fs->block_count++;
    *out = b;
    return 0;
}

int cache_read(struct fat *fs, uint64_t at, void *out, uint32_t size) {
    while (size) {
        struct block *b;
        uint32_t start = at % BLOCK_BYTES, part = BLOCK_BYTES - start < size ? BLOCK_BYTES - start : size;
        int e = block_get(fs, at / BLOCK_BYTES, &b);
        if (e) return e;
        memcpy(out, b->data + start, part);
        out = (uint8_t *)out + part;
        at += part;
        size -= part;
    }
    return 0;
}

/* The disk takes whole sectors of the file system's size. */
static uint8_t sectors_of(const struct fat *fs, uint32_t start, uint32_t size) {
    uint32_t first = start & ~(fs->sector_size - 1),
             end = (start + size + fs->sector_size - 1) & ~(fs->sector_size - 1);
    return (uint8_t)((1u << end / BLKDEV_SECTOR) - (1u << first / BLKDEV_SECTOR));
}

/* in: null means zeros. */
static int change(struct fat *fs, uint64_t at, const uint8_t *in, uint32_t size) {
    if (fs->read_only) return -EROFS;
    fs->window.dir = nullptr;
    while (size) {
        struct block *b;
        uint32_t start = at % BLOCK_BYTES, part = BLOCK_BYTES - start < size ? BLOCK_BYTES - start : size;
        int e = block_get(fs, at / BLOCK_BYTES, &b);
        if (e) return e;
        if (in) memcpy(b->data + start, in, part);
        else memset(b->data + start, 0, part);
        in = in ? in + part : nullptr;
        if (!b->dirty) fs->dirty_count++;
        b->dirty |= sectors_of(fs, start, part);
        at += part;
        size -= part;
    }
    return 0;
}

int cache_write(struct fat *fs, uint64_t at, const void *in, uint32_t size) { return change(fs, at, in, size); }
int cache_zero(struct fat *fs, uint64_t at, uint32_t size) { return change(fs, at, nullptr, size); }

int cache_write_out(struct fat *fs, uint64_t at) {
    struct block *b;
    int e = block_get(fs, at / BLOCK_BYTES, &b);
    uint8_t mask = sectors_of(fs, at % BLOCK_BYTES, 1);
    return e ?: b->dirty & mask ? block_write(fs, b, mask) : 0;
}

int cache_flush(struct fat *fs) {
    for (struct block *b = fs->oldest; b && fs->dirty_count; b = b->newer) {
        int e = b->dirty ? block_write(fs, b, UINT8_MAX) : 0;
        if (e) return e;
    }
    return fs->device->flush(fs->device);
}
