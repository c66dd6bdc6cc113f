/* SPDX-License-Identifier: MIT */
/* Exception vectors (Arm ARM, D1.10.2), the switch of kernel stacks, a thread's first step. */
#include <asm/offsets.h>

    .text
    .macro vector number
    .balign 0x80
    sub sp, sp, #FRAME_SIZE
    msr tpidrro_el0, x0 /* user code may read it, so it never holds anything for long */
    mov x0, #\number
    b trap_entry
    .endm

    .balign 0x800
    .globl trap_vectors
trap_vectors:
    .irp number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vector \number
    .endr

    .balign 0x80
trap_entry:
    msr tpidr_el0, x1
    mov x1, sp
    at s1e1w, x1 /* is there a stack? Else this would fault, and fault again */
    isb
    mrs x1, par_el1
    tbz x1, #0, 1f
    ldr x1, =emergency_stack_end - FRAME_SIZE
    mov sp, x1
1:  stp x2, x3, [sp, #FRAME_X2]
    stp x4, x5, [sp, #FRAME_X2 + 16]
    stp x6, x7, [sp, #FRAME_X2 + 32]
    stp x8, x9, [sp, #FRAME_X2 + 48]
    stp x10, x11, [sp, #FRAME_X2 + 64]
    stp x12, x13, [sp, #FRAME_X2 + 80]
    stp x14, x15, [sp, #FRAME_X2 + 96]
    stp x16, x17, [sp, #FRAME_X2 + 112]
    stp x18, x19, [sp, #FRAME_X2 + 128]
    stp x20, x21, [sp, #FRAME_X2 + 144]
    stp x22, x23, [sp, #FRAME_X2 + 160]
    stp x24, x25, [sp, #FRAME_X2 + 176]
    stp x26, x27, [sp, #FRAME_X2 + 192]
    stp x28, x29, [sp, #FRAME_X2 + 208]
    add x2, sp, #FRAME_SIZE
    stp x30, x2, [sp, #FRAME_X2 + 224]
    mrs x2, tpidrro_el0
    mrs x3, tpidr_el0
    stp x2, x3, [sp]
    mrs x2, elr_el1
    mrs x3, spsr_el1
    stp x2, x3, [sp, #FRAME_PC]
    mrs x2, far_el1
    stp x0, x2, [sp, #FRAME_KIND]
    mrs x2, esr_el1
    stp x2, xzr, [sp, #FRAME_FAULT + 8]
    mov x0, sp
    bl trap_handle

    ldp x2, x3, [sp, #FRAME_PC]
    msr elr_el1, x2
    msr spsr_el1, x3
    ldp x0, x1, [sp]
    ldp x2, x3, [sp, #FRAME_X2]
    ldp x4, x5, [sp, #FRAME_X2 + 16]
    ldp x6, x7, [sp, #FRAME_X2 + 32]
    ldp x8, x9, [sp, #FRAME_X2 + 48]
    ldp x10, x11, [sp, #FRAME_X2 + 64]
    ldp x12, x13, [sp, #FRAME_X2 + 80]
    ldp x14, x15, [sp, #FRAME_X2 + 96]
    ldp x16, x17, [sp, #FRAME_X2 + 112]
    ldp x18, x19, [sp, #FRAME_X2 + 128]
    ldp x20, x21, [sp, #FRAME_X2 + 144]
    ldp x22, x23, [sp, #FRAME_X2 + 160]
    ldp x24, x25, [sp, #FRAME_X2 + 176]
    ldp x26, x27, [sp, #FRAME_X2 + 192]
    ldp x28, x29, [sp, #FRAME_X2 + 208]
    ldr x30, [sp, #FRAME_X2 + 224]
    add sp, sp, #FRAME_SIZE
    eret

/* void switch_stacks(uint64_t *save, uint64_t load) */
    .globl switch_stacks
switch_stacks:
    stp x19, x20, [sp, #-96]!
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    mov x2, sp
    str x2, [x0]
    mov sp, x1
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp x19, x20, [sp], #96
    ret

/* entry in x19, its argument in x20: see arch_thread_set_entry(). It does not return. */
    .globl thread_first_run
thread_first_run:
    mov x0, x20
    blr x19

    .section .note.GNU-stack, "", %progbits
