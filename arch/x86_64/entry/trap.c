// SPDX-License-Identifier: MIT
/*
 * Exceptions and interrupts after entry.S: page faults go to trap_page_fault(), other exceptions of
 * user code become signals, those of the kernel are fatal unless a fault table covers them.
 */
#include <asm/arch.h>
#include <asm/regs.h>
#include <kernel/lock.h>
#include <kernel/signal.h>
#include <kernel/thread.h>

/* SDM vol. 3 table 6-1 */
enum vector { VECTOR_DE, VECTOR_DB, VECTOR_NMI, VECTOR_BP, VECTOR_OF, VECTOR_UD = 6, VECTOR_DF = 8, VECTOR_NP = 11 };
enum { VECTOR_SS = 12, VECTOR_GP, VECTOR_PF, VECTOR_MF = 16, VECTOR_AC, VECTOR_MC, VECTOR_XM };
enum page_fault_code { PF_PRESENT = 1, PF_WRITE = 2, PF_FETCH = 16 };

/* si_codes of x86-64 Linux, beside those in <kernel/signal.h>. */
enum { BUS_ADRALN = 1, TRAP_BRKPT = 1, TRAP_TRACE, ILL_ILLOPN = 2 };
enum { FPE_INTDIV = 1, FPE_FLTDIV = 3, FPE_FLTOVF, FPE_FLTUND, FPE_FLTRES, FPE_FLTINV };

struct fault_entry {
    uintptr_t instruction, resume;
};
extern const struct fault_entry fault_table_start[], fault_table_end[], fault_table_nofault_end[];

struct idt_gate {
    uint16_t offset_low, selector;
    uint8_t ist, type;
    uint16_t offset_middle;
    uint32_t offset_high, reserved;
};
static struct idt_gate idt[256];
struct fault_expected *fault_expected;

void trap_from_user(struct trapframe *f);
void trap_from_kernel(struct trapframe *f);
void trap_paranoid(struct trapframe *f);
void trap_leave(struct trapframe *f);

static void gate_set(unsigned vector, const void *entry, unsigned ist, unsigned privilege) {
    uintptr_t at = (uintptr_t)entry;
    idt[vector] = (struct idt_gate){
        .offset_low = (uint16_t)at,
        .offset_middle = (uint16_t)(at >> 16),
        .offset_high = (uint32_t)(at >> 32),
        .selector = KERNEL_CS,
        .ist = (uint8_t)ist,
        .type = (uint8_t)(0x8e | privilege << 5), /* present, interrupt gate */
    };
}

void idt_init(void) {
    for (unsigned v = 0; v < 256; v++) gate_set(v, trap_vectors[v], 0, v == VECTOR_BP || v == VECTOR_OF ? 3 : 0);
    gate_set(VECTOR_NMI, nmi_entry, IST_NMI, 0);
    gate_set(VECTOR_DF, double_fault_entry, IST_DOUBLE_FAULT, 0);
    gate_set(VECTOR_MC, machine_check_entry, IST_MACHINE_CHECK, 0);
}

void idt_load(void) {
    struct table_pointer pointer = {sizeof(idt) - 1, (uint64_t)idt};
    asm volatile("lidt %0" ::"m"(pointer));
}

static unsigned fault_flags(const struct trapframe *f) {
    return (f->number & PF_PRESENT ? FAULT_PRESENT : 0) | (f->number & PF_WRITE ? FAULT_WRITE : 0) |
           (f->number & PF_FETCH ? FAULT_EXEC : 0) | (frame_from_user(f) ? FAULT_USER : 0);
}

static void page_fault_from_user(struct trapframe *f) {
    uaddr_t address = read_cr2();
    cpu_count(COUNT_FAULT);
    int error = -EFAULT;
    if (address < USER_END) error = trap_page_fault(f, address, fault_flags(f));
    if (error == -EFAULT || error == -EACCES)
        trap_exception(f, SIGSEGV, error == -EFAULT ? SEGV_MAPERR : SEGV_ACCERR, address);
    else if (error) trap_exception(f, SIGBUS, BUS_ADRERR, address);
}

/* MXCSR: flags in bits 0-5 and their masks in 7-12. The x87 words have the same order of bits. */
static int fpe_code(uint32_t unmasked) {
    return unmasked & 1      ? FPE_FLTINV
           : unmasked & 4    ? FPE_FLTDIV
           : unmasked & 8    ? FPE_FLTOVF
           : unmasked & 0x12 ? FPE_FLTUND
           : unmasked & 0x20 ? FPE_FLTRES
                             : SI_KERNEL;
}

static void exception_from_user(struct trapframe *f) {
    uint32_t mxcsr;
    uint16_t control, status;
    switch (f->vector) {
    case VECTOR_DE: trap_exception(f, SIGFPE, FPE_INTDIV, f->rip); break;
    case VECTOR_DB: trap_exception(f, SIGTRAP, TRAP_TRACE, f->rip); break;
    case VECTOR_BP: trap_exception(f, SIGTRAP, TRAP_BRKPT, f->rip); break;
    case VECTOR_UD: trap_exception(f, SIGILL, ILL_ILLOPN, f->rip); break;
    case VECTOR_NP:
    case VECTOR_SS: trap_exception(f, SIGBUS, SI_KERNEL, 0); break;
    case VECTOR_AC: trap_exception(f, SIGBUS, BUS_ADRALN, 0); break;
    case VECTOR_MF:
        asm volatile("fnstcw %0; fnstsw %1" : "=m"(control), "=m"(status));
        trap_exception(f, SIGFPE, fpe_code(status & ~control & 0x3f), f->rip);
        break;
    case VECTOR_XM:
        asm volatile("stmxcsr %0" : "=m"(mxcsr));
        trap_exception(f, SIGFPE, fpe_code(mxcsr & ~(mxcsr >> 7) & 0x3f), f->rip);
        break;
    default: trap_exception(f, SIGSEGV, SI_KERNEL, 0); break;
    }
}

void trap_from_user(struct trapframe *f) {
    irq_off_begin();
    if (unlikely(fault_expected)) fault_expected->from_user(f);
    else if (f->vector >= VECTOR_DEVICE) irq_dispatch((unsigned)f->vector);
    else if (f->vector == VECTOR_PF) page_fault_from_user(f);
    else exception_from_user(f);
}

void trap_leave(struct trapframe *f) {
    struct thread *t = thread_current();
    uint32_t work;
    while ((work = atomic_load_explicit(&t->work, memory_order_acquire))) {
        if (work & WORK_FRAME) atomic_fetch_and_explicit(&t->work, ~WORK_FRAME, memory_order_relaxed);
        if (work & ~WORK_FRAME) trap_return_work(f);
    }
    lock_check_none();
    irq_off_end();
}

static void resume_at(struct trapframe *f, uintptr_t rip) {
    f->rip = rip;
    f->rflags &= ~(uint64_t)RFLAGS_AC;
}

/* The two tables stand one behind the other. #GP: a non-canonical address, or a malformed area given to XRSTOR. */
static bool fault_in_copy(struct trapframe *f, uaddr_t address) {
    const struct fault_entry *e = fault_table_start;
    while (e < fault_table_nofault_end && e->instruction != f->rip) e++;
    bool takes_faults = e < fault_table_end;
    if (e == fault_table_nofault_end) return false;
    if (f->vector == VECTOR_PF ? address >> 63 : f->vector != VECTOR_GP || !takes_faults) return false;
    if (f->vector == VECTOR_PF && takes_faults && address < USER_END) {
        cpu_count(COUNT_FAULT);
        if (!trap_page_fault(f, address, fault_flags(f))) return true;
    }
    resume_at(f, e->resume);
    return true;
}

void trap_from_kernel(struct trapframe *f) {
    if (f->vector >= VECTOR_DEVICE) { /* in arch_irq_window() or arch_cpu_idle() */
        irq_off_begin();
        irq_dispatch((unsigned)f->vector);
        irq_off_end(); /* and what was interrupted begins anew */
        return;
    }
    uint64_t address = read_cr2();
    if (fault_in_copy(f, address)) return;
    struct fault_expected *expected = fault_expected;
    if (expected) {
        expected->vector = f->vector;
        expected->address = address;
        expected->code = f->number;
        resume_at(f, expected->resume);
        fault_expected = nullptr;
        return;
    }
    trap_fatal(f, f->vector == VECTOR_PF ? "page fault in the kernel" : "exception in the kernel");
}

void trap_paranoid(struct trapframe *f) {
    if (f->vector == VECTOR_NMI) nmi_handle(f);
    else trap_fatal(f, f->vector == VECTOR_DF ? "double fault" : "machine check");
}
