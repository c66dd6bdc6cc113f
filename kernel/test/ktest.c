// SPDX-License-Identifier: MIT
/* The runner of in-kernel tests. A test must give back what it allocated: that is checked too. */
#include <arch/cpu.h>
#include <kernel/lib.h>
#include <kernel/log.h>
#include <kernel/mm.h>
#include <kernel/test.h>
#include <stdarg.h>

#define EXIT_TESTS_FAILED 0x12

extern const struct ktest ktest_start[], ktest_end[];
static bool failed;

static void print(const char *format, ...) PRINTF_LIKE(1, 2);
static void print(const char *format, ...) {
    char line[256];
    va_list args;
    va_start(args, format);
    size_t n = print_vformat(line, sizeof(line), format, args);
    va_end(args);
    arch_console_write(line, min(n, sizeof(line) - 1));
}

void ktest_fail(const char *file, int line, const char *what) {
    failed = true;
    print("# %s:%d: %s\n", file, line, what);
}

void ktest_note(const char *format, ...) {
    char line[200];
    va_list args;
    va_start(args, format);
    print_vformat(line, sizeof(line), format, args);
    va_end(args);
    print("# %s\n", line);
}

static bool is_selected(const struct ktest *t, const char *part) {
    size_t n = strlen(part);
    for (const char *s = t->name; *s; s++)
        if (!strncmp(s, part, n))
            return true;
    return n == 0;
}

void kernel_tests_run(const struct bootinfo *boot) {
    char part[64] = "";
    unsigned count = 0, number = 0;
    bool any_failed = false;
    boot_option(boot, "test", part, sizeof(part));
    for (const struct ktest *t = ktest_start; t < ktest_end; t++)
        count += is_selected(t, part);
    print("KTAP version 1\n1..%u\n", count);
    for (const struct ktest *t = ktest_start; t < ktest_end; t++) {
        if (!is_selected(t, part))
            continue;
        failed = false;
        size_t before = kmalloc_total();
        t->run();
        size_t after = kmalloc_total();
        if (after > before) {
            print("# leaves %lu bytes allocated\n", after - before);
            failed = true;
        }
        print("%s %u %s\n", failed ? "not ok" : "ok", ++number, t->name);
        any_failed |= failed;
    }
    arch_power_off(any_failed || !count ? EXIT_TESTS_FAILED : 0);
}
