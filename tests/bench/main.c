// SPDX-License-Identifier: MIT
/*
 * bench [-n TIMES] [NAME…]: runs the rows and prints `bench NAME VALUE cr3 ipis flushes locks switches`, each
 * per operation.  Built for Linux too (without the native rows), to measure it in the same machine.
 */
#include "bench.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#ifdef __cathode__
#define CATHODE_USER_STUBS
#include <abi/counters.h>
#include <abi/syscall.h>
#endif

int64_t bench_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* TSC ticks since the machine's reset: nanoseconds under icount. */
static int64_t reset_now(void) { return (int64_t)__builtin_ia32_rdtsc(); }

static int64_t started; /* this program */
static int64_t boot_cost(unsigned count) { return started * count; }

#ifdef __cathode__ /* whose clock starts at the kernel's entry; what ran before is the same for other kernels */
static int64_t boot_now(void) { return bench_now(); }
static int64_t before_cost(unsigned count) { return (reset_now() - bench_now()) * count; }
#else
static int64_t boot_now(void) { return reset_now(); }
#endif

static const struct bench bench_boot[] = {
    {.name = "boot_to_prompt", .measure = boot_cost, .count = 1},
#ifdef __cathode__
    {.name = "before_kernel", .measure = before_cost, .count = 1},
#endif
    {0},
};

void bench_fail(const char *what) {
    fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void counters_read(uint64_t out[5]) {
    memset(out, 0, 5 * sizeof(*out));
#ifdef __cathode__
    static const enum counter which[5] = {COUNT_CR3, COUNT_IPI, COUNT_TLB_FLUSH, COUNT_LOCK, COUNT_SWITCH};
    uint64_t all[COUNT_COUNT] = {0};
    sys_system_info(SYSTEM_COUNTERS, all, sizeof(all));
    for (int i = 0; i < 5; i++) out[i] = all[which[i]];
#endif
}

void bench_report(const char *name, double value, const double counters[5]) {
    printf("bench %s %.1f %.2f %.2f %.2f %.2f %.2f\n", name, value, counters[0], counters[1], counters[2], counters[3],
           counters[4]);
}

static unsigned times = 1; /* -n: that many times each row's count, to trace it */

/* While a disk is waited for, the clock of an idle machine jumps; these jumps are no instructions. */
static int64_t idle_now(void) {
    int64_t idle = 0;
#ifdef __cathode__
    struct cpu_info cpus[64];
    long size = sys_system_info(SYSTEM_CPUS, cpus, sizeof(cpus));
    for (long i = 0; i < size / (long)sizeof(cpus[0]); i++) idle += (int64_t)cpus[i].idle_ns;
#else
    char line[200];
    FILE *f = fopen("/proc/timer_list", "r");
    while (f && fgets(line, sizeof(line), f)) {
        char *at = strstr(line, "idle_sleeptime");
        if (at) idle += strtoll(at + strcspn(at, "0123456789"), NULL, 10);
    }
    if (f) fclose(f);
#endif
    return idle;
}

static int64_t bench_once(const struct bench *b, unsigned count) {
    if (b->measure) return b->measure(count);
    int64_t idle = idle_now(), start = bench_now();
    b->run(count);
    return bench_now() - start - (idle_now() - idle);
}

static void bench_run(const struct bench *b) {
    uint64_t before[5], after[5];
    double per[5];
    if (b->prepare) b->prepare();
    bench_once(b, b->count / 10 + 1); /* warm: pages present, caches filled */
    counters_read(before);
    int64_t cost = bench_once(b, b->count * times);
    counters_read(after);
    if (b->finish) b->finish();
    for (int i = 0; i < 5; i++) per[i] = (double)(after[i] - before[i]) / (b->count * times);
    bench_report(b->name, (double)cost / (b->count * times), per);
}

static int wanted(const char *name, int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], name)) return 1;
    return argc == 1;
}

static bool only_by_name(const struct bench *table) {
    return table == bench_disk || table == bench_cards || table == bench_screen;
}

int main(int argc, char **argv) {
    static char buffer[1 << 16]; /* printed at the end: the console's servers would run in between */
    setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
    started = boot_now();
    const struct bench *tables[] = {
        bench_boot,
#ifdef __cathode__
        bench_native,
#endif
        bench_posix,  bench_disk, bench_cards, bench_screen,
    };
    if (argc > 2 && !strcmp(argv[1], "-n")) {
        times = (unsigned)atoi(argv[2]);
        argv += 2;
        argc -= 2;
    }
    for (unsigned t = 0; t < sizeof(tables) / sizeof(*tables); t++)
        for (const struct bench *b = tables[t]; b->name; b++)
            if (wanted(b->name, argc, argv) && (argc > 1 || !only_by_name(tables[t]))) bench_run(b);
    return 0;
}
