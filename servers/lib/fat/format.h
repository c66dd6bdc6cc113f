// SPDX-License-Identifier: MIT
/* On the disk: Microsoft's FAT32 File System Specification 1.03. Little-endian. */
#pragma once
#include <stdint.h>

struct [[gnu::packed]] fat_boot {
    uint8_t jump[3];
    char oem[8];
    uint16_t sector_size;
    uint8_t cluster_sectors;
    uint16_t reserved_sectors;
    uint8_t tables;
    uint16_t root_entries, sectors16;
    uint8_t media;
    uint16_t table_sectors16, track_sectors, heads;
    uint32_t hidden, sectors32;
    union {
        struct [[gnu::packed]] {
            uint8_t drive, state, signature;
            uint32_t serial;
        } old; /* FAT12, FAT16 */
        struct [[gnu::packed]] {
            uint32_t table_sectors;
            uint16_t flags, version;
            uint32_t root;
            uint16_t info, backup;
            uint8_t reserved[12], drive, state, signature;
            uint32_t serial;
        } fat32;
    };
};
static_assert(sizeof(struct fat_boot) == 71);

#define BOOT_STATE_DIRTY 1
enum { FLAGS_TABLE = 15, FLAGS_ONE_TABLE = 0x80 }; /* fat32.flags */

struct fat_fsinfo {
    uint32_t lead;
    uint8_t reserved1[480];
    uint32_t signature, free, next;
    uint8_t reserved2[12];
    uint32_t trail;
};
static_assert(sizeof(struct fat_fsinfo) == 512);
enum : uint32_t { FSINFO_LEAD = 0x41615252, FSINFO_SIGNATURE = 0x61417272, FSINFO_UNKNOWN = UINT32_MAX };

#define SLOT_BYTES 32
#define SLOTS_MAX 65536u /* of a directory */

struct [[gnu::packed]] fat_slot { /* an entry under its short name */
    uint8_t name[11], attributes, case_flags, created_10ms;
    uint16_t created_time, created_date, accessed_date, first_high, modified_time, modified_date, first_low;
    uint32_t size;
};
struct [[gnu::packed]] fat_long_slot { /* a part of a long name, the last part first */
    uint8_t order;
    uint16_t name1[5];
    uint8_t attributes, type, checksum;
    uint16_t name2[6], zero, name3[2];
};
static_assert(sizeof(struct fat_slot) == SLOT_BYTES && sizeof(struct fat_long_slot) == SLOT_BYTES);

enum { SLOT_END = 0, SLOT_FREE = 0xe5, SLOT_E5 = 5 }; /* name[0] */
enum {
    ATTRIBUTE_READ_ONLY = 1,
    ATTRIBUTE_HIDDEN = 2,
    ATTRIBUTE_SYSTEM = 4,
    ATTRIBUTE_VOLUME = 8,
    ATTRIBUTE_DIRECTORY = 16,
    ATTRIBUTE_ARCHIVE = 32,
    ATTRIBUTE_LONG = 15,
    ATTRIBUTE_MASK = 63,
};
enum { CASE_BASE_LOWER = 8, CASE_EXTENSION_LOWER = 16 };
enum { LONG_LAST = 0x40, LONG_UNITS = 13, LONG_SLOTS_MAX = 20 };
