// SPDX-License-Identifier: MIT
/*
 * CLOCK_MONOTONIC from the TSC, if it is invariant, or if this is a virtual machine in which it
 * agrees with the HPET on every CPU (emulators have no invariant TSC bit, but one host clock); else
 * from the HPET. ns = (ticks - base) * mult >> 32 with a 128-bit product; 0 is the kernel's entry.
 */
#include "clock.h"
#include <arch/time.h>
#include <asm/arch.h>
#include <asm/regs.h>
#include <kernel/debug.h>
#include <kernel/log.h>

#define SHIFT 32
#define NS_PER_S 1000000000ULL
#define MEASURE_NS 4000000
#define TOLERANCE_NS 20000 /* between CPUs: beyond the cost of reading both clocks */

uint64_t boot_tsc;
static struct source {
    uint64_t base, mult;
} by_tsc, by_hpet; /* from one moment on both counters, on the boot CPU */
static struct source *_Atomic source = &by_tsc; /* in use */

static uint64_t scale(uint64_t ticks, uint64_t by) { return (uint64_t)((unsigned __int128)ticks * by >> SHIFT); }
/* a * b / c, whose result must fit. */
static uint64_t mul_div(uint64_t a, uint64_t b, uint64_t c) {
    uint64_t high;
    asm("mul %[b]; div %[c]" : "+a"(a), "=&d"(high) : [b] "r"(b), [c] "r"(c) : "cc");
    return a;
}
static uint64_t mult_for(uint64_t hz) { return (NS_PER_S << SHIFT) / hz; }

nsec_t arch_clock_now(void) {
    const struct source *s = atomic_load_explicit(&source, memory_order_relaxed);
    return (nsec_t)scale((likely(s == &by_tsc) ? arch_cycles() : hpet_read()) - s->base, s->mult);
}

void arch_clock_params(struct clock_params *out) {
    *out = (struct clock_params){
        .tsc_base = by_tsc.base, .mult = by_tsc.mult, .shift = SHIFT, .usable = source == &by_tsc && by_tsc.mult};
}

void delay_us(uint32_t us) {
    for (nsec_t end = arch_clock_now() + us * 1000LL; arch_clock_now() < end;) cpu_pause();
}

/* SDM vol. 2, CPUID leaves 15h, 16h; the hypervisors' common leaf 40000010h (kHz). 0: not told. */
static uint64_t tsc_hz_told(void) {
    uint32_t last = read_cpuid(0, 0).a;
    if (last >= 0x15) {
        struct cpuid r = read_cpuid(0x15, 0);
        if (r.a && r.b && r.c) return (uint64_t)r.c * r.b / r.a;
    }
    if (cpu_features.hypervisor && read_cpuid(0x40000000, 0).a >= 0x40000010) {
        uint64_t khz = read_cpuid(0x40000010, 0).a;
        if (khz) return khz * 1000;
    }
    if (last >= 0x16) return (uint64_t)(read_cpuid(0x16, 0).a & 0xffff) * 1000000;
    return 0;
}

/* Both clocks at one moment: of several tries, the one that took least time between two TSC reads. */
static void read_both(uint64_t *tsc, uint64_t *hpet) {
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < 5; i++) {
        uint64_t before = arch_cycles(), h = hpet_read(), after = arch_cycles();
        if (after - before >= best) continue;
        best = after - before;
        *tsc = before + (after - before) / 2;
        *hpet = h;
    }
}

static uint64_t tsc_hz_measured(void) {
    uint64_t tsc0, hpet0, tsc1, hpet1;
    const uint64_t ticks = hpet_hz() / (NS_PER_S / MEASURE_NS);
    read_both(&tsc0, &hpet0);
    while (hpet_read() - hpet0 < ticks) cpu_pause();
    read_both(&tsc1, &hpet1);
    uint64_t hz = mul_div(tsc1 - tsc0, hpet_hz(), hpet1 - hpet0);
    /* QEMU's -icount counts 1 ns per instruction: don't let the measurement's error in. */
    return hz > 999900000 && hz < 1000100000 ? NS_PER_S : hz;
}

void clock_init_boot(paddr_t hpet) {
    hpet_init(hpet);
    uint64_t hz = tsc_hz_told();
    if (!hz && hpet_hz()) hz = tsc_hz_measured();
    if (!hz) panic("no HPET, and the CPU does not tell the frequency of its time stamp counter");
    by_tsc = (struct source){boot_tsc, mult_for(hz)};
    if (hpet_hz()) {
        uint64_t tsc, ticks;
        read_both(&tsc, &ticks);
        by_hpet = (struct source){ticks - mul_div(tsc - boot_tsc, hpet_hz(), hz), mult_for(hpet_hz())};
        if (!cpu_features.invariant_tsc && !cpu_features.hypervisor) source = &by_hpet;
    }
    klog(LOG_INFO, "clock: %s, TSC at %lu.%03lu MHz", source == &by_tsc ? "TSC" : "HPET", hz / 1000000,
         hz / 1000 % 1000);
}

/*
 * On a CPU that starts, before it runs anything: its TSC must tell the same time as the boot CPU's. If
 * not, the HPET takes over, in step with what the boot CPU's TSC has told so far.
 */
void clock_check_cpu(void) {
    if (source == &by_hpet || !hpet_hz()) return;
    int64_t error = 0;
    for (int tries = 0; tries < 10; tries++) { /* the host may have stopped this CPU in between */
        uint64_t tsc, hpet;
        read_both(&tsc, &hpet);
        error = (int64_t)scale(tsc - by_tsc.base, by_tsc.mult) - (int64_t)scale(hpet - by_hpet.base, by_hpet.mult);
        if (error > -TOLERANCE_NS && error < TOLERANCE_NS) return;
    }
    klog(LOG_WARN, "clock: the TSC of CPU %u is off by %ld ns: using the HPET", cpu_current()->id, error);
    source = &by_hpet;
}
