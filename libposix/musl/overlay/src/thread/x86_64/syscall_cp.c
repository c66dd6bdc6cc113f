// SPDX-License-Identifier: MIT
/*
 * Cancellation points. musl cancels by program counter: a SIGCANCEL between __cp_begin and __cp_end
 * jumps to __cp_cancel. With a C system call layer there is no such window; instead the kernel
 * looks at this thread's cancel word (thread control area) before it sleeps, and the handler's
 * EINTR comes back to __syscall_cp_c, which then cancels. The window below is therefore empty.
 */
#include "pthread_impl.h"
#include "syscall.h"

hidden long __cancel(void);
hidden long posix_call_cancellable(volatile int *cancel, long n, long a, long b, long c, long d,
                                   long e, long f);
extern hidden const char __cp_begin[1], __cp_end[1], __cp_cancel[1];

__asm__(".pushsection .text\n"
        ".hidden __cp_begin\n.hidden __cp_end\n.hidden __cp_cancel\n"
        ".global __cp_begin\n.global __cp_end\n.global __cp_cancel\n"
        "__cp_begin:\n__cp_end:\n__cp_cancel:\n"
        ".hidden __cancel\n"
        "jmp __cancel\n"
        ".popsection");

hidden long __syscall_cp_asm(volatile int *cancel, long n, long a, long b, long c, long d, long e,
                             long f)
{
    if (*cancel) {
        return __cancel();
    }
    return posix_call_cancellable(cancel, n, a, b, c, d, e, f);
}
