// SPDX-License-Identifier: MIT
/*
 * The scheme `pty:`, mounted on /dev/pts.  Opening `ptmx` makes a pseudo-terminal and is its master;
 * its number is the name of the other side.  Opening a master with an empty path opens that, too
 * (TIOCGPTPEER).  Object ids are those of masters (struct pty) and of terminals' files.
 */
#include "pty.h"
#include <flat.h>
#include <object_map.h>
#include <service.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define FOLDER "/dev/pts"
#define PTMX "ptmx"
#define MAJOR_FIRST 136 /* numbers of devices are Linux's */
#define INODE_FIRST 3

struct object { /* what an id names */
    struct pty *pty;
    struct tty_file *file; /* null: the master */
};

static struct pty *ptys[PTYS_MAX];
static unsigned ptys_end; /* all in use are below */
static struct object_map objects;

static struct object *object_of(const struct port_buffer *call) { return object_get(&objects, call->request.object); }

/* --- names --- */
static bool is_ptmx(const uint8_t *path, uint32_t length) { return length == 4 && !memcmp(path, PTMX, 4); }

static struct pty *pty_named(const uint8_t *path, uint32_t length) {
    unsigned number = 0;
    if (length == 0 || length > 4 || (length > 1 && path[0] == '0')) return nullptr;
    for (uint32_t i = 0; i < length; i++) {
        if (path[i] < '0' || path[i] > '9') return nullptr;
        number = number * 10 + path[i] - '0';
    }
    return number < ptys_end ? ptys[number] : nullptr;
}

/* A path that leaves through the root: goes on in /dev. */
static bool leads_up(struct port_buffer *call, int64_t *result) {
    uint32_t length = call->request.length;
    if (call->request.object != 0 || length < 2 || memcmp(call->data, "..", 2) != 0) return false;
    if ((length > 2 && call->data[2] != '/') || length + 2 > CALL_DATA_MAX) return false;
    memmove(call->data + 4, call->data + 2, length - 2);
    memcpy(call->data, "/dev", 4);
    call->reply.flags = REPLY_REDIRECT;
    call->reply.length = length + 2;
    *result = 0;
    return true;
}

/* --- making and unmaking --- */
static struct pty *pty_make(struct scheme *s, const struct credentials *who) {
    unsigned number = 0;
    while (number < PTYS_MAX && ptys[number]) number++;
    struct pty *p = number < PTYS_MAX ? calloc(1, sizeof(*p)) : nullptr;
    if (!p) return nullptr;
    p->number = number;
    p->locked = true;
    p->terminal.ops = &pty_ops;
    p->terminal.device = makedev(MAJOR_FIRST + number / 256, number % 256);
    p->terminal.inode = INODE_FIRST + number;
    p->terminal.session_key = number;
    terminal_init(&p->terminal, s);
    p->terminal.ldisc.window = (struct ldisc_window){};
    p->terminal.uid = who->fsuid;
    ptys[number] = p;
    if (number >= ptys_end) ptys_end = number + 1;
    return p;
}

static void pty_free_unused(struct pty *p) {
    if (p->master || p->terminal.files) return;
    ptys[p->number] = nullptr;
    while (ptys_end > 0 && !ptys[ptys_end - 1]) ptys_end--;
    free(p);
}

static uint64_t object_make(struct pty *p, struct tty_file *f) {
    struct object *o = malloc(sizeof(*o));
    uint64_t id = o ? object_add(&objects, o) : 0;
    if (id) *o = (struct object){p, f};
    else free(o);
    return id;
}

/* --- opening and closing --- */
static int64_t open_master(struct scheme *s, struct port_buffer *call) {
    const struct credentials *who = scheme_credentials(s, call->request.credentials);
    if (call->request.args[0] & FILE_DIRECTORY) return -ENOTDIR;
    struct pty *p = who ? pty_make(s, who) : nullptr;
    if (!p) return -ENOSPC;
    p->master = object_make(p, nullptr);
    if (!p->master) {
        pty_free_unused(p);
        return -ENOMEM;
    }
    return reply_file(call, p->master, FILE_KIND_WATCHABLE); /* not TTY: nobody's controlling terminal */
}

static int64_t open_slave(struct pty *p, struct port_buffer *call) {
    bool path_only = call->request.args[0] & FILE_PATH;
    struct tty_file *f;
    if (!p->master) return -ENOENT;
    if (p->locked && !path_only) return -EIO;
    int64_t e = terminal_open_node(&p->terminal, call, &f);
    if (e) return e;
    f->id = object_make(p, f);
    if (!f->id) {
        terminal_close(f);
        return -ENOMEM;
    }
    p->slave_seen |= !path_only;
    master_changed(p);
    return reply_file(call, f->id, FILE_KIND_TTY | FILE_KIND_WATCHABLE);
}

static int64_t pty_open(struct scheme *s, struct port_buffer *call) {
    struct object *o = object_of(call);
    const struct request *r = &call->request;
    int64_t result;
    if (o) return o->file ? -ENOTDIR : r->length > 0 ? -ENOTDIR : open_slave(o->pty, call);
    if (r->object != 0) return -EIO;
    if (flat_is_root(call)) return flat_open(call);
    if (leads_up(call, &result)) return result;
    if (is_ptmx(call->data, r->length)) return open_master(s, call);
    struct pty *p = pty_named(call->data, r->length);
    return p ? open_slave(p, call) : -ENOENT;
}

static int64_t pty_close(struct scheme *s, struct port_buffer *call) {
    struct object *o = object_of(call);
    if (!o) return 0;
    struct pty *p = o->pty;
    object_remove(&objects, call->request.object);
    if (o->file) {
        terminal_close(o->file);
        if (p->master) master_changed(p);
    } else {
        p->master = 0;
        terminal_hangup(&p->terminal);
    }
    free(o);
    pty_free_unused(p);
    return 0;
}

/* --- the rest --- */
static int64_t read_root(struct port_buffer *call) {
    char texts[PTYS_MAX / 16][8];
    const char *names[PTYS_MAX / 16 + 1] = {PTMX};
    uint64_t from = call->request.args[0];
    size_t count = 1, skipped = 0;
    /* The names from the one at `from` on, as many as an answer may hold; the cookie counts them all. */
    for (unsigned i = 0; i < ptys_end && count < sizeof(names) / sizeof(names[0]); i++) {
        if (!ptys[i] || !ptys[i]->master) continue;
        if (++skipped < from) continue;
        snprintf(texts[count - 1], sizeof(texts[0]), "%u", i);
        names[count] = texts[count - 1];
        count++;
    }
    uint64_t base = from > 1 ? from - 1 : 0;
    call->request.args[0] = from - base;
    int64_t result = flat_read(call, names, count);
    if (result >= 0) call->reply.args[0] += base;
    return result;
}

static int64_t pty_read(struct scheme *s, struct port_buffer *call) {
    struct object *o = object_of(call);
    if (flat_is_root(call)) return read_root(call);
    return !o ? -EIO : o->file ? terminal_read(o->file, call) : master_read(o->pty, call);
}

static int64_t pty_write(struct scheme *s, struct port_buffer *call) {
    struct object *o = object_of(call);
    return !o ? -EIO : o->file ? terminal_write(o->file, call) : master_write(o->pty, call);
}

static int64_t pty_control(struct scheme *s, struct port_buffer *call) {
    struct object *o = object_of(call);
    struct pty *p = o ? o->pty : nullptr;
    if (!o) return -EIO;
    /* Of a pseudo-terminal nothing is on its way: its line is the master's reading. */
    int64_t result = o->file ? terminal_ioctl(o->file, call) : master_ioctl(p, call);
    bool flushed = call->request.op == OP_CONTROL && call->request.args[0] == TCFLSH && result == 0;
    if (flushed && o->file && p->packet) {
        static const uint8_t told[] = {TIOCPKT_FLUSHREAD, TIOCPKT_FLUSHWRITE, TIOCPKT_FLUSHREAD | TIOCPKT_FLUSHWRITE};
        p->packet_status |= told[call->request.args[1] % 3];
        master_changed(p);
    }
    return result;
}

static int64_t pty_watch(struct scheme *s, struct port_buffer *call) {
    struct object *o = object_of(call);
    uint32_t mask = (uint32_t)call->request.args[0];
    return !o ? EVENT_ERROR : o->file ? terminal_watch(o->file, mask) : master_watch(o->pty, mask);
}

static int64_t answer_ptmx(struct port_buffer *call) {
    const uint64_t device = makedev(5, 2);
    struct file_attributes a = {
        .device = device, .inode = 2, .links = 1, .mode = S_IFCHR | 0666, .rdev = device, .block_size = 1024};
    memcpy(call->data, &a, sizeof(a));
    call->reply.length = sizeof(a);
    return 0;
}

/* The terminal meant by an open file, or by `length` bytes of path at `path`; *ptmx: it is a master. */
static struct terminal *meant(struct port_buffer *call, uint32_t from, bool *ptmx) {
    struct object *o = object_of(call);
    uint32_t length = call->request.length - from;
    *ptmx = o ? !o->file : is_ptmx(call->data + from, length);
    struct pty *p = o ? o->pty : pty_named(call->data + from, length);
    return p && (o || p->master) ? &p->terminal : nullptr;
}

static int64_t pty_stat(struct scheme *s, struct port_buffer *call) {
    int64_t result;
    bool ptmx;
    if (flat_is_root(call)) return flat_stat(call);
    if (leads_up(call, &result)) return result;
    struct terminal *t = meant(call, 0, &ptmx);
    return ptmx ? answer_ptmx(call) : t ? terminal_stat(t, call) : -ENOENT;
}

static int64_t pty_set_attributes(struct scheme *s, struct port_buffer *call) {
    const uint32_t head = sizeof(struct file_attributes);
    bool ptmx;
    if (call->request.length < head) return -EINVAL;
    struct terminal *t = meant(call, head, &ptmx);
    return ptmx ? -EPERM : t ? terminal_set_attributes(t, call) : -ENOENT;
}

static int64_t pty_access(struct scheme *s, struct port_buffer *call) {
    int64_t result;
    bool ptmx;
    if (flat_is_root(call)) return flat_access(call);
    if (leads_up(call, &result)) return result;
    struct terminal *t = meant(call, 0, &ptmx);
    if (ptmx) return call->request.args[1] & 1 ? -EACCES : 0;
    return t ? terminal_access(t, call) : -ENOENT;
}

/* For ttyname() and getcwd(). */
static int64_t pty_path(struct scheme *s, struct port_buffer *call) {
    struct object *o = object_of(call);
    int length = o && o->file ? snprintf((char *)call->data, CALL_DATA_MAX, FOLDER "/%u", o->pty->number)
                 : o          ? snprintf((char *)call->data, CALL_DATA_MAX, "/dev/" PTMX)
                              : snprintf((char *)call->data, CALL_DATA_MAX, FOLDER);
    call->reply.length = (uint32_t)length;
    return length;
}

static int64_t pty_cancel(struct scheme *s, struct port_buffer *call) {
    struct object *o = object_of(call);
    if (o && o->file) return terminal_cancel(o->file->terminal, call);
    bool begun = call->request.op == OP_WRITE && call->request.args[WRITE_DONE] > 0;
    return begun ? (int64_t)call->request.args[WRITE_DONE] : -EINTR;
}

/* A session leader has exited. */
static void pty_event(struct scheme *s, uint64_t key, uint32_t mask) {
    if (key < ptys_end && ptys[key]) terminal_hangup(&ptys[key]->terminal);
}

static void pty_timeout(struct scheme *s) {
    s->deadline = DEADLINE_NEVER;
    for (unsigned i = 0; i < ptys_end; i++)
        if (ptys[i]) terminal_timeout(&ptys[i]->terminal);
}

static const struct scheme_ops pty_scheme_ops = {
    .handler =
        {
            [OP_OPEN] = pty_open,
            [OP_CLOSE] = pty_close,
            [OP_READ] = pty_read,
            [OP_WRITE] = pty_write,
            [OP_CONTROL] = pty_control,
            [OP_WATCH] = pty_watch,
            [OP_STAT] = pty_stat,
            [OP_SET_ATTRIBUTES] = pty_set_attributes,
            [OP_ACCESS] = pty_access,
            [OP_PATH] = pty_path,
        },
    .cancel = pty_cancel,
    .event = pty_event,
    .timeout = pty_timeout,
};

int main(void) {
    static struct scheme scheme;
    if (scheme_init(&scheme, SERVICE_SCHEME, &pty_scheme_ops, nullptr) != 0) return 1;
    return -scheme_serve(&scheme);
}
