// SPDX-License-Identifier: MIT
/* ACPI tables of any content. The checksums are made right, so that the fuzzer gets past them. */
#include "../../arch/x86_64/acpi/acpi.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t memory[4096];
static size_t memory_size;

static void fix_sum(size_t at, size_t length, size_t field) {
    uint8_t total = 0;
    if (field >= length) return;
    memory[at + field] = 0;
    for (size_t i = 0; i < length; i++) total = (uint8_t)(total + memory[at + i]);
    memory[at + field] = (uint8_t)-total;
}

static const void *map(paddr_t at, size_t length) {
    if (at >= memory_size || length > memory_size - at) return NULL;
    uint32_t stated;
    memcpy(&stated, memory + at + 4, length >= 8 ? 4 : 0);
    if (length >= 36 && at && stated == length) fix_sum(at, length, 9);
    return memory + at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct acpi_info info;
    memory_size = size < sizeof(memory) ? size : sizeof(memory);
    memcpy(memory, data, memory_size);
    if (memory_size < 64) return 0;
    memcpy(memory + 16, "RSD PTR ", 8);
    fix_sum(16, 20, 8);
    fix_sum(16, 36, 32);
    if (acpi_parse(16, map, &info) == 0 && (info.cpu_count > CPU_MAX || info.ioapic_count > ACPI_IOAPICS_MAX))
        __builtin_trap();
    return 0;
}
