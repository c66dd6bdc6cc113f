// SPDX-License-Identifier: MIT
/* Channels: creation, messages with handles, control. */
#include <kernel/channel.h>
#include <kernel/file.h>
#include <kernel/mm.h>
#include <kernel/process.h>
#include <kernel/syscall.h>

#define SIGPIPE 13

long sys_channel_create(uint32_t flags, size_t capacity, handle_t *handles) {
    const uint32_t common = RIGHT_WAIT | RIGHT_DUPLICATE | RIGHT_TRANSFER | RIGHT_CONTROL;
    const uint32_t both = common | RIGHT_READ | RIGHT_WRITE;
    bool one_way = flags & CHANNEL_ONE_WAY;
    const uint32_t rights[2] = {one_way ? both & ~(uint32_t)RIGHT_WRITE : both,
                                one_way ? both & ~(uint32_t)RIGHT_READ : both};
    struct object *ends[2];
    handle_t h[2];
    int e = channel_create(flags & 0xffff, capacity, ends);
    if (e) return e;
    for (unsigned i = 0; i < 2; i++) h[i] = object_install(ends[i], rights[i], flags >> 16);
    e = min(min(h[0], h[1]), 0);
    if (!e) e = copy_to_user((uaddr_t)handles, h, sizeof(h));
    for (unsigned i = 0; e && i < 2; i++)
        if (h[i] >= 0) (void)!handle_close(h[i]);
    return e;
}

/* The channel behind h: itself, or the plane of a file (which may say IO_NONBLOCK); a reference. */
static int lookup_channel(handle_t h, uint32_t right, struct object **out, uint32_t *io_flags) {
    struct object *o;
    int e = handle_lookup(h, 0, right, &o, nullptr);
    if (e) return e == -EACCES ? -EBADF : e;
    struct file *f = o->ops == &file_ops ? object_as(file, o) : nullptr;
    if (f && f->plane == PLANE_CHANNEL) {
        object_get(f->channel);
        *out = f->channel;
        *io_flags |= f->status & FILE_NONBLOCK ? IO_NONBLOCK : 0;
        object_put(o);
        return 0;
    }
    if (o->ops == &channel_ops) {
        *out = o;
        return 0;
    }
    object_put(o);
    return -ENOTSOCK;
}

/* The message to send: the address and a handle reference for each handle. err_ptr. */
static struct message *message_copy(const struct channel_message *m) {
    struct message *to = message_create(m->handle_count);
    if (is_err(to)) return to;
    to->address_length = m->address_length;
    to->priority = m->priority;
    int e = copy_from_user(to->address, (uaddr_t)m->address, m->address_length);
    for (uint32_t i = 0; !e && i < m->handle_count; i++) {
        handle_t h;
        e = copy_from_user(&h, (uaddr_t)&m->handles[i], sizeof(h));
        if (!e) e = handle_lookup_transfer(h, &to->handles[i].object, &to->handles[i].rights);
    }
    if (!e) return to;
    message_put(to);
    return err_ptr(e);
}

static long send(struct object *o, struct object *to, const struct channel_message *m, uint32_t flags,
                 nsec_t deadline) {
    struct vectors vectors;
    struct message *along = nullptr;
    long n = vectors_copy(&vectors, (uaddr_t)m->vectors, m->vector_count);
    if (!n && (m->handle_count || m->address_length || m->priority)) along = message_copy(m);
    if (!n && is_err(along)) n = ptr_err(along);
    if (!n && to) n = channel_send_to(o, to, along, vectors.v, m->vector_count, flags, deadline);
    else if (!n) n = channel_send(o, along, vectors.v, m->vector_count, flags, deadline);
    vectors_free(&vectors);
    return n;
}

long sys_channel_send(handle_t h, const struct channel_message *message, int64_t deadline) {
    struct channel_message m;
    struct object *o, *to = nullptr;
    uint32_t ignored;
    if (copy_from_user(&m, (uaddr_t)message, sizeof(m))) return -EFAULT;
    if (m.vector_count > IO_VECTOR_MAX) return -EMSGSIZE;
    if (m.handle_count > CHANNEL_HANDLES_MAX || m.address_length > CHANNEL_ADDRESS_MAX) return -EINVAL;
    uint32_t flags = m.flags;
    long n = lookup_channel(h, RIGHT_WRITE, &o, &flags);
    if (n) return n;
    if (flags & MESSAGE_TO) n = lookup_channel(m.to, RIGHT_WRITE, &to, &ignored);
    if (!n) n = send(o, to, &m, flags, deadline);
    if (to) object_put(to);
    object_put(o);
    if (n == -EPIPE && !(flags & IO_NO_SIGNAL)) signal_send_thread(thread_current(), SIGPIPE, nullptr);
    return n == -EINTR ? -ERESTART : n;
}

/*
 * Installs as many of the handles as there is room and slots for; the rest is dropped, and that is said. The message
 * keeps its own: others may look at it.
 */
static int handles_give(struct object *o, struct message *came, struct channel_message *m, uint32_t room, bool peek) {
    for (uint32_t i = 0; i < came->handle_count; i++) {
        const struct flight *f = &came->handles[i];
        bool given = i < room;
        if (given && peek) given = channel_share_flight(o, f);
        else if (given) object_handle_get(f->object);
        handle_t h = given ? handle_install(f->object, f->rights, m->handle_flags) : -EMFILE;
        if (h < 0) {
            m->flags |= MESSAGE_HANDLES_TRUNCATED;
            break;
        }
        if (copy_to_user((uaddr_t)&m->handles[i], &h, sizeof(h))) return -EFAULT;
        m->handle_count++;
    }
    return 0;
}

/* Says of a message that n bytes of it were read; of bytes that nothing came along with: null. */
static int message_describe(struct object *o, struct channel_message *m, struct message *came, size_t n, bool peek) {
    uint32_t handle_room = m->handle_count, address_room = m->address_length;
    m->flags = m->handle_count = m->address_length = m->pid = m->uid = m->gid = m->priority = 0;
    m->credentials = 0;
    m->size = (uint32_t)n;
    if (!came) return 0;
    if (came->size > n) {
        m->size = came->size;
        m->flags = MESSAGE_TRUNCATED;
    }
    m->credentials = came->credentials;
    m->pid = came->pid;
    m->uid = came->uid;
    m->gid = came->gid;
    m->priority = came->priority;
    m->address_length = came->address_length;
    int e = handles_give(o, came, m, handle_room, peek);
    if (e || !m->address) return e;
    return copy_to_user((uaddr_t)m->address, came->address, min(address_room, came->address_length));
}

static long receive(struct object *o, struct channel_message *m, uint32_t flags, nsec_t deadline) {
    struct vectors vectors;
    struct message *came = nullptr;
    long n = vectors_copy(&vectors, (uaddr_t)m->vectors, m->vector_count);
    if (!n) n = channel_receive(o, &came, vectors.v, m->vector_count, flags, deadline);
    vectors_free(&vectors);
    if (n >= 0) {
        int e = message_describe(o, m, came, (size_t)n, flags & IO_PEEK);
        if (e) n = e;
    }
    if (came) message_put(came);
    return n;
}

long sys_channel_receive(handle_t h, struct channel_message *message, int64_t deadline) {
    struct channel_message m;
    struct object *o;
    if (copy_from_user(&m, (uaddr_t)message, sizeof(m))) return -EFAULT;
    if (m.vector_count > IO_VECTOR_MAX) return -EMSGSIZE;
    uint32_t flags = m.flags;
    long n = lookup_channel(h, RIGHT_READ, &o, &flags);
    if (n) return n;
    n = receive(o, &m, flags, deadline);
    object_put(o);
    if (n >= 0 && copy_to_user((uaddr_t)message, &m, sizeof(m))) return -EFAULT;
    return n == -EINTR ? -ERESTART : n;
}

static long set_name(struct object *o, uaddr_t vector) {
    char name[CHANNEL_ADDRESS_MAX];
    struct io_vector v;
    int e = copy_from_user(&v, vector, sizeof(v));
    if (!e && v.length > sizeof(name)) e = -EINVAL;
    if (!e) e = copy_from_user(name, (uaddr_t)v.base, v.length);
    return e ? e : channel_set_name(o, name, v.length);
}

static long set_other(struct object *o, uint32_t op, handle_t h) {
    struct object *other = nullptr;
    uint32_t io_flags = 0;
    int e = h == HANDLE_NONE ? 0 : lookup_channel(h, RIGHT_WRITE, &other, &io_flags);
    if (e) return e;
    if (op == CHANNEL_ROUTE) e = channel_route(o, other);
    else channel_wait_for(o, other);
    if (other) object_put(other);
    return e;
}

static long is_same(struct object *o, handle_t h) {
    struct object *other;
    uint32_t io_flags = 0;
    int e = lookup_channel(h, 0, &other, &io_flags);
    if (e) return e;
    bool same = channel_is(o, other);
    object_put(other);
    return same;
}

/* Who may only send on an end (a datagram socket's, passed by its server) says nothing about it. */
long sys_channel_control(handle_t h, uint32_t op, uint64_t argument) {
    struct object *o;
    uint32_t io_flags = 0;
    bool query = op == CHANNEL_READABLE || op == CHANNEL_WRITABLE || op == CHANNEL_CAPACITY || op == CHANNEL_IS;
    int e = lookup_channel(h, query ? 0 : RIGHT_CONTROL, &o, &io_flags);
    if (e) return e;
    bool other = op == CHANNEL_ROUTE || op == CHANNEL_WAIT;
    long result = op == CHANNEL_NAME ? set_name(o, argument)
                  : other            ? set_other(o, op, (handle_t)argument)
                  : op == CHANNEL_IS ? is_same(o, (handle_t)argument)
                                     : channel_control(o, op, argument);
    object_put(o);
    return result;
}
