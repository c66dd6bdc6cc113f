// SPDX-License-Identifier: MIT
/* Boot, as one list: what the kernel brings up, in order, and the first process. */
#include <kernel/bootinfo.h>
#include <kernel/clock.h>
#include <kernel/initfs.h>
#include <kernel/log.h>
#include <kernel/memory.h>
#include <kernel/mm.h>
#include <kernel/namespace.h>
#include <kernel/process.h>
#include <kernel/sanitizer.h>
#include <kernel/system.h>
#include <kernel/test.h>

NORETURN void kernel_main(const struct bootinfo *boot);

/* The first process gets the roots of all authority, and the boot modules as memory. */
static void give(struct process *p, handle_t at, struct object *o) {
    object_handle_get(o);
    object_put(o);
    if (handle_install_at(&p->handles, at, o, RIGHTS_ALL, HANDLE_KEEP)) panic("no memory for init's handles");
}

static void start_init(const struct bootinfo *boot) {
    if (boot->module_count == 0) panic("no boot module: an initfs is needed");
    struct memory *modules[BOOT_MODULES_MAX], *image;
    for (uint32_t i = 0; i < boot->module_count; i++) {
        modules[i] = memory_create_frames(boot->modules[i].start, boot->modules[i].length);
        if (!modules[i]) panic("boot module %u: no memory", i);
    }
    image = initfs_image(modules[0], "sbin/init");
    if (is_err(image)) panic("boot module 0: no usable sbin/init (error %d)", -ptr_err(image));
    struct process *init = process_create_first(image, "/sbin/init");
    if (is_err(init)) panic("cannot start init (error %d)", -ptr_err(init));
    object_put(memory_object(image));
    struct namespace *ns = namespace_create();
    if (!ns) panic("no memory for the root namespace");
    give(init, HANDLE_NAMESPACE, namespace_object(ns));
    give(init, HANDLE_INIT_LOG, system_object(OBJECT_LOG));
    give(init, HANDLE_INIT_HARDWARE, system_object(OBJECT_HARDWARE));
    give(init, HANDLE_INIT_SYSTEM, system_object(OBJECT_SYSTEM));
    for (uint32_t i = 0; i < boot->module_count; i++)
        give(init, HANDLE_INIT_MODULE + (handle_t)i, memory_object(modules[i]));
    process_start(init);
}

/* Each further CPU, on its idle thread's stack. */
static void cpu_main(void) {
    sched_init_cpu();
    sched_idle_loop();
}

/* Runs as a thread once the scheduler is up. */
static void boot_thread(void *arg) {
    const struct bootinfo *boot = arg;
    arch_start_cpus(cpu_main); /* all CPUs run their idle threads */
    clock_publish(); /* the time page: each CPU has checked its clock */
    race_start(); /* in that preset: looks for data races */
    planted_run(boot);
    if (boot_option(boot, "test", nullptr, 0)) kernel_tests_run(boot); /* does not return */
    start_init(boot); /* the first process */
    arch_release_boot(frame_release_boot); /* code and data that only boot needed */
    for (uint32_t c = 0; c < cpu_online(); c++) cpu_get(c)->counters[COUNT_IRQ_OFF_MAX] = 0; /* boot does not count */
    klog(LOG_INFO, "%lu MiB free of %lu MiB, %u CPUs", frame_free_count() >> 8, frame_total_count() >> 8, cpu_online());
    thread_exit();
}

NORETURN void kernel_main(const struct bootinfo *boot) {
    arch_init_early(boot); /* console, descriptor tables, traps */
    klog(LOG_INFO, "Cathode %s", CATHODE_VERSION);
    if (boot->problem) panic("boot loader: %s", boot->problem);
    frame_init(boot); /* physical pages; the kernel allocator stands on them */
    kasan_init(); /* in that preset: watches them */
    arch_init_interrupts(); /* ACPI tables, interrupt controllers, clock, timer */
    random_init(); /* the random pool */
    clock_init(); /* the time page */
    system_init(boot); /* what system_info tells */
    sched_init_cpu(); /* this CPU's queue and idle thread */
    struct thread *t = thread_create(nullptr, "boot", boot_thread, (void *)boot);
    if (!t) panic("no memory for the boot thread");
    thread_start(t);
    sched_idle_loop(); /* this CPU's idle thread from here on */
}
