// SPDX-License-Identifier: MIT
/* The kernel's ELF parser: a good image, and each thing that must be refused. */
#include <abi/errno.h>
#include <abi/memory.h>
#include <kernel/elf.h>
#include <unit.h>

#define X86_64 62
#define LIMIT 0x7fffffffe000UL

struct header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
struct phdr {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};
struct file {
    struct header h;
    struct phdr p[4];
};
#define FILE_SIZE 0x5000

/* Text, data with bss, an interpreter's name, a stack that may not execute. */
static struct file good(void) {
    return (struct file){
        .h = {.ident = {0x7f, 'E', 'L', 'F', 2, 1, 1},
              .type = 2,
              .machine = X86_64,
              .version = 1,
              .entry = 0x400100,
              .phoff = sizeof(struct header),
              .phentsize = 56,
              .phnum = 4},
        .p = {{.type = 1, .flags = 5, .offset = 0, .vaddr = 0x400000, .filesz = 0x2000, .memsz = 0x2000},
              {.type = 1, .flags = 6, .offset = 0x2340, .vaddr = 0x403340, .filesz = 0x100, .memsz = 0x4000},
              {.type = 3, .offset = 0x100, .vaddr = 0x400100, .filesz = 20, .memsz = 20},
              {.type = 0x6474e551, .flags = 6}},
    };
}

static int parse(const struct file *f, struct elf_image *out) {
    return elf_parse(f, sizeof(*f), FILE_SIZE, X86_64, LIMIT, out);
}

static bool refused(const struct file *f) {
    struct elf_image image;
    return parse(f, &image) == -ENOEXEC;
}

TEST(good_image) {
    struct file f = good();
    struct elf_image i;
    CHECK(parse(&f, &i) == 0);
    CHECK(i.segment_count == 2 && i.has_interpreter && !i.executable_stack);
    CHECK(!i.position_independent && i.entry == 0x400100);
    CHECK(i.low == 0x400000 && i.high == 0x408000);
    CHECK(i.phdr_vaddr == 0x400040 && i.phdr_count == 4);
    CHECK(i.segments[0].flags == (VM_READ | VM_EXEC) && i.segments[1].flags == (VM_READ | VM_WRITE));
    CHECK(i.segments[1].memory_size == 0x4000 && i.segments[1].file_size == 0x100);
}

TEST(position_independent) {
    struct file f = good();
    struct elf_image i;
    f.h.type = 3;
    f.h.entry = 0x100;
    f.p[0].vaddr = 0;
    f.p[1].vaddr = 0x3340;
    CHECK(parse(&f, &i) == 0 && i.position_independent && i.low == 0);
    f.h.type = 2; /* fixed at 0: a null pointer would point into it */
    CHECK(refused(&f));
}

TEST(short_files) {
    struct file f = good();
    struct elf_image i;
    for (size_t size = 0; size < sizeof(f); size++)
        CHECK(elf_parse(&f, size, FILE_SIZE, X86_64, LIMIT, &i) == -ENOEXEC);
    CHECK(elf_parse(&f, sizeof(f), 0x2000, X86_64, LIMIT, &i) == -ENOEXEC); /* data is missing */
}

TEST(header_fields) {
    for (size_t at = 0; at < 7; at++) {
        struct file f = good();
        f.h.ident[at] ^= 1;
        CHECK(refused(&f));
    }
    struct file f = good();
    f.h.machine = 183;
    CHECK(refused(&f));
    f = good();
    f.h.type = 1;
    CHECK(refused(&f));
    f = good();
    f.h.phentsize = 64;
    CHECK(refused(&f));
    f = good();
    f.h.phnum = 0;
    CHECK(refused(&f));
    f = good();
    f.h.phnum = 0xffff;
    CHECK(refused(&f));
    f = good();
    f.h.phoff = UINT64_MAX - 8;
    CHECK(refused(&f));
    f = good();
    f.h.entry = 0x500000;
    CHECK(refused(&f));
}

TEST(segment_fields) {
    struct file f = good();
    f.p[1].offset = UINT64_MAX - 0xcbf; /* offset + size wraps */
    CHECK(refused(&f));
    f = good();
    f.p[1].filesz = FILE_SIZE;
    CHECK(refused(&f));
    f = good();
    f.p[1].memsz = 0x80;
    CHECK(refused(&f));
    f = good();
    f.p[1].memsz = UINT64_MAX - 0x100;
    CHECK(refused(&f));
    f = good();
    f.p[1].memsz = LIMIT;
    CHECK(refused(&f));
    f = good();
    f.p[1].vaddr += 8; /* not congruent with the offset */
    CHECK(refused(&f));
    f = good();
    f.p[1].vaddr = 0x401340; /* shares pages with text */
    CHECK(refused(&f));
    f = good();
    f.p[1].vaddr = 0x10340; /* not ascending */
    CHECK(refused(&f));
    f = good();
    f.p[0].type = f.p[1].type = 0;
    CHECK(refused(&f));
}

UNIT_MAIN
