// SPDX-License-Identifier: MIT
/*
 * The scheme `console:`: the terminals 1 … 6 (/dev/tty1 …), one of which is seen on the screen, and `keymap`, the name
 * of the keyboard's layout: read it, or write another one's.
 */
#include "console.h"
#include <flat.h>
#include <object_map.h>
#include <service.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define KEYMAP "keymap"
#define KEYMAP_OBJECT UINT64_MAX /* no id of the map */
#define OPTION "keymap="

static struct object_map files;

static struct tty_file *file_of(const struct port_buffer *call) { return object_get(&files, call->request.object); }

/* The terminal that a path names; null: none. */
static struct terminal *terminal_named(const uint8_t *path, uint32_t length) {
    unsigned number = length == 1 ? path[0] - '1' : VTS;
    return number < VTS ? &vts[number].terminal : nullptr;
}

/* That of an open file, or of a path. */
static struct terminal *terminal_meant(const struct port_buffer *call) {
    struct tty_file *f = file_of(call);
    return f ? f->terminal : call->request.object ? nullptr : terminal_named(call->data, call->request.length);
}

/* --- the layout --- */
static bool is_keymap(const struct port_buffer *call) {
    if (call->request.object) return call->request.object == KEYMAP_OBJECT;
    return call->request.length == strlen(KEYMAP) && memcmp(call->data, KEYMAP, strlen(KEYMAP)) == 0;
}

static int64_t keymap_open(struct scheme *s, struct port_buffer *call) {
    const struct credentials *c = scheme_credentials(s, call->request.credentials);
    bool writes = (call->request.args[0] & FILE_ACCESS_MASK) != FILE_READ_ONLY;
    if (writes && (!c || !(c->privileges & PRIVILEGE_ROOT))) return -EACCES;
    return reply_file(call, KEYMAP_OBJECT, FILE_KIND_SEEKABLE);
}

static int64_t keymap_read(struct port_buffer *call) {
    char text[32];
    int length = snprintf(text, sizeof(text), "%s\n", keyboard_layout());
    return reply_text(call, text, (size_t)length);
}

static int64_t keymap_write(const struct port_buffer *call) {
    size_t length = call->request.length;
    while (length > 0 && (call->data[length - 1] == '\n' || call->data[length - 1] == ' ')) length--;
    int e = keyboard_set_layout((const char *)call->data, length);
    return e ? -EINVAL : call->request.length;
}

static int64_t keymap_stat(struct port_buffer *call) {
    struct file_attributes a = {.inode = VTS + 1, .links = 1, .mode = S_IFREG | 0644, .block_size = 4096};
    memcpy(call->data, &a, sizeof(a));
    call->reply.length = sizeof(a);
    return 0;
}

static void keymap_from_command_line(void) {
    char line[2048];
    long length = sys_system_info(SYSTEM_COMMAND_LINE, line, sizeof(line) - 1);
    line[length < 0 ? 0 : length] = 0;
    for (char *at = line; (at = strstr(at, OPTION)); at += strlen(OPTION)) {
        const char *name = at + strlen(OPTION);
        if (at != line && at[-1] != ' ') continue;
        if (keyboard_set_layout(name, strcspn(name, " ")) != 0) service_log("console: no such keymap: %s", name);
    }
}

/* --- operations --- */
static int64_t console_open(struct scheme *s, struct port_buffer *call) {
    struct tty_file *f;
    if (flat_is_root(call)) return flat_open(call);
    if (is_keymap(call)) return keymap_open(s, call);
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

static int64_t console_close(struct scheme *s, struct port_buffer *call) {
    struct tty_file *f = file_of(call);
    if (f) {
        object_remove(&files, f->id);
        terminal_close(f);
    }
    return 0;
}

static int64_t console_read(struct scheme *s, struct port_buffer *call) {
    static const char *const names[] = {"1", "2", "3", "4", "5", "6", KEYMAP};
    static_assert(sizeof(names) / sizeof(names[0]) == VTS + 1);
    struct tty_file *f = file_of(call);
    if (flat_is_root(call)) return flat_read(call, names, VTS + 1);
    if (is_keymap(call)) return keymap_read(call);
    return f ? terminal_read(f, call) : -EIO;
}

static int64_t console_write(struct scheme *s, struct port_buffer *call) {
    struct tty_file *f = file_of(call);
    if (call->request.object == KEYMAP_OBJECT) return keymap_write(call);
    return f ? terminal_write(f, call) : -EIO;
}

static int64_t console_control(struct scheme *s, struct port_buffer *call) {
    struct tty_file *f = file_of(call);
    return f ? terminal_ioctl(f, call) : call->request.object == KEYMAP_OBJECT ? -ENOTTY : -EIO;
}

static int64_t console_watch(struct scheme *s, struct port_buffer *call) {
    struct tty_file *f = file_of(call);
    return f ? terminal_watch(f, (uint32_t)call->request.args[0]) : EVENT_ERROR;
}

static int64_t console_stat(struct scheme *s, struct port_buffer *call) {
    if (flat_is_root(call)) return flat_stat(call);
    if (is_keymap(call)) return keymap_stat(call);
    struct terminal *t = terminal_meant(call);
    return t ? terminal_stat(t, call) : -ENOENT;
}

static int64_t console_set_attributes(struct scheme *s, struct port_buffer *call) {
    const uint32_t head = sizeof(struct file_attributes);
    struct tty_file *f = file_of(call);
    if (call->request.length < head) return -EINVAL;
    struct terminal *t = f ? f->terminal : terminal_named(call->data + head, call->request.length - head);
    return t ? terminal_set_attributes(t, call) : call->request.object == KEYMAP_OBJECT ? -EPERM : -ENOENT;
}

/* For ttyname(): where init has put it. */
static int64_t console_path(struct scheme *s, struct port_buffer *call) {
    struct tty_file *f = file_of(call);
    if (!f) return -ENOENT;
    int length = snprintf((char *)call->data, CALL_DATA_MAX, "/dev/tty%u", minor(f->terminal->device));
    call->reply.length = (uint32_t)length;
    return length;
}

static int64_t console_cancel(struct scheme *s, struct port_buffer *call) {
    struct tty_file *f = file_of(call);
    return f ? terminal_cancel(f->terminal, call) : -EINTR;
}

static void console_event(struct scheme *s, uint64_t key, uint32_t mask) {
    if (key == KEY_INPUT) input_ready(s);
    else terminal_hangup(&vts[key - KEY_SESSIONS].terminal); /* the session leader has exited */
}

static void console_timeout(struct scheme *s) {
    s->deadline = DEADLINE_NEVER;
    for (unsigned i = 0; i < VTS; i++) {
        terminal_timeout(&vts[i].terminal);
        if (ldisc_output_pending(&vts[i].terminal.ldisc) > 0) terminal_changed(&vts[i].terminal);
    }
    vt_tick(s);
}

static const struct scheme_ops console_ops = {
    .handler =
        {
            [OP_OPEN] = console_open,
            [OP_CLOSE] = console_close,
            [OP_READ] = console_read,
            [OP_WRITE] = console_write,
            [OP_CONTROL] = console_control,
            [OP_WATCH] = console_watch,
            [OP_STAT] = console_stat,
            [OP_SET_ATTRIBUTES] = console_set_attributes,
            [OP_PATH] = console_path,
        },
    .cancel = console_cancel,
    .event = console_event,
    .timeout = console_timeout,
};

int main(void) {
    static struct scheme scheme;
    if (scheme_init(&scheme, SERVICE_SCHEME, &console_ops, nullptr) != 0) return 1;
    if (!screen_open()) service_log("console: there is no screen");
    vt_init(&scheme);
    input_open(&scheme);
    keymap_from_command_line();
    return -scheme_serve(&scheme);
}
