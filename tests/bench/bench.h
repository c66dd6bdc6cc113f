// SPDX-License-Identifier: MIT
/*
 * Benchmarks: each row is an operation and how often it runs.  Under QEMU's -icount shift=0 the
 * monotonic clock counts guest instructions, so a row's figure is instructions per operation.
 */
#pragma once
#include <stdint.h>

struct bench {
    const char *name; /* row of budgets.tsv */
    void (*prepare)(void); /* or null; not measured */
    void (*run)(unsigned count); /* does the operation `count` times */
    int64_t (*measure)(unsigned count); /* instead of run: does it and says what that cost in all */
    void (*finish)(void); /* or null */
    unsigned count;
};

extern const struct bench bench_posix[], bench_native[]; /* end with a null name */
/* Only by name: they need a second disk, two cards, a screen. */
extern const struct bench bench_disk[], bench_cards[], bench_screen[];
void bench_report(const char *name, double value, const double counters[5]);
int64_t bench_now(void);
[[noreturn]] void bench_fail(const char *what);
