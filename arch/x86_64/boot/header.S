// SPDX-License-Identifier: MIT
/*
 * Both ways in: GRUB by multiboot2 (Multiboot2 Specification 2.0 §3.1), and QEMU's -kernel by the
 * PVH note (Xen docs/misc/pvh.pandoc).  Either enters 32-bit protected mode without paging; this
 * code turns on long mode with the early tables and calls boot_start() in the high half.
 */
#include <asm/offsets.h>
#include <asm/segment.h>

#define PHYS(symbol) (symbol - KERNEL_BASE)
#define MULTIBOOT2_MAGIC 0xe85250d6
#define TRAMPOLINE_CS64 0x30

    .section .boot.header, "a"
    .balign 8
mb_header:
    .long MULTIBOOT2_MAGIC, 0, mb_end - mb_header
    .long -(MULTIBOOT2_MAGIC + (mb_end - mb_header))
    .balign 8 /* entry address */
    .word 3, 0
    .long 12, PHYS(start_multiboot2)
    .balign 8 /* framebuffer wanted: 32 bits, which GRUB asks for only with a size; optional */
    .word 5, 1
    .long 20, 1280, 800, 32
    .balign 8 /* modules page-aligned */
    .word 6, 0
    .long 8
    .balign 8
    .word 0, 0
    .long 8
mb_end:

    .section .note.Xen, "a", @note
    .balign 4
    .long 4, 8, 18 /* XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .quad PHYS(start_pvh)

    .section .boot.text, "ax"
    .code32
    .globl start_pvh
start_pvh:
    xor %eax, %eax
start_multiboot2:
    cli
    cld
    mov %eax, %edi /* loader's magic number and structure: boot_start()'s arguments */
    mov %ebx, %esi
    lgdt PHYS(early_gdt_pointer)
    mov %cr4, %eax
    or $0xa0, %eax /* PAE, PGE */
    mov %eax, %cr4
    mov $PHYS(early_pml4), %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx /* EFER: long mode, no-execute, SYSCALL */
    rdmsr
    or $0x901, %eax
    wrmsr
    mov $0x80010033, %eax /* CR0: PG WP NE ET MP PE */
    mov %eax, %cr0
    ljmp $KERNEL_CS, $PHYS(start_long)
    .code64
start_long:
    mov $KERNEL_SS, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    xor %eax, %eax
    mov %eax, %fs
    mov %eax, %gs
    mov $boot_stack + BOOT_STACK_SIZE, %rsp
    xor %ebp, %ebp
    mov $boot_start, %rax
    call *%rax

/*
 * Other CPUs start here in real mode, on a copy in a page below 1 MiB (smp/start.c), at offset 0 of
 * their code segment. %ebx: the page's address.
 */
    .section .rodata
    .globl trampoline_start, trampoline_end, trampoline_data
    .balign 16
trampoline_start:
    .code16
    cli
    cld
    xor %ebx, %ebx
    mov %cs, %bx
    mov %bx, %ds
    shl $4, %ebx
    lea (trampoline_32 - trampoline_start)(%ebx), %eax
    mov %eax, trampoline_far - trampoline_start
    lea (trampoline_gdt - trampoline_start)(%ebx), %eax
    mov %eax, trampoline_pointer + 2 - trampoline_start
    lgdtl trampoline_pointer - trampoline_start
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    ljmpl *(trampoline_far - trampoline_start)
    .code32
trampoline_32:
    mov $KERNEL_SS, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov %cr4, %eax
    or $0xa0, %eax
    mov %eax, %cr4
    mov $PHYS(early_pml4), %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx
    rdmsr
    or $0x901, %eax
    wrmsr
    mov $0x80010033, %eax
    mov %eax, %cr0
    lea (trampoline_64 - trampoline_start)(%ebx), %eax
    mov %eax, (trampoline_far64 - trampoline_start)(%ebx)
    ljmp *(trampoline_far64 - trampoline_start)(%ebx)
    .code64
trampoline_64:
    xor %eax, %eax
    mov %eax, %fs
    mov %eax, %gs
    mov %ebx, %ebx
    mov (trampoline_data - trampoline_start)(%rbx), %rax /* struct trampoline_data */
    mov (trampoline_data + 8 - trampoline_start)(%rbx), %rdx
    mov (trampoline_data + 16 - trampoline_start)(%rbx), %rdi
    mov $trampoline_high, %rcx
    jmp *%rcx
    .balign 8
trampoline_far:
    .long 0
    .word KERNEL_CS
trampoline_far64:
    .long 0
    .word TRAMPOLINE_CS64
trampoline_pointer:
    .word 7 * 8 - 1
    .long 0
    .balign 8
trampoline_gdt: /* 32-bit code first needs a 32-bit descriptor */
    .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0, 0, 0, 0x00af9b000000ffff
    .balign 8
trampoline_data:
    .quad 0, 0, 0
trampoline_end:

/* The low pages are gone once the kernel's tables are loaded: this part runs in the image. */
    .text
trampoline_high:
    mov %rax, %cr3
    mov %rdx, %rsp
    xor %ebp, %ebp
    call cpu_start

/* Early tables: the first 4 GiB at 0 and at PHYSMAP, the first 1 GiB at KERNEL_BASE. */
#define TABLE 0x3 /* present, writable */
    .section .boot.data, "aw"
    .balign 4096
    .globl early_pml4
early_pml4:
    .quad PHYS(early_low) + TABLE
    .fill 255, 8, 0
    .quad PHYS(early_low) + TABLE
    .fill 254, 8, 0
    .quad PHYS(early_high) + TABLE
early_low:
    .set i, 0
    .rept 4
    .quad PHYS(early_pages) + i * 4096 + TABLE
    .set i, i + 1
    .endr
    .fill 508, 8, 0
early_high:
    .fill 510, 8, 0
    .quad PHYS(early_pages) + TABLE
    .quad 0
early_pages:
    .set i, 0
    .rept 2048
    .quad i * 0x200000 + 0x83 /* present, writable, 2 MiB */
    .set i, i + 1
    .endr
early_gdt:
    .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
early_gdt_pointer:
    .word early_gdt_pointer - early_gdt - 1
    .quad PHYS(early_gdt)

    .section .note.GNU-stack, "", @progbits
