// SPDX-License-Identifier: MIT
/*
 * The table that the system call entry jumps through, from the one list.  Functions have the types
 * of their list line; the x86-64 and AArch64 calling conventions pass all of them in integer
 * registers, so they are called through one type.
 */
#include <arch/thread.h>
#include <kernel/syscall.h>

static long no_syscall(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t) { return -ENOSYS; }

/* What comes between the entry and a function that is given the object of its first argument. */
#define REST_1(t1, a1)
#define REST_2(t1, a1, t2, a2) , a2
#define REST_3(t1, a1, t2, a2, t3, a3) , a2, a3
#define REST_4(t1, a1, t2, a2, t3, a3, t4, a4) , a2, a3, a4
#define REST_5(t1, a1, t2, a2, t3, a3, t4, a4, t5, a5) , a2, a3, a4, a5
#define REST_6(t1, a1, t2, a2, t3, a3, t4, a4, t5, a5, t6, a6) , a2, a3, a4, a5, a6
#define CALL(n, name, ...)
#define OBJECT(n, name, type, rights, t1, a1, ...)                                                                     \
    static long object_##name(SYSCALL_PARAMETERS(t1, a1 __VA_OPT__(, ) __VA_ARGS__)) {                                 \
        struct object *object_;                                                                                        \
        int e_ = handle_lookup(a1, type, rights, &object_, nullptr);                                                   \
        if (e_) return e_;                                                                                             \
        long result_ = sys_##name(object_ REST(t1, a1 __VA_OPT__(, ) __VA_ARGS__));                                    \
        object_put(object_);                                                                                           \
        return result_;                                                                                                \
    }
#define REST(...) SYSCALL_BY_COUNT(REST_, SYSCALL_ARGUMENT_COUNT(__VA_ARGS__))(__VA_ARGS__)
#include <abi/syscalls.def>

#define CALL(n, name, ...) [n] = (syscall_fn *)(void *)sys_##name,
#define OBJECT(n, name, ...) [n] = (syscall_fn *)(void *)object_##name,
#pragma clang diagnostic ignored "-Winitializer-overrides"
syscall_fn *const syscall_table[] = {
    [0 ... SYSCALL_null - SYSCALL_BASE] = no_syscall,
#include <abi/syscalls.def>
};
const uint64_t syscall_count = sizeof(syscall_table) / sizeof(syscall_table[0]);

long sys_null(void) { return 0; }
