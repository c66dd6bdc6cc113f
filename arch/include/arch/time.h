// SPDX-License-Identifier: MIT
/* Arch contract: the monotonic clock and the per-CPU one-shot timer. */
#pragma once
#include <arch/cpu.h>
#include <kernel/types.h>

nsec_t arch_clock_now(void); /* nanoseconds since boot, same on every CPU */
void arch_timer_set(nsec_t deadline); /* this CPU's next timer interrupt; DEADLINE_NEVER stops it */
/* Parameters of the user-readable clock: ns = base + ((tsc - tsc_base) * mult >> shift). */
struct clock_params {
    uint64_t tsc_base, base_ns, mult;
    uint32_t shift, usable; /* usable = 0: user code must ask the kernel */
};
void arch_clock_params(struct clock_params *out);
/* uint64_t arch_cycles(void): cheap cycle or instruction counter, inline in <asm/cpu.h>. */
