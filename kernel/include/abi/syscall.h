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

#define CALL0(n, name) SYSCALL_##name = SYSCALL_BASE + n,
#define CALL1(n, name, ...) CALL0(n, name)
#define CALL2(n, name, ...) CALL0(n, name)
#define CALL3(n, name, ...) CALL0(n, name)
#define CALL4(n, name, ...) CALL0(n, name)
#define CALL5(n, name, ...) CALL0(n, name)
#define CALL6(n, name, ...) CALL0(n, name)
enum syscall_number {
#include <abi/syscalls.def>
};
#undef CALL0
#undef CALL1
#undef CALL2
#undef CALL3
#undef CALL4
#undef CALL5
#undef CALL6

#ifdef CATHODE_USER_STUBS
#include <abi/syscall_stubs.h>
#endif
