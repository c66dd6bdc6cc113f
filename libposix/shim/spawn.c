// SPDX-License-Identifier: MIT
/*
 * posix_spawn without a fork: file actions become a list of handles for the child, opened here in the
 * upper range, where the program sees nothing of them. The kernel makes the process from it.
 *
 * musl's version, which forks, is kept for what only the child itself can do: opening a terminal that
 * may become its controlling one, opening by a name of its own descriptors, and with the real ids
 * where those differ from the effective ones.
 */
#include "shim.h"
#include <pthread.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SMALL_ACTIONS 32
#define CHILD_HANDLES 1 /* beside those of the actions: the terminal */
#define OPENED_HERE HANDLE_IN_UPPER /* handle_transfer.flags: ours to close; the kernel ignores it there */

/* musl's src/process/fdop.h */
enum { FDOP_CLOSE = 1, FDOP_DUP2, FDOP_OPEN, FDOP_CHDIR, FDOP_FCHDIR };
struct fdop {
    struct fdop *next, *prev;
    int cmd, fd, srcfd, oflag;
    mode_t mode;
    char path[];
};

int posix_spawn_by_fork(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
                        char *const *, char *const *);

struct spawn {
    struct handle_transfer *list;
    uint32_t count;
    handle_t cwd; /* HANDLE_CWD, or the directory that an action changed to */
};

static void transfer(struct spawn *s, handle_t from, handle_t to, uint32_t flags) {
    s->list[s->count++] = (struct handle_transfer){from, to, RIGHTS_ALL, flags};
}

/* What is descriptor fd of the child, after the actions so far. */
static handle_t child_descriptor(const struct spawn *s, int fd) {
    for (uint32_t i = s->count; i > 0; i--) {
        if (s->list[i - 1].to == fd) {
            return s->list[i - 1].from;
        }
    }
    return is_fd(fd) ? fd : HANDLE_NONE;
}

static long action_dup(struct spawn *s, int from, int to) {
    handle_t h = child_descriptor(s, from);
    if (h < 0 || handle_type(h) < 0) {
        return -EBADF;
    }
    transfer(s, h, to, 0);
    return 0;
}

static long action_open(struct spawn *s, const struct fdop *op) {
    struct path_call p;
    bool creates = op->oflag & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY));
    path_prepare(&p, OP_OPEN, op->path, (uint64_t)(op->oflag & ~(O_CLOEXEC | O_LARGEFILE)),
                 (creates ? umask_apply(op->mode & 07777) : 0) | OPEN_FOR_CHILD);
    p.call.handle_flags = HANDLE_IN_UPPER;
    p.own_refused = true;
    long error = path_walk(&p, s->cwd);
    if (error < 0) {
        return error;
    }
    transfer(s, p.call.reply.handle, op->fd, OPENED_HERE);
    return 0;
}

/* Only one is the child's working directory, but each is opened from the one before. */
static long action_chdir(struct spawn *s, handle_t start, const char *path) {
    struct path_call p;
    if (start < 0) {
        return -EBADF;
    }
    path_prepare(&p, OP_OPEN, path, O_PATH | O_DIRECTORY, 0);
    p.call.handle_flags = HANDLE_IN_UPPER;
    long error = path_walk(&p, start);
    if (error < 0) {
        return error;
    }
    s->cwd = p.call.reply.handle;
    transfer(s, s->cwd, HANDLE_CWD, HANDLE_KEEP | OPENED_HERE);
    error = call_simple(s->cwd, OP_ACCESS, ACCESS_EFFECTIVE, X_OK, 0);
    return error < 0 ? error : 0;
}

static long action_apply(struct spawn *s, const struct fdop *op) {
    if (op->cmd <= FDOP_OPEN && !is_fd(op->fd)) {
        return op->cmd == FDOP_CLOSE ? 0 : -EBADF; /* as musl has it: closing what is not open is no error */
    }
    switch (op->cmd) {
    case FDOP_CLOSE: transfer(s, HANDLE_NONE, op->fd, 0); return 0;
    case FDOP_DUP2: return action_dup(s, op->srcfd, op->fd);
    case FDOP_OPEN: return action_open(s, op);
    case FDOP_CHDIR: return action_chdir(s, s->cwd, op->path);
    case FDOP_FCHDIR: return action_chdir(s, child_descriptor(s, op->fd), ".");
    default: return -EINVAL;
    }
}

/* As execvp looks for a file without a slash. */
static long search(struct spawn *s, const char *file, char *const *arguments, char *const *environment,
                   struct spawn_args *args) {
    char candidate[PATH_MAX];
    const char *path = getenv("PATH"), *end;
    size_t length = strlen(file);
    long result = -ENOENT;
    if (length > NAME_MAX) {
        return -ENAMETOOLONG;
    }
    for (path = path ? path : "/usr/local/bin:/bin:/usr/bin";; path = end + 1) {
        end = strchrnul(path, ':');
        size_t folder = (size_t)(end - path);
        if (folder + 1 + length < sizeof(candidate)) {
            char *at = mempcpy(candidate, path, folder);
            *at = '/';
            memcpy(at + (folder > 0), file, length + 1);
            long tried = exec_spawn(s->cwd, candidate, arguments, environment, args);
            if (tried != -EACCES && tried != -ENOENT && tried != -ENOTDIR) {
                return tried;
            }
            result = tried == -EACCES ? tried : result;
        }
        if (!*end) {
            return result;
        }
    }
}

/* pid, or -errno. `last`: the list runs from the last action to the first. */
static long spawn(const char *file, bool in_path, const struct fdop *last, struct spawn_args *args,
                  struct handle_transfer *list, char *const *arguments, char *const *environment) {
    struct spawn s = {.list = list, .cwd = HANDLE_CWD};
    const struct fdop *op = last;
    long result = 0;
    while (op && op->next) {
        op = op->next;
    }
    if (args->flags & SPAWN_SESSION) {
        transfer(&s, HANDLE_NONE, HANDLE_TTY, 0);
    }
    for (; op && result >= 0; op = op->prev) {
        result = action_apply(&s, op);
    }
    args->handles = s.list;
    args->handle_count = s.count;
    if (result >= 0) {
        result = in_path && *file && !strchr(file, '/') ? search(&s, file, arguments, environment, args)
                                                        : exec_spawn(s.cwd, file, arguments, environment, args);
    }
    for (uint32_t i = 0; i < s.count; i++) {
        if (s.list[i].flags & OPENED_HERE) {
            sys_handle_close(s.list[i].from);
        }
    }
    return result;
}

static bool needs_child(int flags, const struct fdop *last) {
    struct credentials c;
    if (flags & POSIX_SPAWN_RESETIDS &&
        (sys_process_info(0, PROCESS_CREDENTIALS, &c, sizeof(c), 0) < 0 || c.uid != c.euid || c.gid != c.egid)) {
        return true;
    }
    for (; flags & POSIX_SPAWN_SETSID && last; last = last->next) {
        if (last->cmd == FDOP_OPEN && !(last->oflag & O_NOCTTY)) {
            return true;
        }
    }
    return false;
}

static long spawn_native(const char *file, bool in_path, const struct fdop *last, const posix_spawnattr_t *attributes,
                         uint64_t mask, char *const *arguments, char *const *environment) {
    struct handle_transfer small[SMALL_ACTIONS], *list = small;
    int flags = attributes->__flags;
    struct spawn_args args = {.flags = SPAWN_INHERIT | SPAWN_MASK, .signal_mask = mask, .process = HANDLE_NONE};
    if (flags & POSIX_SPAWN_SETSID && flags & POSIX_SPAWN_SETPGROUP) {
        return -EPERM; /* a session's leader stays in its group */
    }
    if (flags & POSIX_SPAWN_SETSID) {
        args.flags |= SPAWN_SESSION;
    }
    if (flags & POSIX_SPAWN_SETPGROUP) {
        args.flags |= SPAWN_GROUP;
        args.group = attributes->__pgrp;
    }
    if (flags & POSIX_SPAWN_SETSIGDEF) {
        args.flags |= SPAWN_DEFAULT;
        memcpy(&args.signal_default, &attributes->__def, sizeof(args.signal_default));
    }
    if (flags & POSIX_SPAWN_SETSIGMASK) {
        memcpy(&args.signal_mask, &attributes->__mask, sizeof(args.signal_mask));
    }
    if (flags & (POSIX_SPAWN_SETSCHEDULER | POSIX_SPAWN_SETSCHEDPARAM)) {
        long policy = flags & POSIX_SPAWN_SETSCHEDULER ? attributes->__pol : row_sched_getscheduler(0);
        long error = scheduling_value((int)policy, attributes->__prio, &args.priority);
        if (error < 0) {
            return error;
        }
        args.flags |= SPAWN_PRIORITY;
    }
    size_t size = CHILD_HANDLES * sizeof(*list);
    for (const struct fdop *op = last; op; op = op->next) {
        size += sizeof(*list);
    }
    if (size > sizeof(small)) {
        long address = sys_vm_map(0, (size + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1), VM_READ | VM_WRITE, HANDLE_NONE, 0);
        if (address < 0) {
            return address;
        }
        list = (struct handle_transfer *)address;
    }
    long result = spawn(file, in_path, last, &args, list, arguments, environment);
    if (list != small) {
        sys_vm_unmap((uintptr_t)list, (size + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1));
    }
    return result;
}

/* Signals wait until the files that the actions open are closed again; nor is this a cancellation point. */
static int spawn_any(pid_t *pid, const char *file, bool in_path, const posix_spawn_file_actions_t *actions,
                     const posix_spawnattr_t *attributes, char *const *arguments, char *const *environment) {
    posix_spawnattr_t plain = {};
    sigset_t all, old;
    uint64_t mask;
    int cancel;
    if (attributes) {
        plain = *attributes;
    }
    plain.__fn = in_path ? (void *)execvpe : nullptr;
    const struct fdop *last = actions ? actions->__actions : nullptr;
    long result = PATH_IS_OWN;
    if (!needs_child(plain.__flags, last)) {
        memset(&all, 0xff, sizeof(all));
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
        pthread_sigmask(SIG_BLOCK, &all, &old);
        memcpy(&mask, &old, sizeof(mask));
        result = spawn_native(file, in_path, last, &plain, mask, arguments, environment);
        pthread_sigmask(SIG_SETMASK, &old, nullptr);
        pthread_setcancelstate(cancel, nullptr);
    }
    if (result == PATH_IS_OWN) {
        return posix_spawn_by_fork(pid, file, actions, &plain, arguments, environment);
    }
    if (result >= 0 && pid) {
        *pid = (pid_t)result;
    }
    return result < 0 ? (int)-result : 0;
}

__attribute__((visibility("default"))) int posix_spawn(pid_t *restrict pid, const char *restrict path,
                                                       const posix_spawn_file_actions_t *actions,
                                                       const posix_spawnattr_t *restrict attributes,
                                                       char *const *restrict arguments,
                                                       char *const *restrict environment) {
    return spawn_any(pid, path, false, actions, attributes, arguments, environment);
}

__attribute__((visibility("default"))) int posix_spawnp(pid_t *restrict pid, const char *restrict file,
                                                        const posix_spawn_file_actions_t *actions,
                                                        const posix_spawnattr_t *restrict attributes,
                                                        char *const *restrict arguments,
                                                        char *const *restrict environment) {
    return spawn_any(pid, file, true, actions, attributes, arguments, environment);
}
