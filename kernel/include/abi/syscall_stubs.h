// SPDX-License-Identifier: MIT
/* User-side stubs: sys_NAME(arguments), made from syscalls.def. x86-64. */
#pragma once
#include <abi/syscall.h>

static inline long syscall_raw(long n, long a, long b, long c, long d, long e, long f) {
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}
static inline long syscall_raw0(long n) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(n) : "rcx", "r11", "memory");
    return result;
}
static inline long syscall_raw1(long n, long a) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(n), "D"(a) : "rcx", "r11", "memory");
    return result;
}
static inline long syscall_raw2(long n, long a, long b) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(n), "D"(a), "S"(b) : "rcx", "r11", "memory");
    return result;
}
static inline long syscall_raw3(long n, long a, long b, long c) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(n), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}

#define CALL0(n, name)                                                                                                 \
    static inline long sys_##name(void) { return syscall_raw0(SYSCALL_##name); }
#define CALL1(n, name, t1, a1)                                                                                         \
    static inline long sys_##name(t1 a1) { return syscall_raw1(SYSCALL_##name, (long)a1); }
#define CALL2(n, name, t1, a1, t2, a2)                                                                                 \
    static inline long sys_##name(t1 a1, t2 a2) { return syscall_raw2(SYSCALL_##name, (long)a1, (long)a2); }
#define CALL3(n, name, t1, a1, t2, a2, t3, a3)                                                                         \
    static inline long sys_##name(t1 a1, t2 a2, t3 a3) {                                                               \
        return syscall_raw3(SYSCALL_##name, (long)a1, (long)a2, (long)a3);                                             \
    }
#define CALL4(n, name, t1, a1, t2, a2, t3, a3, t4, a4)                                                                 \
    static inline long sys_##name(t1 a1, t2 a2, t3 a3, t4 a4) {                                                        \
        return syscall_raw(SYSCALL_##name, (long)a1, (long)a2, (long)a3, (long)a4, 0, 0);                              \
    }
#define CALL5(n, name, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5)                                                         \
    static inline long sys_##name(t1 a1, t2 a2, t3 a3, t4 a4, t5 a5) {                                                 \
        return syscall_raw(SYSCALL_##name, (long)a1, (long)a2, (long)a3, (long)a4, (long)a5, 0);                       \
    }
#define CALL6(n, name, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5, t6, a6)                                                 \
    static inline long sys_##name(t1 a1, t2 a2, t3 a3, t4 a4, t5 a5, t6 a6) {                                          \
        return syscall_raw(SYSCALL_##name, (long)a1, (long)a2, (long)a3, (long)a4, (long)a5, (long)a6);                \
    }
#include <abi/syscalls.def>
#undef CALL0
#undef CALL1
#undef CALL2
#undef CALL3
#undef CALL4
#undef CALL5
#undef CALL6
