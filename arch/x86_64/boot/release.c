// SPDX-License-Identifier: MIT
/* Giving back what only boot needed: early tables, the loaders' parsers, early set-up code. */
#include <asm/arch.h>

void arch_release_boot(void (*release)(paddr_t start, paddr_t end)) {
    for (char *page = image_start; page < image_boot_end; page += PAGE_SIZE)
        kernel_unmap((vaddr_t)page); /* executable: its frames must not be writable elsewhere */
    release(image_to_phys(image_start), image_to_phys(image_boot_end));
}
