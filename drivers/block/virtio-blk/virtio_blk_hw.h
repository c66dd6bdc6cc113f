// SPDX-License-Identifier: MIT
/* The block device of virtio 1.2 §5.2. */
#pragma once
#include <stdint.h>

enum { /* §5.2.3 feature bits */
       BLK_SIZE_MAX = 1 << 1,
       BLK_SEGMENTS_MAX = 1 << 2,
       BLK_READ_ONLY = 1 << 5,
       BLK_SECTOR_SIZE = 1 << 6,
       BLK_FLUSH = 1 << 9,
       BLK_TOPOLOGY = 1 << 10,
       BLK_QUEUES = 1 << 12,
       BLK_DISCARD = 1 << 13,
       BLK_WRITE_ZEROES = 1 << 14,
};
enum { /* §5.2.4 configuration */
       CONFIG_CAPACITY = 0,
       CONFIG_SIZE_MAX = 8,
       CONFIG_SECTOR_SIZE = 20,
       CONFIG_PHYSICAL_EXPONENT = 24,
       CONFIG_QUEUES = 34,
       CONFIG_DISCARD_MAX = 36,
       CONFIG_ZEROES_MAX = 48,
};
enum { REQUEST_IN = 0, REQUEST_OUT = 1, REQUEST_FLUSH = 4, REQUEST_ID = 8, REQUEST_DISCARD = 11, REQUEST_ZEROES = 13 };
enum { STATUS_OK, STATUS_ERROR, STATUS_UNSUPPORTED };
#define REQUEST_SECTOR 512u /* §5.2.6: whatever the device's sector size is */
#define ID_BYTES 20

struct blk_header {
    uint32_t type, reserved;
    uint64_t sector;
};
struct blk_range { /* of discard and write zeroes */
    uint64_t sector;
    uint32_t sectors, flags;
};
_Static_assert(sizeof(struct blk_header) == 16 && sizeof(struct blk_range) == 16, "virtio 1.2 §5.2.6");
