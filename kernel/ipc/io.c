// SPDX-License-Identifier: MIT
/*
 * read and write on whatever a handle refers to.  Streams (memory planes) and channels are served
 * here, without their server; files without a plane make one call per 64 KiB.
 */
#include <kernel/channel.h>
#include <kernel/clock.h>
#include <kernel/event.h>
#include <kernel/file.h>
#include <kernel/irq.h>
#include <kernel/log.h>
#include <kernel/mm.h>
#include <kernel/process.h>
#include "ipc.h"

/* Runs `step` over the vectors until one is short: bytes, or the first error if nothing moved. */
typedef long step_fn(void *context, uaddr_t base, size_t length, int64_t offset);
static long for_each_vector(const struct io_request *r, int64_t offset, step_fn *step, void *context) {
    long done = 0;
    for (size_t i = 0; i < r->count; i++) {
        const struct io_vector *v = &r->vectors[i];
        if (v->length == 0 && r->count > 1) continue;
        long n = step(context, (uaddr_t)v->base, v->length, offset + done);
        if (n < 0) return done ? done : n;
        done += n;
        if ((size_t)n < v->length) break;
    }
    return done;
}

static size_t total_length(const struct io_request *r) {
    size_t n = 0;
    for (size_t i = 0; i < r->count; i++) n += r->vectors[i].length;
    return n;
}

/* --- files without a plane: one call -------------------------------------------------------------- */

struct plain {
    struct file *file;
    const struct io_request *request;
    uint16_t op;
    int64_t next_offset;
};

static long plain_call(struct plain *p, uaddr_t base, size_t length, int64_t offset) {
    struct file *f = p->file;
    struct call *c = &thread_current()->call;
    bool read = p->op == OP_READ;
    length = min(length, (size_t)CALL_DATA_MAX);
    int e = file_current(f);
    if (e) return e;
    c->in_address = c->out_address = base;
    uint32_t flags = p->request->flags | (f->status & FILE_NONBLOCK ? IO_NONBLOCK : 0);
    c->request = (struct request){.op = p->op, .object = f->id, .length = read ? 0 : (uint32_t)length};
    c->request.args[0] = (uint64_t)offset;
    c->request.args[1] = length;
    c->request.args[2] = flags;
    c->incarnation = f->incarnation;
    c->out_size = read ? (uint32_t)length : 0;
    long n = scheme_call(f->scheme, c, p->request->deadline);
    if (unlikely(c->reply_object)) object_handle_put(c->reply_object); /* nobody asked for one */
    c->reply_object = nullptr;
    if (n > (long)length) n = -EIO;
    if (n >= 0) p->next_offset = (int64_t)c->reply.args[0];
    return n;
}

/* ESTALE: the server was replaced while the call waited; ENOLINK: it died with it. */
static long plain_step(void *context, uaddr_t base, size_t length, int64_t offset) {
    struct plain *p = context;
    bool blocks = p->file->kind & FILE_KIND_BLOCKS;
    size_t done = 0;
    for (int tries = 0;;) {
        long n = plain_call(p, base + done, length - done, offset < 0 ? offset : offset + (int64_t)done);
        if ((n == -ESTALE || (n == -ENOLINK && blocks)) && tries++ < 3) continue;
        if (n > 0) done += (size_t)n;
        if (n <= 0 || !blocks || done == length) return done ? (long)done : n;
    }
}

static long plain_io(struct file *f, struct io_request *r, uint16_t op) UNCHECKED {
    struct plain p = {.file = f, .request = r, .op = op};
    bool own = r->offset == OFFSET_CURRENT && (f->kind & (FILE_KIND_SEEKABLE | FILE_KIND_DIRECTORY));
    if ((f->kind & FILE_KIND_DIRECTORY) && !(r->flags & IO_DIRECTORY)) return -EISDIR;
    if (!(f->kind & FILE_KIND_DIRECTORY) && (r->flags & IO_DIRECTORY)) return -ENOTDIR;
    if (r->offset != OFFSET_CURRENT && !(f->kind & FILE_KIND_SEEKABLE)) return -ESPIPE;
    if (own) mutex_lock(&f->offset_lock);
    int64_t from = own ? f->offset : r->offset;
    if (op == OP_WRITE && (f->status & FILE_APPEND)) from = -1;
    long n = for_each_vector(r, from, plain_step, &p);
    if (own && n >= 0 && p.next_offset) f->offset = p.next_offset;
    if (own) mutex_unlock(&f->offset_lock);
    return n;
}

/* --- streams ------------------------------------------------------------------------------------ */

static long stream_read_step(void *m, uaddr_t base, size_t n, int64_t at) {
    return memory_read(m, base, n, (uint64_t)at);
}
static long stream_write_step(void *m, uaddr_t base, size_t n, int64_t at) {
    return memory_write(m, base, n, (uint64_t)at);
}

static long stream_read(struct file *f, struct io_request *r) {
    if (r->offset != OFFSET_CURRENT) return for_each_vector(r, r->offset, stream_read_step, f->memory);
    mutex_lock(&f->offset_lock);
    long n = for_each_vector(r, f->offset, stream_read_step, f->memory);
    if (n > 0) f->offset += n;
    mutex_unlock(&f->offset_lock);
    return n;
}

/* O_APPEND: each vector takes its offset under the object's lock. */
struct append {
    struct memory *memory;
    int64_t end; /* where the last one ended */
};
static long append_step(void *context, uaddr_t base, size_t length, int64_t) {
    struct append *a = context;
    uint64_t at = 0;
    long n = memory_append(a->memory, base, length, &at);
    if (n >= 0) a->end = (int64_t)at + n;
    return n;
}

/* RLIMIT_FSIZE: cuts the request at the limit; SIGXFSZ and EFBIG if nothing is left. */
static int limit_size(struct io_request *r, int64_t offset) {
    uint64_t limit = process_current()->limits[1].soft; /* RLIMIT_FSIZE */
    size_t length = total_length(r);
    if (likely(limit == UINT64_MAX || length == 0 || (uint64_t)offset + length <= limit)) return 0;
    if ((uint64_t)offset >= limit) {
        signal_send_thread(thread_current(), 25 /* SIGXFSZ */, nullptr);
        return -EFBIG;
    }
    size_t room = limit - (uint64_t)offset;
    for (size_t i = 0; i < r->count; i++) {
        r->vectors[i].length = min(r->vectors[i].length, room);
        room -= r->vectors[i].length;
    }
    return 0;
}

static long stream_write(struct file *f, struct io_request *r) UNCHECKED {
    bool own = r->offset == OFFSET_CURRENT, append = f->status & FILE_APPEND;
    if (own) mutex_lock(&f->offset_lock);
    int64_t from = append ? (int64_t)memory_size(f->memory) : own ? f->offset : r->offset;
    struct append a = {f->memory, from};
    long n = limit_size(r, from);
    if (n == 0 && append) n = for_each_vector(r, 0, append_step, &a);
    else if (n == 0) n = for_each_vector(r, from, stream_write_step, f->memory);
    if (own && n > 0) f->offset = append ? a.end : from + n;
    if (own) mutex_unlock(&f->offset_lock);
    if (n > 0 && unlikely(f->status & FILE_DSYNC)) {
        long e = scheme_call_simple(f->scheme, OP_SYNC, f->id, !(f->status & (FILE_SYNC & ~FILE_DSYNC)), 0, 0, nullptr,
                                    DEADLINE_NEVER);
        if (e < 0) return e;
    }
    return n;
}

/* --- planes of the kernel's own ------------------------------------------------------------------ */

static long zero_step(void *, uaddr_t base, size_t n, int64_t) {
    int e = clear_user(base, n);
    return e ? e : (long)n;
}

static long random_step(void *, uaddr_t base, size_t n, int64_t) {
    uint8_t chunk[256];
    for (size_t done = 0; done < n; done += min(n - done, sizeof(chunk))) {
        size_t part = min(n - done, sizeof(chunk));
        random_fill(chunk, part);
        int e = copy_to_user(base + done, chunk, part);
        if (e) return done ? (long)done : e;
        preempt_point();
    }
    return (long)n;
}

static long file_read(struct file *f, struct io_request *r) {
    switch (f->plane) {
    case PLANE_MEMORY: return stream_read(f, r);
    case PLANE_CHANNEL:
        return channel_receive(f->channel, nullptr, r->vectors, r->count,
                               r->flags | (f->status & FILE_NONBLOCK ? IO_NONBLOCK : 0), r->deadline);
    case PLANE_NULL: return 0;
    case PLANE_ZERO:
    case PLANE_FULL: return for_each_vector(r, 0, zero_step, nullptr);
    case PLANE_RANDOM: return for_each_vector(r, 0, random_step, nullptr);
    default: return plain_io(f, r, OP_READ);
    }
}

static long file_write(struct file *f, struct io_request *r) {
    switch (f->plane) {
    case PLANE_MEMORY: return stream_write(f, r);
    case PLANE_CHANNEL:
        return channel_send(f->channel, nullptr, r->vectors, r->count,
                            r->flags | (f->status & FILE_NONBLOCK ? IO_NONBLOCK : 0), r->deadline);
    case PLANE_FULL: return total_length(r) ? -ENOSPC : 0;
    case PLANE_NONE: return plain_io(f, r, OP_WRITE);
    default: return (long)total_length(r);
    }
}

/* --- other objects -------------------------------------------------------------------------------- */

/* Objects that give or take one 8-byte number: event counters, timers, interrupts. */
static long number_read(struct object *o, const struct io_request *r) {
    uint64_t value;
    if (!r->count || r->vectors[0].length < sizeof(value)) return -EINVAL;
    bool nonblock = r->flags & IO_NONBLOCK;
    long e = o->ops->type == OBJECT_EVENT   ? event_read(o, &value, nonblock, r->deadline)
             : o->ops->type == OBJECT_TIMER ? timer_object_read(o, &value, nonblock, r->deadline)
                                            : -EINVAL;
    if (e < 0) return e;
    int bad = copy_to_user((uaddr_t)r->vectors[0].base, &value, sizeof(value));
    return bad ? bad : (long)sizeof(value);
}

static long number_write(struct object *o, const struct io_request *r) {
    uint64_t value;
    if (!r->count || r->vectors[0].length < sizeof(value)) return -EINVAL;
    int bad = copy_from_user(&value, (uaddr_t)r->vectors[0].base, sizeof(value));
    if (bad) return bad;
    long e = event_write(o, value, r->flags & IO_NONBLOCK, r->deadline);
    return e < 0 ? e : (long)sizeof(value);
}

static long memory_io(struct object *o, const struct io_request *r, step_fn *step) {
    return r->offset < 0 ? -EINVAL : for_each_vector(r, r->offset, step, memory_of(o));
}

static long log_step(void *, uaddr_t base, size_t n, int64_t offset) {
    char part[256];
    uint64_t at = (uint64_t)offset;
    size_t got = log_read(&at, part, min(n, sizeof(part)));
    int e = copy_to_user(base, part, got);
    return e ? e : (long)got;
}

long object_read(struct object *o, struct io_request *r) {
    switch (o->ops->type) {
    case OBJECT_FILE: return file_read(object_as(file, o), r);
    case OBJECT_CHANNEL:
        return r->offset == OFFSET_CURRENT ? channel_receive(o, nullptr, r->vectors, r->count, r->flags, r->deadline)
                                           : -ESPIPE;
    case OBJECT_MEMORY: return memory_io(o, r, stream_read_step);
    case OBJECT_LOG: return r->offset < 0 ? -EINVAL : for_each_vector(r, r->offset, log_step, nullptr);
    case OBJECT_SIGNALS: {
        const struct io_vector *v = r->vectors;
        if (!r->count) return -EINVAL;
        return signal_object_read(o, (uaddr_t)v->base, v->length, r->flags & IO_NONBLOCK, r->deadline);
    }
    default: return number_read(o, r);
    }
}

static long log_write_step(void *, uaddr_t base, size_t n, int64_t) {
    char text[256];
    size_t part = min(n, sizeof(text));
    int e = copy_from_user(text, base, part);
    if (e) return e;
    klog(LOG_INFO, "%.*s", (int)part, text);
    return (long)n;
}

long object_write(struct object *o, struct io_request *r) {
    switch (o->ops->type) {
    case OBJECT_FILE: return file_write(object_as(file, o), r);
    case OBJECT_CHANNEL:
        return r->offset == OFFSET_CURRENT ? channel_send(o, nullptr, r->vectors, r->count, r->flags, r->deadline)
                                           : -ESPIPE;
    case OBJECT_MEMORY: return memory_io(o, r, stream_write_step);
    case OBJECT_LOG: return for_each_vector(r, 0, log_write_step, nullptr);
    case OBJECT_EVENT: return number_write(o, r);
    default: return -EINVAL;
    }
}
