// SPDX-License-Identifier: MIT
/* The clock, whatever it is read from, runs at the PIT's rate. */
#include <arch/time.h>
#include <asm/arch.h>
#include <asm/regs.h>
#include <kernel/clock.h>
#include <kernel/test.h>

#define PIT_HZ 1193182
#define PIT_CHANNEL_2 0x42
#define PIT_MODE 0x43
#define PIT_GATE 0x61 /* bit 0: channel 2 counts; bit 1: the speaker hears it */

/* Intel 8254: counter latch command for channel 2, then its count, low byte first. */
static uint16_t pit_read(void) {
    out8(PIT_MODE, 0x80);
    uint8_t low = in8(PIT_CHANNEL_2);
    return (uint16_t)(in8(PIT_CHANNEL_2) << 8 | low);
}

/* Both at one moment; the host may stop us in between: the shortest of some tries. */
static nsec_t read_both(uint16_t *count) {
    nsec_t best = INT64_MAX, at = 0;
    for (int i = 0; i < 20; i++) {
        nsec_t before = clock_now();
        uint16_t c = pit_read();
        nsec_t length = clock_now() - before;
        if (length >= best) continue;
        best = length;
        at = before + length / 2;
        *count = c;
    }
    return at;
}

/* Over 30 ms of the 55 that 16 bits last: the host must not stop us much longer, or we try again. */
static bool rate_is_right(void) {
    uint16_t first, last;
    out8(PIT_GATE, (uint8_t)((in8(PIT_GATE) & ~2u) | 1));
    out8(PIT_MODE, 0xb0); /* channel 2, two bytes, mode 0: counts down once */
    out8(PIT_CHANNEL_2, 0xff);
    out8(PIT_CHANNEL_2, 0xff);
    nsec_t start = read_both(&first);
    while (clock_now() - start < 30000000) cpu_pause();
    nsec_t by_clock = read_both(&last) - start, by_pit = (nsec_t)(uint16_t)(first - last) * 1000000000 / PIT_HZ;
    return by_clock > by_pit - by_pit / 100 && by_clock < by_pit + by_pit / 100;
}

KTEST(clock_runs_at_the_right_rate) {
    bool right = false;
    for (int tries = 0; tries < 20 && !right; tries++) right = rate_is_right();
    EXPECT(right);
    struct clock_params p;
    arch_clock_params(&p);
    ktest_note("the clock is the %s", p.usable ? "TSC" : "HPET");
}
