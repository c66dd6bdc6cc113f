// SPDX-License-Identifier: MIT
/*
 * From the loader's hands to kernel_main(): reads the boot information, builds the kernel's page
 * tables (physmap, image with W^X, screen) and frees the early ones. Runs on the boot CPU with the
 * early tables: the first 4 GiB are at PHYSMAP.
 */
#include <asm/arch.h>
#include <asm/regs.h>
#include <kernel/debug.h>
#include <kernel/lib.h>
#include "../../../kernel/boot/range.h"
#include "../time/clock.h"

#define EARLY_END (4ULL << 30)
#define SIZE_2M (2ULL << 20)
#define SIZE_1G (1ULL << 30)
#define MULTIBOOT2_EAX 0x36d76289

[[gnu::aligned(PAGE_SIZE)]] struct boot_stack boot_stack; /* named by header.S; the page below it is unmapped */

paddr_t trampoline_page;
static struct bootinfo boot; /* stays: system_info tells parts of it */
static paddr_t bump_start BOOT_DATA, bump_end BOOT_DATA; /* tables come from here, downward */
static uint64_t *root BOOT_DATA;

NORETURN void boot_start(uint32_t magic, uint32_t info);

NORETURN static BOOT_CODE void boot_fail(const char *why) {
    arch_console_write("boot: ", 6);
    arch_console_write(why, strlen(why));
    arch_console_write("\n", 1);
    arch_power_off(0x11);
}

static BOOT_CODE const void *early_map(paddr_t start, size_t length) {
    return start && start < EARLY_END && length <= EARLY_END - start ? phys_to_virt(start) : nullptr;
}

static BOOT_CODE uint64_t *table_new(void) {
    if (bump_end - bump_start < PAGE_SIZE) boot_fail("no memory for page tables");
    bump_end -= PAGE_SIZE;
    uint64_t *table = phys_to_virt(bump_end);
    memset(table, 0, PAGE_SIZE);
    return table;
}

/* The entry for va whose pages have the size 1 << shift: 12, 21 or 30. */
static BOOT_CODE uint64_t *entry_at(vaddr_t va, unsigned shift) {
    uint64_t *table = root;
    for (unsigned at = 39; at > shift; at -= 9) {
        uint64_t *e = &table[va >> at & 511];
        if (!*e) *e = virt_to_phys(table_new()) | PTE_PRESENT | PTE_WRITE;
        table = phys_to_virt(pte_paddr(*e));
    }
    return &table[va >> shift & 511];
}

static BOOT_CODE void map_range(vaddr_t va, paddr_t pa, size_t size, uint64_t flags) {
    for (size_t at = 0; at < size; at += PAGE_SIZE)
        *entry_at(va + at, PAGE_SHIFT) = (pa + at) | flags | PTE_PRESENT | PTE_GLOBAL;
}

static BOOT_CODE void map_image_part(const char *from, const char *to, uint64_t flags) {
    map_range((vaddr_t)from, image_to_phys(from), (size_t)(to - from), flags);
}

/* All RAM at PHYSMAP, by 1 GiB where whole ones are there, else by 2 MiB. */
static BOOT_CODE void map_ram(paddr_t start, paddr_t end) {
    const uint64_t flags = PTE_PRESENT | PTE_WRITE | PTE_NOEXEC | PTE_GLOBAL | PTE_LARGE;
    start = align_down(start, SIZE_2M);
    end = align_up(end, SIZE_2M);
    while (start < end) {
        uint64_t *e = nullptr;
        uint64_t size = SIZE_2M;
        if (cpu_features.pages_1g && !(start % SIZE_1G) && end - start >= SIZE_1G) {
            e = entry_at(PHYSMAP + start, 30);
            size = SIZE_1G;
        }
        if (!e || *e) /* another range may already have put a table there */
            e = entry_at(PHYSMAP + start, 21), size = SIZE_2M;
        *e = start | flags;
        start += size;
    }
}

static BOOT_CODE void parse(uint32_t magic, uint32_t info) {
    const void *data = early_map(info, 8);
    int error = -EINVAL;
    if (!data) {
        boot.problem = "no boot information";
    } else if (magic == MULTIBOOT2_EAX) {
        uint32_t size = *(const uint32_t *)data;
        if (early_map(info, size)) error = multiboot2_parse(info, data, size, &boot);
        if (!error) /* it holds a copy of the RSDP */
            error = boot_range_set(&boot, info, size, BOOT_MEMORY_RESERVED);
    } else if (early_map(info, PAGE_SIZE)) {
        error = pvh_parse(data, PAGE_SIZE, early_map, &boot);
    }
    if (error) boot_fail(boot.problem ? boot.problem : "the boot information is not usable");
}

/* The stack protector's canary: its zero byte stops string functions. */
[[clang::no_stack_protector]] static BOOT_CODE void seed_canary(void) {
    uint64_t seed;
    if (!arch_random(&seed)) seed = arch_cycles() * 0x9e3779b97f4a7c15;
    __stack_chk_guard = seed & ~0xffULL;
}

/* Where the page tables are made: the end of the largest free range below 4 GiB. */
static BOOT_CODE void choose_bump(void) {
    for (uint32_t i = 0; i < boot.range_count; i++) {
        struct boot_range r = boot.ranges[i];
        if (r.kind != BOOT_MEMORY_FREE || r.start >= EARLY_END) continue;
        paddr_t end = min(r.start + r.length, EARLY_END);
        if (end - r.start > bump_end - bump_start) {
            bump_start = r.start;
            bump_end = end;
        }
    }
}

static BOOT_CODE void reserve(paddr_t start, uint64_t length) {
    if (boot_range_set(&boot, start, length, BOOT_MEMORY_RESERVED)) boot_fail("the memory map has too many entries");
}

static BOOT_CODE void reserve_modules(void) {
    for (uint32_t i = 0; i < boot.module_count; i++) {
        const struct boot_module *m = &boot.modules[i];
        for (paddr_t at = align_down(m->start, PAGE_SIZE); at < m->start + m->length; at += PAGE_SIZE)
            if (boot_range_kind(&boot, at) != BOOT_MEMORY_FREE) boot_fail("a boot module is not in free memory");
        reserve(m->start, m->length);
    }
}

static BOOT_CODE void choose_trampoline(void) {
    reserve(0, PAGE_SIZE);
    for (paddr_t at = 0x8000; at < 0x9f000 && !trampoline_page; at += PAGE_SIZE)
        if (boot_range_kind(&boot, at) == BOOT_MEMORY_FREE) trampoline_page = at;
    if (trampoline_page) reserve(trampoline_page, PAGE_SIZE);
}

static BOOT_CODE void build_tables(void) {
    root = table_new();
    for (uint32_t i = 0; i < boot.range_count; i++)
        if (boot.ranges[i].kind != BOOT_MEMORY_RESERVED)
            map_ram(boot.ranges[i].start, boot.ranges[i].start + boot.ranges[i].length);
    for (uint32_t i = 0; i < boot.module_count; i++)
        map_ram(boot.modules[i].start, boot.modules[i].start + boot.modules[i].length);
    map_ram(0, image_to_phys(image_end));
    map_image_part(image_start, image_boot_data, 0);
    map_image_part(image_boot_data, image_boot_end, PTE_WRITE | PTE_NOEXEC);
    map_image_part(image_boot_end, image_text_end, 0);
    map_image_part(image_text_end, image_rodata_end, PTE_NOEXEC);
    map_image_part(image_rodata_end, image_end, PTE_WRITE | PTE_NOEXEC);
    *entry_at((vaddr_t)boot_stack.guard, PAGE_SHIFT) = 0;
    const struct framebuffer_info *f = &boot.framebuffer;
    if (f->width)
        map_range(FRAMEBUFFER_WINDOW, align_down(f->address, PAGE_SIZE),
                  align_up(f->address % PAGE_SIZE + (size_t)f->pitch * f->height, PAGE_SIZE),
                  PTE_WRITE | PTE_NOEXEC | PTE_WRITECOMBINE);
    /* Address spaces copy the top half of the root once, so its entries must all be there. */
    entry_at(KERNEL_VMAP_START, 30);
    entry_at(ARCH_MAP_START, 30);
}

[[clang::no_stack_protector]] BOOT_CODE void boot_start(uint32_t magic, uint32_t info) {
    boot_tsc = arch_cycles();
    write_msr(MSR_GS_BASE, (uint64_t)&boot_cpu); /* klog() and panic() need a CPU */
    console_init(nullptr);
    cpu_features_init();
    parse(magic, info);
    boot.image_start = image_to_phys(image_start);
    boot.image_end = image_to_phys(image_end);
    reserve_modules();
    reserve(boot.image_start, boot.image_end - boot.image_start);
    choose_trampoline();
    choose_bump();
    paddr_t taken_end = bump_end;
    build_tables();
    reserve(bump_end, taken_end - bump_end);
    kernel_pagetable.root = virt_to_phys(root);
    write_cr3(kernel_pagetable.root);
    seed_canary();
    kernel_main(&boot);
}
