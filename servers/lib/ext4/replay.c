// SPDX-License-Identifier: MIT
/*
 * Replay of the journal at mount, in three walks over the log: which transactions are whole (and whether their copies
 * are good), which blocks they revoke, and then the writes.  The log ends at the first block that isn't of the expected
 * transaction.  Nothing is written unless all that will be written is good.
 */
#include "internal.h"

#include <stdlib.h>

enum pass { PASS_SCAN, PASS_REVOKE, PASS_WRITE };

struct revoked {
    uint64_t block;
    uint32_t sequence;
};

struct replay {
    struct ext4 *fs;
    enum pass pass;
    uint32_t sequence, end; /* of the transaction at hand; the first that is not whole */
    uint32_t position, left; /* block of the log, and how many can follow */
    uint8_t *block, *copy;
    struct revoked *revoked;
    uint32_t revoked_count, revoked_room;
    int damage; /* in the transaction at hand: counts once its commit block is found */
};

static uint32_t be32(uint32_t word) { return __builtin_bswap32(word); }

static int revoked_compare(const void *a, const void *b) {
    const struct revoked *x = a, *y = b;
    return x->block < y->block ? -1 : x->block > y->block;
}

static void position_advance(struct replay *r) {
    const struct journal *j = r->fs->journal;
    r->position = r->position + 1 >= j->end ? j->first : r->position + 1;
    r->left--;
}

static int log_read(struct replay *r, void *out) {
    uint64_t block;
    int result = journal_block(r->fs, r->position, &block);
    if (result < 0) return result;
    position_advance(r);
    return device_read(r->fs, block, out, 1) < 0 ? -EIO : 0;
}

/* Blocks that end with their checksum. */
static bool described_good(struct replay *r) {
    uint32_t size = r->fs->block_size, found, zero = 0;
    if (r->fs->journal->tag_size != 16) return true;
    memcpy(&found, r->block + size - 4, 4);
    memcpy(r->block + size - 4, &zero, 4);
    return be32(found) == crc32c(r->fs->journal->seed, r->block, size);
}

static bool commit_good(struct replay *r) {
    struct journal_commit *c = (struct journal_commit *)(void *)r->block;
    if (r->fs->journal->tag_size != 16) return true;
    uint32_t found = be32(c->checksum[0]);
    c->checksum[0] = 0;
    return found == crc32c(r->fs->journal->seed, r->block, r->fs->block_size);
}

static bool is_revoked(struct replay *r, uint64_t block) {
    uint32_t low = 0, high = r->revoked_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (r->revoked[middle].block < block) low = middle + 1;
        else high = middle;
    }
    for (; low < r->revoked_count && r->revoked[low].block == block; low++)
        if ((int32_t)(r->revoked[low].sequence - r->sequence) >= 0) return true;
    return false;
}

static int copy_handle(struct replay *r, const struct journal_tag *t, uint32_t flags) {
    struct ext4 *fs = r->fs;
    struct journal *j = fs->journal;
    uint64_t block = be32(t->block) | (j->tag_size >= 12 ? (uint64_t)be32(t->block_hi) << 32 : 0);
    if (r->pass == PASS_REVOKE) {
        position_advance(r);
        return 0;
    }
    int result = log_read(r, r->copy);
    if (result < 0) return result;
    if (r->pass == PASS_SCAN) {
        if (block >= fs->blocks_count) r->damage = -EUCLEAN;
        if (j->tag_size == 16 && be32(t->checksum_v3) != journal_tag_checksum(j, r->sequence, r->copy, fs->block_size))
            r->damage = -EUCLEAN;
        return 0;
    }
    if (is_revoked(r, block)) return 0;
    uint32_t magic = be32(JOURNAL_MAGIC);
    if (flags & TAG_ESCAPED) memcpy(r->copy, &magic, sizeof(magic));
    return device_write(fs, block, r->copy, 1) < 0 ? -EIO : 0;
}

static int descriptor_handle(struct replay *r) {
    const struct journal *j = r->fs->journal;
    uint32_t end = r->fs->block_size - (j->tag_size == 16 ? 4 : 0);
    for (uint32_t at = sizeof(struct journal_header); at + j->tag_size <= end;) {
        struct journal_tag t = {};
        memcpy(&t, r->block + at, j->tag_size);
        uint32_t flags = j->tag_size == 16 ? be32(t.flags_v3) : __builtin_bswap16(t.flags);
        if (!r->left) return 1;
        int result = copy_handle(r, &t, flags);
        if (result) return result;
        at += j->tag_size + (flags & TAG_SAME_UUID ? 0 : 16);
        if (flags & TAG_LAST) break;
    }
    return 0;
}

static int revoke_handle(struct replay *r) {
    if (r->pass != PASS_REVOKE) return 0;
    uint32_t size = be32(r->fs->journal->super->feature_incompat) & JOURNAL_HAS_64BIT ? 8 : 4;
    uint32_t end = be32(((struct journal_revoke *)(void *)r->block)->bytes);
    if (end > r->fs->block_size) return -EUCLEAN;
    for (uint32_t at = sizeof(struct journal_revoke); at + size <= end; at += size) {
        if (r->revoked_count == r->revoked_room) {
            uint32_t room = r->revoked_room ? r->revoked_room * 2 : 256;
            struct revoked *table = realloc(r->revoked, room * sizeof(*table));
            if (!table) return -ENOMEM;
            r->revoked = table;
            r->revoked_room = room;
        }
        uint64_t block = 0;
        memcpy((uint8_t *)&block + (8 - size), r->block + at, size);
        r->revoked[r->revoked_count++] = (struct revoked){__builtin_bswap64(block), r->sequence};
    }
    return 0;
}

/* One walk; 0 at the end of the log. */
static int log_walk(struct replay *r, enum pass pass) {
    struct journal *j = r->fs->journal;
    r->pass = pass;
    r->sequence = be32(j->super->sequence);
    r->position = be32(j->super->start);
    r->left = j->end - j->first;
    while (r->left && (pass == PASS_SCAN || r->sequence != r->end)) {
        int result = log_read(r, r->block);
        if (result < 0) return result;
        const struct journal_header *h = (const struct journal_header *)(const void *)r->block;
        if (h->magic != be32(JOURNAL_MAGIC) || be32(h->sequence) != r->sequence) break;
        switch (be32(h->type)) {
        case JOURNAL_DESCRIPTOR: result = described_good(r) ? descriptor_handle(r) : 1; break;
        case JOURNAL_REVOKE: result = described_good(r) ? revoke_handle(r) : 1; break;
        case JOURNAL_COMMIT:
            if (pass == PASS_SCAN && !commit_good(r)) result = 1;
            else if (r->damage) result = r->damage;
            else r->sequence++;
            break;
        default: result = 1; break;
        }
        if (result < 0) return result;
        if (result) break;
    }
    if (pass == PASS_SCAN) r->end = r->sequence;
    r->damage = 0;
    return 0;
}

int journal_replay(struct ext4 *fs) {
    struct journal *j = fs->journal;
    if (!j->super->start) return 0;
    if (be32(j->super->start) < j->first) return -EUCLEAN;
    struct replay r = {.fs = fs, .block = malloc(fs->block_size), .copy = malloc(fs->block_size)};
    int result = r.block && r.copy ? log_walk(&r, PASS_SCAN) : -ENOMEM;
    if (!result) result = log_walk(&r, PASS_REVOKE);
    if (r.revoked_count) qsort(r.revoked, r.revoked_count, sizeof(*r.revoked), revoked_compare);
    if (!result) result = log_walk(&r, PASS_WRITE);
    if (!result && fs->device->flush(fs->device) < 0) result = -EIO;
    /* A number is left out: what there may be of the transaction that isn't whole never continues the log. */
    j->sequence = r.end + 1;
    if (!result) result = journal_stop(fs);
    free(r.block);
    free(r.copy);
    free(r.revoked);
    return result;
}
