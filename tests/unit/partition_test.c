// SPDX-License-Identifier: MIT
/* Partition tables: GPT with damage in each place, MBR with extended partitions, nonsense. */
#include "unit.h"
#include <errno.h>
#include <partition.h>
#include <stdint.h>

#define SECTORS 2048u
static uint8_t disk[SECTORS * 512];
static uint32_t sector_size = 512;
static int64_t bad_sector = -1;
static unsigned reads;
static struct partition_table table;

static int disk_read(void *context, uint64_t sector, uint32_t count, void *out) {
    (void)context;
    reads++;
    CHECK(count > 0 && (sector + count) * sector_size <= sizeof(disk));
    if ((int64_t)sector <= bad_sector && bad_sector < (int64_t)(sector + count)) return -EIO;
    memcpy(out, disk + sector * sector_size, count * sector_size);
    return 0;
}

static int parse(void) {
    struct partition_source s = {disk_read, NULL, sizeof(disk) / sector_size, sector_size};
    return partition_table_read(&s, &table);
}

static void put(uint8_t *at, uint64_t value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; i++) at[i] = (uint8_t)(value >> 8 * i);
}
static uint32_t crc32(const uint8_t *bytes, size_t count) {
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < count; i++)
        for (int bit = 0, byte = bytes[i]; bit < 8; bit++, byte >>= 1)
            crc = crc >> 1 ^ ((crc ^ (uint32_t)byte) & 1 ? 0xedb88320u : 0);
    return ~crc;
}

/* --- makers --- */
static void mbr_entry(uint32_t sector, unsigned i, uint8_t type, uint32_t start, uint32_t count) {
    uint8_t *at = disk + (size_t)sector * sector_size;
    put(at + 446 + 16 * i + 4, type, 1);
    put(at + 446 + 16 * i + 8, start, 4);
    put(at + 446 + 16 * i + 12, count, 4);
    put(at + 510, 0xaa55, 2);
}

static void gpt_header(uint64_t at, uint64_t other, uint64_t entries) {
    uint32_t sectors = sizeof(disk) / sector_size;
    uint8_t *h = disk + at * sector_size;
    memset(h, 0, sector_size);
    memcpy(h, "EFI PART", 8);
    put(h + 8, 0x10000, 4);
    put(h + 12, 92, 4);
    put(h + 24, at, 8);
    put(h + 32, other, 8);
    put(h + 40, 64, 8);
    put(h + 48, sectors - 34, 8);
    put(h + 72, entries, 8);
    put(h + 80, 128, 4);
    put(h + 84, 128, 4);
    put(h + 88, crc32(disk + entries * sector_size, 128 * 128), 4);
    put(h + 16, crc32(h, 92), 4);
}

static void gpt_entry(uint8_t *entries, unsigned n, uint64_t first, uint64_t last, const char *name) {
    uint8_t *e = entries + 128 * n;
    memset(e, 0x11, 16);
    memset(e + 16, (int)n + 1, 16);
    put(e + 32, first, 8);
    put(e + 40, last, 8);
    for (size_t i = 0; name[i]; i++) put(e + 56 + 2 * i, (uint8_t)name[i], 2);
}

static void gpt_make(void) {
    uint32_t sectors = sizeof(disk) / sector_size, table_sectors = 128 * 128 / sector_size;
    memset(disk, 0, sizeof(disk));
    mbr_entry(0, 0, 0xee, 1, sectors - 1);
    for (int copy = 0; copy < 2; copy++) {
        uint8_t *entries = disk + (copy ? sectors - 1 - table_sectors : 2) * (size_t)sector_size;
        gpt_entry(entries, 0, 64, 99, "EFI system");
        gpt_entry(entries, 2, 100, 150, "root");
        gpt_entry(entries, 3, 10, 150, "before the usable part");
        gpt_entry(entries, 4, 120, sectors - 1, "behind it");
        gpt_entry(entries, 5, 151, 150, "no length");
        gpt_entry(entries, 127, 151, 151, "last");
    }
    gpt_header(1, sectors - 1, 2);
    gpt_header(sectors - 1, 1, sectors - 1 - table_sectors);
}

static bool gpt_as_made(bool backup) {
    return table.kind == TABLE_GPT && table.count == 3 && table.backup_used == backup && !table.damaged &&
           table.partitions[0].number == 1 && table.partitions[0].start == 64 && table.partitions[0].sectors == 36 &&
           strcmp(table.partitions[0].name, "EFI system") == 0 && table.partitions[1].number == 3 &&
           table.partitions[1].uuid[0] == 3 && table.partitions[1].type[15] == 0x11 &&
           table.partitions[2].number == 128 && table.partitions[2].sectors == 1;
}

TEST(gpt) {
    gpt_make();
    CHECK(parse() == 0 && gpt_as_made(false));
    sector_size = 4096;
    gpt_make();
    CHECK(parse() == 0 && gpt_as_made(false));
    sector_size = 512;
}

/* Any damaged byte of the primary's header or entries: the backup is used, and says the same. */
TEST(gpt_backup) {
    for (size_t at = 512; at < 512 + 92; at++) {
        gpt_make();
        disk[at] ^= 0x40;
        CHECK(parse() == 0 && gpt_as_made(true));
    }
    for (size_t at = 1024; at < 1024 + 128 * 128; at += 97) {
        gpt_make();
        disk[at] ^= 1;
        CHECK(parse() == 0 && gpt_as_made(true));
    }
    gpt_make();
    for (bad_sector = 1; bad_sector < 34; bad_sector++) CHECK(parse() == 0 && gpt_as_made(true));
    bad_sector = 0;
    CHECK(parse() == -EIO);
    bad_sector = -1;
}

TEST(gpt_both_damaged) {
    gpt_make();
    disk[512 + 40] ^= 1;
    disk[sizeof(disk) - 512 + 40] ^= 1;
    CHECK(parse() == 0 && table.kind == TABLE_GPT && table.damaged && table.count == 0);
}

/* With good checksums: the limits themselves. */
TEST(gpt_limits) {
    static const struct {
        unsigned offset, bytes;
        uint64_t value;
    } bad[] = {{12, 4, 91},          {12, 4, 513},  {40, 8, SECTORS}, {48, 8, SECTORS}, {72, 8, 0},
               {72, 8, SECTORS - 1}, {72, 8, ~0ul}, {80, 4, ~0u},     {80, 4, 1025},    {84, 4, 64},
               {84, 4, 129},         {84, 4, 8192}, {84, 4, 0},       {24, 8, 2}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        gpt_make();
        uint8_t *h = disk + 512;
        put(h + bad[i].offset, bad[i].value, bad[i].bytes);
        put(h + 16, 0, 4);
        put(h + 16, crc32(h, bad[i].offset == 12 ? 92 : 92), 4);
        CHECK(parse() == 0 && gpt_as_made(true));
    }
}

TEST(mbr) {
    memset(disk, 0, sizeof(disk));
    CHECK(parse() == 0 && table.kind == TABLE_NONE && table.count == 0);
    mbr_entry(0, 0, 0x83, 63, 100);
    mbr_entry(0, 1, 0x0f, 200, 1000);
    mbr_entry(0, 2, 0x0c, 2000, 100); /* beyond the end */
    mbr_entry(0, 3, 0x83, 3000, 10); /* outside */
    mbr_entry(200, 0, 0x83, 10, 50);
    mbr_entry(200, 1, 0x05, 100, 200);
    mbr_entry(300, 0, 0x82, 1, 20);
    CHECK(parse() == 0 && table.kind == TABLE_MBR && table.count == 4);
    CHECK(table.partitions[0].number == 1 && table.partitions[0].start == 63 && table.partitions[0].sectors == 100);
    CHECK(table.partitions[1].number == 3 && table.partitions[1].sectors == 48 && table.partitions[1].mbr_type == 0x0c);
    CHECK(table.partitions[2].number == 5 && table.partitions[2].start == 210 && table.partitions[2].sectors == 50);
    CHECK(table.partitions[3].number == 6 && table.partitions[3].start == 301 && table.partitions[3].mbr_type == 0x82);
    bad_sector = 300;
    CHECK(parse() == -EIO);
    bad_sector = -1;
}

TEST(mbr_circle_ends) {
    memset(disk, 0, sizeof(disk));
    mbr_entry(0, 0, 0x05, 200, 1000);
    mbr_entry(200, 0, 0x83, 1, 5);
    mbr_entry(200, 1, 0x05, 0, 5);
    reads = 0;
    CHECK(parse() == 0 && table.count <= PARTITIONS_MAX && reads < 200);
}

TEST(a_file_systems_boot_sector_is_no_table) {
    memset(disk, 0, sizeof(disk));
    mbr_entry(0, 0, 0x83, 63, 100);
    disk[446] = 0x20;
    CHECK(parse() == 0 && table.kind == TABLE_NONE);
}

UNIT_MAIN
