// SPDX-License-Identifier: MIT
/* What the files of arch/x86_64 share among themselves. Generic code uses <arch/...> only. */
#pragma once
#include <arch/cpu.h>
#include <arch/mmu.h>
#include <arch/thread.h>
#include <kernel/bootinfo.h>

/* kernel.ld */
extern char image_start[], image_boot_data[], image_boot_end[], image_text_end[], image_rodata_end[], image_end[];
/* boot/ */
#define FRAMEBUFFER_WINDOW ARCH_MAP_START
struct boot_stack {
    char guard[PAGE_SIZE], stack[BOOT_STACK_SIZE - PAGE_SIZE];
};
extern struct boot_stack boot_stack; /* the boot CPU's first stack */
extern paddr_t trampoline_page; /* below 1 MiB, reserved; 0: none */
extern paddr_t boot_rsdp;
NORETURN void kernel_main(const struct bootinfo *boot); /* kernel/main.c */

/* A field of this CPU's, in one instruction. */
#define CPU_FIELD(member) (*(typeof(((struct arch_cpu *)0)->member) PER_CPU *)offsetof(struct arch_cpu, member))

/* mm/ */
extern struct pagetable kernel_pagetable; /* without a user half */
bool physmap_has(paddr_t pa);
/*
 * Who flushes, or frees a table, changes entries, passes a full barrier, and asks each CPU (pagetable.c).
 * A CPU that takes a table says so before: the load of CR3 serialises, so either it is seen, or it sees
 * the changed entries.  It says that it has left the old one after that.  (Where no table is loaded the
 * barrier is for the stores before: sched_switch.)
 */
static inline void pt_load(struct pagetable *pt) {
    if (unlikely(CPU_FIELD(cpu.pagetable) == pt)) {
        atomic_thread_fence(memory_order_seq_cst);
        return;
    }
    CPU_FIELD(cpu.pagetable) = pt;
    cpu_count(COUNT_CR3);
    asm volatile("mov %0, %%cr3" ::"r"(pt->root) : "memory");
    CPU_FIELD(cpu.pagetable_left) = pt;
}

/* cpu/ */
struct cpu_features {
    bool hypervisor, invariant_tsc, rdrand, pages_1g;
};
extern struct cpu_features cpu_features;
extern struct arch_cpu boot_cpu;
extern struct arch_cpu *cpu_table[CPU_MAX];
static inline struct arch_cpu *arch_cpu(void) { return (struct arch_cpu *)cpu_current(); }
void cpu_features_init(void);
void cpu_descriptors_init(struct arch_cpu *c, vaddr_t ist_top[IST_COUNT]);
void cpu_registers_init(void); /* control registers, MSRs, FPU of this CPU */
#define XSAVE_AREA_MAX 2752 /* with fpu.c's XCR0_STATES */
extern size_t fpu_size; /* bytes at the top of each kernel stack */
void fpu_init_cpu(void);
void fpu_save(void *area);
void fpu_load_initial(void);
void fpu_legacy_set(const void *area); /* x87 and SSE of the current thread, as FXSAVE lays them out */
extern uint64_t fpu_mask;
/* This CPU's registers ↔ an XSAVE area in user memory; extended false: an FXSAVE area. -EFAULT also
 * for an area that is malformed. */
MUST_CHECK int user_fpu_save(uaddr_t to);
MUST_CHECK int user_fpu_restore(uaddr_t from, bool extended);

/* entry/ */
extern const char trap_vectors[256][16];
extern const char nmi_entry[], double_fault_entry[], machine_check_entry[], thread_first_run[];
extern const char syscall_entry[], syscall_entry_measured[];
void idt_init(void);
void idt_load(void);
/* Marks the current thread's frame as changed: it leaves the kernel restoring every register. */
#define WORK_FRAME 0x80000000u
void arch_frame_sanitize(struct trapframe *f); /* after registers came from user memory */
/* For tests: the next exception goes here instead of to a signal or a panic. See test/. */
struct fault_expected {
    uintptr_t resume; /* where kernel code goes on */
    void (*from_user)(struct trapframe *f);
    uint64_t vector, address, code;
};
extern struct fault_expected *fault_expected;

/* irq/ */
#define VECTOR_DEVICE 32
#define VECTOR_TIMER 240
#define VECTOR_WAKE 241
#define VECTOR_CALL 242
#define VECTOR_ERROR 254
#define VECTOR_SPURIOUS 255
void lapic_eoi(void);
enum { ICR_FIXED = 0, ICR_NMI = 4 << 8, ICR_INIT = 5 << 8, ICR_STARTUP = 6 << 8 };
void lapic_send(uint32_t apic_id, uint32_t command);
void irq_dispatch(unsigned vector); /* vectors from VECTOR_DEVICE on */

/* debug/ */
void console_init(const struct bootinfo *boot);
void nmi_handle(struct trapframe *f);
NORETURN void trap_fatal(struct trapframe *f, const char *what);

/*
 * Longest stretch with interrupts off: from an entry or a window to the next window or the exit.  System
 * calls count if the command line says `irq-off`; else their entry only marks the beginning as unknown, 0.
 */
extern bool irq_off_measured;
static inline void irq_off_begin(void) { arch_cpu()->kernel_since = (uint32_t)arch_cycles(); }
static inline void irq_off_end(void) {
    struct arch_cpu *c = arch_cpu();
    uint32_t now = (uint32_t)arch_cycles(), length = c->kernel_since ? now - c->kernel_since : 0;
    c->kernel_since = now;
    if (unlikely(length > c->cpu.counters[COUNT_IRQ_OFF_MAX])) c->cpu.counters[COUNT_IRQ_OFF_MAX] = length;
}
