// SPDX-License-Identifier: MIT
/* Files about the whole system, and the few of /proc/sys that programs look for. */
#include "proc.h"

#include <abi/counters.h>
#include <cpuid.h>
#include <service.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TICK_NS 10000000 /* USER_HZ 100 */
#define CPUS_MAX 64

static unsigned long long ull(uint64_t value) { return value; }

static uint64_t clock_ns(clockid_t clock) {
    struct timespec t = {};
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint32_t cpus_get(struct cpu_info out[CPUS_MAX]) {
    long size = sys_system_info(SYSTEM_CPUS, out, CPUS_MAX * sizeof(out[0]));
    return size < 0 ? 0 : (uint32_t)((size_t)size / sizeof(out[0]));
}

static uint32_t pid_last(uint32_t *count) {
    long pid = 0, last = 0;
    for (*count = 0; (pid = sys_process_info(0, PROCESS_NEXT, nullptr, 0, (uint64_t)pid)) > 0; ++*count) last = pid;
    return (uint32_t)last;
}

static int show_self(struct text *t, uint32_t pid, uint32_t index) {
    text_add(t, "%u", pid);
    return 0;
}

static int show_thread_self(struct text *t, uint32_t pid, uint32_t index) {
    text_add(t, "%u/task/%u", pid, pid);
    return 0;
}

static void cpu_add(struct text *t, const char *name, uint64_t busy_ns, uint64_t idle_ns) {
    text_add(t, "%s %llu 0 0 %llu 0 0 0 0 0 0\n", name, ull(busy_ns / TICK_NS), ull(idle_ns / TICK_NS));
}

static int show_stat(struct text *t, uint32_t pid, uint32_t index) {
    struct cpu_info cpus[CPUS_MAX];
    uint64_t load[5] = {}, counters[COUNT_COUNT] = {}, busy = 0, idle = 0, switches = 0;
    uint32_t count = cpus_get(cpus), processes;
    sys_system_info(SYSTEM_LOAD, load, sizeof(load));
    sys_system_info(SYSTEM_COUNTERS, counters, sizeof(counters));
    for (uint32_t i = 0; i < count; i++) {
        busy += cpus[i].busy_ns;
        idle += cpus[i].idle_ns;
        switches += cpus[i].switches;
    }
    cpu_add(t, "cpu ", busy, idle);
    for (uint32_t i = 0; i < count; i++) {
        char name[16] = "cpu";
        struct text number = {};
        text_add(&number, "%u", cpus[i].id);
        if (number.length < sizeof(name) - 4) memcpy(name + 3, number.bytes, number.length);
        text_free(&number);
        cpu_add(t, name, cpus[i].busy_ns, cpus[i].idle_ns);
    }
    pid_last(&processes);
    text_add(t, "intr %llu\nctxt %llu\nbtime %llu\nprocesses %u\nprocs_running %llu\nprocs_blocked 0\n",
             ull(counters[COUNT_IRQ]), ull(switches),
             ull((clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC)) / 1000000000), processes, ull(load[3]));
    return 0;
}

static void kilobytes_add(struct text *t, const char *name, uint64_t bytes) {
    text_add(t, "%-15s %8llu kB\n", name, ull(bytes / 1024));
}

static int show_memory(struct text *t, uint32_t pid, uint32_t index) {
    struct memory_totals m = {};
    sys_system_info(SYSTEM_MEMORY, &m, sizeof(m));
    kilobytes_add(t, "MemTotal:", m.total);
    kilobytes_add(t, "MemFree:", m.free);
    kilobytes_add(t, "MemAvailable:", m.free + m.cache);
    kilobytes_add(t, "Buffers:", 0);
    kilobytes_add(t, "Cached:", m.cache);
    kilobytes_add(t, "SwapCached:", 0);
    kilobytes_add(t, "Active:", m.private_pages);
    kilobytes_add(t, "Inactive:", m.cache);
    kilobytes_add(t, "SwapTotal:", 0);
    kilobytes_add(t, "SwapFree:", 0);
    kilobytes_add(t, "Dirty:", 0);
    kilobytes_add(t, "Writeback:", 0);
    kilobytes_add(t, "AnonPages:", m.private_pages);
    kilobytes_add(t, "Mapped:", 0);
    kilobytes_add(t, "Shmem:", m.shared);
    kilobytes_add(t, "Slab:", m.kernel);
    kilobytes_add(t, "SReclaimable:", 0);
    return 0;
}

static int show_uptime(struct text *t, uint32_t pid, uint32_t index) {
    struct cpu_info cpus[CPUS_MAX];
    uint32_t count = cpus_get(cpus);
    uint64_t up = clock_ns(CLOCK_MONOTONIC) / TICK_NS, idle = 0;
    for (uint32_t i = 0; i < count; i++) idle += cpus[i].idle_ns / TICK_NS;
    text_add(t, "%llu.%02llu %llu.%02llu\n", ull(up / 100), ull(up % 100), ull(idle / 100), ull(idle % 100));
    return 0;
}

static int show_load(struct text *t, uint32_t pid, uint32_t index) {
    uint64_t load[5] = {};
    uint32_t processes, last = pid_last(&processes);
    sys_system_info(SYSTEM_LOAD, load, sizeof(load));
    for (int i = 0; i < 3; i++) text_add(t, "%llu.%02llu ", ull(load[i] >> 16), ull((load[i] & 0xffff) * 100 >> 16));
    text_add(t, "%llu/%llu %u\n", ull(load[3]), ull(load[4]), last);
    return 0;
}

static int show_version(struct text *t, uint32_t pid, uint32_t index) {
    char version[64] = {};
    sys_system_info(SYSTEM_VERSION, version, sizeof(version) - 1);
    text_add(t, "Cathode version %s\n", version);
    return 0;
}

static int show_command_line(struct text *t, uint32_t pid, uint32_t index) {
    char line[2048] = {};
    sys_system_info(SYSTEM_COMMAND_LINE, line, sizeof(line) - 1);
    text_append(t, line, strlen(line));
    text_add(t, "\n");
    return 0;
}

static int show_cpus(struct text *t, uint32_t pid, uint32_t index) {
    struct cpu_info cpus[CPUS_MAX];
    uint32_t count = cpus_get(cpus), vendor[4] = {}, model[13] = {}, leaf[4];
    __cpuid(0, leaf[0], vendor[0], vendor[2], vendor[1]);
    for (uint32_t i = 0; i < 3 && __get_cpuid_max(0x80000000, nullptr) >= 0x80000004; i++)
        __cpuid(0x80000002 + i, model[i * 4], model[i * 4 + 1], model[i * 4 + 2], model[i * 4 + 3]);
    for (uint32_t i = 0; i < count; i++)
        text_add(t, "processor\t: %u\nvendor_id\t: %s\nmodel name\t: %s\n\n", cpus[i].id, (const char *)vendor,
                 (const char *)model);
    return 0;
}

/* The supervisor knows. */
int show_mounts(struct text *t, uint32_t pid, uint32_t index) {
    text_add(t, "/scheme/service/mounts");
    return 0;
}

/* The network server's tables. */
static int show_network(struct text *t, uint32_t pid, uint32_t index) {
    text_add(t, "/scheme/ip");
    return 0;
}

static int show_filesystems(struct text *t, uint32_t pid, uint32_t index) {
    text_add(t, "nodev\tramfs\nnodev\tproc\n\text4\n\tiso9660\n\tvfat\n");
    return 0;
}

static int show_schemes(struct text *t, uint32_t pid, uint32_t index) {
    static struct scheme_info schemes[128];
    long size = sys_system_info(SYSTEM_SCHEMES, schemes, sizeof(schemes));
    text_add(t, "%-16s %4s %5s %7s %6s %12s %6s %6s\n", "name", "rank", "inst", "threads", "pid", "calls", "queued",
             "files");
    for (long i = 0; i < size / (long)sizeof(schemes[0]); i++) {
        const struct scheme_info *s = &schemes[i];
        text_add(t, "%-16s %4u %5u %7u %6u %12llu %6u %6u\n", s->name, s->rank, s->incarnation, s->servers, s->pid,
                 ull(s->calls), s->queued, s->files);
    }
    return 0;
}

static int show_counters(struct text *t, uint32_t pid, uint32_t index) {
    static const char *const names[COUNT_COUNT] = {
        [COUNT_SYSCALL] = "syscalls",      [COUNT_CR3] = "cr3-loads",        [COUNT_IPI] = "ipis",
        [COUNT_TLB_FLUSH] = "tlb-flushes", [COUNT_LOCK] = "locks",           [COUNT_SWITCH] = "switches",
        [COUNT_CALL] = "scheme-calls",     [COUNT_FAULT] = "page-faults",    [COUNT_IRQ] = "interrupts",
        [COUNT_STEAL] = "steals",          [COUNT_IDLE_WAIT] = "idle-waits", [COUNT_IRQ_OFF_MAX] = "irq-off-max-ticks",
    };
    uint64_t counters[COUNT_COUNT] = {};
    sys_system_info(SYSTEM_COUNTERS, counters, sizeof(counters));
    for (int i = 0; i < COUNT_COUNT; i++) text_add(t, "%s %llu\n", names[i] ? names[i] : "?", ull(counters[i]));
    return 0;
}

static int by_time(const void *a, const void *b) {
    uint64_t x = ((const struct trace_record *)a)->time_ns, y = ((const struct trace_record *)b)->time_ns;
    return x < y ? -1 : x > y;
}

static int show_trace(struct text *t, uint32_t pid, uint32_t index) {
    static const char *const names[TR_COUNT] = TR_NAMES;
    static struct trace_record all[512];
    long size = sys_system_info(SYSTEM_TRACE, all, sizeof(all));
    if (size < 0) return (int)size;
    size_t count = (size_t)size / sizeof(all[0]);
    qsort(all, count, sizeof(all[0]), by_time);
    text_add(t, "%15s %3s %6s %-9s %16s %6s\n", "ns", "cpu", "thread", "event", "a", "b");
    for (size_t i = 0; i < count; i++) {
        const struct trace_record *r = &all[i];
        text_add(t, "%15llu %3u %6u %-9s %16llx %6llx\n", ull(r->time_ns), r->cpu, r->tid,
                 r->event < TR_COUNT ? names[r->event] : "?", ull(r->a), ull(r->b));
    }
    return 0;
}

static int show_kernel_log(struct text *t, uint32_t pid, uint32_t index) {
    struct handle_info info = {};
    char part[1024];
    long got;
    sys_handle_info(SERVICE_LOG, &info); /* object: the oldest position still there */
    uint64_t at = info.object;
    while ((got = sys_read(SERVICE_LOG, part, sizeof(part), (int64_t)at, IO_NONBLOCK, 0)) > 0) {
        text_append(t, part, (size_t)got);
        at += (uint64_t)got;
    }
    return got == -EAGAIN ? 0 : (int)got;
}

/* --- /proc/sys ------------------------------------------------------------------------------------ */
static int show_name(struct text *t, uint32_t topic) {
    char name[80] = {};
    sys_system_info(topic, name, sizeof(name) - 1);
    text_add(t, "%s\n", name);
    return 0;
}

static int store_name(uint32_t op, const char *text, size_t size) {
    size_t length = size && text[size - 1] == '\n' ? size - 1 : size;
    if (length > 64) return -EINVAL;
    return (int)sys_system_control(HANDLE_INIT_SYSTEM, op, (uint64_t)(uintptr_t)text, length);
}

static int show_hostname(struct text *t, uint32_t pid, uint32_t index) { return show_name(t, SYSTEM_HOSTNAME); }

static int store_hostname(const char *text, size_t size) { return store_name(SYSTEM_SET_HOSTNAME, text, size); }

static int show_domainname(struct text *t, uint32_t pid, uint32_t index) { return show_name(t, SYSTEM_DOMAINNAME); }

static int store_domainname(const char *text, size_t size) { return store_name(SYSTEM_SET_DOMAINNAME, text, size); }

static int show_release(struct text *t, uint32_t pid, uint32_t index) {
    char version[64] = {};
    sys_system_info(SYSTEM_VERSION, version, sizeof(version) - 1);
    text_add(t, "%s\n", version);
    return 0;
}

static int show_type(struct text *t, uint32_t pid, uint32_t index) {
    text_add(t, "Cathode\n");
    return 0;
}

static int show_pid_max(struct text *t, uint32_t pid, uint32_t index) {
    text_add(t, "32768\n");
    return 0;
}

static int show_uuid(struct text *t, uint32_t pid, uint32_t index) {
    uint8_t b[16];
    sys_random(b, sizeof(b), 0);
    b[6] = (b[6] & 0x0f) | 0x40; /* RFC 4122, 4.4: version 4 */
    b[8] = (b[8] & 0x3f) | 0x80;
    for (int i = 0; i < 16; i++) text_add(t, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", b[i]);
    text_add(t, "\n");
    return 0;
}

static const struct proc_file random_files[] = {
    {"uuid", 0444, PROC_FILE, .show = show_uuid},
    {},
};
static const struct proc_file sys_kernel_files[] = {
    {"domainname", 0644, PROC_FILE, .show = show_domainname, .store = store_domainname},
    {"hostname", 0644, PROC_FILE, .show = show_hostname, .store = store_hostname},
    {"osrelease", 0444, PROC_FILE, .show = show_release},
    {"ostype", 0444, PROC_FILE, .show = show_type},
    {"pid_max", 0444, PROC_FILE, .show = show_pid_max},
    {"random", 0555, PROC_DIRECTORY, .children = random_files},
    {"version", 0444, PROC_FILE, .show = show_version},
    {},
};
static const struct proc_file sys_files[] = {
    {"kernel", 0555, PROC_DIRECTORY, .children = sys_kernel_files},
    {},
};

const struct proc_file system_files[] = {
    {"cmdline", 0444, PROC_FILE, .show = show_command_line},
    {"counters", 0444, PROC_FILE, .show = show_counters},
    {"cpuinfo", 0444, PROC_FILE, .show = show_cpus},
    {"filesystems", 0444, PROC_FILE, .show = show_filesystems},
    {"kmsg", 0444, PROC_FILE, .show = show_kernel_log},
    {"loadavg", 0444, PROC_FILE, .show = show_load},
    {"meminfo", 0444, PROC_FILE, .show = show_memory},
    {"mounts", 0777, PROC_LINK, .show = show_mounts},
    {"net", 0777, PROC_LINK, .show = show_network},
    {"scheme", 0555, .kind = PROC_SCHEMES},
    {"schemes", 0444, PROC_FILE, .show = show_schemes},
    {"self", 0777, PROC_LINK, .show = show_self},
    {"stat", 0444, PROC_FILE, .show = show_stat},
    {"sys", 0555, PROC_DIRECTORY, .children = sys_files},
    {"thread-self", 0777, PROC_LINK, .show = show_thread_self},
    {"trace", 0400, PROC_FILE, .show = show_trace},
    {"uptime", 0444, PROC_FILE, .show = show_uptime},
    {"version", 0444, PROC_FILE, .show = show_version},
    {},
};
