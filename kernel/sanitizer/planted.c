// SPDX-License-Identifier: MIT
/* Planted bugs, `plant=NAME` on the command line: the tests of the sanitizers themselves. */
#include <arch/cpu.h>
#include <kernel/debug.h>
#include <kernel/lib.h>
#include <kernel/mm.h>
#include <kernel/sanitizer.h>

#define SIZE 40

static void overflow(void) {
    volatile char *p = kmalloc(SIZE);
    if (p) p[SIZE] = 1;
}

static void use_after_free(void) {
    volatile char *p = kmalloc(SIZE);
    if (!p) return;
    kfree((void *)p);
    (void)p[8];
}

static void free_page(void) {
    struct frame *f = frame_alloc(FRAME_KERNEL);
    if (!f) return;
    volatile char *p = frame_virt(f);
    frame_free(f);
    p[0] = 1;
}

static void undefined(void) {
    volatile int one = 1, much = 40;
    one <<= much;
}

static uint64_t shared;
static void racer(void *) {
    for (int i = 0; i < 1000000; i++) {
        shared++;
        asm volatile("" ::: "memory"); /* each time really */
    }
}
static void race(void) { arch_ipi_call(~(1ULL << cpu_current()->id), racer, nullptr); }

static const struct {
    const char *name;
    void (*run)(void);
} bugs[] = {
    {"overflow", overflow}, {"use-after-free", use_after_free}, {"free-page", free_page}, {"undefined", undefined},
    {"race", race},
};

void planted_run(const struct bootinfo *boot) {
    char name[32];
    if (!boot_option(boot, "plant", name, sizeof(name))) return;
    for (size_t i = 0; i < array_size(bugs); i++) {
        if (strcmp(bugs[i].name, name) == 0) {
            bugs[i].run();
            panic("the planted bug was not found: %s", name);
        }
    }
    panic("no planted bug called %s", name);
}
