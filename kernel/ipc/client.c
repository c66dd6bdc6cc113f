// SPDX-License-Identifier: MIT
/*
 * The client's long ways: calls of anything but open files, with names, handles or much data, calls that
 * wait for a server, and calls whose caller is woken before the answer.
 *
 * A signal, a deadline or a kill may wake the client at any time; the call's state, changed under the
 * scheme's lock, says who is first: QUEUED calls are simply withdrawn; SERVED ones get a CANCEL and wait
 * on; REPLYING ones are about to be DONE.  The answer wins.
 */
#include <asm/user.h>
#include <kernel/clock.h>
#include <kernel/file.h>
#include <kernel/log.h>
#include <kernel/namespace.h>
#include <kernel/process.h>
#include "ipc.h"

#define CANCEL_GRACE_NS 1000000000LL

void switch_long(struct thread *next, bool lend) {
    unsigned priority = thread_current()->priority;
    if (lend && priority > next->priority) thread_lend_priority(next, priority);
    thread_switch_to(next);
}

/* --- waiting ------------------------------------------------------------------------------------ */

/* By priority, then in order. */
static void queue_insert(struct scheme *s, struct call *c) REQUIRES(s -> lock) {
    struct list *at = s->queue.prev;
    unsigned priority = call_thread(c)->priority;
    while (at != &s->queue && call_thread(list_entry(at, struct call, link))->priority < priority) at = at->prev;
    list_insert_between(&c->link, at, at->next);
    c->state = CALL_QUEUED;
    s->queued++;
    s->indirect |= INDIRECT_QUEUED;
}

static void cancel_sent(struct note *n) { thread_put(container_of(n, struct thread, call.cancel)); }

/* Tells the server that the caller lost interest. The note keeps the thread's memory. */
static void call_send_cancel(struct scheme *s, struct call *c) {
    if (!list_empty(&c->cancel.link)) return;
    thread_get(call_thread(c));
    c->cancel.request = (struct request){.op = OP_CANCEL, .args = {c->request.tag}};
    c->cancel.sent = cancel_sent;
    scheme_note(s, &c->cancel, 0);
}

/* The answer came first: nobody needs to hear of the cancel any more. */
static void call_withdraw_cancel(struct scheme *s, struct call *c) {
    spin_lock(&s->lock);
    bool queued = !list_empty(&c->cancel.link);
    list_remove(&c->cancel.link);
    spin_unlock(&s->lock);
    if (queued) thread_put(call_thread(c));
}

/* The caller woke without an answer. True: it stops waiting. */
static bool call_interrupted(struct scheme *s, struct call *c, bool cancelled) {
    bool killed = atomic_load(&call_thread(c)->work) & WORK_EXIT;
    spin_lock(&s->lock);
    bool queued = c->state == CALL_QUEUED, served = c->state == CALL_SERVED;
    bool over = queued || (served && (killed || cancelled));
    if (queued) {
        list_remove(&c->link);
        s->queued--;
    } else if (over) {
        call_unfile(s, c);
        if (!killed) klog(LOG_WARN, "scheme %s: no answer to a cancelled call (op %u): hung", s->name, c->request.op);
    }
    if (over) { /* else it may have become DONE: that stays */
        atomic_store(&c->state, CALL_NONE);
        c->reply = (struct reply){.handle = HANDLE_NONE};
    }
    spin_unlock(&s->lock);
    if (served && !cancelled) call_send_cancel(s, c);
    return over;
}

static long call_wait(struct scheme *s, struct call *c, int woke, nsec_t deadline) {
    bool cancelled = false;
    int reason = 0;
    while (atomic_load_explicit(&c->state, memory_order_acquire) < CALL_DONE) {
        if (c->state == CALL_REPLYING) {
            cpu_pause();
            arch_ipi_poll();
            continue;
        }
        if (woke && !reason) reason = woke;
        if (woke && call_interrupted(s, c, cancelled)) return reason;
        if (woke && !cancelled) {
            cancelled = true;
            deadline = clock_now() + CANCEL_GRACE_NS;
        }
        thread_block_prepare(s, !cancelled);
        if (c->state >= CALL_REPLYING) thread_block_cancel();
        else woke = thread_block(deadline);
        if (c->request.flags & REQUEST_RENEWED) { /* BUSY: another second */
            c->request.flags &= (uint16_t)~REQUEST_RENEWED;
            if (cancelled) deadline = clock_now() + CANCEL_GRACE_NS;
            woke = 0;
        }
    }
    if (cancelled) call_withdraw_cancel(s, c);
    c->state = CALL_NONE;
    long result = c->reply.result;
    if (cancelled && result == -EINTR) return reason; /* the server doesn't know why */
    return result <= -ERESTART ? -EIO : result;
}

/*
 * The data of a direct call was not in memory.  We are asleep already: whoever wakes us, we must go through
 * the switch.  The server finds nothing delivered and waits again, or the closes that would have come along;
 * the caller tries again with pages pinned.
 */
long call_retract(struct scheme *s, struct call *c, struct port *p, struct thread *server) {
    spin_lock(&s->lock);
    if (c->state == CALL_SERVED) {
        call_unfile(s, c);
        atomic_store(&c->state, CALL_NONE);
    } /* else a server answers what it never got, by a guess */
    spin_unlock(&s->lock);
    if (p->delivered) port_close_request(p);
    thread_wake(thread_current(), 0);
    thread_switch_to(server);
    thread_awake(thread_current());
    return c->state == CALL_NONE ? CALL_NOT_MADE : call_wait(s, c, 0, DEADLINE_NEVER);
}

long call_woken(struct scheme *s, struct call *c) {
    int woke = thread_awake(thread_current());
    bool done = atomic_load_explicit(&c->state, memory_order_acquire) >= CALL_DONE;
    return likely(done) ? c->reply.result : call_wait(s, c, woke, DEADLINE_NEVER);
}

/*
 * The caller is claimed before the call is DONE: after that it may run and exit on another CPU.
 * One that was about to sleep is woken by the claim, sees REPLYING, and spins until DONE.
 */
void call_end(struct call *c, int error) {
    struct thread *caller = call_thread(c);
    atomic_store(&c->state, CALL_REPLYING);
    bool claimed = thread_claim(caller);
    c->reply = (struct reply){.result = error, .handle = HANDLE_NONE};
    atomic_store_explicit(&c->state, CALL_DONE, memory_order_release);
    if (claimed) thread_wake_claimed(caller, 0);
}

/* Waits for a server, or behind the notes: a DETACH must come before the next LOCK. */
static long call_queue(struct scheme *s, struct call *c, nsec_t deadline) {
    int e = c->request.length ? pin_user(&c->in, c->in_address, c->request.length, false) : 0;
    if (e) return e;
    spin_lock(&s->lock);
    bool stale = c->incarnation && c->incarnation != s->incarnation;
    if (s->failed || stale) {
        e = s->failed ? -ECONNREFUSED : -ESTALE;
        spin_unlock(&s->lock);
        pin_release(&c->in);
        return e;
    }
    struct port *idle = scheme_take_idle(s);
    struct thread *server = idle ? idle->thread : nullptr;
    thread_block_prepare(s, true);
    queue_insert(s, c);
    spin_unlock(&s->lock);
    /* committed: nothing below can fail */
    int woke = server ? thread_block_switch_to(server, deadline) : thread_block(deadline);
    long result = call_wait(s, c, woke, deadline);
    pin_release(&c->in);
    return result;
}

/* What is not pinned for the answer's data is copied. The caller may have made its buffer go away meanwhile: EFAULT. */
static int answer_copy_out(struct call *c) {
    uint32_t n = c->reply.length;
    if (!n || c->out.count) return 0;
    if (likely(n % 8 == 0)) return copy_words_to_user(c->out_address, c->answer, n / 8) ? 0 : -EFAULT;
    return copy_to_user(c->out_address, c->answer, n);
}

long scheme_call(struct scheme *s, struct call *c, nsec_t deadline) {
    struct process *p = process_current();
    c->request.pid = p->pid;
    c->request.credentials = atomic_load_explicit(&p->cred, memory_order_relaxed)->c.id;
    c->reply = (struct reply){.handle = HANDLE_NONE};
    if (unlikely(p->serve_rank && s->rank >= p->serve_rank)) {
        klog(LOG_ERROR, "%s (rank %u) calls %s (rank %u): refused", p->name, p->serve_rank, s->name, s->rank);
        return -EDEADLK;
    }
    int e = c->out_size > CALL_ANSWER_SMALL ? pin_user(&c->out, c->out_address, c->out_size, true) : 0;
    if (e) return e;
    bool idle = __atomic_load_n(&s->idle, __ATOMIC_RELAXED); /* call_try() looks again, with the lock */
    long result = deadline == DEADLINE_NEVER && idle ? call_try(s, c) : CALL_NOT_MADE;
    if (result == CALL_NOT_MADE) result = call_queue(s, c, deadline);
    e = answer_copy_out(c);
    pin_release(&c->out);
    return e ? e : result;
}

long scheme_call_simple(struct scheme *s, uint16_t op, uint64_t object, uint64_t a0, uint64_t a1, uint64_t a2,
                        struct reply *reply, nsec_t deadline) {
    struct call *c = &thread_current()->call;
    uint8_t outer[offsetof(struct call, cancel)]; /* a fault on a buffer of another call may be why */
    __builtin_memcpy(outer, c, sizeof(outer));
    c->request = (struct request){.op = op, .object = object, .args = {a0, a1, a2}};
    c->in.count = c->out.count = c->out_size = 0;
    c->incarnation = 0;
    c->carried = c->reply_object = nullptr;
    long result = scheme_call(s, c, deadline);
    if (c->reply_object) object_handle_put(c->reply_object);
    if (reply) *reply = c->reply;
    __builtin_memcpy(c, outer, sizeof(outer));
    return result;
}

/* --- system calls ------------------------------------------------------------------------------- */

static bool is_path_op(uint16_t op) { return op >= OP_OPEN && op < OP_CLOSE; }

/* Ops that may walk a path: beside those, the two that also work on an open file. */
static bool may_walk(uint16_t op) { return is_path_op(op) || op == OP_STAT || op == OP_SET_ATTRIBUTES; }

/* What clients may send: not the kernel's one-way messages, nor what it asks on their behalf. */
static bool op_allowed(uint16_t op) {
    return op != 0 && op != OP_RESERVE && op != OP_EXECUTE && (op < OP_CLOSE || op >= OP_USER);
}

/* Path walks stop at the process's root directory: the kernel says which object that is. */
void call_stamp_root(struct scheme *s, struct call *c) {
    struct request *r = &c->request;
    struct borrowed b = handle_borrow(process_current(), HANDLE_ROOT, OBJECT_FILE);
    r->args[2] = 0;
    if (is_err(b.object)) return;
    struct file *root = object_as(file, b.object);
    if (root->scheme == s) {
        r->args[2] = root->id;
        r->flags |= REQUEST_ROOT_IS_OURS;
    }
    handle_return(b);
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
        break;
    }
    case OBJECT_NAMESPACE: return is_path_op(c->request.op) ? resolve_name(o, c, out) : -EINVAL;
    case OBJECT_SCHEME: *out = object_as(scheme, o); break;
    default: return -ENOTTY;
    }
    object_get(&(*out)->object);
    return 0;
}

/* What comes back with an answer: a new file in the slot reserved for it, or the server's object. */
static handle_t accept_handle(struct call *c, struct file *f, handle_t slot, uint32_t status) {
    struct object *carried = c->reply_object;
    c->reply_object = nullptr;
    if (f && (c->reply.flags & REPLY_FILE)) {
        int e = file_open_reply(f, &c->reply, c->served_by, carried, status);
        f->detach = c->reply.flags & REPLY_WATCH_DETACH;
        f->close_late = c->reply.flags & REPLY_CLOSE_LATE;
        object_handle_get(&f->object);
        if (e) {
            object_handle_put(&f->object); /* sends CLOSE */
            return e;
        }
        handle_publish(slot, &f->object, file_rights(f), c->handle_flags);
        return slot;
    }
    if (!carried) return HANDLE_NONE;
    if (slot < 0) return handle_install(carried, c->reply_rights, c->handle_flags);
    handle_publish(slot, carried, c->reply_rights, c->handle_flags);
    return slot;
}

long call_finish(struct scheme *s, struct call *c) {
    long result = call_woken(s, c);
    int e = answer_copy_out(c);
    handle_t h = c->reply_object ? accept_handle(c, nullptr, HANDLE_NONE, 0) : HANDLE_NONE;
    c->reply.handle = max(h, HANDLE_NONE);
    return e ? e : h < HANDLE_NONE ? h : result;
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
    handle_t slot = HANDLE_NONE, h = HANDLE_NONE;
    uint32_t status = (uint32_t)c->request.args[0];
    if (may_walk(c->request.op)) call_stamp_root(s, c);
    int e = c->carry != HANDLE_NONE ? handle_lookup_transfer(c->carry, &c->carried, &c->carried_rights) : 0;
    if (!e && c->request.op == OP_OPEN) e = open_prepare(s, c->handle_flags, &f, &slot);
    long result = e ? e : scheme_call(s, c, c->deadline);
    if (c->carried) object_handle_put(c->carried); /* not delivered */
    c->carried = nullptr;
    if (result >= 0) h = accept_handle(c, f, slot, status);
    if (c->reply_object) object_handle_put(c->reply_object);
    c->reply_object = nullptr;
    if (slot >= 0 && h != slot) handle_unreserve(slot);
    if (f) object_put(&f->object);
    c->reply.handle = max(h, HANDLE_NONE);
    return h < HANDLE_NONE ? h : result;
}

/* fsync also reports, once per description, what write-back could not write. */
static long sync_result(struct object *o, long result) {
    struct file *f = o->ops == &file_ops ? object_as(file, o) : nullptr;
    if (result < 0 || !f || f->plane != PLANE_MEMORY) return result;
    int e = memory_take_error(f->memory, &f->error_seen);
    return e ? e : result;
}

static long call_object(struct object *o, struct call *c) {
    struct request sent = c->request;
    c->out_size = min(c->out_size, (uint32_t)CALL_DATA_MAX);
    if (unlikely(!op_allowed(sent.op))) return -EINVAL;
    if (unlikely(sent.length > CALL_DATA_MAX)) return -EMSGSIZE;
    for (int tries = 0;; tries++) {
        struct scheme *s = nullptr;
        int e = resolve_target(o, c, &s);
        long result = e ? e : call_run(s, c);
        if (s) object_put(&s->object);
        if (sent.op == OP_LOCK && o->ops == &file_ops && (c->reply.flags & REPLY_WATCH_DETACH))
            object_as(file, o)->detach = true;
        if (likely(result != -ESTALE || c->incarnation == 0 || tries == 2))
            return sent.op == OP_SYNC ? sync_result(o, result) : result;
        c->request = sent; /* the server was replaced while the call waited: reopen and try again */
    }
}

/* What a file must have been opened for; the ops about its content that don't come by sys_io(). */
static uint32_t rights_needed(uint32_t op) {
    return op == OP_READ ? RIGHT_READ : op == OP_WRITE || op == OP_ALLOCATE ? RIGHT_WRITE : 0;
}

static long call_handle(handle_t h, struct call *c) {
    struct process *process = process_current();
    struct borrowed b = handle_borrow(process, h, 0);
    c->reply = (struct reply){.handle = HANDLE_NONE};
    if (is_err(b.object)) return ptr_err(b.object);
    if (b.object->ops == &file_ops) handle_cache_fill(&thread_current()->called, h, process, b);
    bool may = b.object->ops != &file_ops || !(rights_needed(c->request.op) & ~b.rights);
    long result = may ? call_object(b.object, c) : -EBADF;
    handle_return(b);
    return result;
}

long call_error(handle_t h, struct call *c, long result) {
    if (result == CALL_NOT_MADE || result == -ESTALE) result = call_handle(h, c);
    if (result <= -ERESTART) result = -EIO; /* these mean something to the kernel */
    c->reply.result = result;
    return result != -EINTR ? result : c->request.flags & REQUEST_NO_RESTART ? -ERESTARTNOHAND : -ERESTART;
}
