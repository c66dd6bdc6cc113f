// SPDX-License-Identifier: MIT
/*
 * The call, in one page: both ends of the way that nearly all calls take.
 *
 *   client: sys_call                         server: sys_port_reply_wait
 *                                              a  idle: its port is on scheme->idle, its thread ASLEEP
 *   1 copy the request in, look it up
 *   2 lock; claim an idle server's thread;
 *     go to sleep; the call is SERVED; unlock
 *   — committed: nothing below can fail —
 *   3 copy request and data to its buffer
 *   4 switch to it on this CPU               b  returns with the request, works, answers:
 *                                            c  lock; copy the answer to the call; claim the client's
 *                                               thread; the call is DONE; idle, asleep; unlock
 *   5 copy the answer out                    d  switch to it on this CPU
 *
 * Whatever is not usual leaves before it has changed anything, for client.c or port.c: nobody idle, notes
 * to be heard first, answers by another thread, work for a thread that is about to sleep.  An open comes
 * here from client.c, with slot and file made; closes that were late and the plane's handle go along.
 *
 * Races.  From 2 and c on, anyone may wake the thread that goes to sleep: a signal, a kill, an event.  It
 * is then on a run queue, goes through its switch all the same, and finds out afterwards: the client by
 * the call's state (call_wait), the server by port->delivered (port_resume).  A claimed thread belongs to
 * who claimed it: whatever else would wake it passes by, and is seen in thread->work on its way out.
 */
#include <asm/string.h>
#include <asm/user.h>
#include <kernel/file.h>
#include <kernel/process.h>
#include <kernel/syscall.h>
#include "../sched/sched.h"
#include "ipc.h"

#define ARGS_WORDS (offsetof(struct call, carried) / 8)
static_assert(offsetof(struct call, carried) == offsetof(struct call_args, reply), "read in one piece");

/* From one end to the other on this CPU: at once if both are of one kind, and nothing else wants to run. */
[[gnu::always_inline]] static inline void switch_to(struct thread *self, struct thread *next, bool lend) {
    if (likely(!atomic_peek(uint32_t, &self->work)) && likely(next->place == self->place) &&
        likely(next->affinity == UINT64_MAX))
        thread_switch_here(self, next);
    else switch_long(next, lend);
}

/* --- the client --------------------------------------------------------------------------------- */

/*
 * Whether the call is one that client.c need not prepare: no handle goes along or is made (OPEN, MAP), no
 * deadline, little room for an answer, nothing for the kernel to keep (LOCK, SYNC, WATCH), no right to be had
 * (READ, WRITE, ALLOCATE).
 */
#define OP(op) (1ULL << (op))
#define PATH_OPS (UINT32_MAX * OP(OP_OPEN))
#define WALKING_OPS (PATH_OPS | OP(OP_STAT) | OP(OP_SET_ATTRIBUTES)) /* the last two also work on an open file */
#define OTHER_OPS (OP(OP_CONTROL) | OP(OP_STATFS) | OP(OP_CHANNEL_INFO))
static inline bool is_direct(struct file *f, struct call *c) {
    uint32_t op = c->request.op;
    if (unlikely(c->out_size > CALL_ANSWER_SMALL) || unlikely(c->carry != HANDLE_NONE) ||
        unlikely(c->deadline != DEADLINE_NEVER))
        return false;
    if (likely(op >= OP_USER)) return true;
    if (op >= 64 || !((OTHER_OPS | (WALKING_OPS & ~OP(OP_OPEN))) >> op & 1)) return false;
    if ((WALKING_OPS >> op & 1) && (op != OP_STAT || c->request.length)) call_stamp_root(f->scheme, c);
    return true;
}

/*
 * The answer's result; CALL_NOT_MADE for client.c, which makes the call another way.  whole: no
 * handle goes along, and the answer's data and handle are delivered.
 */
[[gnu::always_inline]] static inline long call_make(struct thread *self, struct scheme *s, struct call *c,
                                                    uint32_t incarnation, bool whole) {
    spin_lock(&s->lock);
    struct port *p = s->idle;
    struct thread *server; /* a hostile process may let another thread wait on the port at any time */
    if (unlikely(!p) || unlikely(incarnation != s->incarnation)) goto not_made;
    server = p->thread;
    if (unlikely(s->indirect)) {
        if (!port_take_closes(s, p, true)) goto not_made;
    } else if (unlikely(!thread_claim_asleep(server))) {
        goto not_made;
    }
    s->idle = p->idle_next;
    call_receive(s, c, p);
    if (!whole) c->served_by = incarnation;
    thread_sleep_begin(self, s);
    spin_unlock(&s->lock);
    /* committed: nothing below can fail */
    struct port_buffer *b = p->buffer;
    uint32_t length = c->request.length;
    asm_copy(&b->request, &c->request, sizeof(b->request));
    if (length && (length > CALL_DATA_MAX || copy_from_user_nofault(b->data, c->in_address, length)))
        return call_retract(s, c, p, server); /* but a page that is not there */
    if (!whole && c->carried) {
        port_carry(p, c->carried, c->carried_rights);
        c->carried = nullptr;
    }
    p->delivered |= DELIVERED_REQUEST;
    switch_to(self, server, true);
    bool done = atomic_peek(uint8_t, &c->state) == CALL_DONE;
    atomic_signal_fence(memory_order_acquire);
    if (unlikely(!done)) return whole ? call_finish(s, c) : call_woken(s, c);
    atomic_store_explicit(&self->sleep, SLEEP_AWAKE, memory_order_relaxed);
    return c->reply.result;
not_made:
    spin_unlock(&s->lock);
    return CALL_NOT_MADE;
}

long call_try(struct scheme *s, struct call *c) {
    return call_make(thread_current(), s, c, c->incarnation ? c->incarnation : scheme_incarnation(s), false);
}

long sys_call(handle_t h, struct call_args *args) {
    struct thread *self = thread_current();
    struct process *process = self->process;
    struct call *c = &self->call;
    lock_check_none();
    if (unlikely(!copy_words_from_user(&c->request, (uaddr_t)args, ARGS_WORDS))) return -EFAULT;
    c->request.flags &= REQUEST_IDEMPOTENT | REQUEST_NO_RESTART;
    long result = CALL_NOT_MADE;
    if (likely(handle_is_cached(&self->called, h, process))) {
        struct file *f = object_as(file, self->called.object);
        if (likely(is_direct(f, c)) && likely(!process->serve_rank || f->scheme->rank < process->serve_rank)) {
            c->request.object = f->id;
            c->request.credentials = atomic_load_explicit(&process->cred, memory_order_relaxed)->c.id;
            c->request.pid = process->pid;
            result = call_make(self, f->scheme, c, f->incarnation, true);
        }
    }
    if (unlikely(result < 0)) result = call_error(h, c, result);
    return likely(copy_words_to_user((uaddr_t)&args->reply, &c->reply, sizeof(c->reply) / 8)) ? result : -EFAULT;
}

/* --- the server --------------------------------------------------------------------------------- */

/* PORT_WAIT where nothing was done, or nothing came of it: port.c goes on. */
[[gnu::always_inline]] static inline long port_direct(struct thread *self, struct port *p) {
    struct scheme *s = p->scheme;
    struct port_buffer *b = p->buffer;
    spin_lock(&s->lock);
    struct call *c = p->serving; /* null also if the port is detached */
    if (unlikely(!c) || unlikely(s->indirect & INDIRECT_QUEUED)) goto slow;
    struct reply *r = &c->reply;
    struct thread *caller = call_thread(c);
    uint8_t done = CALL_DONE;
    asm_copy(r, &b->reply, sizeof(*r)); /* once: the server may write to it at any time */
    if (unlikely(r->tag != c->request.tag)) goto slow;
    if (unlikely(r->flags & (REPLY_HANDLE | REPLY_BUSY))) {
        if (!call_answer_object(c, self->process)) goto slow;
        done = CALL_ANSWERED;
    }
    if (unlikely(r->length)) {
        if (!call_answer_data(c, p)) goto undo;
        done = CALL_ANSWERED;
    }
    if (unlikely(!thread_claim_asleep(caller))) goto undo;
    b->reply.tag = 0;
    r->handle = HANDLE_NONE;
    atomic_store_explicit(&c->state, done, memory_order_release);
    p->serving = nullptr;
    p->delivered = 0;
    p->idle_next = s->idle;
    s->idle = p;
    thread_sleep_begin(self, s);
    spin_unlock(&s->lock);
    /* A post at the event either sees us asleep or is seen here. */
    if (unlikely(atomic_peek(bool, &p->event_hint))) thread_wake(self, 0);
    switch_to(self, caller, false);
    if (unlikely(p->delivered != DELIVERED_REQUEST)) return port_resume(p, thread_awake(self));
    atomic_store_explicit(&self->sleep, SLEEP_AWAKE, memory_order_relaxed);
    return PORT_REQUEST;
undo:
    if (c->reply_object) object_handle_put(c->reply_object); /* not the last: the server has one */
    c->reply_object = nullptr;
slow:
    spin_unlock(&s->lock);
    return PORT_WAIT;
}

long sys_port_reply_wait(handle_t h, uint32_t flags, int64_t deadline) {
    struct thread *self = thread_current();
    if (likely(handle_is_cached(&self->served, h, self->process)) && likely(!flags) &&
        likely(deadline == DEADLINE_NEVER) && likely(!self->lent_priority)) {
        struct port *p = object_as(port, self->served.object);
        long result = likely(p->thread == self) ? port_direct(self, p) : PORT_WAIT;
        if (likely(result != PORT_WAIT)) return result;
    }
    return port_handle(h, flags, deadline);
}
