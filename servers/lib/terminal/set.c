// SPDX-License-Identifier: MIT
#include <flat.h>
#include <object_map.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <terminal_set.h>

static struct object_map files;

static struct tty_file *file_of(const struct port_buffer *call) { return object_get(&files, call->request.object); }

/* The terminal that a path names; null: none. */
static struct terminal *terminal_named(const uint8_t *path, uint32_t length) {
    for (unsigned i = 0; length == 1 && i < terminal_set.count; i++)
        if (*terminal_set.names[i] == path[0]) return terminal_set.at(i);
    return nullptr;
}

/* That of an open file, or of a path. */
static struct terminal *terminal_meant(const struct port_buffer *call, uint32_t head) {
    struct tty_file *f = file_of(call);
    if (f || call->request.object) return f ? f->terminal : nullptr;
    return terminal_named(call->data + head, call->request.length - head);
}

struct terminal *terminals_file(const struct port_buffer *call) {
    struct tty_file *f = file_of(call);
    return f && f->generation == f->terminal->generation ? f->terminal : nullptr;
}

int64_t terminals_open(struct scheme *s, struct port_buffer *call) {
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

int64_t terminals_close(struct scheme *s, struct port_buffer *call) {
    struct tty_file *f = file_of(call);
    if (f) {
        object_remove(&files, f->id);
        terminal_close(f);
    }
    return 0;
}

int64_t terminals_read(struct scheme *s, struct port_buffer *call) {
    struct tty_file *f = file_of(call);
    if (flat_is_root(call)) return flat_read(call, terminal_set.names, terminal_set.count);
    return f ? terminal_read(f, call) : -EIO;
}

int64_t terminals_write(struct scheme *s, struct port_buffer *call) {
    struct tty_file *f = file_of(call);
    return f ? terminal_write(f, call) : -EIO;
}

int64_t terminals_control(struct scheme *s, struct port_buffer *call) {
    struct tty_file *f = file_of(call);
    return f ? terminal_ioctl(f, call) : -EIO;
}

int64_t terminals_watch(struct scheme *s, struct port_buffer *call) {
    struct tty_file *f = file_of(call);
    return f ? terminal_watch(f, (uint32_t)call->request.args[0]) : EVENT_ERROR;
}

int64_t terminals_stat(struct scheme *s, struct port_buffer *call) {
    if (flat_is_root(call)) return flat_stat(call);
    struct terminal *t = terminal_meant(call, 0);
    return t ? terminal_stat(t, call) : -ENOENT;
}

int64_t terminals_set_attributes(struct scheme *s, struct port_buffer *call) {
    const uint32_t head = sizeof(struct file_attributes);
    if (call->request.length < head) return -EINVAL;
    struct terminal *t = terminal_meant(call, head);
    return t ? terminal_set_attributes(t, call) : -ENOENT;
}

int64_t terminals_access(struct scheme *s, struct port_buffer *call) {
    if (flat_is_root(call)) return flat_access(call);
    struct terminal *t = terminal_meant(call, 0);
    return t ? terminal_access(t, call) : -ENOENT;
}

int64_t terminals_path(struct scheme *s, struct port_buffer *call) {
    struct tty_file *f = file_of(call);
    if (!f) return -ENOENT;
    int length = snprintf((char *)call->data, CALL_DATA_MAX, "%s%u", terminal_set.device,
                          minor(f->terminal->device) - terminal_set.minor_first);
    call->reply.length = (uint32_t)length;
    return length;
}

int64_t terminals_cancel(struct scheme *s, struct port_buffer *call) {
    struct tty_file *f = file_of(call);
    return f ? terminal_cancel(f->terminal, call) : -EINTR;
}
