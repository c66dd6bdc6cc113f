// SPDX-License-Identifier: MIT
/*
 * Backtraces by frame pointers; dumps on NMI; the end of a panic. Runs in any state of the system:
 * takes no locks, and reads only from stacks that it knows.
 */
#include "../smp/smp.h"
#include <asm/arch.h>
#include <asm/regs.h>
#include <kernel/lib.h>
#include <kernel/log.h>
#include <kernel/trace_ring.h>

#define FRAMES_MAX 40
#define STOP_TICKS (1ULL << 31)
#define TEST_PANIC 0x11

static _Atomic bool stopping;
static _Atomic uint32_t dump_turn; /* 1: some CPU prints */

static _Atomic bool line_ended; /* something was printed */

static void print_line(const char *line) {
    arch_console_write(line, strlen(line));
    atomic_store(&line_ended, true);
}

static bool on_stack(uintptr_t at, uintptr_t top, size_t size) {
    return top && at >= top - size && at <= top - 16 && at % 8 == 0;
}

static bool on_known_stack(uintptr_t at) {
    const struct arch_cpu *c = arch_cpu();
    const struct thread *t = c->cpu.current;
    bool known = on_stack(at, c->boot_stack, KERNEL_STACK_SIZE) || (t && on_stack(at, t->stack, KERNEL_STACK_SIZE));
    for (unsigned i = 1; i < IST_COUNT; i++) known |= on_stack(at, c->tss.ist[i - 1] + 16, IST_STACK_SIZE);
    return known;
}

void arch_backtrace(void (*line)(const char *)) {
    uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
    for (int i = 0; i < FRAMES_MAX && on_known_stack(frame); i++) {
        const uintptr_t *pair = (const uintptr_t *)frame; /* saved rbp, return address */
        if (pair[1] < KERNEL_BASE) return;
        symbol_print(pair[1], line);
        frame = pair[0];
    }
}

static void dump_cpu(const struct trapframe *f) {
    char text[160];
    const struct cpu *cpu = cpu_current();
    while (atomic_exchange(&dump_turn, 1)) cpu_pause();
    print_format(text, sizeof(text), "CPU %u: %s, rip %016lx rsp %016lx, %u locks held\n", cpu->id,
                 cpu->current ? cpu->current->name : "no thread", f->rip, f->rsp, cpu->spin_depth);
    print_line(text);
    if (!frame_from_user(f)) arch_backtrace(print_line);
    if (!atomic_load(&stopping)) trace_print(cpu->id, 8, print_line);
    atomic_store(&dump_turn, 0);
}

void nmi_handle(struct trapframe *f) {
    dump_cpu(f);
    atomic_fetch_add(&arch_cpu()->dumps, 1);
    if (!atomic_load(&stopping)) return; /* an operator's question (QEMU: `nmi`): go on */
    atomic_store(&arch_cpu()->stopped, true);
    arch_halt();
}

void trap_fatal(struct trapframe *f, const char *what) {
    panic("%s\n  vector %lu code %#lx cr2 %016lx rip %016lx rflags %lx rsp %016lx\n"
          "  rax %016lx rbx %016lx rcx %016lx rdx %016lx\n"
          "  rsi %016lx rdi %016lx rbp %016lx r8 %016lx r12 %016lx",
          what, f->vector, f->number, read_cr2(), f->rip, f->rflags, f->rsp, f->rax, f->rbx, f->rcx, f->rdx, f->rsi,
          f->rdi, f->rbp, f->r8, f->r12);
}

void arch_panic_stop(void) {
    uint32_t self = cpu_current()->id;
    atomic_store(&stopping, true);
    atomic_store(&dump_turn, 0);
    for (uint64_t others = cpu_online_mask() & ~(1ULL << self); others; others &= others - 1) {
        struct arch_cpu *c = cpu_table[__builtin_ctzll(others)];
        lapic_send(c->apic_id, ICR_NMI);
        for (uint64_t start = arch_cycles(); !atomic_load(&c->stopped);) {
            /* One that is at its words has longer, for each line: a screen is slow. */
            if (atomic_exchange(&line_ended, false)) start = arch_cycles();
            if (arch_cycles() - start > (atomic_load(&dump_turn) ? 8 : 1) * STOP_TICKS) {
                print_line("a CPU does not answer\n");
                break;
            }
        }
    }
    arch_power_off(TEST_PANIC);
}
