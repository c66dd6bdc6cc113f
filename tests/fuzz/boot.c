// SPDX-License-Identifier: MIT
/* Loader structures of any content: first byte even is multiboot2, odd is PVH with memory behind it. */
#include <kernel/bootinfo.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *memory;
static size_t memory_size;
static const void *map(paddr_t start, size_t length) {
    return start < memory_size && length <= memory_size - start ? memory + start : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct bootinfo info;
    if (!size) return 0;
    info = (struct bootinfo){};
    memory = data + 1;
    memory_size = size - 1;
    int error =
        data[0] % 2 ? pvh_parse(memory, memory_size, map, &info) : multiboot2_parse(0, memory, memory_size, &info);
    if (error && !info.problem) __builtin_trap();
    for (uint32_t i = 1; !error && i < info.range_count; i++)
        if (info.ranges[i - 1].start + info.ranges[i - 1].length > info.ranges[i].start) __builtin_trap();
    char value[16];
    boot_option(&info, "test", value, sizeof(value));
    return 0;
}
