// SPDX-License-Identifier: MIT
/*
 * Where the kernel enters libposix.
 *
 * __restore_rt: signal handlers return here, with the stack pointer at the frame as on Linux.
 *
 * posix_foreign_entry: a `syscall` instruction with a number of Linux. Registers are as at that
 * instruction: number in rax, arguments in rdi rsi rdx r10 r8 r9, return address in rcx, flags in r11.
 * Linux keeps everything but rax, rcx and r11, also below the stack pointer (red zone) and in the
 * vector registers, so all that C code may change is saved. Number FOREIGN_DUMP is the kernel's own: dump.c.
 */
#define SIGNAL_RETURN      0x104f /* SYSCALL_signal_return; checked in signal.c */
#define LINUX_RT_SIGRETURN 15
#define FOREIGN_DUMP       0xfff /* abi/process.h; checked in signal.c */
#define RED_ZONE           128

    .text
    .globl __restore_rt
    .hidden __restore_rt
    .type __restore_rt, @function
__restore_rt:
    mov $SIGNAL_RETURN, %eax
    syscall
    ud2
    .size __restore_rt, . - __restore_rt

    .globl posix_foreign_entry
    .hidden posix_foreign_entry
    .hidden posix_syscall
    .hidden posix_dump
    .type posix_foreign_entry, @function
posix_foreign_entry:
    cmp $LINUX_RT_SIGRETURN, %rax
    je __restore_rt
    cmp $FOREIGN_DUMP, %rax
    je posix_dump
    lea -RED_ZONE(%rsp), %rsp
    push %rcx
    push %r11
    push %rbp
    push %rdi
    push %rsi
    push %rdx
    push %r8
    push %r9
    push %r10
    mov %rsp, %rbp
    sub $(512 + 16), %rsp
    and $-16, %rsp
    fxsave64 16(%rsp)
    mov %r9, (%rsp) /* seventh argument */
    mov %r8, %r9
    mov %r10, %r8
    mov %rdx, %rcx
    mov %rsi, %rdx
    mov %rdi, %rsi
    mov %rax, %rdi
    call posix_syscall
    fxrstor64 16(%rsp)
    mov %rbp, %rsp
    pop %r10
    pop %r9
    pop %r8
    pop %rdx
    pop %rsi
    pop %rdi
    pop %rbp
    popf
    pop %rcx
    lea RED_ZONE(%rsp), %rsp
    jmp *%rcx
    .size posix_foreign_entry, . - posix_foreign_entry

    .section .note.GNU-stack, "", @progbits
