// SPDX-License-Identifier: MIT
/*
 * A block device as the format libraries see it: synchronous, in sectors of 512 bytes.  A write may stay in the
 * device's cache and reach the medium in any order, a sector at a time, until flush returns.
 */
#pragma once
#include <stdint.h>

#define BLKDEV_SECTOR 512

struct blkdev {
    int (*read)(struct blkdev *d, uint64_t sector, void *out, uint32_t sectors); /* 0 or -errno */
    int (*write)(struct blkdev *d, uint64_t sector, const void *in, uint32_t sectors);
    int (*flush)(struct blkdev *d);
    uint64_t sectors;
    bool read_only;
};
