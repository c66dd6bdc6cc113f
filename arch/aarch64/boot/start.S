/* SPDX-License-Identifier: MIT */
/*
 * Entry, at its physical address, at EL1 with the MMU off, and the kernel's first tables, which the
 * linker fills in: nothing is computed at run time but the switch to them.
 * Arm ARM: D5.3.1 (descriptors), D13.2 (TCR, MAIR, SCTLR).
 */
#include <asm/offsets.h>

#define MAIR  0x4404ff /* 0: normal write-back, 1: device nGnRE, 2: normal uncached */
/* 48 bits each way, 4 KiB granules, walks write-back and inner shareable, 40-bit physical. */
#define TCR       0x2b5103510
#define TCR_EPD0  0x80 /* no walks for the user half */
#define SCTLR     0x30d8180d /* RES1 bits; MMU, caches, SP alignment, WXN (writable: no code) */

#define TABLE     3
#define BLOCK     0x701 /* accessed, inner shareable, normal memory */
#define DEVICE    0x405
#define READ_ONLY 0x80
#define NO_EXEC   0x60000000000000
#define NO_USER_EXEC 0x40000000000000
#define PHYSICAL(symbol) symbol - KERNEL_BASE + RAM_START

    .text
    .globl start
start:
    adrp x0, identity_root
    msr ttbr0_el1, x0
    adrp x0, kernel_root
    msr ttbr1_el1, x0
    ldr x0, =MAIR
    msr mair_el1, x0
    ldr x0, =TCR
    msr tcr_el1, x0
    tlbi vmalle1
    dsb nsh
    isb
    ldr x1, =SCTLR
    msr sctlr_el1, x1
    isb
    ldr x1, =1f
    br x1
1:  orr x0, x0, #TCR_EPD0
    msr tcr_el1, x0
    isb
    tlbi vmalle1
    dsb nsh
    isb
    ldr x0, =trap_vectors
    msr vbar_el1, x0
    ldr x0, =boot_stack_end
    mov sp, x0
    mov x29, xzr
    mov x30, xzr
    b boot_start

    .section .data.boot_stack, "aw"
    .balign 4096
    .fill BOOT_STACK_SIZE
    .globl boot_stack_end
boot_stack_end:

    .section .bss.page_aligned, "aw", %nobits
    .balign 4096
    .skip EMERGENCY_STACK_SIZE
    .globl emergency_stack_end
emergency_stack_end:

    .data
    .balign 4096
identity_root: /* only for the step from physical to virtual addresses */
    .quad PHYSICAL(identity_table) + TABLE
    .fill 511, 8, 0
identity_table:
    .quad 0
    .quad RAM_START + BLOCK + READ_ONLY
    .fill 510, 8, 0
    .globl kernel_root
kernel_root:
    .fill 256, 8, 0
    .quad PHYSICAL(physmap_table) + TABLE
    .fill 254, 8, 0
    .quad PHYSICAL(image_table) + TABLE
    .globl physmap_table
physmap_table: /* by GiB: devices, RAM; boot_start() adds what lies above */
    .quad DEVICE + NO_EXEC
    .quad RAM_START + BLOCK + NO_EXEC
    .fill 510, 8, 0
image_table:
    .fill 510, 8, 0
    .quad PHYSICAL(image_blocks) + TABLE
    .quad 0
image_blocks: /* the order of kernel.ld */
    .quad 0
    .quad RAM_START + 1 * BLOCK_SIZE + BLOCK + READ_ONLY + NO_USER_EXEC
    .quad RAM_START + 2 * BLOCK_SIZE + BLOCK + READ_ONLY + NO_EXEC
    .quad RAM_START + 3 * BLOCK_SIZE + BLOCK + NO_EXEC
    .fill 508, 8, 0

    .section .note.GNU-stack, "", %progbits
