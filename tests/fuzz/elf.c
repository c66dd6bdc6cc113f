// SPDX-License-Identifier: MIT
/* The kernel's ELF parser on arbitrary bytes: what it accepts must satisfy what loading relies on. */
#include <kernel/elf.h>
#include <stdlib.h>

#define LIMIT 0x7fffffffe000UL

static void require(bool condition) {
    if (!condition) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct elf_image i;
    uint64_t file_size = size * 16;
    if (elf_parse(data, size, file_size, 62, LIMIT, &i)) return 0;
    uint64_t end = i.low;
    require(i.segment_count > 0 && i.segment_count <= ELF_SEGMENTS_MAX);
    require(i.low % 4096 == 0 && i.high % 4096 == 0 && i.low < i.high && i.high <= LIMIT);
    require(i.entry >= i.low && i.entry < i.high);
    for (uint32_t n = 0; n < i.segment_count; n++) {
        const struct elf_segment *s = &i.segments[n];
        require(s->vaddr / 4096 * 4096 >= end && s->memory_size && s->file_size <= s->memory_size);
        require(s->file_offset + s->file_size <= file_size && (s->vaddr - s->file_offset) % 4096 == 0);
        end = (s->vaddr + s->memory_size + 4095) / 4096 * 4096;
    }
    require(end == i.high);
    require(!i.phdr_vaddr || (i.phdr_vaddr >= i.low && i.phdr_vaddr + i.phdr_count * 56UL <= i.high));
    return 0;
}
