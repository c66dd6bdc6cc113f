// SPDX-License-Identifier: MIT
/* The clock sources, for the boot order and for what measures itself against them. */
#pragma once
#include <kernel/types.h>

extern uint64_t boot_tsc; /* at the kernel's entry */
void clock_init_boot(paddr_t hpet); /* measures the TSC; before other CPUs start */
void clock_check_cpu(void); /* on each other CPU: its TSC against the HPET */
void delay_us(uint32_t us);
/* hpet.c: the main counter, extended to 64 bits by hardware; 0 Hz if there is none. */
void hpet_init(paddr_t address);
uint64_t hpet_read(void);
uint64_t hpet_hz(void);
