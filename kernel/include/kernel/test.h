// SPDX-License-Identifier: MIT
/*
 * In-kernel tests: KTEST(name) { EXPECT(...); } in any file of kernel/test/ or arch/NAME/test/. They
 * run one by one in a kernel thread, with all CPUs up, when the command line has `test` (all) or
 * `test=TEXT,…` (those whose names contain one of them), and report in KTAP on the console.
 */
#pragma once
#include <kernel/bootinfo.h>
#include <kernel/debug.h>

struct ktest {
    const char *name;
    void (*run)(void);
};

#define KTEST(id)                                                                                                      \
    static void ktest_##id(void);                                                                                      \
    [[gnu::used, gnu::section(".ktest")]] static const struct ktest ktest_entry_##id = {#id, ktest_##id};              \
    static void ktest_##id(void)

/* A failed one is reported; the test goes on. */
#define EXPECT(condition) ((condition) ? (void)0 : ktest_fail(__FILE__, __LINE__, #condition))

void ktest_fail(const char *file, int line, const char *what);
void ktest_note(const char *format, ...) PRINTF_LIKE(1, 2); /* a comment in the report */
NORETURN void kernel_tests_run(const struct bootinfo *boot); /* then powers off */
