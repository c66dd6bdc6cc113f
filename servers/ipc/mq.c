// SPDX-License-Identifier: MIT
/*
 * POSIX message queues.  A queue is a channel (CHANNEL_PRIORITY) whose near end is the plane of every
 * file opened on it, and which sends to itself: messages don't come by here.  The far end tells of a
 * message that came to the empty queue while nobody waited, which is what mq_notify() is about.
 */
#include "ipc.h"
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#define FOLDER "mq/"
#define NAME_MAX_BYTES 255
#define QUEUES_MAX 256
#define MESSAGES_DEFAULT 10
#define MESSAGES_MAX 4096
#define BYTES_DEFAULT 8192
#define BYTES_MAX 65536
#define EVENT_KEY(slot) (1ULL << 32 | (slot))

struct mq {
    uint32_t slot, opens;
    bool named; /* not removed yet */
    char name[NAME_MAX_BYTES + 1];
    uint32_t mode, uid, gid;
    uint32_t messages, bytes;
    handle_t near, far;
    int64_t mtime;
    /* mq_notify: who asked, 0: nobody */
    uint32_t pid;
    uint64_t start_ns; /* of that process: its number may be another's by now */
    uint64_t asked_by; /* the open file */
    int how, signal;
    uint64_t value;
    handle_t thread;
};

static struct mq *queues[QUEUES_MAX];
static struct object_map opens; /* id → struct mq */

static struct mq *mq_of(const struct port_buffer *call) { return object_get(&opens, call->request.object); }

/* The name in a path: 0, or -errno; *length at most NAME_MAX_BYTES. */
static int name_parse(const struct port_buffer *call, const char **name, uint32_t *length) {
    const uint32_t head = sizeof(FOLDER) - 1;
    if (call->request.object != 0) return -ENOTDIR;
    if (call->request.length < head || memcmp(call->data, FOLDER, head) != 0) return -ENOENT;
    *name = (const char *)call->data + head;
    *length = call->request.length - head;
    if (*length == 0) return -ENOENT;
    if (memchr(*name, '/', *length) || memchr(*name, 0, *length)) return -EACCES;
    if ((*length == 1 && **name == '.') || (*length == 2 && memcmp(*name, "..", 2) == 0)) return -EACCES;
    return *length > NAME_MAX_BYTES ? -ENAMETOOLONG : 0;
}

static struct mq *mq_named(const char *name, uint32_t length) {
    for (uint32_t i = 0; i < QUEUES_MAX; i++) {
        struct mq *q = queues[i];
        if (q && q->named && strlen(q->name) == length && memcmp(q->name, name, length) == 0) return q;
    }
    return nullptr;
}

static int mq_permit(const struct mq *q, const struct credentials *who, uint32_t want) {
    if (!who) return -EACCES;
    if (who->privileges & PRIVILEGE_ROOT) return 0;
    unsigned shift = who->fsuid == q->uid ? 6 : in_group(who, q->gid) ? 3 : 0;
    return (q->mode >> shift & want) == want ? 0 : -EACCES;
}

/* --- life --- */
static int channel_make(struct mq *q) {
    handle_t ends[2];
    const uint32_t flags = CHANNEL_MESSAGES | CHANNEL_DATAGRAM | CHANNEL_PRIORITY;
    long e = sys_channel_create(flags | HANDLE_IN_UPPER << 16, 0, ends);
    if (e < 0) return (int)e;
    q->near = ends[0];
    q->far = ends[1];
    e = sys_channel_control(q->far, CHANNEL_LIMITS, q->messages | (uint64_t)q->bytes << 32);
    if (e == 0) e = sys_channel_control(q->far, CHANNEL_ROUTE, (uint64_t)q->far); /* to whom it comes from */
    return (int)e;
}

static void mq_free(struct mq *q) {
    if (q->near >= 0) sys_handle_close(q->near);
    if (q->far >= 0) sys_handle_close(q->far);
    queues[q->slot] = nullptr;
    free(q);
}

static int mq_make(struct port_buffer *call, const char *name, uint32_t length, struct mq **out) {
    const struct request *r = &call->request;
    const struct credentials *who = caller(call);
    uint32_t messages = (uint32_t)r->args[3], bytes = (uint32_t)(r->args[3] >> 32), slot = 0;
    if (r->args[3] == 0) {
        messages = MESSAGES_DEFAULT;
        bytes = BYTES_DEFAULT;
    }
    if (!messages || !bytes || messages > MESSAGES_MAX || bytes > BYTES_MAX) return -EINVAL;
    while (slot < QUEUES_MAX && queues[slot]) slot++;
    if (slot == QUEUES_MAX) return -ENOSPC;
    struct mq *q = who ? calloc(1, sizeof(*q)) : nullptr;
    if (!q) return who ? -ENOMEM : -EACCES;
    *q = (struct mq){
        .slot = slot,
        .named = true,
        .mode = (uint32_t)r->args[1] & 0777,
        .uid = who->fsuid,
        .gid = who->fsgid,
        .messages = messages,
        .bytes = bytes,
        .near = HANDLE_NONE,
        .far = HANDLE_NONE,
        .thread = HANDLE_NONE,
    };
    memcpy(q->name, name, length);
    queues[slot] = q;
    int e = channel_make(q);
    if (e) {
        mq_free(q);
        return e;
    }
    *out = q;
    return 0;
}

/* The queue to open: an old one, if that is allowed, or a new one. */
static int mq_find_or_make(struct port_buffer *call, struct mq **out) {
    static const uint32_t want[] = {MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE, MAY_READ | MAY_WRITE};
    uint64_t flags = call->request.args[0];
    const char *name;
    uint32_t length;
    int e = name_parse(call, &name, &length);
    if (e) return e;
    *out = mq_named(name, length);
    if (!*out) return flags & FILE_CREATE ? mq_make(call, name, length, out) : -ENOENT;
    if ((flags & (FILE_CREATE | FILE_EXCLUSIVE)) == (FILE_CREATE | FILE_EXCLUSIVE)) return -EEXIST;
    return mq_permit(*out, caller(call), want[flags & FILE_ACCESS_MASK]);
}

int64_t mq_open_file(struct port_buffer *call) {
    struct mq *q;
    int e = mq_find_or_make(call, &q);
    if (e) return e;
    uint64_t id = object_add(&opens, q);
    if (!id) {
        if (!q->opens && !q->named) mq_free(q);
        return -ENOMEM;
    }
    q->opens++;
    call->reply.flags = REPLY_FILE | REPLY_HANDLE;
    call->reply.handle = q->near;
    call->reply.args[0] = id;
    call->reply.args[2] = PLANE_CHANNEL;
    return 0;
}

int64_t mq_remove(struct port_buffer *call) {
    const struct credentials *who = caller(call);
    const char *name;
    uint32_t length;
    int e = name_parse(call, &name, &length);
    if (e) return e;
    struct mq *q = mq_named(name, length);
    if (!q) return -ENOENT;
    /* As in a directory with the sticky bit: the owner's, or root's. */
    if (!who || (who->fsuid != q->uid && !(who->privileges & PRIVILEGE_ROOT))) return -EACCES;
    q->named = false;
    if (!q->opens) mq_free(q);
    return 0;
}

int64_t mq_stat(struct port_buffer *call) {
    const struct mq *q = mq_of(call);
    if (!q) return -ENOENT;
    struct file_attributes a = {.inode = q->slot + 2,
                                .links = q->named,
                                .mode = S_IFREG | q->mode,
                                .uid = q->uid,
                                .gid = q->gid,
                                .block_size = 4096};
    memcpy(call->data, &a, sizeof(a));
    call->reply.length = sizeof(a);
    return 0;
}

/* --- notification --- */
static void tell_thread(struct mq *q, enum mq_cookie what) {
    char cookie[MQ_COOKIE_SIZE] = {[MQ_COOKIE_SIZE - 1] = (char)what};
    if (q->thread < 0) return;
    sys_write(q->thread, cookie, sizeof(cookie), OFFSET_CURRENT, IO_NONBLOCK | IO_NO_SIGNAL, 0);
    sys_handle_close(q->thread);
    q->thread = HANDLE_NONE;
}

static void notify_end(struct mq *q) {
    if (q->pid == 0) return;
    (void)!scheme_event_delete(&scheme, q->far);
    tell_thread(q, MQ_REMOVED);
    q->pid = 0;
}

static uint64_t process_start(uint32_t pid) {
    struct process_state state;
    bool alive = sys_process_info((int32_t)pid, PROCESS_STATE, &state, sizeof(state), 0) >= 0 && state.state != 'Z';
    return alive ? state.start_ns : 0;
}

/* Somebody asked and is still there. */
static bool notify_wanted(const struct mq *q) { return q->pid && process_start(q->pid) == q->start_ns; }

static void notify_send(struct mq *q) {
    siginfo_t info = {.si_signo = q->signal, .si_code = SI_MESGQ};
    info.si_value.sival_ptr = (void *)q->value;
    if (q->how == SIGEV_SIGNAL) sys_signal_send((int32_t)q->pid, q->signal, (const struct signal_info *)&info);
    tell_thread(q, MQ_NOTIFIED);
}

void mq_event(uint64_t key) {
    struct mq *q = (uint32_t)key < QUEUES_MAX ? queues[(uint32_t)key] : nullptr;
    if (!q || !q->pid || sys_channel_control(q->far, CHANNEL_NEWS, 0) <= 0) return;
    if (notify_wanted(q)) notify_send(q);
    notify_end(q);
}

int64_t mq_notify_set(struct port_buffer *call) {
    const struct request *r = &call->request;
    struct mq *q = mq_of(call);
    int how = (int)r->args[0], signal = (int)r->args[1];
    if (!q) return -EBADF;
    if (how == -1) {
        if (q->pid == r->pid) notify_end(q);
        return 0;
    }
    bool carried = r->flags & REQUEST_HANDLE;
    if (how != SIGEV_NONE && how != SIGEV_SIGNAL && how != SIGEV_THREAD) return -EINVAL;
    if (how == SIGEV_SIGNAL && (signal < 0 || signal > 64)) return -EINVAL;
    if (carried != (how == SIGEV_THREAD)) return -EINVAL;
    if (notify_wanted(q)) return -EBUSY;
    notify_end(q);
    sys_channel_control(q->far, CHANNEL_NEWS, 0);
    int e = scheme_event_add(&scheme, q->far, EVENT_PRIORITY, EVENT_KEY(q->slot));
    if (e < 0) return e;
    q->pid = r->pid;
    q->asked_by = r->object;
    q->start_ns = process_start(r->pid);
    q->how = how;
    q->signal = signal;
    q->value = r->args[2];
    if (carried) q->thread = request_take_handle(call);
    return 0;
}

int64_t mq_attributes(struct port_buffer *call) {
    struct mq *q = mq_of(call);
    if (!q) return -EBADF;
    long room = sys_channel_control(q->far, CHANNEL_WRITABLE, 0);
    uint64_t answer[] = {q->messages, q->bytes, q->messages - (uint64_t)(room < 0 ? 0 : room)};
    memcpy(call->data, answer, sizeof(answer));
    call->reply.length = sizeof(answer);
    return 0;
}

int64_t mq_close_file(struct port_buffer *call) {
    struct mq *q = mq_of(call);
    if (!q) return 0;
    object_remove(&opens, call->request.object);
    q->opens--;
    if (!q->opens || q->asked_by == call->request.object) notify_end(q);
    if (!q->opens && !q->named) mq_free(q);
    return 0;
}
