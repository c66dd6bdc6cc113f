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

#define SYSCALL_STUB_0() syscall_raw0(n_)
#define SYSCALL_STUB_1(t1, a1) syscall_raw1(n_, (long)a1)
#define SYSCALL_STUB_2(t1, a1, t2, a2) syscall_raw2(n_, (long)a1, (long)a2)
#define SYSCALL_STUB_3(t1, a1, t2, a2, t3, a3) syscall_raw3(n_, (long)a1, (long)a2, (long)a3)
#define SYSCALL_STUB_4(t1, a1, t2, a2, t3, a3, t4, a4) syscall_raw(n_, (long)a1, (long)a2, (long)a3, (long)a4, 0, 0)
#define SYSCALL_STUB_5(t1, a1, t2, a2, t3, a3, t4, a4, t5, a5)                                                         \
    syscall_raw(n_, (long)a1, (long)a2, (long)a3, (long)a4, (long)a5, 0)
#define SYSCALL_STUB_6(t1, a1, t2, a2, t3, a3, t4, a4, t5, a5, t6, a6)                                                 \
    syscall_raw(n_, (long)a1, (long)a2, (long)a3, (long)a4, (long)a5, (long)a6)
#define CALL(n, name, ...)                                                                                             \
    static inline long sys_##name(SYSCALL_PARAMETERS(__VA_ARGS__)) {                                                   \
        const long n_ = SYSCALL_BASE + n;                                                                              \
        return SYSCALL_BY_COUNT(SYSCALL_STUB_, SYSCALL_ARGUMENT_COUNT(__VA_ARGS__))(__VA_ARGS__);                      \
    }
#include <abi/syscalls.def>
