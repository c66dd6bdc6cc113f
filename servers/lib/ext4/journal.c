// SPDX-License-Identifier: MIT
/*
 * Commit and checkpoint.  The log is a ring of the journal's blocks `first` … `end`; `used` of them, up to `head`, may
 * hold what is not yet in its place.  Order is everything:
 *
 *   commit      data of files, descriptors, copies, revokes │ flush │ commit block │ flush
 *   checkpoint  blocks to their places │ flush │ the journal's super block: the log begins at `head` │ flush
 *
 * A checkpoint comes right after a commit only: each buffer then is as the last commit has it, so that the whole log is
 * done with.  What a running transaction freed is not used again before its commit (balloc.c): the revoke records that
 * keep replay from overwriting it are in the log by then.
 */
#include "internal.h"

#include <assert.h>
#include <stdlib.h>

static uint32_t be32(uint32_t word) { return __builtin_bswap32(word); }

int journal_block(struct ext4 *fs, uint32_t index, uint64_t *block) {
    const struct journal *j = fs->journal;
    for (uint32_t i = 0; i < j->map_count; i++) {
        const struct ext4_extent *e = &j->map[i];
        if (index < e->logical || index - e->logical >= e->count) continue;
        *block = e->physical + (index - e->logical);
        return 0;
    }
    return -EUCLEAN;
}

uint32_t journal_tag_checksum(const struct journal *j, uint32_t sequence, const void *data, uint32_t size) {
    uint32_t word = be32(sequence);
    return crc32c(crc32c(j->seed, &word, sizeof(word)), data, size);
}

/* The journal's own blocks, before anything else is known of it. */
static int journal_map(struct ext4 *fs) {
    struct journal *j = fs->journal;
    struct ext4_node *n;
    int result = node_get(fs, fs->super->journal_inode, false, &n);
    if (result < 0) return result == -ENOENT || result == -ESTALE ? -EUCLEAN : result;
    uint64_t count = n->size >> fs->block_bits;
    if (!is_type(n->mode, S_IFREG) || count < JOURNAL_BLOCKS_MIN || count > UINT32_MAX) result = -EUCLEAN;
    for (uint64_t at = 0; !result && at < count;) {
        struct ext4_extent e;
        result = map_find(n, at, count - at, &e);
        if (!result && e.state != EXT4_WRITTEN) result = -EUCLEAN;
        if (result < 0) break;
        struct ext4_extent *map = realloc(j->map, (j->map_count + 1) * sizeof(*map));
        if (!map) {
            result = -ENOMEM;
            break;
        }
        j->map = map;
        map[j->map_count++] = e;
        at += e.count;
    }
    j->end = (uint32_t)count;
    ext4_node_put(n);
    return result;
}

static int journal_super_check(struct ext4 *fs) {
    struct journal *j = fs->journal;
    const struct journal_super *s = j->super;
    uint32_t type = be32(s->header.type);
    if (s->header.magic != be32(JOURNAL_MAGIC) || (type != JOURNAL_SUPER_V1 && type != JOURNAL_SUPER_V2))
        return -EUCLEAN;
    uint32_t features = type == JOURNAL_SUPER_V2 ? be32(s->feature_incompat) : 0;
    if (features & ~(uint32_t)JOURNAL_KNOWN || (type == JOURNAL_SUPER_V2 && s->feature_ro_compat)) return -EOPNOTSUPP;
    uint32_t length = be32(s->length);
    if (be32(s->block_size) != fs->block_size || length < JOURNAL_BLOCKS_MIN || length > j->end) return -EUCLEAN;
    j->end = length;
    j->first = be32(s->first);
    if (!j->first || j->first > length / 2 || be32(s->start) >= j->end) return -EUCLEAN;
    if (features & JOURNAL_HAS_CSUM_V3) {
        struct journal_super copy = *s;
        copy.checksum = 0;
        if (s->checksum_type != JOURNAL_CRC32C || be32(s->checksum) != crc32c(~0u, &copy, sizeof(copy)))
            return -EUCLEAN;
    }
    return 0;
}

static void journal_layout(struct ext4 *fs) {
    struct journal *j = fs->journal;
    uint32_t features = be32(j->super->feature_incompat);
    j->seed = crc32c(~0u, j->super->uuid, sizeof(j->super->uuid));
    bool v3 = features & JOURNAL_HAS_CSUM_V3;
    j->tag_size = v3 ? 16 : features & JOURNAL_HAS_64BIT ? 12 : 8;
    j->tags_max = (fs->block_size - (uint32_t)sizeof(struct journal_header) - 16 - (v3 ? 4 : 0)) / j->tag_size;
}

int journal_open(struct ext4 *fs) {
    if (!(fs->compat & COMPAT_JOURNAL)) return fs->incompat & INCOMPAT_RECOVER ? -EUCLEAN : 0;
    if (!fs->super->journal_inode) return -EOPNOTSUPP; /* on another device */
    struct journal *j = calloc(1, sizeof(*j));
    if (!j) return -ENOMEM;
    fs->journal = j;
    j->super = calloc(1, fs->block_size);
    j->block = malloc(fs->block_size);
    if (!j->super || !j->block) return -ENOMEM;
    int result = journal_map(fs);
    uint64_t block;
    if (!result) result = journal_block(fs, 0, &block);
    if (!result) result = device_read(fs, block, j->super, 1) < 0 ? -EIO : journal_super_check(fs);
    if (result < 0) return result;
    journal_layout(fs);
    j->sequence = be32(j->super->sequence);
    j->head = j->first;
    return 0;
}

int journal_super_write(struct ext4 *fs) {
    struct journal *j = fs->journal;
    struct journal_super *s = j->super;
    uint64_t block;
    int result = journal_block(fs, 0, &block);
    if (result < 0) return result;
    s->checksum = 0;
    if (s->feature_incompat & be32(JOURNAL_HAS_CSUM_V3)) s->checksum = be32(crc32c(~0u, s, sizeof(*s)));
    if (device_write(fs, block, s, 1) < 0 || fs->device->flush(fs->device) < 0) return -EIO;
    return 0;
}

/* The log is empty, and the next transaction goes to its beginning. */
int journal_start(struct ext4 *fs) {
    struct journal *j = fs->journal;
    struct journal_super *s = j->super;
    uint32_t features = JOURNAL_HAS_REVOKE | (fs->incompat & INCOMPAT_64BIT ? JOURNAL_HAS_64BIT : 0);
    if (fs->checksums) features |= JOURNAL_HAS_CSUM_V3;
    s->header.type = be32(JOURNAL_SUPER_V2);
    s->feature_incompat = be32(features);
    s->feature_compat &= ~be32(JOURNAL_COMPAT_CHECKSUM);
    s->checksum_type = fs->checksums ? JOURNAL_CRC32C : 0;
    s->sequence = be32(j->sequence);
    s->start = be32(j->first);
    s->error = 0;
    j->head = j->first;
    j->used = 0;
    journal_layout(fs);
    return journal_super_write(fs);
}

/* Clean: nothing to replay. */
int journal_stop(struct ext4 *fs) {
    struct journal *j = fs->journal;
    j->super->sequence = be32(j->sequence);
    j->super->start = 0;
    return journal_super_write(fs);
}

void journal_close(struct ext4 *fs) {
    struct journal *j = fs->journal;
    if (!j) return;
    free(j->map);
    free(j->super);
    free(j->block);
    free(j);
    fs->journal = nullptr;
}

static int log_write(struct ext4 *fs, const void *data) {
    struct journal *j = fs->journal;
    uint64_t block;
    int result = journal_block(fs, j->head, &block);
    if (result < 0) return result;
    assert(j->used < j->end - j->first);
    j->used++;
    j->head = j->head + 1 == j->end ? j->first : j->head + 1;
    return device_write(fs, block, data, 1) < 0 ? -EIO : 0;
}

static void header_set(struct ext4 *fs, uint32_t type) {
    struct journal *j = fs->journal;
    memset(j->block, 0, fs->block_size);
    *(struct journal_header *)(void *)j->block =
        (struct journal_header){be32(JOURNAL_MAGIC), be32(type), be32(j->sequence)};
}

/* Descriptors and revoke blocks end with their checksum. */
static int log_write_described(struct ext4 *fs) {
    struct journal *j = fs->journal;
    if (fs->checksums) {
        uint32_t crc = be32(crc32c(j->seed, j->block, fs->block_size));
        memcpy(j->block + fs->block_size - sizeof(crc), &crc, sizeof(crc));
    }
    return log_write(fs, j->block);
}

static void tag_set(struct ext4 *fs, struct journal_tag *t, const struct buffer *b, uint32_t flags) {
    struct journal *j = fs->journal;
    t->block = be32((uint32_t)b->block);
    if (j->tag_size >= 12) t->block_hi = be32((uint32_t)(b->block >> 32));
    if (j->tag_size < 16) {
        t->flags = __builtin_bswap16((uint16_t)flags);
        return;
    }
    t->flags_v3 = be32(flags);
    uint32_t word = be32(j->sequence), zero = 0;
    uint32_t crc = crc32c(j->seed, &word, sizeof(word));
    if (flags & TAG_ESCAPED) {
        crc = crc32c(crc, &zero, sizeof(zero));
        t->checksum_v3 = be32(crc32c(crc, b->data + 4, fs->block_size - 4));
    } else {
        t->checksum_v3 = be32(crc32c(crc, b->data, fs->block_size));
    }
}

static bool is_escaped(const struct buffer *b) {
    uint32_t word;
    memcpy(&word, b->data, sizeof(word));
    return word == be32(JOURNAL_MAGIC);
}

/* The copy of one buffer; the magic number must not be at the start of a block that is none of the journal's. */
static int log_write_copy(struct ext4 *fs, const struct buffer *b) {
    if (!is_escaped(b)) return log_write(fs, b->data);
    memcpy(fs->journal->block, b->data, fs->block_size);
    memset(fs->journal->block, 0, 4);
    return log_write(fs, fs->journal->block);
}

static int log_write_buffers(struct ext4 *fs) {
    struct journal *j = fs->journal;
    for (struct list *from = fs->running.next; from != &fs->running;) {
        header_set(fs, JOURNAL_DESCRIPTOR);
        uint8_t *at = j->block + sizeof(struct journal_header);
        struct list *to = from;
        for (uint32_t i = 0; i < j->tags_max && to != &fs->running; i++, to = to->next) {
            const struct buffer *b = (const struct buffer *)to;
            bool last = i + 1 == j->tags_max || to->next == &fs->running;
            uint32_t flags = (is_escaped(b) ? TAG_ESCAPED : 0) | (i ? TAG_SAME_UUID : 0) | (last ? TAG_LAST : 0);
            tag_set(fs, (struct journal_tag *)(void *)at, b, flags);
            at += j->tag_size;
            if (i) continue;
            memcpy(at, j->super->uuid, sizeof(j->super->uuid));
            at += sizeof(j->super->uuid);
        }
        int result = log_write_described(fs);
        for (; !result && from != to; from = from->next) result = log_write_copy(fs, (struct buffer *)from);
        if (result < 0) return result;
    }
    return 0;
}

static int log_write_revokes(struct ext4 *fs) {
    struct journal *j = fs->journal;
    uint32_t size = fs->incompat & INCOMPAT_64BIT ? 8 : 4, done = 0;
    while (done < fs->revoke_count) {
        header_set(fs, JOURNAL_REVOKE);
        uint32_t at = sizeof(struct journal_revoke);
        for (; done < fs->revoke_count && at + size <= fs->block_size - 4; done++, at += size) {
            uint64_t block = __builtin_bswap64(fs->revokes[done]);
            memcpy(j->block + at, (uint8_t *)&block + (8 - size), size);
        }
        ((struct journal_revoke *)(void *)j->block)->bytes = be32(at);
        int result = log_write_described(fs);
        if (result < 0) return result;
    }
    return 0;
}

static int log_write_commit(struct ext4 *fs) {
    struct journal *j = fs->journal;
    header_set(fs, JOURNAL_COMMIT);
    struct journal_commit *c = (struct journal_commit *)(void *)j->block;
    int64_t now = fs_now(fs);
    c->seconds_hi = be32((uint32_t)((uint64_t)(now / NSEC_PER_SEC) >> 32));
    c->seconds_lo = be32((uint32_t)(now / NSEC_PER_SEC));
    c->nanoseconds = be32((uint32_t)(now % NSEC_PER_SEC));
    if (fs->checksums) c->checksum[0] = be32(crc32c(j->seed, j->block, fs->block_size));
    return log_write(fs, j->block);
}

/* Counts and checksums that operations leave for the end. */
static int commit_prepare(struct ext4 *fs) {
    int result = 0;
    fs->tx_depth++;
    if (fs->super_changed) result = super_store(fs);
    for (struct list *l = fs->running.next; l != &fs->running; l = l->next) {
        struct buffer *b = (struct buffer *)l;
        if (b->kind == KIND_BLOCK_BITMAP || b->kind == KIND_INODE_BITMAP) group_bitmap_checksum(fs, b);
        else buffer_checksum(fs, b);
    }
    fs->tx_depth--;
    return result;
}

static int write_all(struct ext4 *fs, struct list *from) {
    while (!list_empty(from)) {
        struct buffer *b = (struct buffer *)from->next;
        if (device_write(fs, b->block, b->data, 1) < 0) return -EIO;
        buffer_state_set(fs, b, BUFFER_CLEAN);
    }
    return 0;
}

static int commit(struct ext4 *fs) {
    struct blkdev *d = fs->device;
    int result = commit_prepare(fs);
    if (!result && fs->options.ordered) result = fs->options.ordered(fs->options.data);
    if (result < 0) return result;
    if (!fs->journal) {
        result = write_all(fs, &fs->running);
        return !result && d->flush(d) < 0 ? -EIO : result;
    }
    result = log_write_revokes(fs);
    if (!result) result = log_write_buffers(fs);
    if (!result && d->flush(d) < 0) result = -EIO;
    if (!result) result = log_write_commit(fs);
    if (!result && d->flush(d) < 0) result = -EIO;
    if (result < 0) return result;
    fs->journal->sequence++;
    while (!list_empty(&fs->running)) buffer_state_set(fs, (struct buffer *)fs->running.next, BUFFER_CHECKPOINT);
    return 0;
}

int journal_commit(struct ext4 *fs) {
    if (fs->error) return -EROFS;
    if (!ext4_dirty(fs)) return 0;
    op_begin(fs);
    int result = commit(fs);
    if (result < 0) return fs_abort(fs, result);
    fs->revoke_count = 0;
    fs->commits++;
    balloc_commit(fs);
    return 0;
}

int journal_checkpoint(struct ext4 *fs) {
    struct journal *j = fs->journal;
    if (!j || !j->used) return 0;
    assert(!fs->running_count);
    int result = write_all(fs, &fs->checkpoint);
    if (!result && fs->device->flush(fs->device) < 0) result = -EIO;
    if (!result) {
        j->super->sequence = be32(j->sequence);
        j->super->start = be32(j->head);
        result = journal_super_write(fs);
    }
    if (result < 0) return fs_abort(fs, result);
    j->used = 0;
    fs->checkpoints++;
    return 0;
}

bool ext4_dirty(const struct ext4 *fs) { return fs->running_count || fs->revoke_count || fs->super_changed; }

int ext4_sync(struct ext4 *fs) {
    if (fs->error) return -EIO;
    if (fs->read_only) return 0;
    if (ext4_dirty(fs)) return journal_commit(fs);
    /* Data that was written in place. */
    int result = fs->options.ordered ? fs->options.ordered(fs->options.data) : 0;
    return !result && fs->device->flush(fs->device) < 0 ? -EIO : result;
}
