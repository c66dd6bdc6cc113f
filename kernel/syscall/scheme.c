// SPDX-License-Identifier: MIT
/* System calls of schemes and namespaces; sys_call and sys_port_reply_wait are in ../ipc/call.c. */
#include <kernel/event.h>
#include <kernel/file.h>
#include <kernel/mm.h>
#include <kernel/namespace.h>
#include <kernel/process.h>
#include <kernel/syscall.h>

/* --- the server's side -------------------------------------------------------------------------- */

long sys_scheme_create(struct object *, const struct scheme_create_args *args) {
    struct scheme_create_args a;
    if (copy_from_user(&a, (uaddr_t)args, sizeof(a))) return -EFAULT;
    a.name[sizeof(a.name) - 1] = 0;
    if (!a.name[0] || a.rank == 0 || a.flags & ~(uint32_t)SCHEME_SETID) return -EINVAL;
    struct scheme *s = scheme_create(a.name, a.rank, a.flags);
    return s ? object_install(&s->object, RIGHTS_ALL, HANDLE_IN_UPPER) : -ENOMEM;
}

long sys_scheme_attach(struct object *s, handle_t event, uintptr_t *buffer) {
    struct object *ev = nullptr;
    struct port *p;
    uaddr_t address;
    int e = event == HANDLE_NONE ? 0 : handle_lookup(event, OBJECT_EVENT, RIGHT_WAIT, &ev, nullptr);
    if (!e) e = port_create(object_as(scheme, s), ev, &p, &address);
    if (ev) object_put(ev);
    if (e) return e;
    handle_t h = object_install(&p->object, RIGHT_SERVE | RIGHT_WAIT, HANDLE_IN_UPPER);
    if (h >= 0) e = copy_to_user((uaddr_t)buffer, &address, sizeof(address));
    if (e) (void)!handle_close(h);
    return e ? e : h;
}

long sys_port_notify(struct object *port, uint64_t object, uint32_t mask) {
    port_notify(object_as(port, port), object, mask);
    return 0;
}

long sys_port_caller(struct object *port, uint32_t tag, struct caller_info *out) {
    struct caller_info info = {};
    int e = port_caller(object_as(port, port), tag, &info);
    return e ? e : copy_to_user((uaddr_t)out, &info, sizeof(info));
}

/* A file of the server's own making; the plane's rights bound what the file can do. */
long sys_file_create(struct object *port, uint64_t object, uint64_t generation, uint32_t kind, handle_t plane,
                     uint32_t status) {
    struct port *p = object_as(port, port);
    struct object *o = nullptr;
    uint32_t rights;
    uint32_t incarnation = scheme_incarnation(p->scheme); /* of p, unless that is detached */
    int e = p->detached ? -EINVAL : 0;
    if (!e && plane != HANDLE_NONE) e = handle_lookup_transfer(plane, &o, &rights);
    struct file *f = e ? nullptr : file_prepare(p->scheme);
    if (!e && !f) e = -ENOMEM;
    if (e && o) object_handle_put(o);
    if (e) return e;
    struct reply r = {.args = {object, generation, kind >> 8, kind & 0xff}};
    e = file_open_reply(f, &r, incarnation, o, status);
    handle_t h = e;
    if (!e) {
        object_handle_get(&f->object);
        h = handle_install(&f->object, file_rights(f), HANDLE_IN_UPPER);
    }
    object_put(&f->object);
    return h;
}

/* --- namespaces --------------------------------------------------------------------------------- */

static int read_name(char *name, uaddr_t from, size_t length) {
    if (length == 0 || length >= NAMESPACE_NAME_MAX) return -EINVAL;
    int e = copy_from_user(name, from, length);
    name[length] = 0;
    for (size_t i = 0; !e && i < length; i++)
        if (!name[i] || name[i] == ':' || name[i] == '/') return -EINVAL;
    return e;
}

static long control_bind(struct namespace *n, const char *name, handle_t h) {
    struct object *o;
    int e = handle_lookup(h, OBJECT_SCHEME, 0, &o, nullptr);
    if (e) return e;
    e = namespace_bind(n, name, object_as(scheme, o));
    object_put(o);
    return e;
}

static long control_clone(struct namespace *n) {
    struct namespace *copy;
    int e = namespace_clone(n, &copy);
    return e ? e : object_install(namespace_object(copy), RIGHTS_ALL, HANDLE_IN_UPPER);
}

static long control_list(struct namespace *n, uaddr_t out, size_t size) {
    char *text = kmalloc(PAGE_SIZE);
    if (!text) return -ENOMEM;
    size_t used = namespace_list(n, text, min(size, PAGE_SIZE));
    int e = copy_to_user(out, text, used);
    kfree(text);
    return e ? e : (long)used;
}

long sys_namespace_control(struct object *ns, uint32_t op, char *name, size_t length, handle_t h) {
    char text[NAMESPACE_NAME_MAX];
    struct namespace *n = namespace_of(ns);
    int e = op <= NAMESPACE_UNBIND ? read_name(text, (uaddr_t)name, length) : 0;
    if (e) return e;
    switch (op) {
    case NAMESPACE_BIND: return control_bind(n, text, h);
    case NAMESPACE_UNBIND: return namespace_unbind(n, text);
    case NAMESPACE_CLONE: return control_clone(n);
    case NAMESPACE_LIST: return control_list(n, (uaddr_t)name, length);
    default: return -EINVAL;
    }
}
