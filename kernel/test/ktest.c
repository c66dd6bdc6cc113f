// SPDX-License-Identifier: MIT
/* The runner of in-kernel tests. A test must give back what it allocated: that is checked too. */
#include <arch/cpu.h>
#include <kernel/lib.h>
#include <kernel/lock.h>
#include <kernel/log.h>
#include <kernel/mm.h>
#include <kernel/test.h>
#include <kernel/thread.h>
#include <stdarg.h>

#define EXIT_TESTS_FAILED 0x12
#define FRAMES_SLACK 256 /* slabs, caches of slabs, the kernel's page tables */

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

/* parts: texts between commas; an empty one is in every name. */
static bool is_selected(const struct ktest *t, const char *parts) {
    for (const char *end;; parts = end + 1) {
        for (end = parts; *end && *end != ',';) end++;
        for (const char *s = t->name; *s; s++)
            if (!strncmp(s, parts, (size_t)(end - parts))) return true;
        if (!*end) return false;
    }
}

/*
 * A thread that has ended is freed by the next one that runs on its CPU, on the spot: so this thread
 * runs on each once.  Nobody can be between the end of its work and that switch then, as the kernel
 * isn't preempted.  Stacks that are kept for the next threads are no leak.
 */
static void settle(void) {
    struct thread *self = thread_current();
    for (uint32_t cpu = 0; cpu < cpu_online(); cpu++) {
        thread_set_affinity(self, 1UL << cpu);
        do preempt_point();
        while (cpu_current()->id != cpu);
    }
    thread_set_affinity(self, UINT64_MAX);
    object_reap();
    kernel_stack_trim();
}

/* What a test allocates once, for good, is none either: only what is lost time and again. */
static bool leaks(const struct ktest *t) {
    for (int tries = 0; tries < 3; tries++) {
        settle();
        size_t bytes = kmalloc_total();
        uint64_t frames = frame_free_count();
        t->run();
        settle();
        if (kmalloc_total() <= bytes && frame_free_count() + FRAMES_SLACK >= frames) return false;
        ktest_note("%ld bytes, %ld frames more in use", (long)kmalloc_total() - (long)bytes,
                   (long)frames - (long)frame_free_count());
    }
    return true;
}

[[gnu::noinline]] static void smash_frame(void) {
    volatile char buf[16];
    volatile char *at = buf;
    for (int i = 0; i < 64; i++) at[i] = 'x';
}

[[gnu::noinline]] static int use_up_stack(int depth) {
    volatile char frame[256];
    frame[0] = (char)depth;
    return depth < 100000 ? use_up_stack(depth + 1) + frame[0] : 0;
}

UNCHECKED static void lock_in_wrong_order(struct spinlock *inner, struct spinlock *outer) {
    spin_lock(inner);
    spin_lock(outer);
}

/* `test crash=WAY`: what must end in a panic that names the cause. Boot scenarios look at it. */
static void crash_on_purpose(const char *way) {
    static struct spinlock inner = SPINLOCK_INIT(RANK_LOG), outer = SPINLOCK_INIT(RANK_OBJECT);
    if (!strcmp(way, "null")) *(volatile int *)0x10 = 1;
    else if (!strcmp(way, "canary")) smash_frame();
    else if (!strcmp(way, "stack")) use_up_stack(0);
    else if (!strcmp(way, "lock")) lock_in_wrong_order(&inner, &outer);
    panic("crash=%s", way);
}

void kernel_tests_run(const struct bootinfo *boot) {
    char way[64], parts[256] = "";
    unsigned count = 0, number = 0;
    bool any_failed = false;
    if (boot_option(boot, "crash", way, sizeof(way))) crash_on_purpose(way);
    boot_option(boot, "test", parts, sizeof(parts));
    for (const struct ktest *t = ktest_start; t < ktest_end; t++) count += is_selected(t, parts);
    print("KTAP version 1\n1..%u\n", count);
    for (const struct ktest *t = ktest_start; t < ktest_end; t++) {
        if (!is_selected(t, parts)) continue;
        failed = false;
        if (leaks(t)) {
            print("# leaves memory allocated\n");
            failed = true;
        }
        print("%s %u %s\n", failed ? "not ok" : "ok", ++number, t->name);
        any_failed |= failed;
    }
    arch_power_off(any_failed || !count ? EXIT_TESTS_FAILED : 0);
}
