// SPDX-License-Identifier: MIT
/*
 * Arch contract: CPUs, interrupt windows and inter-processor interrupts.
 * The arch's <asm/cpu.h> supplies the inline half: cpu_current() and cpu_pause().
 */
#pragma once
#include <kernel/counters.h>
#include <kernel/types.h>

struct thread;
struct pagetable;

/* One per CPU, reached through a register. The arch embeds it at offset 0 of its own structure. */
struct cpu {
    struct cpu *self;
    struct thread *current;
    struct thread *idle;
    struct thread *previous; /* whom the last arch_switch came from; for a thread's first run */
    struct pagetable *pagetable; /* loaded in hardware; kernel threads keep the last user one */
    struct pagetable *pagetable_left; /* the same, but during a change the one before */
    uint32_t id; /* 0 … cpu_count()-1 */
    _Atomic uint32_t need_resched;
    uint32_t spin_depth; /* spinlocks held (debug) */
    const void *held[16];
    uint8_t held_rank[16];
    uint64_t counters[COUNT_COUNT];
    struct run_queue *run_queue;
    struct trace_record *trace; /* kernel/trace_ring.h */
    uint32_t trace_next; /* where the next record goes: bytes */
};

#include <asm/cpu.h>

/* One instruction, by asm_cpu_increment(offset in struct cpu). */
static inline void cpu_count(enum counter c) {
    asm_cpu_increment(offsetof(struct cpu, counters) + c * sizeof(uint64_t));
}

struct cpu *cpu_get(uint32_t id);
uint32_t cpu_online(void); /* number of CPUs that run */

void arch_cpu_idle(void); /* atomically enable interrupts and halt; returns with them off */
void arch_irq_window(void); /* let pending interrupts in for a moment; no spinlock held */

/* Inter-processor interrupts. */
void arch_ipi_reschedule(uint32_t cpu); /* target sets need_resched and leaves idle */
void arch_ipi_poll(void); /* serve this CPU's mailbox; called by every spin loop */
/* Runs fn(arg) on every other CPU in mask with interrupts off and waits until all have done it. */
void arch_ipi_call(uint64_t mask, void (*fn)(void *), void *arg);

/* Boot: what main.c calls, in this order. */
struct bootinfo;
void arch_init_early(const struct bootinfo *boot); /* console, descriptor tables, traps; boot CPU */
void arch_init_interrupts(void); /* after mm: ACPI tables, interrupt controllers, clock, timer */
void arch_start_cpus(void (*entry)(void)); /* each other CPU calls entry(), on a stack that it keeps */
/* Once no BOOT_CODE or BOOT_DATA is used any more: unmaps it and gives its frames to release(). */
void arch_release_boot(void (*release)(paddr_t start, paddr_t end));
vaddr_t arch_boot_stack(void); /* top of the stack this CPU started on: its idle thread's */

NORETURN void arch_power_off(int code); /* 0 = normal; otherwise the test exit code */
NORETURN void arch_reboot(void);
NORETURN void arch_halt(void);

/* Console of last resort and the kernel log's echo. */
void arch_console_write(const char *text, size_t len);
void arch_console_mapped(paddr_t start, size_t length); /* if it has the screen: no more text there but a panic's */
void arch_backtrace(void (*line)(const char *)); /* this CPU's stack, symbolised */
void arch_panic_begin(void); /* takes the console back, whoever holds it */
NORETURN void arch_panic_stop(void); /* stop other CPUs, print their backtraces, exit or halt */

bool arch_random(uint64_t *out); /* hardware random number, if there is one */
