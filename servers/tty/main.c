// SPDX-License-Identifier: MIT
/*
 * The scheme `tty:`: terminals 0, 1, … on the serial lines named by the arguments.  Each read,
 * write and ioctl is one call; the work is in lib/terminal and line.c.
 */
#include "line.h"
#include <flat.h>
#include <object_map.h>
#include <service.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#define TERMINALS_MAX 8
/* Numbers and names of serial terminals are Linux's: major 4, minors from 64 on, /dev/ttyS0. */
#define MAJOR 4
#define MINOR_FIRST 64
enum { KEY_LINE, KEY_SESSION, KEYS }; /* event key: KEYS * number + which */

static struct serial_terminal terminals[TERMINALS_MAX];
static unsigned terminal_count;
static struct object_map files;

static struct tty_file *file_of(const struct port_buffer *call) { return object_get(&files, call->request.object); }

/* The terminal that a path names; null: none. */
static struct terminal *terminal_named(const uint8_t *path, uint32_t length) {
    unsigned number = length == 1 ? path[0] - '0' : TERMINALS_MAX;
    return number < terminal_count ? &terminals[number].terminal : nullptr;
}

/* That of an open file, or of a path. */
static struct terminal *terminal_meant(const struct port_buffer *call) {
    struct tty_file *f = file_of(call);
    return f ? f->terminal : terminal_named(call->data, call->request.length);
}

static int64_t tty_open(struct scheme *s, struct port_buffer *call) {
    struct tty_file *f;
    if (flat_is_root(call)) return flat_open(call);
    struct terminal *t = terminal_named(call->data, call->request.length);
    if (!t) return -ENOENT;
    int64_t e = terminal_open_node(t, call, &f);
    if (e) return e;
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
    if (flat_is_root(call)) return flat_stat(call);
    struct terminal *t = terminal_meant(call);
    return t ? terminal_stat(t, call) : -ENOENT;
}

static int64_t tty_set_attributes(struct scheme *s, struct port_buffer *call) {
    const uint32_t head = sizeof(struct file_attributes);
    struct tty_file *f = file_of(call);
    if (call->request.length < head) return -EINVAL;
    struct terminal *t = f ? f->terminal : terminal_named(call->data + head, call->request.length - head);
    return t ? terminal_set_attributes(t, call) : -ENOENT;
}

static int64_t tty_access(struct scheme *s, struct port_buffer *call) {
    if (flat_is_root(call)) return flat_access(call);
    struct terminal *t = terminal_meant(call);
    return t ? terminal_access(t, call) : -ENOENT;
}

/* For ttyname(): where init has put it. */
static int64_t tty_path(struct scheme *s, struct port_buffer *call) {
    struct tty_file *f = file_of(call);
    if (!f) return -ENOENT;
    int length = snprintf((char *)call->data, CALL_DATA_MAX, "/dev/ttyS%u", minor(f->terminal->device) - MINOR_FIRST);
    call->reply.length = (uint32_t)length;
    return length;
}

static int64_t tty_cancel(struct scheme *s, struct port_buffer *call) {
    struct tty_file *f = file_of(call);
    return f ? terminal_cancel(f->terminal, call) : -EINTR;
}

static void tty_event(struct scheme *s, uint64_t key, uint32_t mask) {
    struct terminal *t = &terminals[key / KEYS].terminal;
    if (key % KEYS == KEY_LINE) terminal_changed(t);
    else terminal_hangup(t); /* the session leader has exited */
}

static void tty_timeout(struct scheme *s) {
    s->deadline = DEADLINE_NEVER;
    for (unsigned i = 0; i < terminal_count; i++) terminal_timeout(&terminals[i].terminal);
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
        struct serial_terminal *st = &terminals[number];
        st->line = (struct line){.name = argv[i], .key = KEYS * number + KEY_LINE};
        st->terminal.ops = &line_ops;
        st->terminal.device = makedev(MAJOR, MINOR_FIRST + number);
        st->terminal.inode = number + 1;
        st->terminal.session_key = KEYS * number + KEY_SESSION;
        terminal_init(&st->terminal, &scheme);
        line_start(st);
    }
    return -scheme_serve(&scheme);
}
