// SPDX-License-Identifier: MIT
/* On-disk structures: Linux's documentation, "ext4 Data Structures and Algorithms".  Little-endian; the journal is
 * big. */
#pragma once
#include <stddef.h>
#include <stdint.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

#define SUPER_OFFSET 1024
#define SUPER_MAGIC 0xef53
enum { STATE_VALID = 1, STATE_ERROR = 2, STATE_ORPHANS = 4 };

struct super {
    uint32_t inodes_count, blocks_count_lo, reserved_blocks_lo, free_blocks_lo;
    uint32_t free_inodes, first_data_block, log_block_size, log_cluster_size;
    uint32_t blocks_per_group, clusters_per_group, inodes_per_group, mtime;
    uint32_t wtime;
    uint16_t mount_count, max_mount_count, magic, state, errors, minor_revision;
    uint32_t last_check, check_interval, creator, revision;
    uint16_t default_uid, default_gid;
    uint32_t first_inode;
    uint16_t inode_size, group_of_this;
    uint32_t feature_compat, feature_incompat, feature_ro_compat;
    uint8_t uuid[16];
    char name[16], last_mounted[64];
    uint32_t algorithm_bitmap;
    uint8_t prealloc_blocks, prealloc_dir_blocks;
    uint16_t reserved_gdt_blocks;
    uint8_t journal_uuid[16];
    uint32_t journal_inode, journal_device, last_orphan;
    uint32_t hash_seed[4];
    uint8_t default_hash, journal_backup_type;
    uint16_t desc_size;
    uint32_t default_mount_options, first_meta_bg, mkfs_time, journal_blocks[17];
    uint32_t blocks_count_hi, reserved_blocks_hi, free_blocks_hi;
    uint16_t min_extra_isize, want_extra_isize;
    uint32_t flags;
    uint16_t raid_stride, mmp_interval;
    uint64_t mmp_block;
    uint32_t raid_stripe_width;
    uint8_t log_groups_per_flex, checksum_type, reserved0[2];
    uint64_t kbytes_written;
    uint32_t snapshot[2]; /* never used by anybody, nor the next */
    uint32_t balance;     /* see super_balance() */
    uint8_t unused[0x24c - 0x18c];
    uint32_t backup_groups[2];
    uint8_t unused1[0x270 - 0x254];
    uint32_t checksum_seed;
    uint8_t unused2[0x3fc - 0x274];
    uint32_t checksum;
};
static_assert(sizeof(struct super) == 1024 && offsetof(struct super, uuid) == 0x68);
static_assert(offsetof(struct super, hash_seed) == 0xec && offsetof(struct super, blocks_count_hi) == 0x150);
static_assert(offsetof(struct super, kbytes_written) == 0x178);

enum { SUPER_SIGNED_HASH = 1, SUPER_UNSIGNED_HASH = 2 }; /* flags */
enum { COMPAT_JOURNAL = 4, COMPAT_XATTR = 8, COMPAT_DIR_INDEX = 0x20, COMPAT_SPARSE_SUPER2 = 0x200 };
enum {
    INCOMPAT_FILETYPE = 2,
    INCOMPAT_RECOVER = 4,
    INCOMPAT_META_BG = 0x10,
    INCOMPAT_EXTENTS = 0x40,
    INCOMPAT_64BIT = 0x80,
    INCOMPAT_FLEX_BG = 0x200,
    INCOMPAT_CSUM_SEED = 0x2000,
    INCOMPAT_LARGEDIR = 0x4000,
    INCOMPAT_KNOWN = 0x62d6,
};
enum {
    RO_COMPAT_SPARSE_SUPER = 1,
    RO_COMPAT_LARGE_FILE = 2,
    RO_COMPAT_HUGE_FILE = 8,
    RO_COMPAT_GDT_CSUM = 0x10,
    RO_COMPAT_DIR_NLINK = 0x20,
    RO_COMPAT_EXTRA_ISIZE = 0x40,
    RO_COMPAT_BIGALLOC = 0x200,
    RO_COMPAT_METADATA_CSUM = 0x400,
    RO_COMPAT_KNOWN = 0x47b,
};

enum { GROUP_INODE_UNINIT = 1, GROUP_BLOCK_UNINIT = 2, GROUP_INODE_ZEROED = 4 };
struct group_desc { /* 32 bytes without INCOMPAT_64BIT */
    uint32_t block_bitmap_lo, inode_bitmap_lo, inode_table_lo;
    uint16_t free_blocks_lo, free_inodes_lo, used_dirs_lo, flags;
    uint32_t exclude_bitmap_lo;
    uint16_t block_bitmap_csum_lo, inode_bitmap_csum_lo, itable_unused_lo, checksum;
    uint32_t block_bitmap_hi, inode_bitmap_hi, inode_table_hi;
    uint16_t free_blocks_hi, free_inodes_hi, used_dirs_hi, itable_unused_hi;
    uint32_t exclude_bitmap_hi;
    uint16_t block_bitmap_csum_hi, inode_bitmap_csum_hi;
    uint32_t reserved;
};
static_assert(sizeof(struct group_desc) == 64 && offsetof(struct group_desc, checksum) == 0x1e);

enum {
    FLAG_IMMUTABLE = 0x10,
    FLAG_APPEND = 0x20,
    FLAG_INDEX = 0x1000,
    FLAG_HUGE_FILE = 0x40000,
    FLAG_EXTENTS = 0x80000,
    FLAG_EA_INODE = 0x200000,
    FLAG_INLINE_DATA = 0x10000000,
};
struct inode {
    uint16_t mode, uid_lo;
    uint32_t size_lo, atime, ctime, mtime, dtime;
    uint16_t gid_lo, links;
    uint32_t blocks_lo, flags, version, block[15], generation, xattr_lo, size_hi, fragment;
    uint16_t blocks_hi, xattr_hi, uid_hi, gid_hi, checksum_lo, reserved;
    uint16_t extra_isize, checksum_hi; /* from here on if inodes are larger than 128 bytes */
    uint32_t ctime_extra, mtime_extra, atime_extra, birth, birth_extra, version_hi, project;
};
static_assert(sizeof(struct inode) == 160 && offsetof(struct inode, extra_isize) == 128);
#define INODE_OLD 128

#define EXTENT_MAGIC 0xf30a
#define EXTENT_DEPTH_MAX 5
#define EXTENT_LENGTH_MAX 32768 /* above: unwritten */
struct extent_header {
    uint16_t magic, entries, max, depth;
    uint32_t generation;
};
struct extent { /* of a leaf; an index entry has `block` at the same place */
    uint32_t block;
    union {
        struct {
            uint16_t length, start_hi;
            uint32_t start_lo;
        };
        struct {
            uint32_t leaf_lo;
            uint16_t leaf_hi, unused;
        };
    };
};
static_assert(sizeof(struct extent) == 12 && sizeof(struct extent_header) == 12);

struct dirent {
    uint32_t inode;
    uint16_t length;
    uint8_t name_length, type;
    char name[];
};
#define DIRENT_TAIL_TYPE 0xde
struct dirent_tail { /* as an entry: unused, and without a name */
    uint32_t inode;
    uint16_t length;
    uint8_t name_length, type;
    uint32_t checksum;
};

struct dx_entry {
    uint32_t hash, block; /* of the first: limit, count in place of hash */
};
struct dx_count {
    uint16_t limit, count;
};
struct dx_info {
    uint32_t reserved;
    uint8_t hash_version, info_length, levels, flags;
};
#define DX_ROOT_INFO 24
#define DX_ROOT_ENTRIES 32
#define DX_NODE_ENTRIES 8

#define XATTR_MAGIC 0xea020000
struct xattr_header { /* of a block; in an inode, the magic only */
    uint32_t magic, refcount, blocks, hash, checksum, reserved[3];
};
struct xattr_entry {
    uint8_t name_length, name_index;
    uint16_t value_offset;
    uint32_t value_inode, value_size, hash;
    char name[];
};

/* The journal: words are big-endian. */
#define JOURNAL_MAGIC 0xc03b3998
#define JOURNAL_BLOCKS_MIN 1024
enum { JOURNAL_DESCRIPTOR = 1, JOURNAL_COMMIT, JOURNAL_SUPER_V1, JOURNAL_SUPER_V2, JOURNAL_REVOKE };
enum { TAG_ESCAPED = 1, TAG_SAME_UUID = 2, TAG_DELETED = 4, TAG_LAST = 8 };
enum { JOURNAL_HAS_REVOKE = 1, JOURNAL_HAS_64BIT = 2, JOURNAL_HAS_CSUM_V3 = 0x10, JOURNAL_KNOWN = 0x13 };
#define JOURNAL_COMPAT_CHECKSUM 1
#define JOURNAL_CRC32C 4
struct journal_header {
    uint32_t magic, type, sequence;
};
struct journal_super {
    struct journal_header header;
    uint32_t block_size, length, first, sequence, start, error;
    uint32_t feature_compat, feature_incompat, feature_ro_compat;
    uint8_t uuid[16];
    uint32_t users, dynsuper, max_transaction, max_data;
    uint8_t checksum_type, padding[3];
    uint32_t fast_commit_blocks, head, padding1[40], checksum;
    uint8_t user_ids[768];
};
static_assert(sizeof(struct journal_super) == 1024 && offsetof(struct journal_super, checksum) == 0xfc);
struct journal_tag { /* 16 bytes with CSUM_V3, else 12 with 64BIT, else 8; then the UUID, without SAME_UUID */
    uint32_t block;
    union {
        uint32_t flags_v3;
        struct {
            uint16_t checksum, flags;
        };
    };
    uint32_t block_hi, checksum_v3;
};
struct journal_commit {
    struct journal_header header;
    uint8_t checksum_type, checksum_size, padding[2];
    uint32_t checksum[8];
    uint32_t seconds_hi, seconds_lo, nanoseconds;
};
struct journal_revoke {
    struct journal_header header;
    uint32_t bytes; /* used in this block */
};
