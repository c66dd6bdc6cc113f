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
                    THREAD_PRIORITY, /* value: enum thread_scheduling */
                    THREAD_AFFINITY, /* value: bit mask of CPUs */
                    THREAD_CLEAR_TID, /* value: address */
                    THREAD_ROBUST_LIST, /* value: address of struct robust_list_head */
                    THREAD_TLS, /* value: thread pointer */
};
enum thread_scheduling {
    THREAD_PRIORITY_MASK = 0x3f, /* 63 is the highest */
    THREAD_FIFO = 0x40, /* no time slices among equals; needs privilege */
    THREAD_NICE = 0x80, /* the priority is what the process's nice value makes it */
    THREAD_OWN = 1 << 8, /* from this bit on: what the caller likes; thread_info tells it */
};
struct thread_info {
    uint32_t tid, pid, cpu, state;
    uint32_t priority, base_priority;
    uint32_t scheduling, reserved; /* as set, without the priority */
    uint64_t affinity, run_ns, signal_mask, signal_pending;
    uint64_t robust_list;
    char name[16];
};

/* user_regs_struct and user_fpregs_struct of x86-64 Linux, for debuggers. */
struct thread_registers {
    uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    uint64_t number; /* orig_rax: of the system call that it was in, or -1 */
    uint64_t rip, cs, rflags, rsp, ss, fs_base, gs_base, ds, es, fs, gs;
    uint8_t fpu[512]; /* as FXSAVE */
};
_Static_assert(sizeof(struct thread_registers) == 27 * 8 + 512, "user_regs_struct");

/* trace(tid, op, buffer, size, value): on a halted thread that the caller traces, unless said otherwise */
enum trace_op {
    TRACE_REGISTERS, /* struct thread_registers; also of a halted thread of the process whose core the caller writes */
    TRACE_SET_REGISTERS,
    TRACE_READ, /* memory at `value`; also of the process whose core the caller writes */
    TRACE_WRITE, /* also where the thread itself may only read, if the mapping is private */
    TRACE_INFO, /* struct signal_info of the signal or event. EINVAL: it halted because its process was stopped */
    TRACE_SET_INFO,
    TRACE_MESSAGE, /* uint64_t: of the event */
    TRACE_OPTIONS, /* value: 1 << event for those to halt for, TRACE_EXIT_KILL */
    TRACE_RESUME, /* value: signal to take | TRACE_STEP, TRACE_DETACH */
    TRACE_INTERRUPT, /* one that was attached with TRACE_SEIZED halts; it needs not be halted */
    TRACE_ATTACH, /* to any thread, which halts by SIGSTOP. value: options. EPERM */
    TRACE_ME, /* the caller's parent is its tracer from now on. EPERM */
};
enum trace_event {
    TRACE_EVENT_FORK = 1, /* or spawn. message: the child, which is traced as well and halts at once */
    TRACE_EVENT_CLONE = 3, /* likewise a thread */
    TRACE_EVENT_EXEC = 4, /* message: the thread's former number */
    TRACE_EVENT_EXIT = 6, /* the process is about to end. message: its status, as wait(2) encodes */
    TRACE_EVENT_STOP = 128, /* after TRACE_INTERRUPT; of a seized one also with a stop signal */
};
enum trace_options { TRACE_EXIT_KILL = 1 << 20 /* it ends with its tracer */, TRACE_SEIZED = 1 << 24 };
enum trace_resume { TRACE_STEP = 1 << 8, TRACE_DETACH = 1 << 9 };

enum futex_flags {
    FUTEX_SHARED = 1, /* keyed by memory object, not address space */
};
