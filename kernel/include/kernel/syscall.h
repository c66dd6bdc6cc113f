// SPDX-License-Identifier: MIT
/* Prototypes of the system call functions, from the one list. Pointers are raw user addresses. */
#pragma once
#include <abi/syscall.h>

#define CALL0(n, name) long sys_##name(void);
#define CALL1(n, name, t1, a1) long sys_##name(t1 a1);
#define CALL2(n, name, t1, a1, t2, a2) long sys_##name(t1 a1, t2 a2);
#define CALL3(n, name, t1, a1, t2, a2, t3, a3) long sys_##name(t1 a1, t2 a2, t3 a3);
#define CALL4(n, name, t1, a1, t2, a2, t3, a3, t4, a4) long sys_##name(t1 a1, t2 a2, t3 a3, t4 a4);
#define CALL5(n, name, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5) long sys_##name(t1 a1, t2 a2, t3 a3, t4 a4, t5 a5);
#define CALL6(n, name, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5, t6, a6)                                                 \
    long sys_##name(t1 a1, t2 a2, t3 a3, t4 a4, t5 a5, t6 a6);
#include <abi/syscalls.def>
#undef CALL0
#undef CALL1
#undef CALL2
#undef CALL3
#undef CALL4
#undef CALL5
#undef CALL6
