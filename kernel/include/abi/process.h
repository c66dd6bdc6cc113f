// SPDX-License-Identifier: MIT
/* Processes: images, spawn, wait, credentials, topics of process_info and process_set. */
#pragma once
#include <abi/handle.h>
#include <abi/types.h>

/*
 * Image for exec and spawn. The kernel maps the ELF segments of `image` (and of `interpreter`, if
 * given) and lays out the System V x86-64 start-up stack: argc, argv, envp, auxiliary vector.
 * `strings` holds argc + envc NUL-terminated strings, arguments first.
 */
struct image_args {
    handle_t image; /* file with a memory plane, or memory object; needs RIGHT_READ and RIGHT_MAP_EXEC */
    handle_t interpreter; /* or HANDLE_NONE */
    uint32_t argument_count, environment_count;
    const char *strings;
    uint64_t strings_size;
    const char *path; /* AT_EXECFN and the process's name, NUL-terminated */
    uint32_t flags; /* enum image_flags */
    uint32_t reserved;
};
/* SERVICE: no mappings ever that are writable and executable; not in its user's quota of memory. Needs privilege. */
enum image_flags { IMAGE_SERVICE = 1 };
#define ARGUMENTS_MAX (2 << 20) /* bytes of strings and pointers */

struct handle_transfer { /* spawn: one handle of the caller to one slot of the child */
    handle_t from, to; /* from HANDLE_NONE: the slot becomes empty */
    uint32_t rights; /* mask */
    uint32_t flags; /* CLOEXEC, KEEP */
};
struct spawn_args {
    struct image_args image;
    const struct handle_transfer *handles; /* in order; the child has these handles and, but with INHERIT, no others */
    uint32_t handle_count;
    uint32_t flags; /* enum spawn_flags */
    uint64_t signal_mask, signal_default; /* with SPAWN_MASK, SPAWN_DEFAULT */
    int32_t group; /* with SPAWN_GROUP */
    uint32_t priority; /* with SPAWN_PRIORITY: enum thread_scheduling */
    handle_t process; /* out, with SPAWN_HANDLE: upper range */
    uint32_t user; /* with SPAWN_USER: all user and group ids, without privilege or other groups. EPERM */
};
enum spawn_flags {
    SPAWN_MASK = 1,
    SPAWN_DEFAULT = 2,
    SPAWN_GROUP = 4,
    SPAWN_SESSION = 8,
    SPAWN_PRIORITY = 16,
    SPAWN_HANDLE = 32,
    SPAWN_USER = 128,
    SPAWN_INHERIT = 64, /* start from a copy of the caller's table as exec would leave it, then `handles` */
};

enum wait_flags { /* WNOHANG etc. of Linux */
                  WAIT_NOHANG = 1,
                  WAIT_STOPPED = 2,
                  WAIT_EXITED = 4,
                  WAIT_CONTINUED = 8,
                  WAIT_NOWAIT = 0x1000000,
};
enum wait_type { WAIT_ALL, WAIT_PID, WAIT_GROUP }; /* P_ALL, P_PID, P_PGID */

struct process_usage {
    uint64_t user_ns, system_ns, faults_minor, faults_major, switches_voluntary, switches_forced, max_resident;
};
struct wait_status {
    int32_t pid;
    uint32_t uid;
    int32_t code; /* CLD_* */
    int32_t status; /* exit value or signal */
    int32_t wait_status; /* as wait(2) encodes it */
    int32_t reserved;
    struct process_usage usage;
};

#define GROUPS_MAX 64
struct credentials { /* immutable record; ids are never reused */
    uint64_t id;
    uint32_t uid, euid, suid, fsuid;
    uint32_t gid, egid, sgid, fsgid;
    uint32_t privileges; /* PRIVILEGE_* */
    uint32_t group_count;
    uint32_t groups[GROUPS_MAX];
};
enum privilege { PRIVILEGE_ROOT = 1 }; /* overrides permission checks */

enum process_topic {
    /* info and set where marked (s); pid 0 = the caller */
    PROCESS_IDS, /* struct process_ids */
    PROCESS_GROUP, /* (s) value: group id (setpgid) */
    PROCESS_SESSION, /* (s) setsid: result is the session id */
    PROCESS_CREDENTIALS, /* (s) struct credentials; set: rules of POSIX setresuid and friends */
    PROCESS_UMASK, /* (s) result: old value */
    PROCESS_LIMIT, /* (s) struct process_limit: index selects */
    PROCESS_USAGE, /* struct process_usage; aux 0 self, 1 children, 2 thread */
    PROCESS_STATE, /* struct process_state: for ps */
    PROCESS_ARGUMENTS, /* bytes: the strings given at exec */
    PROCESS_ENVIRONMENT,
    PROCESS_MAPS, /* array of struct map_info from address `aux` on */
    PROCESS_HANDLES, /* array of struct process_handle from handle `aux` on */
    PROCESS_NEXT, /* result: smallest pid > aux; -ESRCH: none */
    PROCESS_NEXT_THREAD, /* likewise, of its tids */
    PROCESS_ITIMER, /* (s) struct process_itimer: index 0 real, 1 virtual, 2 profiling */
    PROCESS_FOREIGN, /* (s) value: address of the foreign system call handler; see FOREIGN_DUMP */
    PROCESS_PRIORITY, /* (s) nice value + 20 */
    PROCESS_DUMPABLE, /* (s) it may dump core, and who has its ids may look into it */
    PROCESS_SIGNALS, /* struct process_signals of the caller: pending, ignored, caught */
    PROCESS_CPU_CLOCK, /* result ns of CPU time */
    PROCESS_SUBREAPER, /* (s) */
    PROCESS_PARENT_SIGNAL, /* (s) signal at the parent's death */
};
/*
 * A signal whose default action is to dump core enters the foreign handler once, as this number: with signal,
 * siginfo and ucontext as a signal handler has them, on a stack of its own, all signals blocked and the other
 * threads halted.  process_exit(0) then says that there is a core.
 */
#define FOREIGN_DUMP 0xfff
struct process_ids {
    uint32_t pid, parent, group, session, tid, umask;
    uint64_t credentials;
};
struct process_handle {
    handle_t handle;
    uint32_t reserved;
    struct handle_info info;
};
struct process_limit {
    uint32_t index; /* RLIMIT_* */
    uint32_t reserved;
    uint64_t soft, hard;
};
#define LIMIT_COUNT 16
struct process_itimer {
    uint32_t index, reserved;
    int64_t value_ns, interval_ns; /* remaining time and period */
};
struct process_state {
    uint32_t pid, parent, group, session, uid, gid, threads, handles;
    char state; /* R S T Z */
    uint8_t priority, nice, cpu;
    uint32_t terminal; /* id of the controlling terminal, 0 none */
    uint64_t virtual_size, resident, start_ns, user_ns, system_ns, faults;
    uint32_t reserved, switches;
    char name[32];
};
struct map_info {
    uint64_t start, end, offset, object;
    uint32_t flags, resident;
};
struct process_signals {
    uint64_t pending, thread_pending, ignored, caught, mask;
};

/* terminal_control(h, op, a, b) */
enum terminal_op {
    TERMINAL_SIGNAL, /* a signal (0: only checks), b group, 0 = foreground. ESRCH; EPERM another session */
    TERMINAL_SESSION, /* result: session id */
    TERMINAL_DEVICE, /* a: device number shown as process_state.terminal; 0: no longer a terminal */
    TERMINAL_HANG_UP, /* SIGHUP and SIGCONT to the leader and the foreground group */
    TERMINAL_FOREGROUND, /* a: group that becomes the foreground one, 0: as it is; result: it */
};
enum terminal_state { TERMINAL_TTOU = 1, TERMINAL_TTIN = 2, TERMINAL_ORPHANED = 4 }; /* caller_info */
