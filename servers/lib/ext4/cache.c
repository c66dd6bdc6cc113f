// SPDX-License-Identifier: MIT
/*
 * The cache of metadata blocks.  A buffer is clean (on `lru`), changed by the running transaction (on `running`), or
 * committed but not yet in its place (on `checkpoint`).  Those of the running transaction stay; others make room,
 * oldest first, unless the operation at hand has used them.
 */
#include "internal.h"

#include <stdlib.h>

int cache_init(struct ext4 *fs) {
    list_init(&fs->lru);
    list_init(&fs->running);
    list_init(&fs->checkpoint);
    fs->buffer_max = fs->options.cache_blocks ? fs->options.cache_blocks : 4096;
    uint32_t count = 256;
    while (count < fs->buffer_max) count *= 2;
    fs->buckets = calloc(count, sizeof(struct buffer *));
    if (!fs->buckets) return -ENOMEM;
    fs->bucket_mask = count - 1;
    return 0;
}

static struct buffer **bucket_of(struct ext4 *fs, uint64_t block) {
    return &fs->buckets[(uint32_t)(block * 0x9e3779b97f4a7c15ULL >> 40) & fs->bucket_mask];
}

static void buffer_free(struct ext4 *fs, struct buffer *b) {
    struct buffer **p = bucket_of(fs, b->block);
    while (*p != b) p = &(*p)->hash_next;
    *p = b->hash_next;
    buffer_state_set(fs, b, BUFFER_CLEAN);
    list_remove(&b->link);
    fs->buffer_count--;
    free(b->data);
    free(b);
}

void cache_drop(struct ext4 *fs) {
    for (uint32_t i = 0; fs->buckets && i <= fs->bucket_mask; i++)
        while (fs->buckets[i]) buffer_free(fs, fs->buckets[i]);
}

void cache_fini(struct ext4 *fs) {
    cache_drop(fs);
    free(fs->buckets);
    fs->buckets = nullptr;
}

int device_read(struct ext4 *fs, uint64_t block, void *out, uint32_t count) {
    return fs->device->read(fs->device, block * fs->sectors_per_block, out, count * fs->sectors_per_block);
}

int device_write(struct ext4 *fs, uint64_t block, const void *in, uint32_t count) {
    return fs->device->write(fs->device, block * fs->sectors_per_block, in, count * fs->sectors_per_block);
}

void buffer_state_set(struct ext4 *fs, struct buffer *b, int state) {
    if (b->state == state) return;
    fs->running_count -= b->state == BUFFER_RUNNING;
    fs->checkpoint_count -= b->state == BUFFER_CHECKPOINT;
    list_remove(&b->link);
    b->state = (uint8_t)state;
    fs->running_count += state == BUFFER_RUNNING;
    fs->checkpoint_count += state == BUFFER_CHECKPOINT;
    list_append(state == BUFFER_CLEAN ? &fs->lru : state == BUFFER_RUNNING ? &fs->running : &fs->checkpoint, &b->link);
}

/* Room for one more: a clean one goes, or one that is written to its place first. */
static void cache_shrink(struct ext4 *fs) {
    while (fs->buffer_count >= fs->buffer_max) {
        struct buffer *b = (struct buffer *)fs->lru.next;
        if (!list_empty(&fs->lru) && b->op != fs->op) {
            buffer_free(fs, b);
            continue;
        }
        b = (struct buffer *)fs->checkpoint.next;
        if (list_empty(&fs->checkpoint) || b->op == fs->op || fs->error) return; /* the bound gives way */
        if (device_write(fs, b->block, b->data, 1) < 0) {
            fs_abort(fs, -EIO);
            return;
        }
        buffer_free(fs, b);
    }
}

struct buffer *buffer_find(struct ext4 *fs, uint64_t block) {
    struct buffer *b = *bucket_of(fs, block);
    while (b && b->block != block) b = b->hash_next;
    return b;
}

static struct buffer *buffer_add(struct ext4 *fs, uint64_t block) {
    cache_shrink(fs);
    struct buffer *b = calloc(1, sizeof(*b));
    if (!b) return nullptr;
    b->data = malloc(fs->block_size);
    if (!b->data) {
        free(b);
        return nullptr;
    }
    b->block = block;
    b->op = fs->op;
    b->hash_next = *bucket_of(fs, block);
    *bucket_of(fs, block) = b;
    list_append(&fs->lru, &b->link);
    fs->buffer_count++;
    return b;
}

static void buffer_use(struct ext4 *fs, struct buffer *b) {
    if (b->op == fs->op) return;
    b->op = fs->op;
    if (b->state == BUFFER_RUNNING) return;
    list_remove(&b->link);
    list_append(b->state == BUFFER_CLEAN ? &fs->lru : &fs->checkpoint, &b->link);
}

int buffer_read(struct ext4 *fs, uint64_t block, enum block_kind kind, uint32_t seed, struct buffer **out) {
    struct buffer *b = buffer_find(fs, block);
    if (b && b->kind == kind && b->seed == seed) {
        buffer_use(fs, b);
        *out = b;
        return 0;
    }
    /* One block for two purposes: damage, but for a stale buffer of what was freed by others (replay, e2fsck). */
    if (b && b->kind != KIND_NONE && (b->state != BUFFER_CLEAN || b->op == fs->op)) return -EUCLEAN;
    if (block >= fs->blocks_count) return -EUCLEAN;
    if (!b) {
        b = buffer_add(fs, block);
        if (!b) return -ENOMEM;
        int result = device_read(fs, block, b->data, 1);
        if (result < 0) {
            buffer_free(fs, b);
            return -EIO;
        }
    }
    b->kind = (uint8_t)kind;
    b->seed = seed;
    int result = buffer_verify(fs, b);
    if (result < 0) {
        b->kind = KIND_NONE;
        buffer_free(fs, b);
        return result;
    }
    buffer_use(fs, b);
    *out = b;
    return 0;
}

int buffer_new(struct ext4 *fs, uint64_t block, enum block_kind kind, uint32_t seed, struct buffer **out) {
    struct buffer *b = buffer_find(fs, block);
    if (b && b->state != BUFFER_CLEAN) return -EUCLEAN; /* it is in use: the bitmap lied */
    if (!b) b = buffer_add(fs, block);
    if (!b) return -ENOMEM;
    memset(b->data, 0, fs->block_size);
    b->kind = (uint8_t)kind;
    b->seed = seed;
    buffer_use(fs, b);
    *out = b;
    return 0;
}

void buffer_forget(struct ext4 *fs, uint64_t block) {
    struct buffer *b = buffer_find(fs, block);
    if (b) buffer_free(fs, b);
}
