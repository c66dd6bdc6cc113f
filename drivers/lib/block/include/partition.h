// SPDX-License-Identifier: MIT
/*
 * Partition tables: GPT (UEFI 2.10 §5.3; the backup where the primary is damaged) and MBR with extended
 * partitions. Pure: reads through a function, trusts nothing that it reads.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define PARTITIONS_MAX 128

struct partition {
    uint64_t start, sectors; /* inside the disk, sectors > 0 */
    uint32_t number; /* 1 … PARTITIONS_MAX */
    uint8_t mbr_type; /* of an MBR, else 0 */
    uint8_t type[16], uuid[16]; /* of a GPT, as on the disk */
    char name[40]; /* UTF-8, cut */
};
enum partition_table_kind { TABLE_NONE, TABLE_MBR, TABLE_GPT };
struct partition_table {
    enum partition_table_kind kind;
    bool backup_used; /* the GPT's primary header or entries are damaged */
    bool damaged; /* there should be a GPT, but neither copy is good */
    unsigned count;
    struct partition partitions[PARTITIONS_MAX]; /* by number */
};
struct partition_source {
    /* `count` sectors from `sector` on: 0 or -errno. */
    int (*read)(void *context, uint64_t sector, uint32_t count, void *out);
    void *context;
    uint64_t sectors;
    uint32_t sector_size; /* a power of two, 512 … 4096 */
};

/* 0, also if there is no table; -errno of `read`, except for what only one copy of a GPT needs. */
int partition_table_read(const struct partition_source *s, struct partition_table *out);
