// SPDX-License-Identifier: MIT
/*
 * The scheme `tty:`: terminals 0, 1, … on the serial lines named by the arguments.  Each read,
 * write and ioctl is one call; the work is in terminal.c and control.c.
 */
#include "terminal.h"
#include <flat.h>
#include <object_map.h>
#include <service.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TERMINALS_MAX 8
#define PERMISSION_READ 4
#define PERMISSION_WRITE 2
enum { KEY_LINE, KEY_SESSION, KEYS }; /* event key: KEYS * number + which */

static struct terminal terminals[TERMINALS_MAX];
static unsigned terminal_count;
static struct object_map files;

static struct tty_file *file_of(const struct port_buffer *call) { return object_get(&files, call->request.object); }

/* The terminal that a path names; null: none. */
static struct terminal *terminal_named(const uint8_t *path, uint32_t length) {
    unsigned number = length == 1 ? path[0] - '0' : TERMINALS_MAX;
    return number < terminal_count ? &terminals[number] : nullptr;
}

/* That of an open file, or of a path. */
static struct terminal *terminal_meant(const struct port_buffer *call) {
    struct tty_file *f = file_of(call);
    return f ? f->terminal : terminal_named(call->data, call->request.length);
}

static bool in_group(const struct credentials *c, uint32_t gid) {
    for (uint32_t i = 0; i < c->group_count; i++) {
        if (c->groups[i] == gid) return true;
    }
    return c->fsgid == gid;
}

static int64_t check_permission(const struct terminal *t, const struct credentials *c, uint32_t wanted) {
    if (!c) return -EACCES;
    if (c->privileges & PRIVILEGE_ROOT) return 0;
    unsigned shift = c->fsuid == t->uid ? 6 : in_group(c, t->gid) ? 3 : 0;
    return (t->mode >> shift & wanted) == wanted ? 0 : -EACCES;
}

static int64_t tty_open(struct scheme *s, struct port_buffer *call) {
    static const uint32_t wanted[] = {PERMISSION_READ, PERMISSION_WRITE, PERMISSION_READ | PERMISSION_WRITE, 0};
    struct terminal *t = terminal_named(call->data, call->request.length);
    uint64_t flags = call->request.args[0];
    const struct credentials *c = scheme_credentials(s, call->request.credentials);
    if (flat_is_root(call)) return flat_open(call);
    if (!t) return -ENOENT;
    if (flags & FILE_DIRECTORY) return -ENOTDIR;
    int64_t e = flags & FILE_PATH ? 0 : check_permission(t, c, wanted[flags & FILE_ACCESS_MASK]);
    if (e) return e;
    if (t->exclusive && !(c && (c->privileges & PRIVILEGE_ROOT))) return -EBUSY;
    struct tty_file *f = terminal_open(t);
    if (!f) return -ENOMEM;
    f->id = object_add(&files, f);
    if (!f->id) {
        terminal_close(f);
        return -ENOMEM;
    }
    return reply_file(call, f->id, FILE_KIND_TTY | FILE_KIND_WATCHABLE);
}

static int64_t tty_close(struct scheme *s, struct port_buffer *call) {
    struct tty_file *f = file_of(call);
    if (f) {
        object_remove(&files, f->id);
        terminal_close(f);
    }
    return 0;
}

static int64_t tty_read(struct scheme *s, struct port_buffer *call) {
    static const char *const names[TERMINALS_MAX] = {"0", "1", "2", "3", "4", "5", "6", "7"};
    struct tty_file *f = file_of(call);
    if (flat_is_root(call)) return flat_read(call, names, terminal_count);
    return f ? terminal_read(f, call) : -EIO;
}

static int64_t tty_write(struct scheme *s, struct port_buffer *call) {
    struct tty_file *f = file_of(call);
    return f ? terminal_write(f, call) : -EIO;
}

static int64_t tty_control(struct scheme *s, struct port_buffer *call) {
    struct tty_file *f = file_of(call);
    return f ? terminal_ioctl(f, call) : -EIO;
}

static int64_t tty_watch(struct scheme *s, struct port_buffer *call) {
    struct tty_file *f = file_of(call);
    return f ? terminal_watch(f, (uint32_t)call->request.args[0]) : EVENT_ERROR;
}

static int64_t tty_stat(struct scheme *s, struct port_buffer *call) {
    const struct terminal *t = terminal_meant(call);
    if (flat_is_root(call)) return flat_stat(call);
    if (!t) return -ENOENT;
    struct file_attributes a = {
        .device = terminal_device(t),
        .inode = t->number + 1,
        .links = 1,
        .mode = S_IFCHR | t->mode,
        .uid = t->uid,
        .gid = t->gid,
        .rdev = terminal_device(t),
        .block_size = 1024,
    };
    memcpy(call->data, &a, sizeof(a));
    call->reply.length = sizeof(a);
    return 0;
}

/* chmod and chown: by the owner or a privileged process; only the latter changes the owner. */
static int64_t tty_set_attributes(struct scheme *s, struct port_buffer *call) {
    struct file_attributes a;
    uint32_t size = call->request.length;
    if (size < sizeof(a)) return -EINVAL;
    memcpy(&a, call->data, sizeof(a));
    struct tty_file *f = file_of(call);
    struct terminal *t = f ? f->terminal : terminal_named(call->data + sizeof(a), size - (uint32_t)sizeof(a));
    if (!t) return -ENOENT;
    const struct credentials *c = scheme_credentials(s, call->request.credentials);
    uint64_t set = call->request.args[1];
    bool privileged = c && (c->privileges & PRIVILEGE_ROOT);
    if (!privileged && (!c || c->fsuid != t->uid || (set & (SET_UID | SET_GID)))) return -EPERM;
    if (set & SET_MODE) t->mode = a.mode & 07777;
    if (set & SET_UID) t->uid = a.uid;
    if (set & SET_GID) t->gid = a.gid;
    return 0;
}

static int64_t tty_access(struct scheme *s, struct port_buffer *call) {
    const struct terminal *t = terminal_meant(call);
    if (flat_is_root(call)) return call->request.args[1] & PERMISSION_WRITE ? -EACCES : 0;
    return t ? check_permission(t, scheme_credentials(s, call->request.credentials),
                                (uint32_t)call->request.args[1] & 7)
             : -ENOENT;
}

/* For ttyname(): where init has put it. */
static int64_t tty_path(struct scheme *s, struct port_buffer *call) {
    struct tty_file *f = file_of(call);
    if (!f) return -ENOENT;
    int length = snprintf((char *)call->data, CALL_DATA_MAX, "/dev/ttyS%u", f->terminal->number);
    call->reply.length = (uint32_t)length;
    return length;
}

static int64_t tty_cancel(struct scheme *s, struct port_buffer *call) {
    struct tty_file *f = file_of(call);
    return f ? terminal_cancel(f->terminal, call) : -EINTR;
}

static void tty_event(struct scheme *s, uint64_t key, uint32_t mask) {
    struct terminal *t = &terminals[key / KEYS];
    if (key % KEYS == KEY_LINE) terminal_changed(t);
    else terminal_hangup(t); /* the session leader has exited */
}

static void tty_timeout(struct scheme *s) {
    s->deadline = DEADLINE_NEVER;
    for (unsigned i = 0; i < terminal_count; i++) terminal_timeout(&terminals[i]);
}

static const struct scheme_ops tty_ops = {
    .handler =
        {
            [OP_OPEN] = tty_open,
            [OP_CLOSE] = tty_close,
            [OP_READ] = tty_read,
            [OP_WRITE] = tty_write,
            [OP_CONTROL] = tty_control,
            [OP_WATCH] = tty_watch,
            [OP_STAT] = tty_stat,
            [OP_SET_ATTRIBUTES] = tty_set_attributes,
            [OP_ACCESS] = tty_access,
            [OP_PATH] = tty_path,
        },
    .cancel = tty_cancel,
    .event = tty_event,
    .timeout = tty_timeout,
};

int main(int argc, char **argv) {
    static struct scheme scheme;
    if (scheme_init(&scheme, SERVICE_SCHEME, &tty_ops, nullptr) != 0) return 1;
    for (int i = 1; i < argc && terminal_count < TERMINALS_MAX; i++) {
        unsigned number = terminal_count++;
        terminals[number].line.key = KEYS * number + KEY_LINE;
        terminals[number].session_key = KEYS * number + KEY_SESSION;
        terminal_init(&terminals[number], &scheme, number, argv[i]);
    }
    return -scheme_serve(&scheme);
}
