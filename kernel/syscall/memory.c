// SPDX-License-Identifier: MIT
/* System calls on memory objects. memory_create: the new handle's flags are in flags' upper half. */
#include <kernel/handle.h>
#include <kernel/memory.h>
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

long sys_memory_control(struct object *o, uint32_t op, uint64_t a, uint64_t b, uint64_t c) {
    return op == MEMORY_ADOPT ? create_paged(o, a, 0, true) : memory_control(memory_of(o), op, a, b, c);
}
