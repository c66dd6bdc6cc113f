// SPDX-License-Identifier: MIT
/* Boot information: the memory map, multiboot2 and PVH structures good and bad, command-line words. */
#include "../../kernel/boot/range.h"
#include <stdlib.h>
#include <unit.h>

static struct bootinfo info;

static void check_sorted(void) {
    for (uint32_t i = 1; i < info.range_count; i++)
        CHECK(info.ranges[i - 1].start + info.ranges[i - 1].length <= info.ranges[i].start);
}

static uint64_t free_bytes(void) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < info.range_count; i++)
        sum += info.ranges[i].kind == BOOT_MEMORY_FREE ? info.ranges[i].length : 0;
    return sum;
}

TEST(ranges_split_and_cover) {
    info = (struct bootinfo){};
    CHECK(!boot_range_set(&info, 0x100, 0xff00, BOOT_MEMORY_FREE)); /* inward: 1000 … 10000 */
    CHECK(info.range_count == 1 && info.ranges[0].start == 0x1000 && free_bytes() == 0xf000);
    CHECK(!boot_range_set(&info, 0x4100, 0x100, BOOT_MEMORY_RESERVED)); /* outward: 4000 … 5000 */
    CHECK(info.range_count == 3 && free_bytes() == 0xe000);
    CHECK(boot_range_kind(&info, 0x4fff) == BOOT_MEMORY_RESERVED);
    CHECK(boot_range_kind(&info, 0x5000) == BOOT_MEMORY_FREE);
    CHECK(boot_range_kind(&info, 0x10000) == BOOT_MEMORY_RESERVED);
    check_sorted();
    CHECK(!boot_range_set(&info, 0x3000, 0x4000, BOOT_MEMORY_ACPI)); /* swallows the middle one */
    CHECK(info.range_count == 3 && free_bytes() == 0x2000 + 0x9000);
    check_sorted();
    CHECK(!boot_range_set(&info, 0, 0x100000, BOOT_MEMORY_RESERVED));
    CHECK(info.range_count == 1 && free_bytes() == 0);
    CHECK(!boot_range_set(&info, 0x200010, 0x20, BOOT_MEMORY_FREE) && info.range_count == 1);
    CHECK(boot_range_set(&info, UINT64_MAX - 10, 20, BOOT_MEMORY_FREE) == -EINVAL);
}

TEST(ranges_table_is_bounded) {
    info = (struct bootinfo){};
    int error = 0;
    for (uint64_t i = 0; i < 300 && !error; i++) error = boot_range_set(&info, i * 0x2000, 0x1000, BOOT_MEMORY_FREE);
    CHECK(error == -ENOSPC && info.range_count <= BOOT_RANGES_MAX);
}

/* Random settings against an array of pages. */
TEST(ranges_agree_with_a_model) {
    static uint8_t model[256];
    info = (struct bootinfo){};
    memset(model, BOOT_MEMORY_RESERVED, sizeof(model));
    srand(1);
    for (int round = 0; round < 2000; round++) {
        unsigned start = (unsigned)rand() % 256, length = (unsigned)rand() % (257 - start);
        enum boot_memory_kind kind = (enum boot_memory_kind)(rand() % 3);
        CHECK(!boot_range_set(&info, start * PAGE_SIZE, length * PAGE_SIZE, kind));
        memset(model + start, kind, length);
        for (unsigned i = 0; i < 256; i++) CHECK(boot_range_kind(&info, i * PAGE_SIZE + 5) == model[i]);
        check_sorted();
    }
}

/* --- multiboot2 ----------------------------------------------------------------------------- */

static _Alignas(8) uint8_t mb[4096];
static uint32_t mb_size;

static void put32(uint32_t v) {
    memcpy(mb + mb_size, &v, 4);
    mb_size += 4;
}
static void put64(uint64_t v) {
    put32((uint32_t)v);
    put32((uint32_t)(v >> 32));
}
static uint32_t tag_begin(uint32_t type) {
    mb_size = (mb_size + 7) & ~7u;
    put32(type);
    put32(0);
    return mb_size - 8;
}
static void tag_end(uint32_t tag) {
    uint32_t size = mb_size - tag;
    memcpy(mb + tag + 4, &size, 4);
}
static int mb_parse(void) {
    mb_size = (mb_size + 7) & ~7u;
    memcpy(mb, &mb_size, 4);
    void *exact = malloc(mb_size); /* so that ASan sees any byte read beyond */
    memcpy(exact, mb, mb_size);
    info = (struct bootinfo){};
    int error = multiboot2_parse(0x10000, exact, mb_size, &info);
    free(exact);
    CHECK(!error || info.problem);
    return error;
}
static void mb_start(bool with_map) {
    memset(mb, 0, sizeof(mb));
    mb_size = 8;
    if (!with_map) return;
    uint32_t tag = tag_begin(6);
    put32(24);
    put32(0);
    put64(0x100000);
    put64(0x1000000);
    put64(1);
    put64(0x180000);
    put64(0x1000);
    put64(3);
    tag_end(tag);
}
static void mb_end(void) { tag_end(tag_begin(0)); }

TEST(multiboot2_good) {
    mb_start(true);
    uint32_t tag = tag_begin(1);
    memcpy(mb + mb_size, "root=x quiet", 13);
    mb_size += 13;
    tag_end(tag);
    tag = tag_begin(3);
    put32(0x200000);
    put32(0x203000);
    put32(0);
    tag_end(tag);
    tag = tag_begin(8);
    put64(0xc0000000);
    put32(5120);
    put32(1280);
    put32(800);
    put32(32 | 1 << 8);
    put32(16 | 8 << 8 | 8 << 16 | 8u << 24);
    put32(0 | 8 << 8);
    tag_end(tag);
    tag = tag_begin(14);
    put64(0);
    tag_end(tag);
    mb_end();
    CHECK(mb_parse() == 0);
    CHECK(!strcmp(info.command_line, "root=x quiet"));
    CHECK(info.module_count == 1 && info.modules[0].length == 0x3000);
    CHECK(info.framebuffer.width == 1280 && info.framebuffer.red_shift == 16);
    CHECK(info.rsdp > 0x10000 && info.rsdp < 0x11000);
    CHECK(free_bytes() == 0xfff000 && boot_range_kind(&info, 0x180000) == BOOT_MEMORY_ACPI);
}

TEST(multiboot2_bad) {
    mb_start(false);
    mb_end();
    CHECK(mb_parse() == -EINVAL); /* no map */
    mb_start(true);
    CHECK(mb_parse() == -EINVAL); /* no end */
    mb_start(true);
    uint32_t tag = tag_begin(3); /* module ends before it starts */
    put32(0x3000);
    put32(0x2000);
    tag_end(tag);
    mb_end();
    CHECK(mb_parse() == -EINVAL);
    mb_start(true);
    tag_end(tag_begin(3)); /* module tag without a body */
    mb_end();
    CHECK(mb_parse() == -EINVAL);
    mb_start(true);
    tag = tag_begin(6); /* entries of zero bytes */
    put32(0);
    put32(0);
    tag_end(tag);
    mb_end();
    CHECK(mb_parse() == -EINVAL);
    mb_start(true);
    tag = tag_begin(99); /* a size beyond the end */
    mb_end();
    uint32_t huge = 0xfffffff9;
    memcpy(mb + tag + 4, &huge, 4);
    CHECK(mb_parse() == -EINVAL);
    mb_start(true);
    for (int i = 0; i <= BOOT_MODULES_MAX; i++) {
        tag = tag_begin(3);
        put64(0x2000ULL << 32 | 0x1000);
        tag_end(tag);
    }
    mb_end();
    CHECK(mb_parse() == -EINVAL);
}

TEST(multiboot2_ignores_odd_screens) {
    for (int i = 0; i < 3; i++) {
        mb_start(true);
        uint32_t tag = tag_begin(8);
        put64(0xb8000);
        put32(i == 0 ? 16 : 160); /* a pitch shorter than a line */
        put32(80);
        put32(25);
        put32(i == 1 ? 16 | 2 << 8 : 32 | 1 << 8); /* text mode */
        put32(i == 2 ? 200 : 0); /* shift beyond the pixel */
        put32(0);
        tag_end(tag);
        mb_end();
        CHECK(mb_parse() == 0 && info.framebuffer.width == 0);
    }
}

/* --- PVH ------------------------------------------------------------------------------------ */

static uint8_t memory[4096];
static const void *map(paddr_t start, size_t length) {
    return start < sizeof(memory) && length <= sizeof(memory) - start ? memory + start : NULL;
}
static struct {
    uint32_t magic, version, flags, module_count;
    uint64_t modules, command_line, rsdp, memory_map;
    uint32_t memory_map_count, reserved;
} pvh;
static void pvh_good(void) {
    const uint64_t map_entries[] = {0, 0x100000, 1, 0x100000, 0x100000, 2};
    const uint64_t module[] = {0x200000, 0x1234, 0, 0};
    memset(memory, 0, sizeof(memory));
    memcpy(memory + 0x100, map_entries, sizeof(map_entries));
    memcpy(memory + 0x200, module, sizeof(module));
    memcpy(memory + 0x300, "a=b", 4);
    pvh = (typeof(pvh)){0x336ec578, 1, 0, 1, 0x200, 0x300, 0xe0000, 0x100, 2, 0};
}
static int pvh_run(void) {
    info = (struct bootinfo){};
    int error = pvh_parse(&pvh, sizeof(pvh), map, &info);
    CHECK(!error || info.problem);
    return error;
}

TEST(pvh) {
    pvh_good();
    CHECK(pvh_run() == 0 && info.module_count == 1 && info.modules[0].length == 0x1234);
    CHECK(!strcmp(info.command_line, "a=b") && info.rsdp == 0xe0000 && free_bytes() == 0x100000);
    pvh.command_line = 0;
    CHECK(pvh_run() == 0 && !info.command_line[0]);
    pvh_good();
    pvh.magic++;
    CHECK(pvh_run() == -EINVAL);
    pvh_good();
    pvh.memory_map_count = 0;
    CHECK(pvh_run() == -EINVAL);
    pvh.memory_map_count = UINT32_MAX;
    CHECK(pvh_run() == -EINVAL);
    pvh_good();
    pvh.memory_map = 0xff0;
    CHECK(pvh_run() == -EINVAL);
    pvh_good();
    pvh.module_count = 1000;
    CHECK(pvh_run() == -EINVAL);
    pvh_good();
    pvh.modules = 0xfffffffffffffff0;
    CHECK(pvh_run() == -EINVAL);
    pvh_good();
    memset(memory + 0x300, 'x', sizeof(memory) - 0x300); /* a command line that never ends */
    CHECK(pvh_run() == 0 && strlen(info.command_line) == BOOT_COMMAND_MAX - 1);
    pvh.command_line = 4090;
    CHECK(pvh_run() == -EINVAL);
    CHECK(pvh_parse(&pvh, 20, map, &info) == -EINVAL);
}

TEST(options) {
    char value[8];
    info = (struct bootinfo){};
    strcpy(info.command_line, " quiet  test=some log=1 log=7 long=123456789 tes");
    CHECK(boot_option(&info, "quiet", value, sizeof(value)) && !value[0]);
    CHECK(boot_option(&info, "test", value, sizeof(value)) && !strcmp(value, "some"));
    CHECK(boot_option(&info, "log", value, sizeof(value)) && !strcmp(value, "7"));
    CHECK(boot_option(&info, "long", value, sizeof(value)) && !strcmp(value, "1234567"));
    CHECK(boot_option(&info, "tes", NULL, 0) && !boot_option(&info, "te", NULL, 0));
    CHECK(!boot_option(&info, "some", value, sizeof(value)));
}

UNIT_MAIN
