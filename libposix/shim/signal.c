// SPDX-License-Identifier: MIT
/*
 * Signals. Dispositions, pending sets and frames are the kernel's, in Linux's layouts, so most rows
 * pass through. The mask is in the thread's control area: changing it is no system call unless that
 * unblocks something pending (abi/signal.h).
 */
#include "shim.h"
#include <stdatomic.h>
#include <string.h>
#include <sys/signalfd.h>

#define SIGSET_BYTES 8 /* the kernel's sigset_t */
_Static_assert(SYSCALL_signal_return == 0x104f, "SIGNAL_RETURN in entry.S");
_Static_assert(FOREIGN_DUMP == 0xfff, "in entry.S");
#define NEVER_BLOCKED (SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP))

long row_rt_sigaction(int signal, const struct signal_action *action, struct signal_action *old, size_t size) {
    return size == SIGSET_BYTES ? sys_signal_action(signal, action, old) : -EINVAL;
}

long row_rt_sigprocmask(int how, const uint64_t *set, uint64_t *old, size_t size) {
    struct thread_control *control = thread_control();
    uint64_t before = control->mask;
    if (size != SIGSET_BYTES) {
        return -EINVAL;
    }
    if (set) {
        uint64_t after = how == SIG_BLOCK ? before | *set : how == SIG_UNBLOCK ? before & ~*set : *set;
        if ((unsigned)how > SIG_SETMASK) {
            return -EINVAL;
        }
        control->mask = after & ~NEVER_BLOCKED;
        atomic_thread_fence(memory_order_seq_cst);
        if (atomic_load_explicit(&control->pending, memory_order_relaxed) & ~control->mask) {
            sys_signal_check();
        }
    }
    if (old) {
        *old = before;
    }
    return 0;
}

long row_rt_sigpending(uint64_t *set, size_t size) {
    struct process_signals signals;
    if (size > SIGSET_BYTES) {
        return -EINVAL;
    }
    long error = sys_process_info(0, PROCESS_SIGNALS, &signals, sizeof(signals), 0);
    if (error < 0) {
        return error;
    }
    *set = (signals.pending | signals.thread_pending) & thread_control()->mask;
    return 0;
}

long row_rt_sigsuspend(const uint64_t *mask, size_t size) {
    return size == SIGSET_BYTES ? sys_signal_suspend(*mask & ~NEVER_BLOCKED) : -EINVAL;
}

long row_pause(void) { return sys_signal_suspend(thread_control()->mask); }

long row_rt_sigtimedwait(const uint64_t *set, struct signal_info *out, const struct timespec *timeout, size_t size) {
    struct signal_info unused;
    int64_t deadline = deadline_after(timeout);
    if (size != SIGSET_BYTES || deadline < 0) {
        return -EINVAL;
    }
    long result = sys_signal_wait(*set & ~NEVER_BLOCKED, out ? out : &unused, deadline);
    return result == -ETIMEDOUT ? -EAGAIN : result;
}

long row_signalfd4(int fd, const uint64_t *mask, size_t size, int flags) {
    if (size != SIGSET_BYTES || flags & ~(SFD_CLOEXEC | SFD_NONBLOCK)) {
        return -EINVAL;
    }
    if (fd != -1 && !is_fd(fd)) {
        return -EBADF;
    }
    long result = sys_signal_open(fd, *mask, flags & SFD_CLOEXEC ? HANDLE_CLOEXEC : 0);
    if (fd == -1 && result >= 0 && flags & SFD_NONBLOCK) {
        sys_handle_set((handle_t)result, 1, FILE_NONBLOCK, FILE_NONBLOCK);
    }
    return result;
}

long row_signalfd(int fd, const uint64_t *mask, size_t size) { return row_signalfd4(fd, mask, size, 0); }

long row_rt_sigqueueinfo(pid_t pid, int signal, const struct signal_info *info) {
    /* A code ≥ 0 would claim to come from the kernel or from kill(). */
    if (info->code >= 0 && pid != process_pid()) {
        return -EPERM;
    }
    return sys_signal_send(pid, signal, info);
}

long row_sigaltstack(const struct stack_info *stack, struct stack_info *old) { return sys_signal_stack(stack, old); }

long row_kill(pid_t pid, int signal) { return pid == INT32_MIN ? -ESRCH : sys_signal_send(pid, signal, nullptr); }

long row_tkill(pid_t tid, int signal) { return tid <= 0 ? -EINVAL : sys_signal_send_thread(tid, signal, nullptr); }
