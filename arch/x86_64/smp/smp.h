// SPDX-License-Identifier: MIT
/* Several CPUs: which run, and messages between them. */
#pragma once
#include <kernel/types.h>

uint64_t cpu_online_mask(void);
void cpu_set_online(uint32_t id);
void ipi_wake_handle(void); /* the reschedule interrupt */
