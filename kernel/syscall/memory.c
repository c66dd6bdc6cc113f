// SPDX-License-Identifier: MIT
/* System calls on memory objects. memory_create: the new handle's flags are in flags' upper half. */
#include <kernel/handle.h>
#include <kernel/memory.h>
#include <kernel/process.h>
#include <kernel/scheme.h>
#include <kernel/syscall.h>

/* A handle to m, whose reference is consumed. */
static handle_t memory_install(struct memory *m, uint32_t rights, uint32_t flags) {
    struct object *o = memory_object(m);
    object_handle_get(o);
    object_put(o);
    return handle_install(o, rights, flags);
}

static struct memory *create_take(handle_t source, uint64_t offset, size_t size) {
    struct object *o;
    int e = handle_lookup(source, OBJECT_MEMORY, RIGHT_CONTROL | RIGHT_READ, &o, nullptr);
    if (e) return err_ptr(e);
    struct memory *m = memory_create_take(memory_of(o), offset, size);
    object_put(o);
    return m;
}

static struct memory *create_contiguous(handle_t hardware, size_t size) {
    struct object *o;
    int e = handle_lookup(hardware, OBJECT_HARDWARE, RIGHT_CONTROL, &o, nullptr);
    if (e) return err_ptr(e);
    object_put(o);
    return memory_create_contiguous(size, true);
}

long sys_memory_create(size_t size, uint32_t flags, handle_t source, uint64_t offset) {
    uint32_t handle_flags = flags >> 16, kind = flags & 0xffff;
    struct memory *m;
    if (handle_flags & ~(uint32_t)(HANDLE_CLOEXEC | HANDLE_IN_UPPER)) return -EINVAL;
    switch (kind) {
    case 0:
        m = memory_create(size);
        if (m && offset) (void)!memory_control(m, MEMORY_LIMIT, offset, 0, 0);
        break;
    case MEMORY_TAKE: m = create_take(source, offset, size); break;
    case MEMORY_CONTIGUOUS: m = create_contiguous(source, size); break;
    default: return -EINVAL;
    }
    if (is_err(m)) return ptr_err(m);
    return m ? memory_install(m, RIGHTS_ALL, handle_flags) : -ENOMEM;
}

/* The scheme of a port handle, with a reference. */
static struct scheme *port_scheme(handle_t h) {
    struct object *o;
    int e = handle_lookup(h, OBJECT_PORT, 0, &o, nullptr);
    if (e) return err_ptr(e);
    struct scheme *s = object_as(port, o)->scheme;
    if (s) object_get(&s->object);
    object_put(o);
    return s ? s : err_ptr(-EINVAL);
}

long sys_memory_create_paged(handle_t port, uint64_t object, size_t size) {
    struct scheme *s = port_scheme(port);
    if (is_err(s)) return ptr_err(s);
    struct memory *m = memory_create_paged(s, object, size);
    object_put(&s->object);
    return m ? memory_install(m, RIGHTS_ALL, HANDLE_IN_UPPER) : -ENOMEM;
}

/* After a restart: what the last instance left of `object`. */
static long adopt(handle_t port, uint64_t object) {
    struct scheme *s = port_scheme(port);
    if (is_err(s)) return ptr_err(s);
    struct memory *m = memory_adopt(s, object);
    object_put(&s->object);
    return m ? memory_install(m, RIGHTS_ALL, HANDLE_IN_UPPER) : -ENOENT;
}

long sys_memory_control(handle_t h, uint32_t op, uint64_t a, uint64_t b, uint64_t c) {
    if (op == MEMORY_ADOPT) return adopt(h, a);
    struct borrowed o = handle_borrow(process_current(), h, OBJECT_MEMORY);
    if (is_err(o.object)) return ptr_err(o.object);
    bool allowed = op == MEMORY_INFO || o.rights & RIGHT_CONTROL;
    long result = allowed ? memory_control(memory_of(o.object), op, a, b, c) : -EACCES;
    handle_return(o);
    return result;
}
