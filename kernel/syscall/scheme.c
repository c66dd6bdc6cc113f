// SPDX-License-Identifier: MIT
/* System calls of clients and servers of schemes. */
#include <kernel/event.h>
#include <kernel/file.h>
#include <kernel/mm.h>
#include <kernel/namespace.h>
#include <kernel/process.h>
#include <kernel/syscall.h>

/* --- the client's side -------------------------------------------------------------------------- */

_Static_assert(offsetof(struct call, reply) == offsetof(struct call_args, reply), "read in one piece");

static bool is_path_op(uint16_t op) { return op >= OP_OPEN && op < OP_CLOSE; }

/* Ops that may walk a path: beside those, the two that also work on an open file. */
static bool may_walk(uint16_t op) { return is_path_op(op) || op == OP_STAT || op == OP_SET_ATTRIBUTES; }

/* What clients may send: not the kernel's one-way messages, nor what it asks on their behalf. */
static bool op_allowed(uint16_t op) {
    return op != 0 && op != OP_RESERVE && op != OP_EXECUTE && (op < OP_CLOSE || op >= OP_USER);
}

/* Path walks stop at the process's root directory: the kernel says which object that is. */
static void stamp_root(struct scheme *s, struct request *r) {
    struct object *o;
    r->args[2] = 0;
    if (handle_lookup(HANDLE_ROOT, OBJECT_FILE, 0, &o, nullptr)) return;
    struct file *root = object_as(file, o);
    if (root->scheme == s) {
        r->args[2] = root->id;
        r->flags |= REQUEST_ROOT_IS_OURS;
    }
    object_put(o);
}

/* "name:rest" at *in: the scheme of that name, a reference; the request goes on with the rest. */
static int resolve_name(struct object *o, struct call *c, struct scheme **out) {
    struct request *r = &c->request;
    char name[NAMESPACE_NAME_MAX + 1];
    uint32_t n = min(r->length, (uint32_t)NAMESPACE_NAME_MAX);
    int e = copy_from_user(name, c->in_address, n);
    if (e) return e;
    uint32_t i = 0;
    while (i < n && name[i] != ':') i++;
    if (i == n) return -ENOENT;
    name[i] = 0;
    *out = namespace_find(namespace_of(o), name);
    c->in_address += i + 1;
    r->length -= i + 1;
    return *out ? 0 : -ENOENT;
}

/* Objects that can be called: gives the scheme (a reference) and fills in the object id. */
static int resolve_target(struct object *o, struct call *c, struct scheme **out) {
    c->request.object = 0;
    c->incarnation = 0;
    switch (o->ops->type) {
    case OBJECT_FILE: {
        struct file *f = object_as(file, o);
        int e = file_current(f);
        if (e) return e;
        c->request.object = f->id;
        c->incarnation = f->incarnation;
        *out = f->scheme;
        object_get(&f->scheme->object);
        return 0;
    }
    case OBJECT_NAMESPACE: return is_path_op(c->request.op) ? resolve_name(o, c, out) : -EINVAL;
    case OBJECT_SCHEME:
        *out = object_as(scheme, o);
        object_get(o);
        return 0;
    default: return -ENOTTY;
    }
}

/* What comes back with an answer: a new file in the slot reserved for it, or the server's object. */
static handle_t accept_handle(struct call *c, struct file *f, handle_t slot, uint32_t status, uint32_t flags) {
    struct object *carried = c->reply_object;
    c->reply_object = nullptr;
    if (f && (c->reply.flags & REPLY_FILE)) {
        int e = file_open_reply(f, &c->reply, carried, status);
        f->detach = c->reply.flags & REPLY_WATCH_DETACH;
        object_handle_get(&f->object);
        if (e) {
            object_handle_put(&f->object); /* sends CLOSE */
            return e;
        }
        handle_publish(slot, &f->object, file_rights(f), flags);
        return slot;
    }
    if (!carried) return HANDLE_NONE;
    if (slot < 0) return handle_install(carried, c->reply_rights, flags);
    handle_publish(slot, carried, c->reply_rights, flags);
    return slot;
}

static int pin_buffers(struct call *c) {
    c->in.count = c->out.count = 0;
    c->in.length = c->out.length = 0;
    if (c->request.length) {
        if (c->request.length > CALL_DATA_MAX) return -EMSGSIZE;
        int e = pin_user(&c->in, c->in_address, c->request.length, false);
        if (e) return e;
    }
    if (!c->out_size) return 0;
    int e = pin_user(&c->out, c->out_address, min(c->out_size, (uint32_t)CALL_DATA_MAX), true);
    if (e) pin_release(&c->in);
    return e;
}

/* A call that opens: the slot and the file are there before the server is asked. */
static int open_prepare(struct scheme *s, uint32_t handle_flags, struct file **f, handle_t *slot) {
    *slot = handle_reserve(0, handle_flags);
    if (*slot < 0) return *slot;
    *f = file_prepare(s);
    if (*f) return 0;
    handle_unreserve(*slot);
    *slot = HANDLE_NONE;
    return -ENOMEM;
}

static long call_run(struct scheme *s, struct call *c) {
    struct file *f = nullptr;
    handle_t slot = HANDLE_NONE;
    uint32_t status = (uint32_t)c->request.args[0];
    int e = pin_buffers(c);
    if (e) return e;
    if (may_walk(c->request.op)) stamp_root(s, &c->request);
    c->carried = nullptr;
    if (c->carry != HANDLE_NONE) e = handle_lookup_transfer(c->carry, &c->carried, &c->carried_rights);
    if (!e && c->request.op == OP_OPEN) e = open_prepare(s, c->handle_flags, &f, &slot);
    long result = e ? e : scheme_call(s, c, c->deadline);
    if (c->carried) object_handle_put(c->carried); /* not delivered */
    c->carried = nullptr;
    pin_release(&c->in);
    pin_release(&c->out);
    if (e) return e;
    handle_t h = result < 0 ? HANDLE_NONE : accept_handle(c, f, slot, status, c->handle_flags);
    if (c->reply_object) object_handle_put(c->reply_object);
    c->reply_object = nullptr;
    if (slot >= 0 && h != slot) handle_unreserve(slot);
    if (f) object_put(&f->object);
    if (h < HANDLE_NONE) return h;
    c->reply.handle = h;
    return result;
}

/* fsync also reports, once per description, what write-back could not write. */
static long sync_result(struct object *o, long result) {
    struct file *f = o->ops == &file_ops ? object_as(file, o) : nullptr;
    if (result < 0 || !f || f->plane != PLANE_MEMORY) return result;
    int e = memory_take_error(f->memory, &f->error_seen);
    return e ? e : result;
}

static long call_object(struct object *o, struct call *c) {
    for (int tries = 0;; tries++) {
        struct scheme *s = nullptr;
        struct request sent = c->request;
        int e = resolve_target(o, c, &s);
        long result = e ? e : call_run(s, c);
        if (s) object_put(&s->object);
        if (c->request.op == OP_LOCK && o->ops == &file_ops && (c->reply.flags & REPLY_WATCH_DETACH))
            object_as(file, o)->detach = true;
        if (likely(result != -ESTALE || c->incarnation == 0 || tries == 2))
            return c->request.op == OP_SYNC ? sync_result(o, result) : result;
        c->request = sent; /* the server was replaced while the call waited: reopen and try again */
    }
}

/* Nothing but the two messages moves: an op on an open file, without data, room or handle. */
static inline bool is_plain(const struct object *o, const struct call *c) {
    return o->ops == &file_ops && !(c->request.length | c->out_size) && c->carry == HANDLE_NONE &&
           (c->request.op >= OP_USER || c->request.op == OP_CONTROL);
}

static long call_plain(struct object *o, struct call *c) {
    struct file *f = object_as(file, o);
    if (unlikely(f->incarnation != f->scheme->incarnation)) return call_object(o, c);
    c->request.object = f->id;
    c->incarnation = f->incarnation;
    c->carried = nullptr;
    c->in.length = c->out.length = 0;
    long result = scheme_call(f->scheme, c, c->deadline);
    if (unlikely(result == -ESTALE)) return call_object(o, c);
    if (unlikely(c->reply_object)) {
        handle_t h = accept_handle(c, nullptr, HANDLE_NONE, 0, c->handle_flags);
        if (h < HANDLE_NONE) return h;
        c->reply.handle = h;
    }
    return result;
}

long sys_call(handle_t h, struct call_args *args) {
    struct thread *self = thread_current();
    struct call *c = &self->call;
    struct object *o;
    uint32_t rights;
    bool counted;
    int e = copy_from_user(&c->request, (uaddr_t)args, offsetof(struct call, reply));
    if (unlikely(e)) return e;
    if (unlikely(!op_allowed(c->request.op))) return -EINVAL;
    c->request.flags &= REQUEST_IDEMPOTENT;
    e = handle_borrow(self->process, h, 0, &o, &rights, &counted);
    if (unlikely(e)) return e;
    c->reply.flags = 0;
    c->reply.handle = HANDLE_NONE;
    long result = likely(is_plain(o, c)) ? call_plain(o, c) : call_object(o, c);
    handle_return(o, counted);
    c->reply.result = result;
    e = copy_to_user((uaddr_t)&args->reply, &c->reply, sizeof(c->reply));
    return unlikely(e) ? e : unlikely(result == -EINTR) ? -ERESTART : result;
}

/* --- the server's side -------------------------------------------------------------------------- */

long sys_scheme_create(handle_t system, const struct scheme_create_args *args) {
    struct scheme_create_args a;
    struct object *o;
    int e = handle_lookup(system, OBJECT_SYSTEM, RIGHT_CONTROL, &o, nullptr);
    if (e) return e;
    object_put(o);
    e = copy_from_user(&a, (uaddr_t)args, sizeof(a));
    if (e) return e;
    a.name[sizeof(a.name) - 1] = 0;
    if (!a.name[0] || a.rank == 0 || a.flags & ~(uint32_t)SCHEME_SETID) return -EINVAL;
    struct scheme *s = scheme_create(a.name, a.rank, a.flags);
    if (!s) return -ENOMEM;
    object_handle_get(&s->object);
    handle_t h = handle_install(&s->object, RIGHTS_ALL, HANDLE_IN_UPPER);
    object_put(&s->object);
    return h;
}

long sys_scheme_attach(handle_t scheme, handle_t event, uintptr_t *buffer) {
    struct object *s, *ev = nullptr;
    struct port *p;
    uaddr_t address;
    int e = handle_lookup(scheme, OBJECT_SCHEME, RIGHT_SERVE, &s, nullptr);
    if (e) return e;
    if (event != HANDLE_NONE) e = handle_lookup(event, OBJECT_EVENT, RIGHT_WAIT, &ev, nullptr);
    if (!e) e = port_create(object_as(scheme, s), ev, &p, &address);
    if (ev) object_put(ev);
    object_put(s);
    if (e) return e;
    object_handle_get(&p->object);
    object_put(&p->object);
    handle_t h = handle_install(&p->object, RIGHT_SERVE | RIGHT_WAIT, HANDLE_IN_UPPER);
    if (h >= 0) e = copy_to_user((uaddr_t)buffer, &address, sizeof(address));
    if (e) (void)!handle_close(h);
    return e ? e : h;
}

static int lookup_port(handle_t h, struct port **p) {
    struct object *o;
    int e = handle_lookup(h, OBJECT_PORT, RIGHT_SERVE, &o, nullptr);
    if (likely(!e)) *p = object_as(port, o);
    return e;
}

long sys_port_reply_wait(handle_t port, uint32_t flags, int64_t deadline) {
    struct thread *self = thread_current();
    struct object *o;
    uint32_t rights;
    bool counted;
    int e = handle_borrow(self->process, port, OBJECT_PORT, &o, &rights, &counted);
    if (unlikely(e)) return e;
    if (unlikely(atomic_load_explicit(&self->work, memory_order_relaxed) & WORK_REAP)) object_reap();
    long result = port_reply_wait(object_as(port, o), flags, deadline);
    handle_return(o, counted);
    return result;
}

long sys_port_notify(handle_t port, uint64_t object, uint32_t mask) {
    struct port *p;
    int e = lookup_port(port, &p);
    if (e) return e;
    port_notify(p, object, mask);
    object_put(&p->object);
    return 0;
}

long sys_port_caller(handle_t port, uint32_t tag, struct caller_info *out) {
    struct port *p;
    struct caller_info info = {};
    int e = lookup_port(port, &p);
    if (e) return e;
    e = port_caller(p, tag, &info);
    object_put(&p->object);
    return e ? e : copy_to_user((uaddr_t)out, &info, sizeof(info));
}

/* A file of the server's own making; the plane's rights bound what the file can do. */
long sys_file_create(handle_t port, uint64_t object, uint64_t generation, uint32_t kind, handle_t plane,
                     uint32_t status) {
    struct port *p;
    struct object *o = nullptr;
    uint32_t rights;
    int e = lookup_port(port, &p);
    if (e) return e;
    if (p->detached) e = -EINVAL;
    if (!e && plane != HANDLE_NONE) e = handle_lookup_transfer(plane, &o, &rights);
    struct file *f = e ? nullptr : file_prepare(p->scheme);
    if (!e && !f) e = -ENOMEM;
    if (e && o) object_handle_put(o);
    object_put(&p->object);
    if (e) return e;
    struct reply r = {.args = {object, generation, kind >> 8, kind & 0xff}};
    e = file_open_reply(f, &r, o, status);
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
    if (e) return e;
    object_handle_get(namespace_object(copy));
    object_put(namespace_object(copy));
    return handle_install(namespace_object(copy), RIGHTS_ALL, HANDLE_IN_UPPER);
}

static long control_list(struct namespace *n, uaddr_t out, size_t size) {
    char *text = kmalloc(PAGE_SIZE);
    if (!text) return -ENOMEM;
    size_t used = namespace_list(n, text, min(size, PAGE_SIZE));
    int e = copy_to_user(out, text, used);
    kfree(text);
    return e ? e : (long)used;
}

long sys_namespace_control(handle_t ns, uint32_t op, char *name, size_t length, handle_t h) {
    char text[NAMESPACE_NAME_MAX];
    struct object *o;
    bool changes = op == NAMESPACE_BIND || op == NAMESPACE_UNBIND;
    int e = handle_lookup(ns, OBJECT_NAMESPACE, changes ? RIGHT_CONTROL : 0, &o, nullptr);
    if (e) return e;
    struct namespace *n = namespace_of(o);
    if (changes) e = read_name(text, (uaddr_t)name, length);
    long result = e;
    if (!e) {
        switch (op) {
        case NAMESPACE_BIND: result = control_bind(n, text, h); break;
        case NAMESPACE_UNBIND: result = namespace_unbind(n, text); break;
        case NAMESPACE_CLONE: result = control_clone(n); break;
        case NAMESPACE_LIST: result = control_list(n, (uaddr_t)name, length); break;
        default: result = -EINVAL;
        }
    }
    object_put(o);
    return result;
}
