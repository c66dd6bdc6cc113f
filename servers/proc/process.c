// SPDX-License-Identifier: MIT
/* Files of a process: proc(5) of Linux, fields that mean nothing here are 0. */
#include "proc.h"

#include <stdlib.h>
#include <string.h>

#define PAGE 4096
#define TICK_NS 10000000 /* USER_HZ 100 */

static unsigned long long ull(uint64_t value) { return value; }

/* The last component, as the kernel of Linux shows it: at most 15 bytes. */
static const char *short_name(const struct process_state *s, char out[16]) {
    const char *slash = strrchr(s->name, '/');
    strncpy(out, slash ? slash + 1 : s->name, 15);
    out[15] = '\0';
    return out;
}

static int show_stat(struct text *t, uint32_t pid, uint32_t index) {
    struct process_state s;
    struct process_signals g = {};
    struct process_usage children = {};
    char name[16];
    if (process_state_get(pid, &s) != 0) return -ESRCH;
    sys_process_info((int32_t)pid, PROCESS_SIGNALS, &g, sizeof(g), 0);
    sys_process_info((int32_t)pid, PROCESS_USAGE, &children, sizeof(children), 1);
    int nice = (int)s.nice - 20;
    text_add(t, "%u (%s) %c %u %u %u %u -1 0 %llu 0 0 0 %llu %llu %llu %llu %d %d %u 0 %llu %llu %llu ", s.pid,
             short_name(&s, name), s.state, s.parent, s.group, s.session, s.terminal, ull(s.faults),
             ull(s.user_ns / TICK_NS), ull(s.system_ns / TICK_NS), ull(children.user_ns / TICK_NS),
             ull(children.system_ns / TICK_NS), 20 + nice, nice, s.threads, ull(s.start_ns / TICK_NS),
             ull(s.virtual_size), ull(s.resident / PAGE));
    text_add(t, "18446744073709551615 0 0 0 0 0 %llu %llu %llu %llu 0 0 0 17 %u 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
             ull(g.pending & INT32_MAX), ull(g.mask & INT32_MAX), ull(g.ignored & INT32_MAX), ull(g.caught & INT32_MAX),
             s.cpu);
    return 0;
}

static const char *state_text(char state) {
    return state == 'R' ? "R (running)" : state == 'T' ? "T (stopped)" : state == 'Z' ? "Z (zombie)" : "S (sleeping)";
}

static int show_status(struct text *t, uint32_t pid, uint32_t index) {
    struct process_state s;
    struct process_ids ids = {};
    struct process_signals g = {};
    struct credentials c = {};
    char name[16];
    if (process_state_get(pid, &s) != 0) return -ESRCH;
    sys_process_info((int32_t)pid, PROCESS_IDS, &ids, sizeof(ids), 0);
    sys_process_info((int32_t)pid, PROCESS_SIGNALS, &g, sizeof(g), 0);
    sys_process_info((int32_t)pid, PROCESS_CREDENTIALS, &c, sizeof(c), 0);
    text_add(t, "Name:\t%s\nUmask:\t%04o\nState:\t%s\nTgid:\t%u\nNgid:\t0\nPid:\t%u\nPPid:\t%u\nTracerPid:\t0\n",
             short_name(&s, name), ids.umask, state_text(s.state), s.pid, s.pid, s.parent);
    text_add(t, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\nFDSize:\t%u\nGroups:\t", c.uid, c.euid, c.suid, c.fsuid,
             c.gid, c.egid, c.sgid, c.fsgid, s.handles);
    for (uint32_t i = 0; i < c.group_count && i < GROUPS_MAX; i++) text_add(t, "%u ", c.groups[i]);
    text_add(t, "\nVmPeak:\t%8llu kB\nVmSize:\t%8llu kB\nVmHWM:\t%8llu kB\nVmRSS:\t%8llu kB\n",
             ull(s.virtual_size / 1024), ull(s.virtual_size / 1024), ull(s.resident / 1024), ull(s.resident / 1024));
    text_add(t,
             "VmData:\t%8llu kB\nVmStk:\t       0 kB\nVmExe:\t       0 kB\nVmLib:\t       0 kB\n"
             "VmSwap:\t       0 kB\nThreads:\t%u\n",
             ull(s.virtual_size / 1024), s.threads);
    text_add(t, "SigPnd:\t%016llx\nShdPnd:\t%016llx\nSigBlk:\t%016llx\nSigIgn:\t%016llx\nSigCgt:\t%016llx\n",
             ull(g.thread_pending), ull(g.pending), ull(g.mask), ull(g.ignored), ull(g.caught));
    text_add(t, "voluntary_ctxt_switches:\t%u\nnonvoluntary_ctxt_switches:\t0\n", s.switches);
    return 0;
}

static int show_statm(struct text *t, uint32_t pid, uint32_t index) {
    struct process_state s;
    if (process_state_get(pid, &s) != 0) return -ESRCH;
    text_add(t, "%llu %llu 0 0 0 %llu 0\n", ull(s.virtual_size / PAGE), ull(s.resident / PAGE),
             ull(s.virtual_size / PAGE));
    return 0;
}

static int show_comm(struct text *t, uint32_t pid, uint32_t index) {
    struct process_state s;
    char name[16];
    if (process_state_get(pid, &s) != 0) return -ESRCH;
    text_add(t, "%s\n", short_name(&s, name));
    return 0;
}

static int show_strings(struct text *t, uint32_t pid, uint32_t topic) {
    size_t size = 131072;
    char *strings = malloc(size);
    if (!strings) return -ENOMEM;
    long length = sys_process_info((int32_t)pid, topic, strings, size, 0);
    if (length > 0) text_append(t, strings, (size_t)length);
    free(strings);
    return length == -ESRCH ? -ESRCH : 0;
}

static int show_command_line(struct text *t, uint32_t pid, uint32_t index) {
    return show_strings(t, pid, PROCESS_ARGUMENTS);
}

static int show_environment(struct text *t, uint32_t pid, uint32_t index) {
    return show_strings(t, pid, PROCESS_ENVIRONMENT);
}

static int show_maps(struct text *t, uint32_t pid, uint32_t index) {
    struct map_info maps[32];
    uint64_t from = 0;
    for (;;) {
        long size = sys_process_info((int32_t)pid, PROCESS_MAPS, maps, sizeof(maps), from);
        long count = size / (long)sizeof(maps[0]);
        if (count <= 0) return size == -ESRCH ? -ESRCH : 0;
        for (long i = 0; i < count; i++) {
            const struct map_info *m = &maps[i];
            text_add(t, "%08llx-%08llx %c%c%c%c %08llx 00:00 %llu\n", ull(m->start), ull(m->end),
                     m->flags & VM_READ ? 'r' : '-', m->flags & VM_WRITE ? 'w' : '-', m->flags & VM_EXEC ? 'x' : '-',
                     m->flags & VM_SHARED ? 's' : 'p', ull(m->offset), ull(m->object));
        }
        if (maps[count - 1].end <= from) return 0;
        from = maps[count - 1].end;
    }
}

static const char *const limit_names[LIMIT_COUNT] = {
    "Max cpu time",       "Max file size",     "Max data size",         "Max stack size",
    "Max core file size", "Max resident set",  "Max processes",         "Max open files",
    "Max locked memory",  "Max address space", "Max file locks",        "Max pending signals",
    "Max msgqueue size",  "Max nice priority", "Max realtime priority", "Max realtime timeout",
};

static void limit_add(struct text *t, uint64_t value) {
    if (value == UINT64_MAX) text_add(t, "%-20s ", "unlimited");
    else text_add(t, "%-20llu ", ull(value));
}

static int show_limits(struct text *t, uint32_t pid, uint32_t index) {
    text_add(t, "%-25s %-20s %-20s %s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
    for (uint32_t i = 0; i < LIMIT_COUNT; i++) {
        struct process_limit limit = {};
        long result = sys_process_info((int32_t)pid, PROCESS_LIMIT, &limit, sizeof(limit), i);
        if (result == -ESRCH) return -ESRCH;
        text_add(t, "%-25s ", limit_names[i]);
        limit_add(t, limit.soft);
        limit_add(t, limit.hard);
        text_add(t, "\n");
    }
    return 0;
}

/* The kernel knows no paths: the program is named by what it was started as. */
static int show_program(struct text *t, uint32_t pid, uint32_t index) {
    struct process_state s;
    if (process_state_get(pid, &s) != 0) return -ESRCH;
    int result = show_strings(t, pid, PROCESS_ARGUMENTS);
    t->length = t->bytes ? strnlen(t->bytes, t->length) : 0;
    if (!t->length || t->bytes[0] != '/') {
        t->length = 0;
        text_append(t, s.name, strnlen(s.name, sizeof(s.name)));
    }
    return t->length ? result : -ENOENT;
}

static int show_root(struct text *t, uint32_t pid, uint32_t index) {
    text_add(t, "/");
    return 0;
}

#define COMMON_FILES                                                                                                   \
    {"cmdline", 0444, PROC_FILE, .show = show_command_line}, {"comm", 0444, PROC_FILE, .show = show_comm},             \
        {"environ", 0400, PROC_FILE, .show = show_environment}, {"exe", 0777, PROC_LINK, .show = show_program},        \
        {"fd", 0500, .kind = PROC_HANDLES}, {"limits", 0444, PROC_FILE, .show = show_limits},                          \
        {"maps", 0400, PROC_FILE, .show = show_maps}, {"mounts", 0777, PROC_LINK, .show = show_mounts},                \
        {"root", 0777, PROC_LINK, .show = show_root}, {"stat", 0444, PROC_FILE, .show = show_stat},                    \
        {"statm", 0444, PROC_FILE, .show = show_statm}, {                                                              \
        "status", 0444, PROC_FILE, .show = show_status                                                                 \
    }

const struct proc_file task_files[] = {COMMON_FILES, {}};
const struct proc_file process_files[] = {COMMON_FILES, {"task", 0555, .kind = PROC_TASKS}, {}};
