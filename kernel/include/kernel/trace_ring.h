// SPDX-License-Identifier: MIT
/*
 * The trace ring: what each CPU did last, always on. A record costs about a dozen instructions, no lock and no fence;
 * the short paths of a scheme call and of direct switches leave none, except with debug checks. A panic and an NMI
 * print the end of it, /proc/trace the whole.
 */
#pragma once
#include <kernel/thread.h>
#include <abi/system.h>

#define TRACE_RECORDS 256 /* of a CPU; a power of 2 */

static inline void trace_ring_add(enum ring_event event, uint64_t a, uint64_t b) {
    struct cpu *cpu = cpu_current();
    struct trace_record *r = &cpu->trace[cpu->trace_count++ % TRACE_RECORDS];
    *r = (struct trace_record){arch_cycles(), cpu->current->tid, event, (uint16_t)cpu->id, a, b};
}

void trace_init_cpu(void); /* before this CPU's first record */
/* The newest of all CPUs, CPU by CPU, oldest first; size and result: bytes. Records may be torn by CPUs that go on. */
size_t trace_read(struct trace_record *out, size_t size);
/* The last records of a CPU, a line each. Takes no lock. */
void trace_print(uint32_t cpu, unsigned count, void (*line)(const char *));
