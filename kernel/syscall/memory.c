// SPDX-License-Identifier: MIT
/* System calls on memory objects. memory_create: the new handle's flags are in flags' upper half. */
#include <kernel/handle.h>
#include <kernel/memory.h>
#include <kernel/process.h>
#include <kernel/scheme.h>
#include <kernel/syscall.h>

static struct memory *create_take(handle_t source, uint64_t offset, size_t size) {
    struct object *o;
    int e = handle_lookup(source, OBJECT_MEMORY, RIGHT_CONTROL | RIGHT_READ, &o, nullptr);
    if (e) return err_ptr(e);
    struct memory *m = memory_create_take(memory_of(o), offset, size);
    object_put(o);
    return m;
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
    default: return -EINVAL;
    }
    if (is_err(m)) return ptr_err(m);
    return m ? object_install(memory_object(m), RIGHTS_ALL, handle_flags) : -ENOMEM;
}

/* A new one of the port's scheme, or what the last instance of the server has left of `object`. */
static long create_paged(struct object *port, uint64_t object, size_t size, bool adopt) {
    struct scheme *s = object_as(port, port)->scheme;
    struct memory *m = !s ? nullptr : adopt ? memory_adopt(s, object) : memory_create_paged(s, object, size);
    if (m) return object_install(memory_object(m), RIGHTS_ALL, HANDLE_IN_UPPER);
    return !s ? -EINVAL : adopt ? -ENOENT : -ENOMEM;
}

long sys_memory_create_paged(struct object *port, uint64_t object, size_t size) {
    return create_paged(port, object, size, false);
}

/* Asked at each stat of an open file: the way of the hot calls. */
long sys_memory_control(handle_t h, uint32_t op, uint64_t a, uint64_t b, uint64_t c) {
    struct borrowed o = handle_borrow(process_current(), h, op == MEMORY_ADOPT ? OBJECT_PORT : OBJECT_MEMORY);
    if (is_err(o.object)) return ptr_err(o.object);
    bool allowed = op == MEMORY_INFO || op == MEMORY_ADOPT || o.rights & RIGHT_CONTROL;
    long result = !allowed             ? -EACCES
                  : op == MEMORY_ADOPT ? create_paged(o.object, a, 0, true)
                                       : memory_control(memory_of(o.object), op, a, b, c);
    handle_return(o);
    return result;
}
