// SPDX-License-Identifier: MIT
/*
 * The scheme `chan:`, for cathode/chan.h.  OPEN of a name with FILE_CREATE listens there, without it
 * connects: the file gets one end of a new channel as its plane, the other waits in the listener's
 * backlog.  OPEN of the listener with an empty path accepts.  args[3] 1: don't wait.
 *
 * A listener's plane is a channel that carries nothing: by it the kernel knows who waits for whom
 * (CHANNEL_WAIT), and finds listeners that are only on their way to themselves.
 */
#include <cathode/chan.h>
#include <errno.h> /* before abi/errno.h */

#include <flat.h>
#include <object_map.h>
#include <service.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BACKLOG 64
#define LISTENERS_MAX 1024

struct listener {
    char name[CHAN_NAME_MAX + 1];
    uint32_t mode, uid, gid;
    uint64_t id; /* of its file */
    handle_t waiting[BACKLOG]; /* far ends; the oldest at `first` */
    uint32_t first, count;
    handle_t far; /* of its own channel */
    struct scheme_queue accepters, connecters;
};
static struct listener *listeners[LISTENERS_MAX];
static unsigned listeners_end;
static struct object_map objects; /* id → struct listener, or `connection` */
static char connection; /* what all others name: there is nothing to know of them */

static struct listener *listener_of(const struct port_buffer *call) {
    void *o = object_get(&objects, call->request.object);
    return o == &connection ? nullptr : o;
}

static struct listener *listener_named(const char *name, uint32_t length) {
    for (unsigned i = 0; i < listeners_end; i++) {
        struct listener *l = listeners[i];
        if (l && strlen(l->name) == length && memcmp(l->name, name, length) == 0) return l;
    }
    return nullptr;
}

static bool name_valid(const char *name, uint32_t length) {
    return length > 0 && !memchr(name, '/', length) && !memchr(name, 0, length) && name[0] != '.';
}

static bool may_connect(const struct listener *l, const struct credentials *who) {
    bool in_group = who && who->fsgid == l->gid;
    if (!who) return false;
    for (uint32_t i = 0; i < who->group_count; i++) in_group |= who->groups[i] == l->gid;
    unsigned shift = who->fsuid == l->uid ? 6 : in_group ? 3 : 0;
    return who->privileges & PRIVILEGE_ROOT || (l->mode >> shift & 2);
}

/* What read, write and poll of it say. */
static void listener_ready(const struct listener *l) {
    sys_channel_control(l->far, CHANNEL_HOLD, CHANNEL_HELD(EINVAL, EINVAL, l->count > 0 ? EVENT_IN : 0));
}
static void wait_for(handle_t end, handle_t whom) { sys_channel_control(end, CHANNEL_WAIT, (uint64_t)(int64_t)whom); }

/* --- open: listen, connect, accept --- */
static int64_t reply_channel(struct port_buffer *call, void *object, handle_t end) {
    uint64_t id = object_add(&objects, object);
    if (!id) return -ENOMEM;
    call->reply.flags = REPLY_FILE | REPLY_HANDLE | REPLY_MOVE;
    call->reply.handle = end;
    call->reply.args[0] = id;
    call->reply.args[2] = PLANE_CHANNEL;
    return 0;
}

/* Its plane is one end of a new channel; the other stays here. */
static int64_t reply_new_channel(struct port_buffer *call, void *object, uint32_t flags, handle_t *far) {
    handle_t ends[2];
    int64_t e = sys_channel_create(flags | HANDLE_IN_UPPER << 16, CHANNEL_CAPACITY_DEFAULT, ends);
    if (e < 0) return e;
    e = reply_channel(call, object, ends[0]);
    if (e) {
        sys_handle_close(ends[0]);
        sys_handle_close(ends[1]);
        return e;
    }
    *far = ends[1];
    return 0;
}

static int64_t listen_at(struct scheme *s, struct port_buffer *call) {
    const struct credentials *who = scheme_credentials(s, call->request.credentials);
    uint32_t length = call->request.length;
    unsigned slot = 0;
    if (length > CHAN_NAME_MAX) return -ENAMETOOLONG;
    if (listener_named((char *)call->data, length)) return -EADDRINUSE;
    while (slot < LISTENERS_MAX && listeners[slot]) slot++;
    if (slot == LISTENERS_MAX) return -ENOSPC;
    struct listener *l = who ? calloc(1, sizeof(*l)) : nullptr;
    if (!l) return -ENOMEM;
    int64_t e = reply_new_channel(call, l, CHANNEL_SOCKET, &l->far);
    if (e) {
        free(l);
        return e;
    }
    l->id = call->reply.args[0];
    memcpy(l->name, call->data, length);
    l->mode = (uint32_t)call->request.args[1] & 0777;
    l->uid = who->fsuid;
    l->gid = who->fsgid;
    listeners[slot] = l;
    if (slot >= listeners_end) listeners_end = slot + 1;
    listener_ready(l);
    return 0;
}

static int64_t connect_to(struct scheme *s, struct listener *l, struct port_buffer *call) {
    handle_t far;
    if (!may_connect(l, scheme_credentials(s, call->request.credentials))) return -EACCES;
    if (l->count == BACKLOG) return call->request.args[3] ? -EAGAIN : scheme_park(s, call, &l->connecters);
    int64_t e = reply_new_channel(call, &connection, CHANNEL_MESSAGES, &far);
    if (e) return e;
    wait_for(far, l->far);
    l->waiting[(l->first + l->count++) % BACKLOG] = far;
    scheme_wake(s, &l->accepters);
    listener_ready(l);
    return 0;
}

static int64_t accept_from(struct scheme *s, struct listener *l, struct port_buffer *call) {
    if (call->request.length > 0) return -ENOTDIR;
    if (l->count == 0) return call->request.args[3] ? -EAGAIN : scheme_park(s, call, &l->accepters);
    handle_t end = l->waiting[l->first];
    int64_t e = reply_channel(call, &connection, end);
    if (e) return e;
    wait_for(end, HANDLE_NONE);
    l->first = (l->first + 1) % BACKLOG;
    l->count--;
    listener_ready(l);
    scheme_wake(s, &l->connecters);
    return 0;
}

static int64_t chan_open(struct scheme *s, struct port_buffer *call) {
    struct listener *l = listener_of(call);
    uint64_t flags = call->request.args[0];
    if (l) return accept_from(s, l, call);
    if (call->request.object != 0) return -ENOTDIR;
    if (flat_is_root(call)) return flat_open(call);
    if (!name_valid((char *)call->data, call->request.length)) return -EINVAL;
    if (flags & (FILE_DIRECTORY | FILE_PATH)) return -ENOTDIR;
    if (flags & FILE_CREATE && flags & FILE_EXCLUSIVE) return listen_at(s, call);
    l = listener_named((char *)call->data, call->request.length);
    return l ? connect_to(s, l, call) : -ENOENT;
}

/* --- the rest --- */
static int64_t chan_close(struct scheme *s, struct port_buffer *call) {
    struct listener *l = listener_of(call);
    if (object_get(&objects, call->request.object)) object_remove(&objects, call->request.object);
    if (!l) return 0;
    for (unsigned i = 0; i < listeners_end; i++)
        if (listeners[i] == l) listeners[i] = nullptr;
    while (l->count-- > 0) sys_handle_close(l->waiting[l->first++ % BACKLOG]); /* their other ends see the end */
    scheme_wake(s, &l->accepters);
    scheme_wake(s, &l->connecters); /* nobody listens there */
    sys_handle_close(l->far);
    free(l);
    return 0;
}

static int64_t chan_read(struct scheme *s, struct port_buffer *call) {
    const char *names[256];
    size_t count = 0;
    if (!flat_is_root(call)) return -EINVAL;
    for (unsigned i = 0; i < listeners_end && count < 256; i++)
        if (listeners[i]) names[count++] = listeners[i]->name;
    return flat_read(call, names, count);
}

static int64_t chan_stat(struct scheme *s, struct port_buffer *call) {
    const struct listener *l = listener_of(call);
    if (flat_is_root(call)) return flat_stat(call);
    if (!l && call->request.object == 0) l = listener_named((char *)call->data, call->request.length);
    if (!l && call->request.object == 0) return -ENOENT;
    struct file_attributes a = {.inode = l ? l->id : 2, .links = 1, .mode = S_IFSOCK | 0600, .block_size = 4096};
    if (l) {
        a.mode = S_IFSOCK | l->mode;
        a.uid = l->uid;
        a.gid = l->gid;
    }
    memcpy(call->data, &a, sizeof(a));
    call->reply.length = sizeof(a);
    return 0;
}

static int64_t chan_access(struct scheme *s, struct port_buffer *call) {
    if (flat_is_root(call)) return flat_access(call);
    const struct listener *l = listener_named((char *)call->data, call->request.length);
    if (!l) return -ENOENT;
    return may_connect(l, scheme_credentials(s, call->request.credentials)) ? 0 : -EACCES;
}

static const struct scheme_ops ops = {
    .handler = {[OP_OPEN] = chan_open,
                [OP_CLOSE] = chan_close,
                [OP_READ] = chan_read,
                [OP_STAT] = chan_stat,
                [OP_ACCESS] = chan_access},
};

int main(void) {
    static struct scheme scheme;
    if (scheme_init(&scheme, SERVICE_SCHEME, &ops, nullptr) != 0) return 1;
    return -scheme_serve(&scheme);
}
