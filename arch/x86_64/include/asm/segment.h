// SPDX-License-Identifier: MIT
/*
 * Segment selectors, the global descriptor table and the task state segment (SDM vol. 3 §3.4, §8.7).
 * SYSRET takes user SS from STAR[63:48] + 8 and CS from + 16, hence the order of the user segments.
 */
#pragma once
#define KERNEL_CS 0x08
#define KERNEL_SS 0x10
#define USER_SS 0x1b
#define USER_CS 0x23
#define TSS_SELECTOR 0x28

#ifndef __ASSEMBLER__
#include <stdint.h>

enum ist { IST_NMI = 1, IST_DOUBLE_FAULT, IST_MACHINE_CHECK, IST_COUNT };
#define IST_STACK_SIZE 8192

struct [[gnu::packed]] tss {
    uint32_t reserved0;
    uint64_t rsp0, rsp1, rsp2, reserved1;
    uint64_t ist[7]; /* IST 1 is ist[0] */
    uint64_t reserved2;
    uint16_t reserved3, iomap;
};
static_assert(sizeof(struct tss) == 104);

struct gdt {
    uint64_t null, kernel_code, kernel_data, user_data, user_code, tss_low, tss_high;
};

struct [[gnu::packed]] table_pointer { /* operand of LGDT and LIDT */
    uint16_t limit;
    uint64_t base;
};
#endif
