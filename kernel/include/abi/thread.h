// SPDX-License-Identifier: MIT
/* Threads and futexes. */
#pragma once
#include <abi/types.h>

struct thread_create_args {
    uintptr_t entry; /* called as entry(argument) with stack, 16-byte aligned minus 8 */
    uintptr_t stack; /* initial stack pointer */
    uintptr_t tls; /* thread pointer */
    uint64_t argument;
    uintptr_t parent_tid; /* int32_t * or 0: receives the tid before the thread runs */
    uintptr_t clear_tid; /* int32_t * or 0: set to 0 and woken when its stack is out of use */
    uint64_t mask; /* signal mask */
};

enum thread_topic { /* thread_set(tid, topic, value, aux); tid 0 = the caller */
                    THREAD_CONTROL, /* value: address of struct thread_control, or 0 */
                    THREAD_NAME, /* value: address of 16 bytes, a string */
                    THREAD_PRIORITY, /* value: 0 … 63 */
                    THREAD_AFFINITY, /* value: bit mask of CPUs */
                    THREAD_CLEAR_TID, /* value: address */
                    THREAD_ROBUST_LIST, /* value: address of struct robust_list_head */
                    THREAD_TLS, /* value: thread pointer */
};
struct thread_info {
    uint32_t tid, pid, cpu, state;
    uint32_t priority, base_priority;
    uint64_t affinity, run_ns, signal_mask, signal_pending;
    uint64_t robust_list;
    char name[16];
};

enum futex_flags {
    FUTEX_SHARED = 1, /* keyed by memory object, not address space */
};
