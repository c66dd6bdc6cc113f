// SPDX-License-Identifier: MIT
/*
 * What a disk's file (`disk.NAME:0`, a partition `disk.NAME:0p1`) takes beside reads, writes and ioctls
 * of block devices. Programs use disk.h; drivers block.h; this is what the two agree on.
 *
 * A session is a memory object, contiguous and known to the device: the memory of a ring (ring.h) and
 * behind it, from the next page on (disk_pool_offset), the pool, between which and the disk data moves
 * without being copied. Requests and completions are ring entries: op enum disk_op | DISK_FUA,
 * position and length in bytes, buffer the offset in the pool; result bytes or -errno.
 */
#pragma once
#include <abi/event.h>
#include <abi/scheme.h>
#include <ring.h>

enum disk_call {
    DISK_INFO = OP_USER, /* answers struct disk_info */
    DISK_MEMORY, /* args[0] bytes of the pool, args[1] ring's entries: reply.handle is the memory object. Or, after the
                  * driver's restart, with the handle of the one made before. */
    DISK_START, /* handle: the client's event, posted when completions came. reply.handle: the driver's, to be posted
                 * when requests came. The ring begins anew; its memory is clear. */
};

#define DISK_RESTARTED EVENT_PRIORITY /* readiness of the file: it was reopened, and its session has to be made anew */

enum disk_op { DISK_READ = 1, DISK_WRITE, DISK_FLUSH, DISK_DISCARD, DISK_WRITE_ZEROES };
#define DISK_FUA 0x100 /* of a write: on the medium before it completes */

enum disk_flags {
    DISK_READ_ONLY = 1,
    DISK_CACHE = 2, /* has a volatile write cache: DISK_FLUSH matters */
    DISK_CAN_DISCARD = 4,
    DISK_CAN_WRITE_ZEROES = 8,
    DISK_ROTATES = 16,
    DISK_REMOVABLE = 32,
    DISK_PARTITION = 64,
    DISK_NATIVE_FUA = 128, /* the device does it; else a flush follows */
    DISK_CD = 256,
};
struct disk_info {
    uint64_t size, start; /* bytes; start: of a partition on its disk */
    uint32_t sector_size, physical_sector_size;
    uint32_t transfer_max; /* bytes of one request */
    uint32_t depth; /* requests that the device works on at a time */
    uint32_t flags; /* enum disk_flags */
    uint32_t partition; /* number, 0: the whole disk */
    uint8_t uuid[16], type[16]; /* of a GPT partition, as on the disk; else zero */
    uint8_t mbr_type, reserved[7];
    char label[40]; /* GPT name, UTF-8, cut */
    char model[44], serial[24];
};
_Static_assert(sizeof(struct disk_info) == 192, "as on the wire");

#define DISK_RING_ENTRIES_MAX 1024
#define DISK_POOL_MAX (32u << 20)
static inline size_t disk_pool_offset(uint32_t entries) { return (ring_size(entries) + 4095) & ~(size_t)4095; }
