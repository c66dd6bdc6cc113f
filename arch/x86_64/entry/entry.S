// SPDX-License-Identifier: MIT
/*
 * All ways into the kernel after boot, and back. Each builds a struct trapframe; entries from user
 * mode do so at the top of the thread's kernel stack, entries from kernel mode where they are.
 * Interrupts are off from the first instruction on. SDM vol. 3 §6.14 (stack frames in 64-bit mode).
 */
#include <asm/offsets.h>
#include <asm/segment.h>

#define SYSCALL_BASE 0x1000

/* From rdi downward to the vector number in rdi; rdi's own value is on the stack already. */
.macro SAVE_REGISTERS
    push %rsi
    push %rdx
    push %r8
    push %r9
    push %r10
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    push %rax
    push %r11
    push %rcx
    push %rdi
.endm

.macro RESTORE_REGISTERS
    add $8, %rsp
    pop %rcx
    pop %r11
    pop %rax
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    pop %r10
    pop %r9
    pop %r8
    pop %rdx
    pop %rsi
    pop %rdi
    add $8, %rsp
.endm

/* A stack frame as a caller would have made it, so that backtraces cross the interruption. */
.macro CALL_WITH_FRAME function
    pushq FRAME_RIP(%rsp)
    push %rbp
    mov %rsp, %rbp
    lea 16(%rsp), %rdi
    call \function
    add $16, %rsp
.endm

    .text

/*
 * SYSCALL: rcx = user rip, r11 = user rflags, GS and rsp still the user's. The frame gets what the
 * fast path out restores; callee-saved registers stay where they are, since C functions keep them, and
 * are stored by the slow way out. The fast one is taken when thread->work is 0, so the frame is what
 * was saved here, its rip is below USER_END, and SYSRET is safe.
 *
 * There are two of it: the measured one, used if the command line says `irq-off`, counts the time with
 * interrupts off from here to the exit; the other marks it as not counted.
 */
.macro SYSCALL_ENTRY measured
    swapgs
    mov %rsp, %gs:CPU_USER_RSP
    mov %gs:CPU_RSP0, %rsp
    sub $FRAME_SIZE, %rsp
    mov %rcx, FRAME_RIP(%rsp)
    mov %r11, FRAME_RFLAGS(%rsp)
    mov %gs:CPU_USER_RSP, %rcx
    mov %rcx, FRAME_RSP(%rsp)
    mov %rax, FRAME_NUMBER(%rsp)
    mov %rdi, FRAME_RDI(%rsp)
    mov %rsi, FRAME_RSI(%rsp)
    mov %rdx, FRAME_RDX(%rsp)
    mov %r8, FRAME_R8(%rsp)
    mov %r9, FRAME_R9(%rsp)
    mov %r10, FRAME_R10(%rsp)
    .if \measured
    rdtsc
    mov %eax, %gs:CPU_SINCE
    mov FRAME_RDX(%rsp), %rdx
    mov FRAME_NUMBER(%rsp), %rax
    .else
    movl $0, %gs:CPU_SINCE
    .endif
    incq %gs:COUNTER_SYSCALL
    sub $SYSCALL_BASE, %rax
    cmp syscall_count, %rax
    jae syscall_unknown
    mov %r10, %rcx
    call *syscall_table(, %rax, 8)
    .if \measured
    mov %rax, %r8
    rdtsc
    sub %gs:CPU_SINCE, %eax
    cmp %gs:COUNTER_IRQ_OFF_MAX, %rax
    jbe 1f
    mov %rax, %gs:COUNTER_IRQ_OFF_MAX
1:  mov %r8, %rax
    .endif
    mov %gs:CPU_CURRENT, %rcx
    cmpl $0, THREAD_WORK(%rcx)
    jne syscall_slow_exit
    mov FRAME_R10(%rsp), %r10
    mov FRAME_R9(%rsp), %r9
    mov FRAME_R8(%rsp), %r8
    mov FRAME_RDX(%rsp), %rdx
    mov FRAME_RSI(%rsp), %rsi
    mov FRAME_RDI(%rsp), %rdi
    mov FRAME_RIP(%rsp), %rcx
    mov FRAME_RFLAGS(%rsp), %r11
    mov FRAME_RSP(%rsp), %rsp
    swapgs
    sysretq
.endm

.macro SAVE_CALLEE_SAVED offset=0
    mov %rbx, \offset+FRAME_RBX(%rsp)
    mov %rbp, \offset+FRAME_RBP(%rsp)
    mov %r12, \offset+FRAME_R12(%rsp)
    mov %r13, \offset+FRAME_R13(%rsp)
    mov %r14, \offset+FRAME_R14(%rsp)
    mov %r15, \offset+FRAME_R15(%rsp)
.endm

/* What else the way out through IRET wants. */
.macro FRAME_COMPLETE
    SAVE_CALLEE_SAVED
    movq $VECTOR_SYSCALL, FRAME_VECTOR(%rsp)
    mov FRAME_RIP(%rsp), %rcx
    mov %rcx, FRAME_RCX(%rsp)
    mov FRAME_RFLAGS(%rsp), %rcx
    mov %rcx, FRAME_R11(%rsp)
    movq $USER_CS, FRAME_CS(%rsp)
    movq $USER_SS, FRAME_SS(%rsp)
.endm

    .globl syscall_entry, syscall_entry_measured
    .balign 64
syscall_entry:
    SYSCALL_ENTRY 0
    .balign 64
syscall_entry_measured:
    SYSCALL_ENTRY 1

/* The child gets all registers of the caller: they are put where arch_thread_copy() looks. */
    .globl sys_process_fork
sys_process_fork:
    SAVE_CALLEE_SAVED 8
    jmp process_fork

/* A number outside of the table: the handler may want to see and change every register. */
syscall_unknown:
    mov FRAME_NUMBER(%rsp), %rdi
    mov %rdi, FRAME_RAX(%rsp)
    FRAME_COMPLETE
    call syscall_foreign
    mov %rax, FRAME_RAX(%rsp)
    jmp return_to_user

syscall_slow_exit: /* flags: of the comparison of work with 0; its top bit is WORK_FRAME */
    mov %rax, FRAME_RAX(%rsp)
    js return_to_user
    FRAME_COMPLETE
return_to_user: /* rsp: the frame, complete */
    mov %rsp, %rdi
    call trap_leave
    RESTORE_REGISTERS
    swapgs
    iretq

    .globl arch_enter_user
arch_enter_user:
    mov %rdi, %rsp
    xor %ebp, %ebp
    jmp return_to_user

/* Exceptions and interrupts: one 16-byte stub per vector, with a zero where there is no error code. */
    .globl trap_vectors
    .balign 16
trap_vectors:
    .set vector, 0
    .rept 256
    .balign 16
    /* with an error code: #DF #TS #NP #SS #GP #PF #AC #CP #VC #SX */
    .if vector >= 32 || !((1 << vector) & 0x60227d00)
    push $0
    .endif
    push %rdi
    mov $vector, %edi
    jmp trap_common
    .set vector, vector + 1
    .endr

trap_common:
    cld
    clac
    SAVE_REGISTERS
    testb $3, FRAME_CS(%rsp)
    jz 1f
    swapgs
    mov %rsp, %rdi
    xor %ebp, %ebp
    call trap_from_user
    jmp return_to_user
1:  CALL_WITH_FRAME trap_from_kernel
    RESTORE_REGISTERS
    iretq

/*
 * NMI, double fault, machine check: own stacks, and at any instruction, so GS may be the user's.
 * The base to use lies above the frame (cpu_descriptors_init); the one found is put back.
 */
.macro PARANOID_ENTRY name, vector, error_code
    .globl \name
\name:
    .if !\error_code
    push $0
    .endif
    push %rdi
    mov $\vector, %edi
    cld
    clac
    SAVE_REGISTERS
    rdgsbase %rbx
    mov FRAME_SIZE(%rsp), %rax
    wrgsbase %rax
    CALL_WITH_FRAME trap_paranoid
    wrgsbase %rbx
    RESTORE_REGISTERS
    iretq
.endm
    PARANOID_ENTRY nmi_entry, 2, 0
    PARANOID_ENTRY double_fault_entry, 8, 1
    PARANOID_ENTRY machine_check_entry, 18, 0

/* First run of a thread, from arch_switch(): on the stack what to call, and with what argument. */
    .globl thread_first_run
thread_first_run:
    pop %rdi
    pop %rcx
    mov %rax, %gs:CPU_PREVIOUS
    xor %ebp, %ebp
    call *%rcx
    ud2

    .section .note.GNU-stack, "", @progbits
