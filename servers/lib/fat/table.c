// SPDX-License-Identifier: MIT
/* The allocation table: entries of 12, 16 or 28 bits (§4). */
#include "internal.h"

static uint64_t place_of(const struct fat *fs, uint32_t c) {
    return fs->table + (fs->bits == 12 ? c + c / 2 : (uint64_t)c * (fs->bits / 8));
}

static uint32_t mask_of(const struct fat *fs) { return fs->bits == 32 ? 0x0fffffff : (1u << fs->bits) - 1; }

static int entry_read(struct fat *fs, uint32_t c, uint32_t *raw) {
    *raw = 0;
    return cache_read(fs, place_of(fs, c), raw, fs->bits == 32 ? 4 : 2);
}

int table_get(struct fat *fs, uint32_t c, uint32_t *next) {
    uint32_t raw, mask = mask_of(fs);
    int e = entry_read(fs, c, &raw);
    if (e) return e;
    if (fs->bits == 12 && c % 2) raw >>= 4;
    raw &= mask;
    *next = raw >= (mask & CHAIN_BAD) ? raw | CHAIN_BAD : raw; /* marks look the same in all widths */
    return 0;
}

int table_set(struct fat *fs, uint32_t c, uint32_t next) {
    uint32_t raw, mask = mask_of(fs), shift = fs->bits == 12 && c % 2 ? 4 : 0;
    int e = entry_read(fs, c, &raw);
    if (e) return e;
    bool was_free = !(raw >> shift & mask);
    raw = (raw & ~(mask << shift)) | (next & mask) << shift;
    if ((e = cache_write(fs, place_of(fs, c), &raw, fs->bits == 32 ? 4 : 2))) return e;
    if (was_free && next && fs->free) fs->free--;
    if (!was_free && !next) fs->free++;
    fs->info_stale = true;
    return 0;
}

int table_count(struct fat *fs) {
    fs->free = 0;
    for (uint32_t c = 2; c - 2 < fs->clusters; c++) {
        uint32_t next;
        int e = table_get(fs, c, &next);
        if (e) return e;
        fs->free += next == 0;
    }
    return 0;
}

/* The next free cluster from the hint on, all around. */
static int free_find(struct fat *fs, uint32_t *out) {
    uint32_t c = cluster_valid(fs, fs->hint) ? fs->hint : 2;
    for (uint32_t tries = fs->clusters; tries; tries--) {
        uint32_t next;
        int e = table_get(fs, c, &next);
        if (e) return e;
        if (!next) {
            *out = c;
            fs->hint = c + 1;
            return 0;
        }
        c = cluster_valid(fs, c + 1) ? c + 1 : 2;
    }
    fs->free = 0;
    return -ENOSPC;
}

int table_allocate(struct fat *fs, uint32_t count, uint32_t near, uint32_t *first) {
    uint32_t head = 0, last = 0, c;
    int e = 0;
    if (near) fs->hint = near + 1;
    for (uint32_t i = 0; i < count; i++) {
        e = free_find(fs, &c);
        if (e == -ENOSPC && (fs->released_count || fs->pending)) e = settle(fs) ?: free_find(fs, &c);
        if (!e) e = table_set(fs, c, CHAIN_END | 7);
        if (!e && last) e = table_set(fs, last, c);
        if (e) break;
        if (!head) head = c;
        last = c;
    }
    if (e && head) table_free(fs, head);
    if (!e) *first = head;
    return e;
}

int table_free(struct fat *fs, uint32_t first) {
    for (uint32_t c = first, next; cluster_valid(fs, c); c = next) { /* ends: what was freed leads nowhere */
        int e = table_get(fs, c, &next);
        if (!e && next) e = table_set(fs, c, 0);
        if (e) return e;
        if (!next) break;
    }
    return 0;
}
