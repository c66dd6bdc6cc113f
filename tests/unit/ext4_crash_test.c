// SPDX-License-Identifier: MIT
/*
 * Power cuts.  Operations run on a disk that records its writes and flushes; then disks are built as a cut at any of
 * them may leave them: all writes before the last flush are there, those after it are there, lost or torn, sector by
 * sector. Each must mount, be as the model was after some operation no older than the last sync, and have no block or
 * inode lost. e2fsck looks at a part of them, at the journal before us or at the file system after us. Arguments: none,
 * the short tests; `long`, all sequences of up to three operations.
 */
#include "ext4_model.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unit.h>

#define SIZE (3ull << 20)
#define STEPS_MAX 160

static struct disk disk, cut; /* what is recorded, and what a cut leaves */
static uint8_t *base, *epoch; /* at the start of the recording, and at the last flush */
static struct ext4_info empty; /* of the base */

static struct model models[STEPS_MAX + 1]; /* after each step */
static uint32_t log_start[STEPS_MAX + 1],
    log_synced[STEPS_MAX + 1]; /* of the log: when it began; from when it must be there */
static int steps;
static uint32_t states, checked, failures;
static bool quiet, extents;

static bool setup(const char *options) {
    if (!disk_make(&disk, SIZE, options) || !disk_empty(&cut, SIZE)) return false;
    extents = !strstr(options, "^extents");
    base = malloc(SIZE);
    epoch = malloc(SIZE);
    struct ext4 *fs = disk_mount(&disk, &host_options);
    if (!fs) return false;
    ext4_statfs(fs, &empty);
    if (ext4_unmount(fs) < 0) return false;
    memcpy(base, disk.bytes, SIZE);
    return true;
}

static void teardown(void) {
    disk_free(&disk);
    disk_free(&cut);
    free(base);
    free(epoch);
}

/* --- recording -------------------------------------------------------------------------------- */
static struct ext4 *record_start(uint32_t cache, bool ignore_flush) {
    struct ext4_options options = host_options;
    options.cache_blocks = cache;
    options.ordered = model_ordered;
    model_deferred = roll(2) ? &disk.device : nullptr;
    memcpy(disk.bytes, base, SIZE);
    disk_log_clear(&disk);
    disk.record = true;
    disk.ignore_flush = ignore_flush;
    steps = 0;
    model_init(&models[0]);
    log_synced[0] = 0;
    struct ext4 *fs = disk_mount(&disk, &options);
    log_start[0] = 0;
    return fs;
}

static bool record_step(struct ext4 *fs, const struct model_step *s, bool sync) {
    models[steps + 1] = models[steps];
    log_start[steps + 1] = disk.log_count;
    log_synced[steps + 1] = UINT32_MAX;
    steps++;
    if (s && !model_do(&models[steps], fs, s)) return false;
    if (!sync) return true;
    if (ext4_sync(fs) < 0) return false;
    log_synced[steps] = disk.log_count;
    return true;
}

static bool record_end(struct ext4 *fs) {
    disk.record = false;
    return ext4_unmount(fs) == 0;
}

/* --- what a cut leaves -------------------------------------------------------------------------- */
static void write_apply(uint8_t *to, const struct disk_write *w, bool torn) {
    for (uint32_t i = 0; i < w->count; i++)
        if (!torn || roll(2)) memcpy(to + (w->sector + i) * BLKDEV_SECTOR, w->data + i * BLKDEV_SECTOR, BLKDEV_SECTOR);
}

/* `start` and all that was flushed in the first `count` writes of the log; the rest by chance. */
static void cut_build(const struct disk *d, const uint8_t *start, uint32_t count) {
    uint32_t flushed = count;
    while (flushed && d->log[flushed - 1].count) flushed--;
    memcpy(cut.bytes, start, SIZE);
    for (uint32_t i = 0; i < flushed; i++) write_apply(cut.bytes, &d->log[i], false);
    uint32_t mode = roll(8); /* all lost, all there, or by chance */
    for (uint32_t i = flushed; i < count && mode; i++) {
        uint32_t fate = mode == 1 ? 0 : roll(3);
        if (fate < 2) write_apply(cut.bytes, &d->log[i], fate == 1);
    }
}

static bool usage_same(struct ext4 *fs, const struct model *m) {
    struct ext4_info info;
    uint64_t blocks = 0, inodes = 0;
    ext4_statfs(fs, &info);
    for (int i = 0; i < MODEL_NODES; i++) {
        struct ext4_node *n;
        if (!m->nodes[i].mode) continue;
        if (ext4_node_get(fs, m->nodes[i].inode, &n) < 0) return false;
        blocks += n->blocks / (info.block_size / 512);
        inodes += i != 0;
        if (i == 0) blocks--; /* the root had one */
        ext4_node_put(n);
    }
    bool same = info.blocks_free + blocks == empty.blocks_free && info.inodes_free + inodes == empty.inodes_free;
    if (!same && !quiet)
        printf("# %lu blocks and %lu inodes lost\n", (long)(empty.blocks_free - info.blocks_free - blocks),
               (long)(empty.inodes_free - info.inodes_free - inodes));
    return same;
}

static bool recovered_good(struct ext4 *fs, uint32_t count) {
    const struct model *snapshots[STEPS_MAX + 1];
    int least = 0, most = 0;
    for (int i = 0; i <= steps; i++) {
        snapshots[i] = &models[i];
        if (log_synced[i] <= count) least = i;
        if (log_start[i] < count || !i) most = i;
    }
    if (most < least) most = least;
    for (int k = least; k <= most; k++)
        if (model_same(fs, snapshots, k, most + 1, true, false)) return usage_same(fs, &models[k]);
    if (quiet) return false;
    printf("# after %u writes, between steps %d and %d:\n", count, least, most);
    for (int k = least; k <= most; k++) model_same(fs, snapshots, k, most + 1, true, true);
    return false;
}

/* Mounts what the cut left, perhaps after another cut during that. */
static bool cut_check(uint32_t count) {
    struct ext4 *fs = nullptr;
    bool judge = !quiet && roll(40) == 0;
    states++;
    if (judge && roll(2)) { /* their replay, not ours */
        const char *output;
        if (disk_run(&cut, "PATH=$PATH:/sbin:/usr/sbin e2fsck -E journal_only -y % 2>&1", &output) > 1) {
            printf("# e2fsck: %s\n", output);
            return false;
        }
    } else if (roll(4) == 0) {
        uint8_t *start = malloc(SIZE);
        memcpy(start, cut.bytes, SIZE);
        cut.record = true;
        if (ext4_mount(&cut.device, &host_options, &fs) == 0) ext4_unmount(fs);
        cut.record = false;
        cut_build(&cut, start, roll(cut.log_count + 1));
        disk_log_clear(&cut);
        free(start);
    }
    int result = ext4_mount(&cut.device, &host_options, &fs);
    if (result < 0) {
        if (!quiet) printf("# after %u writes: mount: %s\n", count, strerror(-result));
        return false;
    }
    bool good = recovered_good(fs, count);
    if (ext4_unmount(fs) < 0) good = false;
    if (!good || !judge) return good;
    checked++;
    return disk_clean(&cut);
}

static bool cut_at(uint32_t count) {
    cut_build(&disk, base, count);
    bool good = cut_check(count);
    failures += !good;
    return good;
}

/* --- tests ---------------------------------------------------------------------------------------- */
static bool record_random(uint32_t length, bool ignore_flush) {
    static const uint32_t caches[] = {40, 150, 400, 4000};
    struct ext4 *fs = record_start(caches[roll(4)], ignore_flush);
    if (!fs) return false;
    for (uint32_t i = 0; i < length; i++) {
        struct model_step s;
        enum model_op op = (enum model_op)roll(OP_COUNT);
        bool found = (extents || (op != OP_PUNCH && op != OP_ALLOCATE)) && model_pick(&models[steps], op, &s);
        if (!record_step(fs, found ? &s : nullptr, !roll(5))) return false;
    }
    return record_end(fs);
}

static void run_random(uint64_t seed, uint32_t runs, uint32_t cuts) {
    roll_state = seed;
    for (uint32_t run = 0; run < runs; run++) {
        bool good = record_random(run % 4 ? 30 : STEPS_MAX, false);
        CHECK(good);
        for (uint32_t i = 0; i < cuts && good; i++) good = cut_at(roll(disk.log_count + 1));
        CHECK(good);
        if (!good) break;
    }
}

static const char *const kinds[] = {"-b 1024 -N 64 -J size=1", "-b 1024 -N 64 -J size=1 -O ^metadata_csum,^64bit",
                                    "-b 1024 -N 64 -J size=1 -O ^metadata_csum,^extents,^64bit,^dir_index"};

TEST(short_random_sequences) {
    for (size_t kind = 0; kind < 3; kind++) {
        bool ready = setup(kinds[kind]);
        CHECK(ready);
        if (ready) run_random(kind + 1, 12, 60);
        teardown();
    }
    printf("# %u states, %u of them by e2fsck\n", states, checked);
}

/* A disk that ignores flushes must be found out, or this test could not see anything. */
TEST(short_flushes_matter) {
    CHECK(setup(kinds[0]));
    roll_state = 1;
    quiet = true;
    failures = 0;
    for (int run = 0; run < 4; run++) {
        CHECK(record_random(30, true));
        for (int i = 0; i < 25; i++) cut_at(roll(disk.log_count + 1));
    }
    CHECK(failures > 20);
    printf("# without flushes, %u of 100 states are bad\n", failures);
    quiet = false;
    failures = 0;
    teardown();
}

/* The operations that sequences are made of. */
static const struct model_step alphabet[] = {
    {OP_CREATE, 0, 0, 0, 0, 0, 0},         {OP_CREATE, 0, 1, 0, 0, 0, 0},      {OP_MKDIR, 0, 2, 0, 0, 0, 0},
    {OP_WRITE, 0, 0, 0, 0, 0, 5000},       {OP_WRITE, 0, 0, 0, 0, 9000, 100},  {OP_TRUNCATE, 0, 0, 0, 0, 1500, 0},
    {OP_UNLINK, 0, 0, 0, 0, 0, 0},         {OP_RENAME, 0, 0, 0, 1, 0, 0},      {OP_RENAME, 0, 1, 0, 0, 0, 0},
    {OP_LINK, 0, 0, 0, 3, 0, 0},           {OP_EXCHANGE, 0, 0, 0, 1, 0, 0},    {OP_SYMLINK, 0, 4, 0, 0, 500, 0},
    {OP_ALLOCATE, 0, 0, 0, 0, 2000, 8000}, {OP_PUNCH, 0, 0, 0, 0, 1000, 3000}, {OP_RENAME, 0, 2, 0, 5, 0, 0},
    {OP_UNLINK, 0, 2, 0, 0, 0, 0},
};
#define LETTERS (int)(sizeof(alphabet) / sizeof(alphabet[0]))

/* After two files that are there already; with a sync after the step that `synced` says. */
static bool sequence_run(const int *letters, int count, int synced, uint32_t cuts_per_prefix) {
    struct ext4 *fs = record_start(4000, false);
    if (!fs) return false;
    const struct model_step first = {OP_CREATE, 0, 0, 0, 0, 0, 0}, second = {OP_WRITE, 0, 0, 0, 0, 0, 3000};
    bool good = record_step(fs, &first, false) && record_step(fs, &second, true);
    uint32_t from = disk.log_count;
    for (int i = 0; i < count && good; i++) {
        const struct model_step *s = &alphabet[letters[i]];
        bool can = (extents || (s->op != OP_PUNCH && s->op != OP_ALLOCATE)) && model_can(&models[steps], s);
        good = record_step(fs, can ? s : nullptr, i == synced);
    }
    if (!good || !record_end(fs)) return false;
    disk.record = true; /* what unmounting writes was not recorded: the log ends with the last sync */
    fs = nullptr;
    for (uint32_t at = from; at <= disk.log_count && good; at++)
        for (uint32_t i = 0; i < cuts_per_prefix && good; i++) good = cut_at(at);
    return good;
}

static void run_sequences(int length, uint32_t stride, uint32_t cuts_per_prefix) {
    uint32_t total = 1;
    for (int i = 0; i < length; i++) total *= LETTERS;
    for (uint32_t number = roll(stride); number < total; number += stride) {
        int letters[3];
        for (uint32_t i = 0, rest = number; i < 3; i++, rest /= LETTERS) letters[i] = (int)(rest % LETTERS);
        for (int synced = 0; synced < length; synced++) {
            bool good = sequence_run(letters, length, synced, cuts_per_prefix);
            CHECK(good);
            if (!good) {
                printf("# sequence %d %d %d, synced after %d\n", letters[0], letters[1], letters[2], synced);
                return;
            }
        }
    }
}

TEST(short_sequences) {
    CHECK(setup(kinds[0]));
    states = checked = 0;
    roll_state = 7;
    run_sequences(1, 1, 1);
    run_sequences(3, 251, 1);
    printf("# %u states, %u of them by e2fsck\n", states, checked);
    teardown();
}

TEST(long_sequences) {
    for (size_t kind = 0; kind < 3; kind++) {
        CHECK(setup(kinds[kind]));
        states = checked = 0;
        for (int length = 1; length <= 3; length++) run_sequences(length, 1, 2);
        run_random(kind + 100, 500, 200);
        printf("# %u states, %u of them by e2fsck\n", states, checked);
        teardown();
    }
}

int main(int argc, char **argv) { return unit_run(argc > 1 ? argv[1] : "short"); }
