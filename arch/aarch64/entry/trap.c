// SPDX-License-Identifier: MIT
/* Exceptions: interrupts, which come in windows only; everything else is a bug of the kernel's. */
#include <asm/arch.h>
#include <kernel/debug.h>

void trap_handle(struct trapframe *f);

void trap_handle(struct trapframe *f) {
    if (f->kind == VECTOR_IRQ) {
        irq_handle();
        return;
    }
    panic("exception, vector %lu: esr %#lx far %016lx pc %016lx pstate %lx sp %016lx\n"
          "  x0 %016lx x1 %016lx x2 %016lx x3 %016lx x19 %016lx x29 %016lx x30 %016lx",
          f->kind, f->syndrome, f->fault, f->pc, f->pstate, f->sp, f->x[0], f->x[1], f->x[2], f->x[3], f->x[19],
          f->x[29], f->x[30]);
}
