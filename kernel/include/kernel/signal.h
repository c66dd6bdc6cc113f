// SPDX-License-Identifier: MIT
/* Signal numbers, codes and flags of x86-64 Linux (a libc's <signal.h> has them for programs). */
#pragma once
#include <abi/signal.h>

enum signal_number {
    SIGHUP = 1,
    SIGINT,
    SIGQUIT,
    SIGILL,
    SIGTRAP,
    SIGABRT,
    SIGBUS,
    SIGFPE,
    SIGKILL,
    SIGUSR1,
    SIGSEGV,
    SIGUSR2,
    SIGPIPE,
    SIGALRM,
    SIGTERM,
    SIGSTKFLT,
    SIGCHLD,
    SIGCONT,
    SIGSTOP,
    SIGTSTP,
    SIGTTIN,
    SIGTTOU,
    SIGURG,
    SIGXCPU,
    SIGXFSZ,
    SIGVTALRM,
    SIGPROF,
    SIGWINCH,
    SIGIO,
    SIGPWR,
    SIGSYS,
    SIGNAL_REALTIME, /* the first that is queued, not merged */
};
enum signal_code {
    SI_USER = 0,
    SI_KERNEL = 0x80,
    SI_QUEUE = -1,
    SI_TIMER = -2,
    SI_TKILL = -6,
    CLD_EXITED = 1,
    CLD_KILLED = 2,
    CLD_DUMPED = 3,
    CLD_TRAPPED = 4,
    CLD_STOPPED = 5,
    CLD_CONTINUED = 6,
    SEGV_MAPERR = 1,
    SEGV_ACCERR = 2,
    BUS_ADRERR = 2,
    SYS_SECCOMP = 1,
};
#define SIG_DFL 0UL
#define SIG_IGN 1UL
enum signal_action_flags : uint64_t {
    SA_NOCLDSTOP = 1,
    SA_NOCLDWAIT = 2,
    SA_SIGINFO = 4,
    SA_ONSTACK = 0x08000000,
    SA_RESTART = 0x10000000,
    SA_NODEFER = 0x40000000,
    SA_RESETHAND = 0x80000000,
};
enum signal_stack_flags { SS_ONSTACK = 1, SS_DISABLE = 2 };
#define SIGNAL_STACK_MIN 2048
