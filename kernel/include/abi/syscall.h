// SPDX-License-Identifier: MIT
/*
 * System call numbers, and user-side stubs (define CATHODE_USER_STUBS before including).
 * x86-64: number in rax, arguments in rdi rsi rdx r10 r8 r9, result in rax; rcx and r11 are lost.
 */
#pragma once
#include <abi/channel.h>
#include <abi/event.h>
#include <abi/file.h>
#include <abi/handle.h>
#include <abi/memory.h>
#include <abi/process.h>
#include <abi/scheme.h>
#include <abi/signal.h>
#include <abi/system.h>
#include <abi/thread.h>

#define SYSCALL_BASE 0x1000

#define CALL(n, name, ...) SYSCALL_##name = SYSCALL_BASE + n,
enum syscall_number {
#include <abi/syscalls.def>
};

/* What follows the name in the list: the number of arguments, and a function's parameters. */
#define SYSCALL_NTH(t1, a1, t2, a2, t3, a3, t4, a4, t5, a5, t6, a6, n, ...) n
#define SYSCALL_ARGUMENT_COUNT(...) SYSCALL_NTH(__VA_ARGS__ __VA_OPT__(, ) 6, , 5, , 4, , 3, , 2, , 1, , 0, )
#define SYSCALL_JOIN(a, b) a##b
#define SYSCALL_BY_COUNT(macro, n) SYSCALL_JOIN(macro, n)
#define SYSCALL_PARAMETERS(...) SYSCALL_BY_COUNT(SYSCALL_PARAMETERS_, SYSCALL_ARGUMENT_COUNT(__VA_ARGS__))(__VA_ARGS__)
#define SYSCALL_PARAMETERS_0() void
#define SYSCALL_PARAMETERS_1(t1, a1) t1 a1
#define SYSCALL_PARAMETERS_2(t1, a1, ...) t1 a1, SYSCALL_PARAMETERS_1(__VA_ARGS__)
#define SYSCALL_PARAMETERS_3(t1, a1, ...) t1 a1, SYSCALL_PARAMETERS_2(__VA_ARGS__)
#define SYSCALL_PARAMETERS_4(t1, a1, ...) t1 a1, SYSCALL_PARAMETERS_3(__VA_ARGS__)
#define SYSCALL_PARAMETERS_5(t1, a1, ...) t1 a1, SYSCALL_PARAMETERS_4(__VA_ARGS__)
#define SYSCALL_PARAMETERS_6(t1, a1, ...) t1 a1, SYSCALL_PARAMETERS_5(__VA_ARGS__)

#ifdef CATHODE_USER_STUBS
#include <abi/syscall_stubs.h>
#endif
