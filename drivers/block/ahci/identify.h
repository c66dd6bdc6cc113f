// SPDX-License-Identifier: MIT
/* What a device says of itself: IDENTIFY DEVICE and IDENTIFY PACKET DEVICE (ACS-3 §7.12). Pure: tested on the host. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct identity {
    uint64_t sectors;
    uint32_t sector_size, physical_sector_size;
    uint32_t queue_depth; /* 0: it doesn't queue */
    bool cache; /* a volatile one, switched on */
    bool flush_ext, fua, trim, rotates;
    char model[41], serial[21];
};

/* 0; -EIO: nonsense; -EOPNOTSUPP: a disk without 48-bit addresses or DMA. */
int identify_disk(const uint16_t words[256], struct identity *out);
/* Of a packet device: names only; its size is asked for by packets. 0 or -EIO. */
int identify_packet(const uint16_t words[256], struct identity *out);
