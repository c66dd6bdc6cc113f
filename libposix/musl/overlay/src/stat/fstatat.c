// SPDX-License-Identifier: MIT
/* struct stat is what the call fills in: no struct kstat between. */
#include "syscall.h"
#include <sys/stat.h>

int fstatat(int fd, const char *restrict path, struct stat *restrict st, int flag)
{
    return __syscall_ret(__syscall(SYS_fstatat, fd, path, st, flag));
}

weak_alias(fstatat, fstatat64);
