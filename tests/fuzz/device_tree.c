// SPDX-License-Identifier: MIT
/* Flattened device trees of any content: refused with a reason, or read into a sound memory map. */
#include "../../arch/aarch64/boot/device_tree.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct bootinfo info;
    info = (struct bootinfo){};
    int error = device_tree_parse(data, size, &info);
    if (!error != !info.problem) __builtin_trap();
    for (uint32_t i = 1; i < info.range_count; i++)
        if (info.ranges[i - 1].start + info.ranges[i - 1].length > info.ranges[i].start) __builtin_trap();
    if (strnlen(info.command_line, BOOT_COMMAND_MAX) == BOOT_COMMAND_MAX) __builtin_trap();
    return 0;
}
