// SPDX-License-Identifier: MIT
/*
 * The table that the system call entry jumps through, from the one list.  Functions have the types
 * of their list line; the x86-64 and AArch64 calling conventions pass all of them in integer
 * registers, so they are called through one type.
 */
#include <arch/thread.h>
#include <kernel/syscall.h>

static long no_syscall(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t) { return -ENOSYS; }

#define ENTRY(n, name) [n] = (syscall_fn *)(void *)sys_##name,
#define CALL0(n, name) ENTRY(n, name)
#define CALL1(n, name, ...) ENTRY(n, name)
#define CALL2(n, name, ...) ENTRY(n, name)
#define CALL3(n, name, ...) ENTRY(n, name)
#define CALL4(n, name, ...) ENTRY(n, name)
#define CALL5(n, name, ...) ENTRY(n, name)
#define CALL6(n, name, ...) ENTRY(n, name)

#pragma clang diagnostic ignored "-Winitializer-overrides"
syscall_fn *const syscall_table[] = {
    [0 ... SYSCALL_null - SYSCALL_BASE] = no_syscall,
#include <abi/syscalls.def>
};
const uint64_t syscall_count = sizeof(syscall_table) / sizeof(syscall_table[0]);

long sys_null(void) { return 0; }
