// SPDX-License-Identifier: MIT
/*
 * ptrace: Linux's requests on the kernel's trace(). Stops at system calls (PTRACE_SYSCALL, PTRACE_SYSEMU) are refused
 * with EIO: a call of the program is a call of a function here, and what that asks of the kernel is not Linux's.
 * PTRACE_LISTEN is refused likewise.
 */
#include "shim.h"
#include <elf.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#define WORD 8UL
#define GENERAL_BYTES sizeof(struct user_regs_struct)
#define OPTIONS_KNOWN (PTRACE_O_MASK & ~(unsigned long)PTRACE_O_TRACESECCOMP & ~(unsigned long)PTRACE_O_SUSPEND_SECCOMP)

_Static_assert(sizeof(struct user_regs_struct) == offsetof(struct thread_registers, fpu), "GENERAL_BYTES");
_Static_assert(sizeof(struct user_fpregs_struct) == sizeof(((struct thread_registers *)0)->fpu), "FXSAVE");
_Static_assert(PTRACE_O_EXITKILL == TRACE_EXIT_KILL, "TRACE_OPTIONS");
_Static_assert(PTRACE_O_TRACEFORK == 1 << TRACE_EVENT_FORK && PTRACE_O_TRACECLONE == 1 << TRACE_EVENT_CLONE, "");
_Static_assert(PTRACE_O_TRACEEXEC == 1 << TRACE_EVENT_EXEC && PTRACE_O_TRACEEXIT == 1 << TRACE_EVENT_EXIT, "");

/* What is asked of a tracee that is none, or runs, is ESRCH; a bad address EIO. */
static long trace(pid_t tid, uint32_t op, void *buffer, size_t size, uint64_t value) {
    if (tid <= 0) {
        return -ESRCH;
    }
    long error;
    while ((error = sys_trace((uint32_t)tid, op, buffer, size, value)) == -EAGAIN) { /* it is just about to halt */
        sys_thread_sleep(clock_monotonic() + 1000000);
    }
    return error;
}

static long memory(pid_t tid, uint32_t op, uint64_t *word, uintptr_t at) {
    long error = trace(tid, op, word, sizeof(*word), at);
    return error == -EFAULT ? -EIO : error;
}

/* `size` bytes of the registers from `from` on, to or from `data`. */
static long registers(pid_t tid, size_t from, size_t size, void *data, bool set) {
    struct thread_registers r;
    long error = trace(tid, TRACE_REGISTERS, &r, sizeof(r), 0);
    if (error < 0) {
        return error;
    }
    if (!set) {
        memcpy(data, (char *)&r + from, size);
        return 0;
    }
    memcpy((char *)&r + from, data, size);
    return trace(tid, TRACE_SET_REGISTERS, &r, sizeof(r), 0);
}

/* struct user: the registers lie at its beginning; of the rest there is nothing. */
static long user_word(pid_t tid, uintptr_t at, uint64_t *word, bool set) {
    uint64_t unused;
    if (at % WORD || at > sizeof(struct user) - WORD) {
        return -EIO;
    }
    if (at < GENERAL_BYTES) {
        return registers(tid, at, WORD, word, set);
    }
    long error = registers(tid, 0, WORD, &unused, false); /* it is a tracee */
    if (error == 0 && !set) {
        *word = 0;
    }
    return error < 0 ? error : set ? -EIO : 0;
}

static long register_set(pid_t tid, uintptr_t type, struct iovec *v, bool set) {
    size_t from = type == NT_PRSTATUS ? 0 : GENERAL_BYTES;
    size_t size = type == NT_PRSTATUS ? GENERAL_BYTES : sizeof(struct user_fpregs_struct);
    if ((type != NT_PRSTATUS && type != NT_FPREGSET) || v->iov_len % WORD) {
        return -EINVAL;
    }
    size = v->iov_len < size ? v->iov_len : size;
    long error = registers(tid, from, size, v->iov_base, set);
    if (error == 0) {
        v->iov_len = size;
    }
    return error;
}

static long resume(pid_t tid, uintptr_t signal, uint64_t how) {
    return signal > SIGNAL_COUNT ? -EIO : trace(tid, TRACE_RESUME, nullptr, 0, signal | how);
}

static long kill_halted(pid_t tid) {
    uint64_t unused;
    long error = registers(tid, 0, sizeof(unused), &unused, false); /* it is */
    return error < 0 ? error : sys_signal_send_thread(tid, SIGKILL, nullptr);
}

static long attach(pid_t tid, unsigned long options, uint64_t how) {
    return options & ~OPTIONS_KNOWN ? -EIO : trace(tid, TRACE_ATTACH, nullptr, 0, options | how);
}

long row_ptrace(long request, pid_t tid, uintptr_t address, uintptr_t data) {
    void *out = (void *)data;
    switch (request) {
    case PTRACE_TRACEME: return sys_trace(0, TRACE_ME, nullptr, 0, 0);
    case PTRACE_ATTACH: return attach(tid, 0, 0);
    case PTRACE_SEIZE: return address ? -EIO : attach(tid, data, TRACE_SEIZED);
    case PTRACE_INTERRUPT: return trace(tid, TRACE_INTERRUPT, nullptr, 0, 0);
    case PTRACE_PEEKTEXT:
    case PTRACE_PEEKDATA: return memory(tid, TRACE_READ, out, address);
    case PTRACE_POKETEXT:
    case PTRACE_POKEDATA: return memory(tid, TRACE_WRITE, &data, address);
    case PTRACE_PEEKUSER: return user_word(tid, address, out, false);
    case PTRACE_POKEUSER: return user_word(tid, address, &data, true);
    case PTRACE_GETREGS:
    case PTRACE_SETREGS: return registers(tid, 0, GENERAL_BYTES, out, request == PTRACE_SETREGS);
    case PTRACE_GETFPREGS:
    case PTRACE_SETFPREGS:
        return registers(tid, GENERAL_BYTES, sizeof(struct user_fpregs_struct), out, request == PTRACE_SETFPREGS);
    case PTRACE_GETREGSET:
    case PTRACE_SETREGSET: return register_set(tid, address, out, request == PTRACE_SETREGSET);
    case PTRACE_GETSIGINFO: return trace(tid, TRACE_INFO, out, sizeof(struct signal_info), 0);
    case PTRACE_SETSIGINFO: return trace(tid, TRACE_SET_INFO, out, sizeof(struct signal_info), 0);
    case PTRACE_GETEVENTMSG: return trace(tid, TRACE_MESSAGE, out, sizeof(uint64_t), 0);
    case PTRACE_SETOPTIONS: return data & ~OPTIONS_KNOWN ? -EINVAL : trace(tid, TRACE_OPTIONS, nullptr, 0, data);
    case PTRACE_CONT: return resume(tid, data, 0);
    case PTRACE_SINGLESTEP: return resume(tid, data, TRACE_STEP);
    case PTRACE_DETACH: return resume(tid, data, TRACE_DETACH);
    case PTRACE_KILL: return kill_halted(tid);
    default: return -EIO;
    }
}
