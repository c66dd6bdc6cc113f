// SPDX-License-Identifier: MIT
/* Sets the thread pointer. musl's generic version knows no way to. */
#include "pthread_impl.h"
#include "syscall.h"

#define ARCH_SET_FS 0x1002

int __set_thread_area(void *thread_pointer)
{
    return __syscall(SYS_arch_prctl, ARCH_SET_FS, thread_pointer);
}
