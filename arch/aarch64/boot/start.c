// SPDX-License-Identifier: MIT
/* From the first instructions to kernel_main(): the device tree becomes bootinfo. */
#include "../../../kernel/boot/range.h"
#include "device_tree.h"
#include <asm/arch.h>
#include <asm/regs.h>
#include <kernel/debug.h>

#define GIB (1UL << 30)

NORETURN void boot_start(void);
static struct bootinfo boot; /* stays: system_info tells parts of it */

/* The tables of start.S map the first GiB of RAM. */
static void map_ram(void) {
    for (uint32_t i = 0; i < boot.range_count; i++) {
        paddr_t end = boot.ranges[i].start + boot.ranges[i].length;
        for (paddr_t pa = RAM_START + GIB; pa < end && pa < 512 * GIB; pa += GIB)
            physmap_table[pa / GIB] = physmap_table[RAM_START / GIB] + (pa - RAM_START);
    }
}

void boot_start(void) {
    cpu_init();
    __stack_chk_guard ^= read_sysreg(cntvct_el0) * 0x9e3779b97f4a7c15; /* this never returns */
    boot.image_start = image_to_phys(image_start);
    boot.image_end = image_to_phys(image_end);
    if (!device_tree_parse(phys_to_virt(RAM_START), boot.image_start - RAM_START, &boot) &&
        boot_range_set(&boot, boot.image_start, boot.image_end - boot.image_start, BOOT_MEMORY_RESERVED))
        boot.problem = "the memory map has too many entries";
    map_ram();
    kernel_main(&boot);
}
