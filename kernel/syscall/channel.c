// SPDX-License-Identifier: MIT
/* Channels: creation, messages with handles, control. */
#include <kernel/channel.h>
#include <kernel/file.h>
#include <kernel/mm.h>
#include <kernel/process.h>
#include <kernel/syscall.h>

#define SIGPIPE 13
#define SMALL 8

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
    for (unsigned i = 0; i < 2; i++) {
        object_handle_get(ends[i]);
        object_put(ends[i]);
        h[i] = handle_install(ends[i], rights[i], flags >> 16);
    }
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

/* Kernel copies of what a message refers to. */
struct parts {
    struct channel_message m; /* address: in the kernel */
    struct io_vector small_vectors[SMALL], *vectors;
    struct carried small_handles[SMALL], *handles;
    uaddr_t user_address, user_handles;
    char address[CHANNEL_ADDRESS_MAX];
};

static void parts_free(struct parts *p) {
    if (p->vectors != p->small_vectors) kfree(p->vectors);
    if (p->handles != p->small_handles) kfree(p->handles);
}

static int parts_copy(struct parts *p, uaddr_t message) {
    struct channel_message *m = &p->m;
    p->vectors = p->small_vectors;
    p->handles = p->small_handles;
    if (copy_from_user(m, message, sizeof(*m))) return -EFAULT;
    if (m->vector_count > IO_VECTOR_MAX) return -EMSGSIZE;
    if (m->handle_count > CHANNEL_HANDLES_MAX) return -EINVAL;
    if (m->vector_count > SMALL) p->vectors = kmalloc(m->vector_count * sizeof(*p->vectors));
    if (m->handle_count > SMALL) p->handles = kmalloc(m->handle_count * sizeof(*p->handles));
    if (!p->vectors || !p->handles) return -ENOMEM;
    p->user_address = (uaddr_t)m->address;
    p->user_handles = (uaddr_t)m->handles;
    m->address = p->address;
    size_t total = 0;
    int e = copy_from_user(p->vectors, (uaddr_t)m->vectors, m->vector_count * sizeof(*p->vectors));
    for (uint32_t i = 0; !e && i < m->vector_count; i++)
        if (__builtin_add_overflow(total, p->vectors[i].length, &total) || total > INT64_MAX) e = -EINVAL;
    return e;
}

/* Takes a handle reference for each handle to send. */
static int handles_take(struct parts *p) {
    for (uint32_t i = 0; i < p->m.handle_count; i++) {
        handle_t h;
        int e = copy_from_user(&h, p->user_handles + i * sizeof(h), sizeof(h));
        if (!e) e = handle_lookup_transfer(h, &p->handles[i].object, &p->handles[i].rights);
        if (!e) continue;
        while (i--) object_handle_put(p->handles[i].object);
        return e;
    }
    return 0;
}

static long send_parts(handle_t h, struct parts *p, nsec_t deadline) {
    struct object *o;
    if (p->m.address_length > CHANNEL_ADDRESS_MAX) return -EINVAL;
    long n = copy_from_user(p->address, p->user_address, p->m.address_length);
    if (!n) n = lookup_channel(h, RIGHT_WRITE, &o, &p->m.flags);
    if (n) return n;
    n = handles_take(p);
    if (!n) {
        n = channel_send(o, &p->m, p->vectors, p->handles, deadline);
        for (uint32_t i = 0; n < 0 && i < p->m.handle_count; i++) object_handle_put(p->handles[i].object);
    }
    object_put(o);
    return n;
}

long sys_channel_send(handle_t h, const struct channel_message *message, int64_t deadline) {
    struct parts p;
    long n = parts_copy(&p, (uaddr_t)message);
    if (!n) n = send_parts(h, &p, deadline);
    parts_free(&p);
    if (n == -EPIPE && !(p.m.flags & IO_NO_SIGNAL)) signal_send_thread(thread_current(), SIGPIPE, nullptr);
    return n == -EINTR ? -ERESTART : n;
}

/* Installs what was received; handles that find no slot are dropped, and that is said. */
static int handles_give(struct parts *p, uint32_t count) {
    int e = 0;
    uint32_t given = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct carried *c = &p->handles[i];
        if (e || given < i) {
            object_handle_put(c->object);
            continue;
        }
        handle_t h = handle_install(c->object, c->rights, p->m.handle_flags);
        if (h < 0) {
            p->m.flags |= MESSAGE_HANDLES_TRUNCATED;
            continue;
        }
        e = copy_to_user(p->user_handles + i * sizeof(h), &h, sizeof(h));
        given++;
    }
    p->m.handle_count = given;
    return e;
}

static long receive_parts(handle_t h, struct parts *p, uaddr_t message, nsec_t deadline) {
    struct object *o;
    uint32_t room = p->m.address_length;
    long n = lookup_channel(h, RIGHT_READ, &o, &p->m.flags);
    if (n) return n;
    n = channel_receive(o, &p->m, p->vectors, p->handles, deadline);
    object_put(o);
    if (n < 0) return n;
    int e = handles_give(p, p->m.handle_count);
    if (!e && p->user_address) e = copy_to_user(p->user_address, p->address, min(room, p->m.address_length));
    p->m.address = (void *)p->user_address;
    p->m.handles = (handle_t *)p->user_handles;
    if (!e) e = copy_to_user(message, &p->m, sizeof(p->m));
    return e ? e : n;
}

long sys_channel_receive(handle_t h, struct channel_message *message, int64_t deadline) {
    struct parts p;
    long n = parts_copy(&p, (uaddr_t)message);
    if (!n) n = receive_parts(h, &p, (uaddr_t)message, deadline);
    parts_free(&p);
    return n == -EINTR ? -ERESTART : n;
}

long sys_channel_control(handle_t h, uint32_t op, uint64_t argument) {
    struct object *o;
    uint32_t io_flags = 0;
    int e = lookup_channel(h, 0, &o, &io_flags);
    if (e) return e;
    long result = channel_control(o, op, argument);
    object_put(o);
    return result;
}
