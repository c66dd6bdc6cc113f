// SPDX-License-Identifier: MIT
/* Interrupt controllers: what acpi, smp and entry use of them. */
#pragma once
#include <kernel/types.h>

struct acpi_info;
void lapic_init(paddr_t address);
void lapic_init_cpu(void);
void lapic_timer_calibrate(void);
uint32_t lapic_take_error(void);
void ioapic_init(const struct acpi_info *info);
