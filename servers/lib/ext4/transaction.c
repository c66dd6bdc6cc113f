// SPDX-License-Identifier: MIT
/*
 * Operations join the running transaction.  One starts only when what it may need fits: into the transaction, into what
 * is left of the log, and into the free blocks; else the transaction is committed before.  So nothing runs out in the
 * middle, and what still fails there (a read error, damage) aborts: the disk keeps the last commit.
 */
#include "internal.h"

#include <assert.h>
#include <stdlib.h>

int fs_abort(struct ext4 *fs, int error) {
    if (fs->error) return error;
    fs->error = error;
    fs->read_only = true;
    if (!fs->super) return error;
    /* Best effort: the next check of this file system is told. */
    uint8_t sector[SUPER_OFFSET];
    struct super *s = (struct super *)(void *)sector;
    if (fs->device->read(fs->device, SUPER_OFFSET / BLKDEV_SECTOR, sector, 2) < 0 || s->magic != SUPER_MAGIC)
        return error;
    s->state |= STATE_ERROR;
    if (fs->checksums) super_balance(s);
    fs->device->write(fs->device, SUPER_OFFSET / BLKDEV_SECTOR, sector, 2);
    return error;
}

/* Blocks of the log for a transaction of so many buffers. */
static uint64_t log_blocks(const struct ext4 *fs, uint64_t buffers) {
    uint64_t revokes_per_block = (fs->block_size - 20) / 8;
    return buffers + buffers / fs->journal->tags_max + 3 + (fs->revoke_count + CREDITS) / revokes_per_block + 1;
}

static int journal_room(struct ext4 *fs) {
    struct journal *j = fs->journal;
    bool full = fs->running_count + CREDITS > fs->tx_max || fs->revoke_count > 8 * fs->tx_max;
    if (!full && (!j || j->used + log_blocks(fs, fs->running_count + CREDITS) <= j->end - j->first)) return 0;
    int result = journal_commit(fs);
    if (result < 0 || !j) return result;
    if (j->used + log_blocks(fs, fs->tx_max) > j->end - j->first) result = journal_checkpoint(fs);
    return result;
}

static uint64_t space_left(const struct ext4 *fs) {
    uint64_t taken = fs->reserved + fs->reserved / 64 + fs->busy_blocks + SPACE_MARGIN;
    return fs->free_blocks > taken ? fs->free_blocks - taken : 0;
}

int tx_start(struct ext4 *fs, uint64_t space) {
    if (fs->tx_depth) {
        fs->tx_depth++;
        return 0;
    }
    op_begin(fs);
    if (fs->read_only) return -EROFS;
    int result = journal_room(fs);
    if (!result && space > space_left(fs)) {
        if (fs->busy_blocks) result = journal_commit(fs);
        if (!result && space > space_left(fs)) return -ENOSPC;
    }
    if (result < 0) return fs_abort(fs, result);
    op_begin(fs);
    fs->tx_depth = 1;
    fs->tx_touched = false;
    fs->tx_base = fs->running_count;
    return 0;
}

int tx_stop(struct ext4 *fs, int result) {
    assert(fs->tx_depth);
    if (--fs->tx_depth) return result;
    assert(fs->running_count <= fs->tx_base + CREDITS);
    if (result < 0 && fs->tx_touched) return fs_abort(fs, result);
    return result;
}

void tx_write(struct ext4 *fs, struct buffer *b) {
    assert(fs->tx_depth);
    fs->tx_touched = true;
    buffer_state_set(fs, b, BUFFER_RUNNING);
}

int tx_revoke(struct ext4 *fs, uint64_t block) {
    if (!fs->journal) return 0;
    if (fs->revoke_count == fs->revoke_room) {
        uint32_t room = fs->revoke_room ? fs->revoke_room * 2 : 64;
        uint64_t *revokes = realloc(fs->revokes, room * sizeof(*revokes));
        if (!revokes) return -ENOMEM;
        fs->revokes = revokes;
        fs->revoke_room = room;
    }
    fs->revokes[fs->revoke_count++] = block;
    return 0;
}
