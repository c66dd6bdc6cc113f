// SPDX-License-Identifier: MIT
/*
 * The trace ring: what each CPU did last, always on. A record costs 16 instructions, no lock and no fence; scheme
 * calls, direct switches and wake-ups, whose paths are too short for that, leave one with debug checks only. A panic
 * and an NMI print the end of it, /proc/trace the whole.
 */
#pragma once
#include <kernel/thread.h>
#include <abi/system.h>

#define TRACE_RECORDS 256 /* of a CPU */

static inline void trace_ring_add(enum ring_event event, uint64_t a, uint64_t b) {
    struct cpu *cpu = cpu_current();
    uint32_t at = cpu->trace_next;
    struct trace_record *r = (struct trace_record *)((char *)cpu->trace + at);
    cpu->trace_next = (at + sizeof(*r)) % (TRACE_RECORDS * sizeof(*r));
    r->time_ns = arch_cycles(); /* the reader makes times of them, and knows whose ring it is */
    r->tid = cpu->current->tid;
    r->event = event;
    r->a = a;
    r->b = b;
}

void trace_init_cpu(void); /* before this CPU's first record */
/* The newest of all CPUs, CPU by CPU, oldest first; size and result: bytes. Records may be torn by CPUs that go on. */
size_t trace_read(struct trace_record *out, size_t size);
/* The last records of a CPU, a line each. Takes no lock. */
void trace_print(uint32_t cpu, unsigned count, void (*line)(const char *));
