// SPDX-License-Identifier: MIT
/*
 * Allocation of blocks: the first free run after the goal that is as long as wanted, else the longest of the first
 * group that has any.  Each group has two hints, an upper bound of its runs and where its first free block may be.
 * Blocks that the running transaction freed are busy until it is committed: else a crash could give them back to their
 * old file with the new file's bytes in them.
 */
#include "internal.h"

#include <stdlib.h>

struct run {
    uint32_t start, length;
};

static uint64_t word_at(const uint8_t *map, const uint8_t *busy, uint32_t word) {
    uint64_t a, b = 0;
    memcpy(&a, map + word * 8, 8);
    if (busy) memcpy(&b, busy + word * 8, 8);
    return a | b;
}

/* The first bit at or after i that is `value`; end: none. */
static uint32_t bit_next(const uint8_t *map, const uint8_t *busy, uint32_t i, uint32_t end, bool value) {
    while (i < end) {
        uint64_t word = word_at(map, busy, i / 64);
        if (!value) word = ~word;
        word &= ~0ull << i % 64;
        if (word) {
            uint32_t found = i / 64 * 64 + (uint32_t)__builtin_ctzll(word);
            return found < end ? found : end;
        }
        i = (i / 64 + 1) * 64;
    }
    return end;
}

/* From `from` on: the first run of `want`, or the longest. */
static struct run run_find(const uint8_t *map, const uint8_t *busy, uint32_t from, uint32_t end, uint32_t want) {
    struct run best = {};
    for (uint32_t i = from; i < end;) {
        uint32_t start = bit_next(map, busy, i, end, false);
        if (start == end) break;
        uint32_t limit = end - start < want ? end : start + want;
        i = bit_next(map, busy, start, limit, true);
        if (i - start > best.length) best = (struct run){start, i - start};
        if (best.length >= want) break;
    }
    return best;
}

static void group_use(struct group *g, const uint8_t *map, uint32_t size, struct run r) {
    g->free_blocks -= r.length;
    g->flags &= (uint16_t)~GROUP_BLOCK_UNINIT;
    if (r.start <= g->first_free) g->first_free = bit_next(map, g->busy, r.start + r.length, size, false);
}

static int run_take(struct ext4 *fs, uint32_t group, struct buffer *b, struct run r) {
    if (!blocks_valid(fs, group_start(fs, group) + r.start, r.length)) return -EUCLEAN;
    if (r.length > fs->groups[group].free_blocks || r.length > fs->free_blocks) return -EUCLEAN;
    tx_write(fs, b);
    for (uint32_t i = 0; i < r.length; i++) bit_set(b->data, r.start + i);
    group_use(&fs->groups[group], b->data, group_blocks(fs, group), r);
    fs->free_blocks -= r.length;
    return group_store(fs, group);
}

/* 1: nothing that long here. */
static int group_try(struct ext4 *fs, uint32_t group, uint32_t from, uint32_t want, uint32_t least, struct run *out) {
    struct group *g = &fs->groups[group];
    if (g->free_blocks < least || g->run_max < least) return 1;
    struct buffer *b;
    int result = group_bitmap(fs, group, KIND_BLOCK_BITMAP, &b);
    if (result < 0) return result;
    uint32_t end = group_blocks(fs, group), first = g->first_free;
    struct run r = {};
    if (from > first) r = run_find(b->data, g->busy, from, end, want);
    if (r.length < least) {
        r = run_find(b->data, g->busy, first, end, want);
        if (r.length < want) g->run_max = r.length;
        if (r.length < least) return 1;
    }
    *out = r;
    return run_take(fs, group, b, r);
}

int balloc(struct ext4 *fs, uint64_t goal, uint32_t want, uint64_t *block, uint32_t *got) {
    if (goal < fs->first_data_block || goal >= fs->blocks_count) goal = fs->first_data_block;
    uint32_t group = (uint32_t)((goal - fs->first_data_block) / fs->blocks_per_group);
    uint32_t from = (uint32_t)((goal - fs->first_data_block) % fs->blocks_per_group);
    if (want > fs->blocks_per_group / 2) want = fs->blocks_per_group / 2;
    for (uint32_t least = want; least; least = least > 1 ? 1 : 0) {
        for (uint32_t i = 0; i < fs->group_count; i++) {
            uint32_t at = (group + i) % fs->group_count;
            struct run r;
            int result = group_try(fs, at, i ? 0 : from, want, least, &r);
            if (result < 0) return result;
            if (result) continue;
            *block = group_start(fs, at) + r.start;
            *got = r.length;
            return 0;
        }
    }
    /* There should have been some: a descriptor's count is wrong. */
    return -EUCLEAN;
}

static int group_free(struct ext4 *fs, uint32_t group, uint32_t start, uint32_t count) {
    struct group *g = &fs->groups[group];
    struct buffer *b;
    int result = group_bitmap(fs, group, KIND_BLOCK_BITMAP, &b);
    if (result < 0) return result;
    if (g->free_blocks + count > group_blocks(fs, group)) return -EUCLEAN;
    if (fs->journal && !g->busy) {
        g->busy = calloc(1, fs->block_size);
        if (!g->busy) return -ENOMEM;
    }
    tx_write(fs, b);
    for (uint32_t i = start; i < start + count; i++) {
        if (!bit_test(b->data, i)) return -EUCLEAN;
        bit_clear(b->data, i);
        if (fs->journal) bit_set(g->busy, i);
    }
    g->free_blocks += count;
    g->run_max = UINT32_MAX;
    if (start < g->first_free) g->first_free = start;
    fs->free_blocks += count;
    if (fs->journal) fs->busy_blocks += count;
    return group_store(fs, group);
}

int bfree(struct ext4 *fs, uint64_t block, uint64_t count) {
    if (!blocks_valid(fs, block, count)) return -EUCLEAN;
    while (count) {
        uint32_t group = (uint32_t)((block - fs->first_data_block) / fs->blocks_per_group);
        uint32_t start = (uint32_t)((block - fs->first_data_block) % fs->blocks_per_group);
        uint64_t here = fs->blocks_per_group - start < count ? fs->blocks_per_group - start : count;
        int result = group_free(fs, group, start, (uint32_t)here);
        if (result < 0) return result;
        block += here;
        count -= here;
    }
    return 0;
}

void balloc_commit(struct ext4 *fs) {
    if (!fs->busy_blocks) return;
    for (uint32_t i = 0; i < fs->group_count; i++) {
        struct group *g = &fs->groups[i];
        if (!g->busy) continue;
        free(g->busy);
        g->busy = nullptr;
        g->run_max = UINT32_MAX;
        g->first_free = 0;
    }
    fs->busy_blocks = 0;
}
