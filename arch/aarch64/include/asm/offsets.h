// SPDX-License-Identifier: MIT
/* Addresses and structure offsets for the assembler. entry/ checks the latter against C. */
#pragma once
#define RAM_START 0x40000000 /* QEMU virt; the device tree lies here, the image 2 MiB above */
#define KERNEL_BASE 0xffffffff80000000 /* maps RAM_START */
#define PHYSMAP 0xffff800000000000
#define BLOCK_SIZE 0x200000 /* each part of the image has one block of the tables */
#define BOOT_STACK_SIZE 0x4000 /* KERNEL_STACK_SIZE: it becomes the idle thread's */
#define EMERGENCY_STACK_SIZE 0x2000

/* struct trapframe */
#define FRAME_X2 16
#define FRAME_SP 248
#define FRAME_PC 256
#define FRAME_KIND 272
#define FRAME_FAULT 280
#define FRAME_SIZE 304

/* Vectors of the current exception level with its own stack (Arm ARM, D1.10.2). */
#define VECTOR_SYNC 4
#define VECTOR_IRQ 5
