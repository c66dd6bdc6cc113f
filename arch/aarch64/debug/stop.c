// SPDX-License-Identifier: MIT
/* The ends: power off and reset by the firmware (PSCI), halt, the last steps of a panic. */
#include <asm/arch.h>
#include <asm/regs.h>
#include <kernel/lib.h>
#include <kernel/log.h>

#define FRAMES_MAX 40

void arch_halt(void) {
    for (;;) asm volatile("msr daifset, #15\n\twfi" ::: "memory");
}

/* PSCI takes no code: tests are judged by their report. */
void arch_power_off(int) {
    firmware_call(PSCI_SYSTEM_OFF);
    arch_halt();
}

void arch_reboot(void) {
    firmware_call(PSCI_SYSTEM_RESET);
    arch_halt();
}

void arch_panic_stop(void) { arch_power_off(0); }

/* Frame records (AAPCS64 §6.4.6) upward on the present stack, however large it is at most. */
void arch_backtrace(void (*line)(const char *)) {
    uintptr_t frame = (uintptr_t)__builtin_frame_address(0), limit = frame + KERNEL_STACK_SIZE;
    for (int i = 0; i < FRAMES_MAX && frame % 16 == 0; i++) {
        const uintptr_t *record = (const uintptr_t *)frame; /* the caller's, return address */
        if (record[1] < KERNEL_BASE) return;
        symbol_print(record[1], line);
        if (record[0] <= frame || record[0] >= limit) return;
        frame = record[0];
    }
}
