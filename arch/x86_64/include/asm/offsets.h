// SPDX-License-Identifier: MIT
/*
 * Structure offsets for the assembler. cpu/offsets.c checks each against the C structures.
 */
#pragma once
#define KERNEL_BASE 0xffffffff80000000
#define PHYSMAP 0xffff800000000000
#define BOOT_STACK_SIZE 0x9000 /* with its guard page; at least KERNEL_STACK_SIZE + 0x1000 */

/* struct trapframe, from the lowest address */
#define FRAME_VECTOR 0
#define FRAME_RCX 8
#define FRAME_R11 16
#define FRAME_RAX 24
#define FRAME_R15 32
#define FRAME_R14 40
#define FRAME_R13 48
#define FRAME_R12 56
#define FRAME_RBP 64
#define FRAME_RBX 72
#define FRAME_R10 80
#define FRAME_R9 88
#define FRAME_R8 96
#define FRAME_RDX 104
#define FRAME_RSI 112
#define FRAME_RDI 120
#define FRAME_NUMBER 128
#define FRAME_RIP 136
#define FRAME_CS 144
#define FRAME_RFLAGS 152
#define FRAME_RSP 160
#define FRAME_SS 168
#define FRAME_SIZE 176

#define VECTOR_SYSCALL 256 /* in trapframe.vector */

/* struct cpu and struct arch_cpu */
#define CPU_CURRENT 8
#define CPU_PREVIOUS 24
#define CPU_COUNTERS 208
#define CPU_ARCH 1024
#define CPU_USER_RSP CPU_ARCH
#define CPU_SINCE (CPU_ARCH + 8)
#define CPU_RSP0 (CPU_ARCH + 24)

/* struct thread */
#define THREAD_WORK (THREAD_ARCH_SIZE + 8)
#define THREAD_ARCH_SIZE 40

/* counter numbers */
#define COUNTER_SYSCALL (CPU_COUNTERS + 0 * 8)
#define COUNTER_IRQ_OFF_MAX (CPU_COUNTERS + 11 * 8)
