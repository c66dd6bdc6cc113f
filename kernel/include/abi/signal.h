// SPDX-License-Identifier: MIT
/* Signals: layouts and values of x86-64 Linux, so that musl, ports and debuggers agree. */
#pragma once
#include <abi/types.h>

#define SIGNAL_COUNT 64
#define SIGNAL_BIT(n) (1ULL << ((n) - 1))

struct signal_action { /* struct k_sigaction */
    uintptr_t handler; /* 0 default, 1 ignore */
    uint64_t flags; /* SA_* */
    uintptr_t restorer;
    uint64_t mask;
};
struct signal_info { /* siginfo_t: 128 bytes */
    int32_t signal, error, code, pad;
    union {
        struct {
            int32_t pid;
            uint32_t uid;
            int32_t status;
            int32_t pad2;
            int64_t utime, stime;
        } child;
        struct {
            int32_t pid;
            uint32_t uid;
            uint64_t value;
        } user;
        struct {
            int32_t id, overrun;
            uint64_t value;
        } timer;
        struct {
            uint64_t address;
        } fault;
        uint8_t raw[112];
    };
};
_Static_assert(sizeof(struct signal_info) == 128, "siginfo_t");

struct signal_record { /* struct signalfd_siginfo: what a read of a signal object gives */
    uint32_t signal;
    int32_t error, code;
    uint32_t pid, uid, fd, timer, band, overrun, trap;
    int32_t status, value_int;
    uint64_t value, utime, stime, address;
    uint8_t reserved[48];
};
_Static_assert(sizeof(struct signal_record) == 128, "signalfd_siginfo");

struct stack_info { /* stack_t */
    uint64_t base;
    int32_t flags, pad;
    uint64_t size;
};

/*
 * Per-thread control area, one page-contained structure that the thread registers (THREAD_CONTROL).
 * The kernel trusts none of it. `mask` is the thread's signal mask: sigprocmask stores it, issues a
 * full barrier, reads `pending`, and calls signal_check() if (pending & ~mask) != 0. The kernel sets
 * `pending` before it reads `mask`. `cancel` ≠ 0 makes blocking calls marked as cancellation points
 * (THREAD_CANCEL_POINT in `flags`) return EINTR at once.
 */
struct thread_control {
    uint64_t mask;
    _Atomic uint64_t pending;
    _Atomic uint32_t cancel;
    uint32_t tid;
    uint32_t flags;
    uint32_t reserved[9]; /* at registration and fork the kernel fills in mask, pending and tid */
};
_Static_assert(sizeof(struct thread_control) == 64, "one cache line");

enum thread_control_flags { THREAD_CANCEL_POINT = 1 };
