// SPDX-License-Identifier: MIT
/* What the files of arch/aarch64 share among themselves. Generic code uses <arch/...> only. */
#pragma once
#include <arch/cpu.h>
#include <arch/mmu.h>
#include <arch/thread.h>
#include <kernel/bootinfo.h>

/* Devices of QEMU's machine virt; what differs by its options is read from the device tree. */
#define VIRT_GIC_DISTRIBUTOR 0x08000000UL
#define VIRT_GIC_CPU 0x08010000UL
#define VIRT_UART 0x09000000UL
#define VIRT_TIMER_IRQ 27 /* private peripheral interrupt 11: EL1 virtual timer */

/* kernel.ld */
extern char image_start[], image_end[];

/* boot/ */
extern char boot_stack_end[], emergency_stack_end[];
extern pte_t kernel_root[512], physmap_table[512];
NORETURN void kernel_main(const struct bootinfo *boot); /* kernel/main.c */

/* cpu/ */
void cpu_init(void);
void missing_list(void); /* logs the contract's functions that are not there */

/* irq/, time/ */
void gic_init(void);
void irq_handle(void);
void clock_init_boot(void);
void clock_timer_stop(void);
