// SPDX-License-Identifier: MIT
/* read, write and seek on any handle. */
#include <kernel/file.h>
#include <kernel/process.h>
#include <kernel/syscall.h>

#define SIGPIPE 13

/* A handle that can be read (or written): EBADF if it is not open that way, as POSIX has it. */
static int lookup_io(handle_t h, uint32_t right, struct object **o) {
    uint32_t rights;
    int e = handle_lookup(h, 0, 0, o, &rights);
    if (unlikely(!e && !(rights & right))) {
        object_put(*o);
        e = -EBADF;
    }
    return e;
}

static long io_do(struct object *o, struct io_request *r, bool write) {
    if (unlikely(r->offset < OFFSET_CURRENT)) return -EINVAL;
    long n = write ? object_write(o, r) : object_read(o, r);
    if (unlikely(n == -EPIPE && write && !(r->flags & IO_NO_SIGNAL)))
        signal_send_thread(thread_current(), SIGPIPE, nullptr);
    return n == -EINTR ? -ERESTART : n;
}

static inline long io_buffer(handle_t h, uaddr_t buffer, size_t size, int64_t offset, uint32_t flags, nsec_t deadline,
                             bool write) {
    struct borrowed b = handle_borrow(process_current(), h, 0);
    if (unlikely(is_err(b.object))) return ptr_err(b.object);
    if (unlikely(!(b.rights & (write ? RIGHT_WRITE : RIGHT_READ)))) {
        handle_return(b);
        return -EBADF;
    }
    struct io_vector v = {(void *)buffer, min(size, (size_t)0x7ffff000)};
    struct io_request r = {&v, 1, offset, flags, deadline};
    long n = io_do(b.object, &r, write);
    handle_return(b);
    return n;
}

long sys_read(handle_t h, void *buffer, size_t size, int64_t offset, uint32_t flags, int64_t deadline) {
    return io_buffer(h, (uaddr_t)buffer, size, offset, flags, deadline, false);
}

long sys_write(handle_t h, const void *buffer, size_t size, int64_t offset, uint32_t flags, int64_t deadline) {
    return io_buffer(h, (uaddr_t)buffer, size, offset, flags, deadline, true);
}

int vectors_copy(struct vectors *out, uaddr_t from, size_t count) {
    size_t total = 0;
    out->v = out->few;
    if (count > IO_VECTOR_MAX) return -EINVAL;
    if (count > array_size(out->few)) out->v = kmalloc(count * sizeof(*out->v));
    int e = out->v ? copy_from_user(out->v, from, count * sizeof(*out->v)) : -ENOMEM;
    for (size_t i = 0; !e && i < count; i++)
        if (__builtin_add_overflow(total, out->v[i].length, &total) || total > INT64_MAX) e = -EINVAL;
    return e;
}

void vectors_free(struct vectors *v) {
    if (v->v != v->few) kfree(v->v);
}

static long io_vectors(handle_t h, uaddr_t from, size_t count, int64_t offset, uint32_t flags, nsec_t deadline,
                       bool write) {
    struct vectors vectors;
    struct object *o;
    long n = lookup_io(h, write ? RIGHT_WRITE : RIGHT_READ, &o);
    if (n) return n;
    n = vectors_copy(&vectors, from, count);
    struct io_request r = {vectors.v, count, offset, flags, deadline};
    if (!n) n = io_do(o, &r, write);
    vectors_free(&vectors);
    object_put(o);
    return n;
}

long sys_readv(handle_t h, const struct io_vector *v, size_t count, int64_t offset, uint32_t flags, int64_t deadline) {
    return io_vectors(h, (uaddr_t)v, count, offset, flags, deadline, false);
}

long sys_writev(handle_t h, const struct io_vector *v, size_t count, int64_t offset, uint32_t flags, int64_t deadline) {
    return io_vectors(h, (uaddr_t)v, count, offset, flags, deadline, true);
}

enum seek_whence { SEEK_START, SEEK_HERE, SEEK_TO_END, SEEK_TO_DATA, SEEK_TO_HOLE };

/* Data and holes: a stream is all data up to its end, where the one hole is. */
static int64_t seek_target(struct file *f, int64_t offset, uint32_t whence) {
    int64_t size = f->plane == PLANE_MEMORY ? (int64_t)memory_size(f->memory) : 0;
    int64_t base = whence == SEEK_HERE ? f->offset : whence == SEEK_TO_END || whence == SEEK_TO_HOLE ? size : 0;
    if (whence == SEEK_TO_END && f->plane != PLANE_MEMORY) return -EINVAL; /* libposix asks the server */
    if (whence >= SEEK_TO_DATA) {
        if (f->plane != PLANE_MEMORY) return -EINVAL;
        return offset < 0 || offset >= size ? -ENXIO : whence == SEEK_TO_DATA ? offset : size;
    }
    if (__builtin_add_overflow(base, offset, &base)) return -EOVERFLOW;
    return base < 0 ? -EINVAL : base;
}

long sys_seek(struct object *o, int64_t offset, uint32_t whence) {
    long result = -ESPIPE;
    struct file *f = o->ops == &file_ops ? object_as(file, o) : nullptr;
    if (whence > SEEK_TO_HOLE) result = -EINVAL;
    else if (f && (f->kind & (FILE_KIND_SEEKABLE | FILE_KIND_DIRECTORY))) {
        mutex_lock(&f->offset_lock);
        result = seek_target(f, offset, whence);
        if (result >= 0) f->offset = result;
        mutex_unlock(&f->offset_lock);
    }
    return result;
}

long sys_file_stat(handle_t h, struct file_attributes *out) {
    struct borrowed b = handle_borrow(process_current(), h, OBJECT_FILE);
    if (unlikely(is_err(b.object))) return ptr_err(b.object);
    struct file *f = object_as(file, b.object);
    struct file_attributes a;
    bool current = f->plane == PLANE_MEMORY && f->incarnation == scheme_incarnation(f->scheme);
    bool known = current && memory_attributes_get(f->memory, &a);
    handle_return(b);
    return known ? copy_to_user((uaddr_t)out, &a, sizeof(a)) : -ENODATA;
}
