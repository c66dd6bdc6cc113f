// SPDX-License-Identifier: MIT
/* The kernel's figures (figures.h). */
#include "figures.h"
#include <string.h>
#include <time.h>

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint32_t permille(uint64_t part, uint64_t whole) { return whole ? (uint32_t)(part * PERMILLE / whole) : 0; }

static void cpus_look(struct figures *f, uint32_t slot) {
    struct cpu_info before[CPUS_MAX];
    uint64_t all_busy = 0, all = 0;
    memcpy(before, f->cpus, sizeof(before));
    long size = sys_system_info(SYSTEM_CPUS, f->cpus, sizeof(f->cpus));
    f->cpu_count = size < 0 ? 0 : (uint32_t)((size_t)size / sizeof(f->cpus[0]));
    for (uint32_t i = 0; i < f->cpu_count; i++) {
        uint64_t busy = f->cpus[i].busy_ns - before[i].busy_ns, idle = f->cpus[i].idle_ns - before[i].idle_ns;
        f->cpu_history[i][slot] = (uint16_t)permille(busy, busy + idle);
        all_busy += busy;
        all += busy + idle;
    }
    f->busy = permille(all_busy, all);
}

static uint64_t rate_counter(const struct figures *f, enum rate r) {
    static const uint8_t of[RATE_COUNT] = {
        [RATE_CALLS] = COUNT_CALL,     [RATE_SYSCALLS] = COUNT_SYSCALL, [RATE_SWITCHES] = COUNT_SWITCH,
        [RATE_INTERRUPTS] = COUNT_IRQ, [RATE_FAULTS] = COUNT_FAULT,
    };
    return f->counters[of[r]];
}

void figures_look(struct figures *f) {
    const uint64_t before_ns = f->time_ns;
    const bool first = before_ns == 0;
    uint64_t before[RATE_COUNT];
    for (int r = 0; r < RATE_COUNT; r++) before[r] = rate_counter(f, (enum rate)r);
    f->time_ns = now_ns();
    f->elapsed_ns = first ? 0 : f->time_ns - before_ns;
    const uint32_t slot = f->count % HISTORY;
    cpus_look(f, slot);
    sys_system_info(SYSTEM_MEMORY, &f->memory, sizeof(f->memory));
    sys_system_info(SYSTEM_COUNTERS, f->counters, sizeof(f->counters));
    sys_system_info(SYSTEM_LOAD, f->load, sizeof(f->load));
    sys_system_info(SYSTEM_VERSION, f->version, sizeof(f->version) - 1);
    sys_system_info(SYSTEM_HOSTNAME, f->host, sizeof(f->host) - 1);
    if (first || f->elapsed_ns == 0) return;
    for (int r = 0; r < RATE_COUNT; r++) {
        uint64_t happened = rate_counter(f, (enum rate)r) - before[r];
        f->rates[r] = (uint32_t)((double)happened * 1e9 / (double)f->elapsed_ns);
        f->rate_history[r][slot] = f->rates[r];
    }
    f->count++;
}

uint64_t figures_used(const struct figures *f) { return f->memory.total - f->memory.free - f->memory.cache; }
