// SPDX-License-Identifier: MIT
/* Processes: fork, exit, wait, pidfd, groups and sessions, usage, limits, priorities. */
#include "shim.h"
#include <string.h>
#include <sys/prctl.h>

#define NICE_ZERO 20
#define TICKS_PER_SECOND 100 /* sysconf(_SC_CLK_TCK), what times() counts in */

/* --- identity --------------------------------------------------------------------------------- */

static pid_t pid_known; /* 0: not asked yet in this process */

pid_t process_pid(void) {
    if (!pid_known) {
        struct process_ids ids;
        if (sys_process_info(0, PROCESS_IDS, &ids, sizeof(ids), 0) >= 0) {
            pid_known = (pid_t)ids.pid;
        }
    }
    return pid_known;
}

long row_getpid(void) { return process_pid(); }

static long ids_of(pid_t pid, struct process_ids *ids) {
    return pid < 0 ? -ESRCH : sys_process_info(pid, PROCESS_IDS, ids, sizeof(*ids), 0);
}

long row_getppid(void) {
    struct process_ids ids;
    long error = ids_of(0, &ids);
    return error < 0 ? error : (long)ids.parent;
}

long row_getpgid(pid_t pid) {
    struct process_ids ids;
    long error = ids_of(pid, &ids);
    return error < 0 ? error : (long)ids.group;
}

long row_getpgrp(void) { return row_getpgid(0); }

long row_setpgid(pid_t pid, pid_t group) {
    if (group < 0) {
        return -EINVAL;
    }
    if (pid < 0) {
        return -ESRCH;
    }
    long error = sys_process_set(pid, PROCESS_GROUP, nullptr, 0, (uint64_t)(group ? group : pid ? pid : process_pid()));
    return error < 0 ? error : 0;
}

long row_getsid(pid_t pid) {
    struct process_ids ids;
    long error = ids_of(pid, &ids);
    return error < 0 ? error : (long)ids.session;
}

/* A new session has no controlling terminal. */
long row_setsid(void) {
    long session = sys_process_set(0, PROCESS_SESSION, nullptr, 0, 0);
    if (session >= 0) {
        sys_handle_close(HANDLE_TTY);
    }
    return session;
}

/* --- fork, exit, wait ------------------------------------------------------------------------- */

void process_forked(void) { pid_known = 0; }

long row_fork(void) {
    long pid = sys_process_fork();
    if (pid == 0) {
        process_forked();
    }
    return pid;
}

/* ARCHITECTURE §6: vfork is fork. */
long row_vfork(void) { return row_fork(); }

long row_exit_group(int status) {
    for (;;) {
        sys_process_exit(status);
    }
}

static struct timeval timeval_from_ns(uint64_t ns) {
    return (struct timeval){(time_t)(ns / NS_PER_SECOND), (suseconds_t)(ns % NS_PER_SECOND / 1000)};
}

/* musl's struct rusage ends in reserved fields that Linux doesn't write either. */
static void rusage_fill(const struct process_usage *usage, struct rusage *out) {
    memset(out, 0, offsetof(struct rusage, __reserved));
    out->ru_utime = timeval_from_ns(usage->user_ns);
    out->ru_stime = timeval_from_ns(usage->system_ns);
    out->ru_maxrss = (long)(usage->max_resident / 1024);
    out->ru_minflt = (long)usage->faults_minor;
    out->ru_majflt = (long)usage->faults_major;
    out->ru_nvcsw = (long)usage->switches_voluntary;
    out->ru_nivcsw = (long)usage->switches_forced;
}

/* Linux's kinds of children; there is one here. */
#define WAIT_CLONES ((int)(__WALL | __WCLONE))

long row_wait4(pid_t pid, int *status, int options, struct rusage *usage) {
    struct wait_status result;
    uint32_t type = pid == -1 ? WAIT_ALL : pid > 0 ? WAIT_PID : WAIT_GROUP;
    options &= ~(WAIT_CLONES | __WNOTHREAD);
    if (options & ~(WNOHANG | WUNTRACED | WCONTINUED)) {
        return -EINVAL;
    }
    if (pid == INT32_MIN) {
        return -ESRCH;
    }
    int id = pid < 0 ? -pid : pid;
    if (type == WAIT_GROUP && id == 0) {
        id = (int)row_getpgrp();
    }
    long found = sys_process_wait(type, id, (uint32_t)options | WAIT_EXITED, &result, DEADLINE_NEVER);
    if (found > 0) {
        if (status) {
            *status = result.wait_status;
        }
        if (usage) {
            rusage_fill(&result.usage, usage);
        }
    }
    return found;
}

/* --- pidfd: a handle to the process, readable when that has ended ------------------------------ */

/* Linux takes /proc/PID, opened, as well. */
static long pid_of_directory(int fd) {
    static const char prefix[] = "/proc/";
    char path[32];
    struct call_args call;
    call_prepare(&call, OP_PATH, 0, 0, 0);
    call.request.flags = REQUEST_IDEMPOTENT;
    call.out = path;
    call.out_size = sizeof(path);
    size_t at = sizeof(prefix) - 1;
    if (call_send(fd, &call) < 0 || call.reply.length <= at || memcmp(path, prefix, at) != 0) {
        return -EBADF;
    }
    long pid = 0;
    for (; at < call.reply.length; at++) {
        if (path[at] < '0' || path[at] > '9' || pid > INT32_MAX / 10) {
            return -EBADF;
        }
        pid = 10 * pid + path[at] - '0';
    }
    return pid;
}

static long pid_of_pidfd(int fd) {
    struct handle_info info;
    if (!is_fd(fd) || sys_handle_info(fd, &info) < 0) {
        return -EBADF;
    }
    return info.type == OBJECT_PROCESS ? (long)info.object : info.type == OBJECT_FILE ? pid_of_directory(fd) : -EBADF;
}

long row_pidfd_open(pid_t pid, unsigned flags) {
    if (pid <= 0 || flags) {
        return -EINVAL;
    }
    long process = sys_process_open(pid, 0);
    if (process < 0) {
        return process;
    }
    long fd = sys_handle_duplicate((handle_t)process, 0, HANDLE_CLOEXEC, RIGHTS_SAME);
    sys_handle_close((handle_t)process);
    return fd;
}

long row_pidfd_send_signal(int fd, int signal, const struct signal_info *info, unsigned flags) {
    struct poll_entry entry = {fd, EVENT_EXIT, 0};
    struct process_state state;
    long pid = flags ? -EINVAL : pid_of_pidfd(fd);
    if (pid < 0) {
        return pid;
    }
    /* One that has ended keeps its number only until it has been waited for. */
    bool ended = handle_type(fd) == OBJECT_PROCESS && sys_event_poll(&entry, 1, nullptr, 0) > 0;
    if (ended && (sys_process_info((int32_t)pid, PROCESS_STATE, &state, sizeof(state), 0) < 0 || state.state != 'Z')) {
        return -ESRCH;
    }
    return info ? row_rt_sigqueueinfo((pid_t)pid, signal, info) : row_kill((pid_t)pid, signal);
}

long row_waitid(int type, id_t id, siginfo_t *out, int options, struct rusage *usage) {
    struct wait_status result;
    if (type == P_PIDFD) {
        long pid = pid_of_pidfd((int)id);
        if (pid < 0) {
            return pid;
        }
        type = P_PID;
        id = (id_t)pid;
    }
    options &= ~(WAIT_CLONES | __WNOTHREAD);
    if (options & ~(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED) ||
        !(options & (WEXITED | WSTOPPED | WCONTINUED)) || type < P_ALL || type > P_PGID) {
        return -EINVAL;
    }
    if (type == P_PGID && id == 0) {
        id = (id_t)row_getpgrp();
    }
    long found = sys_process_wait((uint32_t)type, (int32_t)id, (uint32_t)options, &result, DEADLINE_NEVER);
    if (found < 0) {
        return found;
    }
    if (out) {
        memset(out, 0, sizeof(*out));
        if (found > 0) {
            out->si_signo = SIGCHLD;
            out->si_code = result.code;
            out->si_pid = result.pid;
            out->si_uid = result.uid;
            out->si_status = result.status;
        }
    }
    if (usage && found > 0) {
        rusage_fill(&result.usage, usage);
    }
    return 0;
}

/* --- usage and limits ------------------------------------------------------------------------- */

static long usage_of(uint64_t whose, struct process_usage *out) {
    return sys_process_info(0, PROCESS_USAGE, out, sizeof(*out), whose);
}

long row_getrusage(int who, struct rusage *out) {
    struct process_usage usage;
    if (who != RUSAGE_SELF && who != RUSAGE_CHILDREN && who != RUSAGE_THREAD) {
        return -EINVAL;
    }
    long error = usage_of(who == RUSAGE_SELF ? 0 : who == RUSAGE_CHILDREN ? 1 : 2, &usage);
    if (error < 0) {
        return error;
    }
    rusage_fill(&usage, out);
    return 0;
}

static clock_t ticks(uint64_t ns) { return (clock_t)(ns / (NS_PER_SECOND / TICKS_PER_SECOND)); }

long row_times(struct tms *out) {
    struct process_usage self, children;
    if (out) {
        long error = usage_of(0, &self);
        if (error >= 0) {
            error = usage_of(1, &children);
        }
        if (error < 0) {
            return error;
        }
        *out = (struct tms){ticks(self.user_ns), ticks(self.system_ns), ticks(children.user_ns),
                            ticks(children.system_ns)};
    }
    return ticks((uint64_t)clock_monotonic());
}

long row_prlimit64(pid_t pid, int index, const struct rlimit *in, struct rlimit *old) {
    struct process_limit limit = {.index = (uint32_t)index};
    if (index < 0 || index >= LIMIT_COUNT) {
        return -EINVAL;
    }
    struct process_limit before = limit;
    long error = sys_process_info(pid, PROCESS_LIMIT, &before, sizeof(before), (uint64_t)index);
    if (error >= 0 && in) {
        if (in->rlim_cur > in->rlim_max) {
            return -EINVAL;
        }
        limit.soft = in->rlim_cur;
        limit.hard = in->rlim_max;
        error = sys_process_set(pid, PROCESS_LIMIT, &limit, sizeof(limit), 0);
    }
    if (error < 0) {
        return error;
    }
    if (old) {
        *old = (struct rlimit){before.soft, before.hard};
    }
    return 0;
}

long row_getrlimit(int index, struct rlimit *out) { return row_prlimit64(0, index, nullptr, out); }

long row_setrlimit(int index, const struct rlimit *in) { return row_prlimit64(0, index, in, nullptr); }

/* --- priorities ------------------------------------------------------------------------------- */

static bool priority_concerns(int which, id_t who, const struct process_state *state) {
    return which == PRIO_PGRP ? state->group == who : state->uid == who;
}

/*
 * Goes through the processes that (which, who) means. With set: gives each the nice value + 20 in
 * `value`; result 0. Else the result is the highest priority found, as Linux has it: 20 - nice.
 */
static long priority_each(int which, id_t who, bool set, uint64_t value) {
    long best = -ESRCH;
    for (int32_t pid = 0;;) {
        struct process_state state;
        pid = (int32_t)sys_process_info(0, PROCESS_NEXT, nullptr, 0, (uint64_t)pid);
        if (pid < 0) {
            return best;
        }
        if (sys_process_info(pid, PROCESS_STATE, &state, sizeof(state), 0) < 0 ||
            !priority_concerns(which, who, &state)) {
            continue;
        }
        long result = set ? sys_process_set(pid, PROCESS_PRIORITY, nullptr, 0, value)
                          : sys_process_info(pid, PROCESS_PRIORITY, nullptr, 0, 0);
        if (result < 0) {
            return result;
        }
        result = set ? 0 : 2 * NICE_ZERO - result;
        best = result > best ? result : best;
    }
}

static long priority(int which, id_t who, bool set, uint64_t value) {
    if (which == PRIO_PROCESS) {
        long result = set ? sys_process_set((int32_t)who, PROCESS_PRIORITY, nullptr, 0, value)
                          : sys_process_info((int32_t)who, PROCESS_PRIORITY, nullptr, 0, 0);
        return result < 0 ? result : set ? 0 : 2 * NICE_ZERO - result;
    }
    if (which != PRIO_PGRP && which != PRIO_USER) {
        return -EINVAL;
    }
    if (who == 0) {
        who = (id_t)(which == PRIO_PGRP ? row_getpgrp() : row_getuid());
    }
    return priority_each(which, who, set, value);
}

long row_getpriority(int which, id_t who) { return priority(which, who, false, 0); }

long row_setpriority(int which, id_t who, int nice) {
    nice = nice < -NICE_ZERO ? -NICE_ZERO : nice > NICE_ZERO - 1 ? NICE_ZERO - 1 : nice;
    return priority(which, who, true, (uint64_t)(nice + NICE_ZERO));
}

/* --- odds and ends ---------------------------------------------------------------------------- */

static long thread_name_get(char *out) {
    struct thread_info info;
    long error = sys_thread_info(0, &info);
    if (error >= 0) {
        memcpy(out, info.name, sizeof(info.name));
    }
    return error < 0 ? error : 0;
}

static long thread_name_set(const char *name) {
    char copy[16] = {}; /* sizeof info.name */
    for (size_t i = 0; i < sizeof(copy) - 1 && name[i]; i++) {
        copy[i] = name[i];
    }
    return sys_thread_set(0, THREAD_NAME, (uint64_t)copy, 0);
}

long row_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d) {
    switch (option) {
    case PR_SET_NAME: return thread_name_set((const char *)a);
    case PR_GET_NAME: return thread_name_get((char *)a);
    case PR_SET_PDEATHSIG: return sys_process_set(0, PROCESS_PARENT_SIGNAL, nullptr, 0, a);
    case PR_SET_CHILD_SUBREAPER: return sys_process_set(0, PROCESS_SUBREAPER, nullptr, 0, a != 0);
    case PR_SET_DUMPABLE: return a > 1 ? -EINVAL : sys_process_set(0, PROCESS_DUMPABLE, nullptr, 0, a);
    case PR_GET_DUMPABLE: return sys_process_info(0, PROCESS_DUMPABLE, nullptr, 0, 0);
    default: return -EINVAL;
    }
}

/* The Linux personality is the only one. */
long row_personality(unsigned long persona) { return persona == 0 || persona == 0xffffffff ? 0 : -EINVAL; }
