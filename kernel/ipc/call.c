// SPDX-License-Identifier: MIT
/*
 * The scheme call: lookup, validate, commit, move, switch.
 *
 * Client                                   Server (port.c)
 *   1 buffers pinned by the caller           a  reply_wait: idle, BLOCKED
 *   2 prepare to block
 *   3 lock; take an idle server; file the
 *     call by tag; unlock
 *   — committed: nothing below can fail —
 *   4 copy request and data to its buffer
 *   5 switch to it on this CPU               b  returns with the request
 *                                            c  reply_wait: finds the call by tag,
 *   6 runs again with the answer                copies the answer, switches back
 *
 * Races.  A signal, a deadline or a kill may wake the client at any time after 3; the call's state,
 * changed under the scheme's lock, says who is first: QUEUED calls are simply withdrawn; SERVED ones
 * get a CANCEL and wait on; REPLYING ones are about to be DONE.  The answer wins.
 */
#include <kernel/clock.h>
#include <kernel/log.h>
#include <kernel/file.h>
#include <kernel/process.h>
#include "ipc.h"

#define CANCEL_GRACE_NS 1000000000LL

void call_deliver(struct call *c, struct port *p) {
    struct port_buffer *b = p->buffer;
    b->request = c->request;
    if (unlikely(c->request.length)) pin_read(&c->in, 0, b->data, c->request.length);
}

void call_carry(struct object *carried, uint32_t rights, struct port *p) {
    struct request *r = &p->buffer->request;
    if (carried->ops == &file_ops && object_as(file, carried)->scheme == p->scheme) {
        r->flags |= REQUEST_OWN_FILE;
        r->args[3] = object_as(file, carried)->id;
        object_handle_put(carried);
        return;
    }
    handle_t h = handle_install_in(&p->process->handles, carried, rights, HANDLE_IN_UPPER);
    r->args[3] = (uint64_t)(int64_t)h;
    if (h >= 0) r->flags |= REQUEST_HANDLE;
}

/* The caller's own delivery to an idle server. */
static void call_deliver_direct(struct call *c, struct port *p) {
    struct object *carried = c->carried;
    c->carried = nullptr;
    call_deliver(c, p);
    if (unlikely(carried)) call_carry(carried, c->carried_rights, p);
    atomic_store_explicit(&p->delivered, true, memory_order_release);
}

void call_receive(struct scheme *s, struct call *c, struct port *p) {
    if (unlikely(++s->next_tag == 0)) s->next_tag = 1;
    c->request.tag = s->next_tag;
    atomic_store_explicit(&c->state, CALL_SERVED, memory_order_relaxed);
    c->port = p;
    p->serving = c;
    s->calls++;
}

void call_file(struct scheme *s, struct call *c) {
    c->port->serving = nullptr;
    c->port = nullptr;
    list_push_front(call_bucket(s, c->request.tag), &c->link);
}

void call_unfile(struct call *c) {
    if (likely(c->port)) {
        c->port->serving = nullptr;
        c->port = nullptr;
    } else {
        list_remove(&c->link);
    }
}

/* By priority, then in order. */
static void queue_insert(struct scheme *s, struct call *c) REQUIRES(s -> lock) {
    struct list *at = s->queue.prev;
    while (at != &s->queue && list_entry(at, struct call, link)->caller->priority < c->caller->priority) at = at->prev;
    list_insert_between(&c->link, at, at->next);
    c->port = nullptr;
    c->state = CALL_QUEUED;
    s->queued++;
}

static bool killed(const struct thread *t) { return atomic_load(&t->work) & WORK_EXIT; }

static void cancel_sent(struct note *n) { thread_put(container_of(n, struct thread, call.cancel)); }

/* Tells the server that the caller lost interest. The note keeps the thread's memory. */
static void call_send_cancel(struct scheme *s, struct call *c) {
    if (!list_empty(&c->cancel.link)) return;
    thread_get(c->caller);
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
    if (queued) thread_put(c->caller);
}

/* The caller woke without an answer. True: stop waiting, *result is set. */
static bool call_interrupted(struct scheme *s, struct call *c, int why, bool cancelled, long *result) {
    spin_lock(&s->lock);
    bool over = c->state == CALL_QUEUED || (c->state == CALL_SERVED && (killed(c->caller) || cancelled));
    if (over) {
        bool queued = c->state == CALL_QUEUED;
        if (queued) list_remove(&c->link);
        else call_unfile(c);
        if (queued) s->queued--;
        else if (cancelled && !killed(c->caller))
            klog(LOG_WARN, "scheme %s: no answer to a cancelled call (op %u): hung", s->name, c->request.op);
    }
    bool served = c->state == CALL_SERVED;
    if (over) atomic_store(&c->state, CALL_NONE); /* else it may have become DONE: that stays */
    spin_unlock(&s->lock);
    if (served && !cancelled) call_send_cancel(s, c);
    *result = why;
    return over;
}

static long call_wait(struct scheme *s, struct call *c, int woke, nsec_t deadline) {
    bool cancelled = false;
    int reason = 0;
    long result;
    while (atomic_load_explicit(&c->state, memory_order_acquire) != CALL_DONE) {
        if (c->state == CALL_REPLYING) {
            cpu_pause();
            arch_ipi_poll();
            continue;
        }
        if (woke && !reason) reason = woke;
        if (woke && call_interrupted(s, c, reason, cancelled, &result)) return result;
        if (woke && !cancelled) {
            cancelled = true;
            deadline = clock_now() + CANCEL_GRACE_NS;
        }
        thread_block_prepare(s, !cancelled);
        if (c->state == CALL_DONE || c->state == CALL_REPLYING) thread_block_cancel();
        else woke = thread_block(deadline);
        if (c->request.flags & REQUEST_RENEWED) { /* BUSY: another second */
            c->request.flags &= (uint16_t)~REQUEST_RENEWED;
            if (cancelled) deadline = clock_now() + CANCEL_GRACE_NS;
            woke = 0;
        }
    }
    if (cancelled) call_withdraw_cancel(s, c);
    c->state = CALL_NONE;
    return c->reply.result;
}

long scheme_call(struct scheme *s, struct call *c, nsec_t deadline) {
    struct thread *self = thread_current();
    struct process *p = self->process;
    c->caller = self;
    c->request.pid = p->pid;
    c->request.credentials = atomic_load_explicit(&p->cred, memory_order_relaxed)->c.id;
    cpu_count(COUNT_CALL);
    if (unlikely(p->serve_rank && s->rank >= p->serve_rank)) {
        klog(LOG_ERROR, "%s (rank %u) calls %s (rank %u): refused", p->name, p->serve_rank, s->name, s->rank);
        return -EDEADLK;
    }
    spin_lock(&s->lock);
    if (unlikely(s->failed || (c->incarnation && c->incarnation != s->incarnation))) {
        bool failed = s->failed;
        spin_unlock(&s->lock);
        return failed ? -ECONNREFUSED : -ESTALE;
    }
    struct thread *server = scheme_take_idle(s);
    int woke;
    if (likely(server && list_empty(&s->notes) && deadline == DEADLINE_NEVER)) {
        thread_sleep_begin(self, s);
        call_receive(s, c, server->port);
        spin_unlock(&s->lock);
        /* committed: nothing below can fail */
        call_deliver_direct(c, server->port);
        if (unlikely(self->priority > server->priority)) thread_lend_priority(server, self->priority);
        woke = thread_switch_to(server);
    } else { /* behind the notes: a DETACH must come before the next LOCK */
        thread_block_prepare(s, true);
        queue_insert(s, c);
        spin_unlock(&s->lock);
        woke = server ? thread_block_switch_to(server, deadline) : thread_block(deadline);
    }
    if (likely(atomic_load_explicit(&c->state, memory_order_acquire) == CALL_DONE)) {
        atomic_store_explicit(&c->state, CALL_NONE, memory_order_relaxed);
        return c->reply.result;
    }
    return call_wait(s, c, woke, deadline);
}

long scheme_call_simple(struct scheme *s, uint16_t op, uint64_t object, uint64_t a0, uint64_t a1, uint64_t a2,
                        struct reply *reply, nsec_t deadline) {
    struct call *c = &thread_current()->call;
    uint8_t outer[offsetof(struct call, cancel)]; /* a fault on a buffer of another call may be why */
    __builtin_memcpy(outer, c, sizeof(outer));
    c->request = (struct request){.op = op, .object = object, .args = {a0, a1, a2}};
    c->in.count = c->out.count = 0;
    c->out.length = 0;
    c->incarnation = 0;
    c->carried = nullptr;
    long result = scheme_call(s, c, deadline);
    if (c->reply_object) object_handle_put(c->reply_object);
    if (reply) *reply = c->reply;
    __builtin_memcpy(c, outer, sizeof(outer));
    return result;
}
