// SPDX-License-Identifier: MIT
/*
 * Inside libposix: POSIX calls with Linux's numbers and layouts, on native Cathode calls.
 *
 * Rules: a descriptor is a handle, the number is the same. No locks, no heap, no thread-local
 * storage; what is cached (pid, umask) can be asked for again, so nothing is lost by exec or in a
 * signal handler. Rows return 0 or more, or -errno.
 */
#pragma once
#define _GNU_SOURCE 1
#define CATHODE_USER_STUBS 1
#include <abi/syscall.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mqueue.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

struct timer_event;
struct timex;
struct __user_cap_header_struct;
struct __user_cap_data_struct;
#define ROW(name, parameters) long row_##name parameters;
#define NONE(name)
#include "rows.def"
#undef ROW
#undef NONE

#define SYS_ROWS 512 /* as in musl/overlay/arch/x86_64/syscall_arch.h */
typedef void (*sys_row)(void);
extern const sys_row __sys_table[SYS_ROWS];

/* The rows by number, for callers that know it only at run time. */
long posix_syscall(long number, long a, long b, long c, long d, long e, long f);

/* entry.S: where the kernel sends `syscall` instructions with a number of Linux. */
void posix_foreign_entry(void);
/* dump.c: enters here instead to write a core. */
struct __ucontext;
[[noreturn]] void posix_dump(int signal, const struct signal_info *info, const struct __ucontext *context);

#define PAGE_BYTES 4096UL
#define NS_PER_SECOND 1000000000LL

#define PLANE_OF(info) ((info).plane & 0xff) /* above: FILE_KIND_* (abi/handle.h) */

/* --- call.c ----------------------------------------------------------------------------------- */

/* A descriptor of the program: not of the upper range, which belongs to libposix. */
static inline bool is_fd(int fd) { return (unsigned)fd < HANDLE_UPPER; }

/* Fills in a request that carries no data and no handle. */
void call_prepare(struct call_args *call, unsigned op, uint64_t a, uint64_t b, uint64_t c);
/* Sends it. Tries once more if the server died and the request says that it may. */
long call_send(handle_t h, struct call_args *call);
/* The kernel's answer to a call on a handle that has no server: a pipe, an event, a timer. */
#define NO_SERVER (-ENOTTY)
/* Both, for an operation on an open file that is described by three numbers. */
long call_simple(handle_t h, unsigned op, uint64_t a, uint64_t b, uint64_t c);
/* enum object_type of a handle, or -EBADF. */
long handle_type(handle_t h);

/*
 * A path operation: request.op, args, carry and handle_flags of `call` are set by the caller;
 * path_send() walks, following redirections, and leaves the answer in `answer`, call.reply.length
 * bytes. Data other than the path: `head` goes before it and `tail` after it; with a tail, args[1]
 * becomes the length of the path.
 */
struct path_call {
    struct call_args call;
    const char *path;
    size_t length;
    const void *head, *tail;
    size_t head_size, tail_size;
    bool empty_allowed; /* an empty path is the object itself; else ENOENT */
    bool own_refused; /* an OPEN that comes to a name of the caller's own descriptors ends with PATH_IS_OWN */
    char answer[PATH_MAX];
};
/* Prepares an operation on path from `directory` (AT_FDCWD or a descriptor). */
void path_prepare(struct path_call *p, unsigned op, const char *path, uint64_t a, uint64_t b);
long path_send(struct path_call *p, int directory);
long path_walk(struct path_call *p, handle_t start); /* the same, from a handle */
#define PATH_IS_OWN (-EREMOTE)
/* One step of it, which may end in REPLY_REDIRECT or REPLY_UP. */
long path_step(struct path_call *p, handle_t start);

/* The descriptor that /dev/fd/N or /proc/self/fd/N names, or -1. */
int path_descriptor(const char *path);
int path_own(const char *path); /* the same, and /dev/stdin, /dev/stdout, /dev/stderr */
bool path_is_scheme(const char *path, size_t length);
/* Opens a path for libposix's own use: in the upper range. */
long path_open(int directory, const char *path, int flags);
/* The handle where a walk from `directory` starts, or -EBADF. */
handle_t directory_handle(int directory);
mode_t umask_apply(mode_t mode);

/* exec.c: spawns what is at path, resolving all paths from `start`: pid, or -errno. */
long exec_spawn(handle_t start, const char *path, char *const *arguments, char *const *environment,
                struct spawn_args *spawn);

/* --- others ----------------------------------------------------------------------------------- */
int64_t clock_monotonic(void);
/* Absolute deadline from a relative time; null: never. -EINVAL if it is no valid time. */
int64_t deadline_after(const struct timespec *relative);
static inline bool timespec_valid(const struct timespec *t) {
    return t->tv_sec >= 0 && (unsigned long)t->tv_nsec < NS_PER_SECOND;
}

/* enum thread_scheduling for SCHED_* and a priority: 0, or -EINVAL. */
long scheduling_value(int policy, int priority, uint32_t *out);
struct thread_control *thread_control(void);
pid_t process_pid(void);
/* In the child of fork: forgets what was the parent's. */
void process_forked(void);
/* A terminal was opened: it may become the controlling one. */
void terminal_opened(handle_t tty, int flags);
