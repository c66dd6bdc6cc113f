// SPDX-License-Identifier: MIT
/* ELF images (kernel/process/elf.c): pure, host-testable. System V gABI 4.1, x86-64 psABI 1.0. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_segment {
    uint64_t vaddr, file_offset, file_size, memory_size;
    uint32_t flags; /* VM_READ… */
};
#define ELF_SEGMENTS_MAX 32
#define ELF_HEADER_MAX 4096 /* the file header and all program headers lie within so many bytes */
struct elf_image {
    uint64_t entry;
    uint64_t phdr_vaddr; /* program headers in memory, 0: not mapped */
    uint64_t low, high; /* extent, page-aligned */
    uint64_t stack_size; /* wish, 0: none */
    uint32_t phdr_count, segment_count;
    bool position_independent, has_interpreter, executable_stack;
    struct elf_segment segments[ELF_SEGMENTS_MAX]; /* ascending; no two share a page */
};
/*
 * header: the first `size` bytes of a file of file_size bytes.  Everything in *out is checked: file
 * ranges within the file, addresses page-congruent with offsets, low ≥ 64 KiB unless position
 * independent, high ≤ limit.  0 or -ENOEXEC.
 */
[[nodiscard]] int elf_parse(const void *header, size_t size, uint64_t file_size, uint16_t machine, uint64_t limit,
                            struct elf_image *out);
