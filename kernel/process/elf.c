// SPDX-License-Identifier: MIT
/*
 * ELF images: checks everything that loading relies on, and gives a plain list of segments.
 *
 * Pure: no kernel services, so that it is unit-tested and fuzzed on the host.  The file is hostile.
 * System V gABI 4.1 chapters 4 and 5; x86-64 psABI 1.0 §4.1.
 */
#include <abi/errno.h>
#include <abi/memory.h>
#include <kernel/elf.h>

struct elf_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
struct elf_phdr {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};
_Static_assert(sizeof(struct elf_header) == 64 && sizeof(struct elf_phdr) == 56, "ELF-64");

enum { ET_EXEC = 2, ET_DYN = 3 };
enum { PT_LOAD = 1, PT_INTERP = 3, PT_GNU_STACK = 0x6474e551 };
enum { PF_X = 1, PF_W = 2, PF_R = 4 };
#define PAGE 4096UL
#define LOWEST_LOAD 0x10000UL /* null pointers with an offset must fault */

static bool header_valid(const struct elf_header *h, uint16_t machine) {
    static const uint8_t ident[7] = {0x7f, 'E', 'L', 'F', 2 /* 64 bits */, 1 /* little-endian */, 1};
    return !__builtin_memcmp(h->ident, ident, sizeof(ident)) && h->version == 1 &&
           (h->type == ET_EXEC || h->type == ET_DYN) && h->machine == machine &&
           h->phentsize == sizeof(struct elf_phdr) && h->phnum > 0;
}

static int segment_add(const struct elf_phdr *p, uint64_t file_size, uint64_t limit, struct elf_image *out) {
    uint64_t end, file_end;
    if (p->memsz == 0) return 0;
    if (out->segment_count == ELF_SEGMENTS_MAX || p->filesz > p->memsz ||
        __builtin_add_overflow(p->offset, p->filesz, &file_end) || file_end > file_size ||
        __builtin_add_overflow(p->vaddr, p->memsz, &end) || end > limit || (p->vaddr - p->offset) % PAGE != 0)
        return -ENOEXEC;
    uint64_t start = p->vaddr & ~(PAGE - 1);
    if (out->segment_count == 0) out->low = start;
    else if (start < out->high) /* ascending (gABI, PT_LOAD), and no page in two of them */ return -ENOEXEC;
    out->high = (end + PAGE - 1) & ~(PAGE - 1);
    out->segments[out->segment_count++] = (struct elf_segment){
        .vaddr = p->vaddr,
        .file_offset = p->offset,
        .file_size = p->filesz,
        .memory_size = p->memsz,
        .flags = (p->flags & PF_R ? VM_READ : 0) | (p->flags & PF_W ? VM_WRITE : 0) | (p->flags & PF_X ? VM_EXEC : 0),
    };
    return 0;
}

/* Where the program headers are in memory: in the segment that has them in its file range. */
static uint64_t phdr_address(const struct elf_image *image, uint64_t offset, uint64_t size) {
    for (uint32_t i = 0; i < image->segment_count; i++) {
        const struct elf_segment *s = &image->segments[i];
        if (offset >= s->file_offset && offset - s->file_offset <= s->file_size &&
            size <= s->file_size - (offset - s->file_offset))
            return s->vaddr + (offset - s->file_offset);
    }
    return 0;
}

int elf_parse(const void *header, size_t size, uint64_t file_size, uint16_t machine, uint64_t limit,
              struct elf_image *out) {
    struct elf_header h;
    if (size < sizeof(h)) return -ENOEXEC;
    __builtin_memcpy(&h, header, sizeof(h));
    uint64_t table = (uint64_t)h.phnum * sizeof(struct elf_phdr);
    if (!header_valid(&h, machine) || h.phoff > size || table > size - h.phoff) return -ENOEXEC;
    *out = (struct elf_image){
        .entry = h.entry,
        .phdr_count = h.phnum,
        .position_independent = h.type == ET_DYN,
    };
    for (uint32_t i = 0; i < h.phnum; i++) {
        struct elf_phdr p;
        __builtin_memcpy(&p, (const char *)header + h.phoff + i * sizeof(p), sizeof(p));
        if (p.type == PT_LOAD && segment_add(&p, file_size, limit, out)) return -ENOEXEC;
        if (p.type == PT_INTERP) out->has_interpreter = true;
        if (p.type == PT_GNU_STACK) {
            out->executable_stack = p.flags & PF_X;
            out->stack_size = p.memsz;
        }
    }
    bool low = !out->position_independent && out->low < LOWEST_LOAD;
    if (out->segment_count == 0 || low || h.entry < out->low || h.entry >= out->high) return -ENOEXEC;
    out->phdr_vaddr = phdr_address(out, h.phoff, table);
    return 0;
}
