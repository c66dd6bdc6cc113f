// SPDX-License-Identifier: MIT
#include <kernel/clock.h>
#include <kernel/lib.h>
#include <kernel/log.h>
#include <kernel/mm.h>
#include <kernel/sanitizer.h>
#include <kernel/trace_ring.h>

void trace_init_cpu(void) {
    struct cpu *c = cpu_current();
    c->trace = kzalloc(TRACE_RECORDS * sizeof(c->trace[0]));
    if (!c->trace) panic("no memory for a trace ring");
}

/* The n-th of a CPU's records, from the oldest on; false: not written yet. */
RACE_INTENDED static bool record_at(uint32_t cpu, unsigned n, struct trace_record *out) {
    const struct cpu *c = cpu_get(cpu);
    uint32_t next = __atomic_load_n(&c->trace_next, __ATOMIC_RELAXED);
    *out = c->trace[(next / sizeof(*out) + n) % TRACE_RECORDS];
    out->cpu = (uint16_t)cpu;
    return out->time_ns;
}

size_t trace_read(struct trace_record *out, size_t size) {
    uint32_t cpus = cpu_online();
    unsigned most = (unsigned)min(size / sizeof(*out) / cpus, (size_t)TRACE_RECORDS);
    struct trace_record *to = out;
    for (uint32_t cpu = 0; cpu < cpus; cpu++)
        for (unsigned n = TRACE_RECORDS - most; n < TRACE_RECORDS; n++) to += record_at(cpu, n, to);
    uint64_t cycles = arch_cycles();
    nsec_t now = clock_now();
    for (struct trace_record *r = out; r < to; r++) {
        uint64_t ago = cycles - r->time_ns;
        r->time_ns = (uint64_t)now - ((int64_t)ago > 0 ? sched_ns(ago) : 0); /* one that was torn may be newer */
    }
    return (size_t)(to - out) * sizeof(*out);
}

void trace_print(uint32_t cpu, unsigned count, void (*line)(const char *)) {
    static const char *const names[TR_COUNT] = TR_NAMES;
    struct trace_record r;
    uint64_t now = arch_cycles();
    for (unsigned n = TRACE_RECORDS - count; n < TRACE_RECORDS && cpu_get(cpu)->trace; n++) {
        char text[128];
        if (!record_at(cpu, n, &r)) continue;
        const uint64_t ago = (int64_t)(now - r.time_ns) > 0 ? now - r.time_ns : 0; /* that CPU may be running still */
        print_format(text, sizeof(text), "  CPU %u %lu ns ago, thread %u: %s %#lx %#lx\n", cpu, sched_ns(ago), r.tid,
                     r.event < TR_COUNT ? names[r.event] : "?", r.a, r.b);
        line(text);
    }
}
