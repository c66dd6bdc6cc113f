// SPDX-License-Identifier: MIT
/* What the kernel's trace ring tells of a process: system_info(SYSTEM_TRACE). */
#include "native.h"
#include <abi/system.h>
#include <signal.h>
#include <sys/wait.h>

static struct trace_record all[512];

static size_t ring_read(void) { return (size_t)GOOD(sys_system_info(SYSTEM_TRACE, all, sizeof(all))) / sizeof(all[0]); }

static bool has(size_t count, enum ring_event event, uint64_t a, uint64_t b) {
    for (size_t i = 0; i < count; i++)
        if (all[i].event == event && all[i].a == a && all[i].b == b) return true;
    return false;
}

TEST(life_of_a_process) {
    volatile char *page = (volatile char *)GOOD(sys_vm_map(0, PAGE, VM_READ | VM_WRITE, HANDLE_NONE, 0));
    pid_t pid = (pid_t)OK(fork());
    if (pid == 0) {
        for (;;) pause();
    }
    OK(kill(pid, SIGTERM));
    EQUAL(child_wait(pid), SIGTERM);
    page[5] = 1;
    size_t count = ring_read();
    CHECK(has(count, TR_START, (uint64_t)pid, (uint64_t)pid));
    CHECK(has(count, TR_SIGNAL, SIGTERM, (uint64_t)pid));
    CHECK(has(count, TR_END, (uint64_t)pid, SIGTERM));
    bool faulted = false, switched = false;
    for (size_t i = 0; i < count; i++) {
        faulted |= all[i].event == TR_FAULT && all[i].a == (uintptr_t)&page[5] && all[i].tid == (uint32_t)getpid();
        switched |= all[i].event == TR_SWITCH && all[i].a == (uint64_t)getpid();
        CHECK(all[i].event < TR_COUNT && all[i].time_ns > 0);
    }
    CHECK(faulted && switched);
}

TEST(in_order_and_in_time) {
    uint64_t now = (uint64_t)deadline_in(0);
    size_t count = ring_read();
    CHECK(count > 20);
    for (size_t i = 1; i < count; i++) {
        CHECK(all[i].cpu > all[i - 1].cpu || (all[i].cpu == all[i - 1].cpu && all[i].time_ns >= all[i - 1].time_ns));
    }
    uint64_t end = (uint64_t)deadline_in(0), last = 0;
    for (size_t i = 0; i < count; i++)
        if (all[i].time_ns > last) last = all[i].time_ns;
    CHECK(last <= end && last + 1000000000 > now);
}

static int as_user(void *unused) {
    (void)unused;
    OK(setuid(1000));
    return sys_system_info(SYSTEM_TRACE, all, sizeof(all)) == -EPERM ? 0 : 1;
}
TEST(not_for_all) { EQUAL(child_run(as_user, NULL), 0); }
