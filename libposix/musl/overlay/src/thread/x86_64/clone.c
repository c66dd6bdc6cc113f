// SPDX-License-Identifier: MIT
/* musl's thread and posix_spawn creation; libposix/shim/thread.c gives the meaning. */
#include "pthread_impl.h"
#include <stdarg.h>

hidden int posix_clone(int (*fn)(void *), void *stack, int flags, void *arg, int *parent_tid,
                       void *tls, int *child_tid);

int __clone(int (*fn)(void *), void *stack, int flags, void *arg, ...)
{
    va_list more;
    va_start(more, arg);
    int *parent_tid = va_arg(more, int *);
    void *tls = va_arg(more, void *);
    int *child_tid = va_arg(more, int *);
    va_end(more);
    return posix_clone(fn, stack, flags, arg, parent_tid, tls, child_tid);
}
