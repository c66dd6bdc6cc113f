// SPDX-License-Identifier: MIT
/* CLOCK_MONOTONIC and the one-shot timer: the generic timer's virtual counter (Arm ARM, D11). */
#include <arch/time.h>
#include <asm/arch.h>
#include <asm/regs.h>

#define SHIFT 32
#define NS_PER_S 1000000000ULL
#define TIMER_OFF 0
#define TIMER_ON 1 /* CNTV_CTL_EL0.ENABLE */

static uint64_t base, to_ns, to_ticks; /* fixed point, SHIFT */

static uint64_t scale(uint64_t v, uint64_t by) { return (uint64_t)((unsigned __int128)v * by >> SHIFT); }

void clock_init_boot(void) {
    uint64_t hz = read_sysreg(cntfrq_el0);
    base = arch_cycles();
    to_ns = (NS_PER_S << SHIFT) / hz;
    to_ticks = (hz << SHIFT) / NS_PER_S;
}

nsec_t arch_clock_now(void) { return (nsec_t)scale(arch_cycles() - base, to_ns); }

void clock_timer_stop(void) { write_sysreg(cntv_ctl_el0, TIMER_OFF); }

void arch_timer_set(nsec_t deadline) {
    if (deadline == DEADLINE_NEVER) {
        clock_timer_stop();
        return;
    }
    uint64_t ticks = deadline > 0 ? scale((uint64_t)deadline, to_ticks) + 1 : 0;
    write_sysreg(cntv_cval_el0, base + ticks);
    write_sysreg(cntv_ctl_el0, TIMER_ON);
}

void arch_clock_params(struct clock_params *out) {
    *out = (struct clock_params){.tsc_base = base, .mult = to_ns, .shift = SHIFT};
}
