// SPDX-License-Identifier: MIT
/* Random operations on ext4 and on a model of it: the same outcome, and e2fsck finds nothing after each batch. */
#include "ext4_model.h"

#include <stdlib.h>
#include <unit.h>

static const char *const kinds[] = {"-b 1024", "-b 4096", "-b 1024 -O ^metadata_csum,^64bit", "-b 1024 -O ^has_journal",
                                    "-b 1024 -O ^dir_index,inline_data,^inline_data"};

static struct disk disk;
static struct model model;

static bool batch(struct ext4 *fs, int steps) {
    for (int i = 0; i < steps; i++) {
        struct model_step s;
        if (!model_pick(&model, (enum model_op)roll(OP_COUNT), &s)) continue;
        if (!model_do(&model, fs, &s)) return false;
        if (!roll(40) && ext4_sync(fs) < 0) return false;
    }
    return true;
}

TEST(random_operations) {
    const struct model *snapshot = &model;
    for (size_t kind = 0; kind < sizeof(kinds) / sizeof(kinds[0]); kind++) {
        model_init(&model);
        roll_state = kind + 1;
        CHECK(disk_make(&disk, 6 << 20, kinds[kind]));
        for (int round = 0; round < 6; round++) {
            struct ext4_options options = host_options;
            options.cache_blocks = round % 2 ? 40 : 2000;
            struct ext4 *fs = disk_mount(&disk, &options);
            CHECK(fs);
            if (!fs) break;
            bool good = batch(fs, 400);
            CHECK(good);
            good = model_same(fs, &snapshot, 0, 1, false, true);
            CHECK(good);
            CHECK(ext4_unmount(fs) == 0);
            bool clean = disk_clean(&disk);
            CHECK(clean);
            if (!clean || !good) break;
        }
        disk_free(&disk);
    }
}
UNIT_MAIN
