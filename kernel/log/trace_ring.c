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

/* Up to `most` of the newest, oldest first. */
RACE_INTENDED static size_t newest(const struct cpu *c, struct trace_record *out, size_t most) {
    uint32_t end = __atomic_load_n(&c->trace_count, __ATOMIC_RELAXED);
    size_t n = min(most, min((size_t)end, (size_t)TRACE_RECORDS));
    for (size_t i = 0; i < n; i++) out[i] = c->trace[(end - n + i) % TRACE_RECORDS];
    return n;
}

size_t trace_read(struct trace_record *out, size_t size) {
    size_t room = size / sizeof(*out), n = 0;
    uint64_t cycles = arch_cycles();
    nsec_t now = clock_now();
    for (uint32_t cpu = 0, cpus = cpu_online(); cpu < cpus; cpu++) n += newest(cpu_get(cpu), out + n, room / cpus);
    for (size_t i = 0; i < n; i++) out[i].time_ns = (uint64_t)now - sched_ns(cycles - out[i].time_ns);
    return n * sizeof(*out);
}

void trace_print(uint32_t cpu, unsigned count, void (*line)(const char *)) {
    static const char *const names[TR_COUNT] = TR_NAMES;
    const struct cpu *c = cpu_get(cpu);
    uint64_t now = arch_cycles();
    for (struct trace_record r; count > 0 && c->trace; count--) {
        char text[128];
        if (newest(c, &r, 1) == 0) return;
        r = c->trace[(c->trace_count - count) % TRACE_RECORDS];
        print_format(text, sizeof(text), "  CPU %u %lu ns ago, thread %u: %s %#lx %#lx\n", cpu,
                     sched_ns(now - r.time_ns), r.tid, r.event < TR_COUNT ? names[r.event] : "?", r.a, r.b);
        line(text);
    }
}
