// SPDX-License-Identifier: MIT
/*
 * Scheme calls and the path walk. A server walks all components that it owns and may answer
 *   REDIRECT(path)  continue at this absolute path: an absolute link, a mounted scheme
 *   UP(rest)        `..` left a scheme that is mounted nowhere: continue at the root
 * so that a walk is a loop here, of at most WALK_MAX steps.
 */
#include "shim.h"
#include <string.h>
#include <unistd.h>

#define WALK_MAX 40 /* SYMLOOP_MAX: then ELOOP */
#define SCHEME_PREFIX "/scheme/"

void call_prepare(struct call_args *call, unsigned op, uint64_t a, uint64_t b, uint64_t c) {
    call->request = (struct request){.op = (uint16_t)op, .args = {a, b, c}};
    call->reply.flags = 0;
    call->reply.length = 0;
    call->in = nullptr;
    call->out = nullptr;
    call->out_size = 0;
    call->carry = HANDLE_NONE;
    call->handle_flags = 0;
    call->reserved = 0;
    call->deadline = DEADLINE_NEVER;
}

long call_send(handle_t h, struct call_args *call) {
    long result = sys_call(h, call);
    if (result == -ENOLINK && (call->request.flags & REQUEST_IDEMPOTENT)) {
        result = sys_call(h, call);
    }
    return result == -ENOLINK ? -EIO : result;
}

long call_simple(handle_t h, unsigned op, uint64_t a, uint64_t b, uint64_t c) {
    struct call_args call;
    call_prepare(&call, op, a, b, c);
    return call_send(h, &call);
}

long handle_type(handle_t h) {
    struct handle_info info;
    long error = sys_handle_info(h, &info);
    return error < 0 ? error : (long)info.type;
}

handle_t directory_handle(int directory) {
    if (directory == AT_FDCWD) {
        return HANDLE_CWD;
    }
    return is_fd(directory) ? directory : -EBADF;
}

void path_prepare(struct path_call *p, unsigned op, const char *path, uint64_t a, uint64_t b) {
    call_prepare(&p->call, op, a, b, 0);
    p->path = path;
    p->length = strlen(path);
    p->head = p->tail = nullptr;
    p->head_size = p->tail_size = 0;
    p->empty_allowed = p->own_refused = false;
    p->call.out = p->answer;
    p->call.out_size = CALL_ANSWER_SMALL;
}

/* Little room is cheap, and nearly always enough. An answer that did not fit redirects: nothing is done. */
static long send_path(handle_t h, struct path_call *p) {
    long result = call_send(h, &p->call);
    if (result >= 0 && (p->call.reply.flags & REPLY_CUT) && p->call.out == p->answer) {
        p->call.out_size = sizeof(p->answer) - 1;
        result = call_send(h, &p->call);
    }
    return result;
}

/* Sends the request with head, path and tail as its data. Not part of the usual step: its stack is large. */
static __attribute__((noinline)) long send_composed(handle_t h, struct path_call *p) {
    char data[sizeof(struct file_attributes) + 2 * PATH_MAX];
    if (p->head_size + p->length + p->tail_size > sizeof(data)) {
        return -ENAMETOOLONG;
    }
    char *end = mempcpy(data, p->head, p->head_size);
    end = mempcpy(end, p->path, p->length);
    end = mempcpy(end, p->tail, p->tail_size);
    p->call.in = data;
    p->call.request.length = (uint32_t)(end - data);
    return send_path(h, p);
}

/*
 * "/scheme/NAME/rest" is "NAME:rest" in the namespace, which takes an OPEN only: other operations
 * walk from the scheme's opened root.
 */
static __attribute__((noinline)) long send_scheme(struct path_call *p) {
    char name[PATH_MAX + 1];
    size_t length = p->length - (sizeof(SCHEME_PREFIX) - 1);
    memcpy(name, p->path + sizeof(SCHEME_PREFIX) - 1, length);
    name[length] = 0;
    char *rest = strchrnul(name, '/');
    if (!*rest) {
        length++;
        rest[1] = 0;
    }
    *rest++ = ':';
    if (p->call.request.op == OP_OPEN) {
        p->call.in = name;
        p->call.request.length = (uint32_t)length;
        return send_path(HANDLE_NAMESPACE, p);
    }
    struct call_args open;
    call_prepare(&open, OP_OPEN, O_PATH | O_DIRECTORY, 0, 0);
    open.handle_flags = HANDLE_IN_UPPER;
    open.in = name;
    open.request.length = (uint32_t)(rest - name);
    long result = call_send(HANDLE_NAMESPACE, &open);
    if (result < 0) {
        return result;
    }
    p->path = rest + strspn(rest, "/"); /* relative to that root */
    p->length = length - (size_t)(p->path - name);
    result = path_step(p, open.reply.handle);
    sys_handle_close(open.reply.handle);
    p->path = ""; /* it was on this stack */
    p->length = 0;
    return result;
}

bool path_is_scheme(const char *path, size_t length) {
    const char *name = path + sizeof(SCHEME_PREFIX) - 1;
    return length > sizeof(SCHEME_PREFIX) - 1 && path[1] == 's' &&
           !memcmp(path, SCHEME_PREFIX, sizeof(SCHEME_PREFIX) - 1) && *name != '.' && *name != '/';
}

long path_step(struct path_call *p, handle_t start) {
    if (p->length >= PATH_MAX) {
        return -ENAMETOOLONG;
    }
    if (p->length > 0 && p->path[0] == '/') {
        start = HANDLE_ROOT;
        if (path_is_scheme(p->path, p->length)) {
            return send_scheme(p);
        }
        while (p->length > 0 && p->path[0] == '/') {
            p->path++;
            p->length--;
        }
    }
    if (start < 0) {
        return start;
    }
    if (p->tail_size > 0) {
        p->call.request.args[1] = p->length;
    }
    if (p->head_size + p->tail_size > 0) {
        return send_composed(start, p);
    }
    p->call.in = p->path;
    p->call.request.length = (uint32_t)p->length;
    return send_path(start, p);
}

int path_descriptor(const char *path) {
    const char *digits = path;
    if (!strncmp(digits, "/dev/fd/", 8)) {
        digits += 8;
    } else if (!strncmp(digits, "/proc/self/fd/", 14)) {
        digits += 14;
    } else {
        return -1;
    }
    int fd = *digits ? 0 : -1;
    for (; *digits; digits++) {
        if (*digits < '0' || *digits > '9' || fd >= HANDLE_UPPER / 10) {
            return -1;
        }
        fd = fd * 10 + *digits - '0';
    }
    return fd;
}

int path_own(const char *path) {
    static const char *const standard[] = {"/dev/stdin", "/dev/stdout", "/dev/stderr"};
    for (int i = 0; i < 3; i++) {
        if (!strcmp(path, standard[i])) {
            return i;
        }
    }
    return path_descriptor(path);
}

/* Descriptors that have names: these are duplicated, whatever they are. -ENOENT: no such name. */
static __attribute__((noinline)) long open_own(const struct path_call *p) {
    bool tty = !strcmp(p->path, "/dev/tty");
    int fd = tty ? HANDLE_TTY : path_own(p->path);
    if (fd < 0) {
        return -ENOENT;
    }
    if (p->own_refused) {
        return PATH_IS_OWN;
    }
    long result = sys_handle_duplicate(fd, 0, p->call.handle_flags, RIGHTS_SAME);
    return tty && result == -EBADF ? -ENXIO : result;
}

long path_send(struct path_call *p, int directory) { return path_walk(p, directory_handle(directory)); }

long path_walk(struct path_call *p, handle_t start) {
    bool may_be_own = p->call.request.op == OP_OPEN && (!(p->call.handle_flags & HANDLE_IN_UPPER) || p->own_refused);
    if (p->length == 0 && !p->empty_allowed) {
        return -ENOENT;
    }
    for (int step = 0; step < WALK_MAX; step++) {
        if (may_be_own && p->path[0] == '/' && (p->path[1] == 'd' || p->path[1] == 'p')) {
            long fd = open_own(p);
            if (fd != -ENOENT) {
                p->call.reply.handle = (handle_t)fd;
                p->call.reply.args[3] = 0;
                return fd < 0 ? fd : 0;
            }
        }
        long result = path_step(p, start);
        if (result == NO_SERVER) {
            return -ENOTDIR; /* a walk that starts at a pipe */
        }
        if (result < 0 || !(p->call.reply.flags & (REPLY_REDIRECT | REPLY_UP))) {
            return result;
        }
        p->answer[p->call.reply.length] = 0;
        p->path = p->answer;
        p->length = p->call.reply.length;
        start = HANDLE_ROOT;
    }
    return -ELOOP;
}

long path_open(int directory, const char *path, int flags) {
    struct path_call p;
    path_prepare(&p, OP_OPEN, path, (uint64_t)flags, 0);
    p.call.handle_flags = HANDLE_IN_UPPER;
    p.call.request.flags = REQUEST_IDEMPOTENT;
    long error = path_send(&p, directory);
    return error < 0 ? error : p.call.reply.handle;
}
