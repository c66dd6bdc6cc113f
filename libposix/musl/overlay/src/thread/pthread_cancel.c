// SPDX-License-Identifier: MIT
/*
 * Cancellation. musl's own version decides by program counter whether SIGCANCEL came before or after
 * the `syscall` instruction of a cancellation point. Here a system call is C code, which has no such
 * point, so the decision is the kernel's: a call made between cancel_point_enter() and _leave()
 * returns EINTR, before it sleeps and while it sleeps, once the thread's cancel word is set (see
 * abi/signal.h, struct thread_control). A call that had an effect returns that instead, so nothing
 * is lost.
 */
#define _GNU_SOURCE /* REG_RIP */
#include "pthread_impl.h"
#include "syscall.h"
#include <string.h>

hidden int posix_cancel_point_enter(void);
hidden void posix_cancel_point_leave(int before);
hidden void posix_cancel_request(void);
hidden extern const char __cancel_at_once[];

hidden long __cancel(void)
{
    pthread_t self = __pthread_self();
    if (self->canceldisable == PTHREAD_CANCEL_ENABLE || self->cancelasync) {
        pthread_exit(PTHREAD_CANCELED);
    }
    self->canceldisable = PTHREAD_CANCEL_DISABLE;
    return -ECANCELED;
}

/* Where an asynchronous cancellation continues: at any stack alignment, never to return. */
__asm__(".pushsection .text\n"
        ".hidden __cancel_at_once\n"
        ".global __cancel_at_once\n"
        ".hidden __cancel\n"
        "__cancel_at_once:\n"
        "    and $-16, %rsp\n"
        "    call __cancel\n"
        "    ud2\n"
        ".popsection");

hidden long __syscall_cp_c(syscall_arg_t n, syscall_arg_t a, syscall_arg_t b, syscall_arg_t c,
                           syscall_arg_t d, syscall_arg_t e, syscall_arg_t f)
{
    pthread_t self = __pthread_self();
    int state = self->canceldisable;
    if (state && (state == PTHREAD_CANCEL_DISABLE || n == SYS_close)) {
        return __syscall(n, a, b, c, d, e, f);
    }
    if (self->cancel) {
        return __cancel();
    }
    int before = posix_cancel_point_enter();
    long result = __syscall(n, a, b, c, d, e, f);
    posix_cancel_point_leave(before);
    if (result == -EINTR && n != SYS_close && self->cancel &&
        self->canceldisable != PTHREAD_CANCEL_DISABLE) {
        return __cancel();
    }
    return result;
}

static void cancel_handler(int signal, siginfo_t *info, void *context)
{
    pthread_t self = __pthread_self();
    ucontext_t *uc = context;

    a_barrier();
    if (!self->cancel || self->canceldisable == PTHREAD_CANCEL_DISABLE) {
        return;
    }
    posix_cancel_request();
    if (self->cancelasync) {
        uc->uc_sigmask.__bits[0] |= 1UL << (SIGCANCEL - 1);
        uc->uc_mcontext.MC_PC = (uintptr_t)__cancel_at_once;
    }
}

void __testcancel(void)
{
    pthread_t self = __pthread_self();
    if (self->cancel && !self->canceldisable) {
        __cancel();
    }
}

static void init_cancellation(void)
{
    struct sigaction action = {
        .sa_flags = SA_SIGINFO | SA_RESTART,
        .sa_sigaction = cancel_handler,
    };
    memset(&action.sa_mask, -1, _NSIG / 8);
    __libc_sigaction(SIGCANCEL, &action, 0);
}

int pthread_cancel(pthread_t t)
{
    static int initialised;
    if (!initialised) {
        init_cancellation();
        initialised = 1;
    }
    a_store(&t->cancel, 1);
    if (t == pthread_self()) {
        if (t->canceldisable == PTHREAD_CANCEL_ENABLE && t->cancelasync) {
            pthread_exit(PTHREAD_CANCELED);
        }
        return 0;
    }
    return pthread_kill(t, SIGCANCEL);
}
