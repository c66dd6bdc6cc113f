// SPDX-License-Identifier: MIT
/*
 * A detached thread ends by unmapping its own stack. Here this is one native call ("unmap this range
 * and end the thread"), since a C system call layer could not return to an unmapped stack.
 */
#include "pthread_impl.h"

hidden _Noreturn void posix_thread_end(void *stack, size_t size);

void __unmapself(void *base, size_t size)
{
    posix_thread_end(base, size);
}
