// SPDX-License-Identifier: MIT
/* ATA's formats: commands as the device sees them, IDENTIFY of good and bad devices, TRIM ranges, the error log. */
#include "unit.h"
#include <command.h>
#include <errno.h>
#include <identify.h>

static uint16_t words[256];

static void string_put(uint16_t *at, unsigned count, const char *text) {
    for (unsigned i = 0; i < 2 * count; i++) {
        uint16_t c = (uint16_t)(*text ? (unsigned char)*text++ : ' ');
        at[i / 2] = (uint16_t)(i % 2 ? at[i / 2] | c : c << 8);
    }
}
static void checksum_put(void) {
    uint8_t sum = 0xa5;
    for (unsigned i = 0; i < 255; i++) sum = (uint8_t)(sum + words[i] + (words[i] >> 8));
    words[255] = (uint16_t)((uint8_t)-sum << 8 | 0xa5);
}

/* 8 MiB of 512-byte sectors, as QEMU's, with everything switched on. */
static void disk_make(void) {
    memset(words, 0, sizeof(words));
    words[0] = 0x0040;
    string_put(words + 10, 10, "  SERIAL-1");
    string_put(words + 27, 20, "A DISK");
    words[49] = 1 << 9 | 1 << 8;
    words[75] = 31;
    words[76] = 1 << 8;
    words[82] = 1 << 5;
    words[83] = 1 << 14 | 1 << 13 | 1 << 10;
    words[84] = 1 << 14 | 1 << 6;
    words[85] = 1 << 5;
    words[87] = 1 << 14;
    words[100] = 16384;
    words[169] = 1;
    words[217] = 7200;
}

TEST(identify_good) {
    struct identity id;
    disk_make();
    CHECK(identify_disk(words, &id) == 0);
    CHECK(strcmp(id.model, "A DISK") == 0 && strcmp(id.serial, "SERIAL-1") == 0);
    CHECK(id.sectors == 16384 && id.sector_size == 512 && id.physical_sector_size == 512);
    CHECK(id.queue_depth == 32 && id.cache && id.flush_ext && id.fua && id.trim && id.rotates);
    words[75] = 0, words[85] = 0, words[169] = 0, words[217] = 1, words[84] = 0;
    words[106] = 1 << 14 | 1 << 13 | 3;
    words[102] = 1;
    checksum_put();
    CHECK(identify_disk(words, &id) == 0);
    CHECK(id.queue_depth == 1 && !id.cache && !id.trim && !id.rotates && !id.fua);
    CHECK(id.sectors == (1ull << 32) + 16384 && id.physical_sector_size == 4096);
    words[76] = 0;
    words[87] = 0; /* nothing is said of what is on: a cache is feared */
    words[106] = 1 << 14 | 1 << 12;
    words[117] = 2048;
    checksum_put();
    CHECK(identify_disk(words, &id) == 0);
    CHECK(id.queue_depth == 0 && id.cache && id.sector_size == 4096 && id.physical_sector_size == 4096);
    words[76] = UINT16_MAX; /* not SATA's */
    checksum_put();
    CHECK(identify_disk(words, &id) == 0 && id.queue_depth == 0);
}

static int with(unsigned word, uint16_t value) {
    struct identity id;
    disk_make();
    words[word] = value;
    return identify_disk(words, &id);
}

TEST(identify_bad) {
    struct identity id;
    CHECK(with(0, 0x8580) == -EIO); /* a packet device */
    CHECK(with(100, 0) == -EIO);
    CHECK(with(103, 1) == -EIO && with(83, 1 << 14) == -EOPNOTSUPP && with(83, UINT16_MAX) == -EOPNOTSUPP);
    CHECK(with(49, 0) == -EOPNOTSUPP);
    CHECK(with(255, 0x12a5) == -EIO);
    CHECK(with(106, 1 << 14 | 1 << 12) == -EIO); /* sectors of no bytes */
    static const uint16_t sizes[][2] = {{100, 0}, {257, 0}, {4096, 0}, {0, 1}, {UINT16_MAX, UINT16_MAX}, {256, 0x8000}};
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        disk_make();
        words[106] = 1 << 14 | 1 << 12;
        words[117] = sizes[i][0], words[118] = sizes[i][1];
        CHECK(identify_disk(words, &id) == -EIO);
    }
    memset(words, 0, sizeof(words));
    CHECK(identify_disk(words, &id) != 0);
    memset(words, 0xff, sizeof(words));
    CHECK(identify_disk(words, &id) != 0);
}

/* Any bits: never outside of what a disk can be, and no string without its end. */
TEST(identify_anything) {
    uint32_t random = 1;
    unsigned accepted = 0;
    for (unsigned round = 0; round < 20000; round++) {
        struct identity id;
        disk_make();
        for (unsigned i = 0; i < 1 + round % 40; i++) {
            random = random * 1664525 + 1013904223;
            words[random >> 8 & 255] = (uint16_t)(random >> 16);
        }
        if (identify_disk(words, &id) != 0) continue;
        accepted++;
        CHECK(id.sectors > 0 && id.sectors <= 1ull << 48 && id.queue_depth <= 32);
        CHECK(id.sector_size >= 512 && id.sector_size <= 4096 && id.physical_sector_size >= id.sector_size);
        CHECK(strlen(id.model) <= 40 && strlen(id.serial) <= 20);
        for (const char *c = id.model; *c; c++) CHECK(*c >= ' ' && *c <= '~');
    }
    CHECK(accepted > 1000);
}

TEST(identify_cd) {
    struct identity id;
    disk_make();
    words[0] = 0x85c0;
    CHECK(identify_packet(words, &id) == 0 && id.sector_size == 2048 && strcmp(id.model, "A DISK") == 0);
    words[0] = 0x0040;
    CHECK(identify_packet(words, &id) == -EIO);
}

static void fis_is(const struct command *c, const uint8_t expected[20]) {
    uint8_t fis[20];
    memset(fis, 0xaa, sizeof(fis));
    fis_build(fis, c);
    CHECK(memcmp(fis, expected, 20) == 0);
}

TEST(commands) {
    struct command c = command_transfer(false, false, 0x123456789abc, 0x1080);
    fis_is(&c, (uint8_t[20]){0x27, 0x80, 0x25, 0, 0xbc, 0x9a, 0x78, 0x40, 0x56, 0x34, 0x12, 0, 0x80, 0x10});
    command_queue(&c, 31);
    CHECK(c.queued);
    fis_is(&c, (uint8_t[20]){0x27, 0x80, 0x60, 0x80, 0xbc, 0x9a, 0x78, 0x40, 0x56, 0x34, 0x12, 0x10, 31 << 3, 0});
    c = command_transfer(true, true, 1, 8);
    fis_is(&c, (uint8_t[20]){0x27, 0x80, 0x3d, 0, 1, 0, 0, 0x40, 0, 0, 0, 0, 8, 0});
    command_queue(&c, 2);
    fis_is(&c, (uint8_t[20]){0x27, 0x80, 0x61, 8, 1, 0, 0, 0xc0, 0, 0, 0, 0, 2 << 3, 0});
    c = command_transfer(true, false, 0, 1);
    CHECK(c.code == ATA_WRITE_DMA_EXT && c.write);
    c = command_trim();
    fis_is(&c, (uint8_t[20]){0x27, 0x80, 0x06, 1, 0, 0, 0, 0x40, 0, 0, 0, 0, 1, 0});
    c = command_error_log();
    fis_is(&c, (uint8_t[20]){0x27, 0x80, 0x2f, 0, 0x10, 0, 0, 0x40, 0, 0, 0, 0, 1, 0});
    c = command_packet_read(0x01020304, 0x0506);
    CHECK(memcmp(c.packet, (uint8_t[12]){0x28, 0, 1, 2, 3, 4, 0, 5, 6}, 12) == 0 && c.length == 0x0506 * 2048);
    fis_is(&c, (uint8_t[20]){0x27, 0x80, 0xa0, 1, 0, 0xfe, 0xff});
    c = command_packet(0, 0);
    fis_is(&c, (uint8_t[20]){0x27, 0x80, 0xa0});
}

TEST(trim) {
    uint64_t block[TRIM_RANGES];
    CHECK(trim_pack(block, 0x123456789abc, 8) == 0);
    CHECK(block[0] == (8ull << 48 | 0x123456789abc) && block[1] == 0 && block[63] == 0);
    CHECK(trim_pack(block, 10, 65535 + 1) == 0);
    CHECK(block[0] == (65535ull << 48 | 10) && block[1] == (1ull << 48 | 65545) && block[2] == 0);
    CHECK(trim_pack(block, 0, 64ull * 65535) == 0 && block[63] == (65535ull << 48 | 63 * 65535));
    CHECK(trim_pack(block, 0, 64ull * 65535 + 1) == -1);
}

TEST(error_log) {
    uint8_t log[512] = {17};
    log[511] = (uint8_t)-17;
    CHECK(error_log_slot(log) == 17);
    log[511]++;
    CHECK(error_log_slot(log) == -1); /* checksum */
    log[0] = 0x80 | 17;
    log[511] = (uint8_t)-log[0];
    CHECK(error_log_slot(log) == -1); /* not of a queued command */
}

UNIT_MAIN
