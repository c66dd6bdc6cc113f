// SPDX-License-Identifier: MIT
/*
 * Ports: the server's side of a scheme. port_reply_wait answers one call and waits for the next in
 * one system call; with nothing queued it switches straight back to the caller it has answered.
 */
#include <kernel/event.h>
#include <kernel/file.h>
#include <kernel/mm.h>
#include <kernel/process.h>
#include "ipc.h"

static void port_detach(struct port *p) {
    struct scheme *s = p->scheme;
    if (!s) return; /* never attached */
    spin_lock(&s->lock);
    p->detached = true;
    list_remove(&p->link);
    if (!list_empty(&p->idle_link)) thread_wake(p->thread, 0); /* another thread closed it under its feet */
    list_remove(&p->idle_link);
    if (p->serving) call_file(s, p->serving);
    bool last = list_empty(&s->ports);
    if (last) s->server = nullptr;
    spin_unlock(&s->lock);
    if (last) scheme_server_lost(s);
}

static void port_last_handle(struct object *o) { port_detach(object_as(port, o)); }

static void port_destroy(struct object *o) {
    struct port *p = object_as(port, o);
    if (p->buffer) vunmap(p->buffer);
    for (unsigned i = 0; i < array_size(p->frames); i++)
        if (p->frames[i]) frame_put(p->frames[i]);
    if (p->memory) object_put(memory_object(p->memory));
    if (p->event) object_put(p->event);
    if (p->scheme) object_put(&p->scheme->object);
    kfree(p);
}

static uint32_t port_poll(struct object *o) {
    struct port *p = object_as(port, o);
    return !p->detached && (!list_empty(&p->scheme->queue) || !list_empty(&p->scheme->notes)) ? EVENT_IN : 0;
}

static const struct object_ops port_ops = {
    .type = OBJECT_PORT,
    .name = "port",
    .on_last_handle = port_last_handle,
    .destroy = port_destroy,
    .poll = port_poll,
};

/* The buffer: an ordinary memory object whose pages are all there and stay, mapped in the kernel too. */
static int port_buffer_init(struct port *p) {
    p->memory = memory_create(PORT_BUFFER_SIZE);
    if (!p->memory) return -ENOMEM;
    for (unsigned i = 0; i < array_size(p->frames); i++) {
        struct frame *f = memory_page_get(p->memory, i, true);
        if (is_err(f)) return ptr_err(f);
        p->frames[i] = f;
        preempt_point();
    }
    p->buffer = vmap_frames(p->frames, array_size(p->frames));
    return p->buffer ? 0 : -ENOMEM;
}

/* Calls on files of the last instance that nobody received: their files are reopened first. */
static void scheme_reincarnate(struct scheme *s) REQUIRES(s -> lock) {
    s->incarnation++;
    list_for_each_safe (l, &s->queue) {
        struct call *c = list_entry(l, struct call, link);
        if (!c->incarnation) continue;
        list_remove(l);
        s->queued--;
        call_end(c, -ESTALE);
    }
}

int port_create(struct scheme *s, struct object *event, struct port **out, uaddr_t *address) {
    struct process *self = process_current();
    struct port *p = kzalloc(sizeof(*p));
    if (!p) return -ENOMEM;
    object_init(&p->object, &port_ops);
    list_init(&p->link);
    list_init(&p->idle_link);
    int e = port_buffer_init(p);
    long at = e ? e : space_map(self->space, 0, PORT_BUFFER_SIZE, VM_READ | VM_WRITE | VM_SHARED, p->memory, 0);
    if (at < 0) {
        object_put(&p->object);
        return (int)at;
    }
    spin_lock(&s->lock);
    if (s->failed || (s->server && s->server != self)) e = s->failed ? -ECONNREFUSED : -EBUSY;
    if (!e) {
        if (list_empty(&s->ports)) scheme_reincarnate(s);
        s->server = self;
        p->scheme = s;
        object_get(&s->object);
        list_push_back(&s->ports, &p->link);
    }
    spin_unlock(&s->lock);
    if (e) {
        (void)!space_unmap(self->space, (vaddr_t)at, PORT_BUFFER_SIZE);
        object_put(&p->object);
        return e;
    }
    if (!self->serve_rank || s->rank < self->serve_rank) self->serve_rank = s->rank;
    p->process = self;
    if (event) object_get(event);
    p->event = event;
    *address = (uaddr_t)at;
    *out = p;
    return 0;
}

/* --- the answer --------------------------------------------------------------------------------- */

/* Both with the scheme's lock held.  The second takes the call with this tag off the table: REPLYING, so that its
 * caller waits for DONE. */
static struct call *call_find(struct port *p, uint32_t tag) {
    if (likely(p->serving && p->serving->request.tag == tag)) return p->serving;
    list_for_each (l, &p->scheme->ports) {
        struct call *c = list_entry(l, struct port, link)->serving;
        if (c && c->request.tag == tag) return c;
    }
    list_for_each (l, call_bucket(p->scheme, tag)) {
        struct call *c = list_entry(l, struct call, link);
        if (c->request.tag == tag) return c;
    }
    return nullptr;
}

static struct call *call_take(struct port *p, uint32_t tag, uint32_t flags) {
    struct call *c = call_find(p, tag);
    if (unlikely(!c)) return nullptr;
    if (unlikely(flags & REPLY_BUSY)) { /* still at it: another second for a cancelled call */
        c->request.flags |= REQUEST_RENEWED;
        thread_wake(c->caller, 0);
        return nullptr;
    }
    call_unfile(c);
    atomic_store_explicit(&c->state, CALL_REPLYING, memory_order_relaxed);
    return c;
}

/* The server's handle that goes with the answer; a bad one makes the call fail with EIO. */
static void answer_object(struct call *c, struct reply *r) {
    int e = handle_lookup_transfer(r->handle, &c->reply_object, &c->reply_rights);
    if (!e) return;
    c->reply_object = nullptr;
    r->result = -EIO;
    r->flags = 0;
}

/*
 * Moves the answer in the buffer to its caller: that caller, claimed, for the switch back; or null.
 * The reply is read from the server's buffer once.  An answer to nobody (killed or given up) is
 * dropped; if it had opened a file, *orphan tells the object that must be closed again.
 */
static struct thread *port_answer(struct port *p, uint64_t *orphan) {
    struct scheme *s = p->scheme;
    struct reply *from = &p->buffer->reply;
    uint32_t tag = from->tag, flags = from->flags;
    from->tag = 0;
    spin_lock(&s->lock);
    struct call *c = call_take(p, tag, flags);
    spin_unlock(&s->lock);
    if (unlikely(!c)) {
        if (from->result >= 0 && (flags & (REPLY_FILE | REPLY_BUSY)) == REPLY_FILE) *orphan = from->args[0];
        return nullptr;
    }
    struct thread *caller = c->caller;
    struct reply *r = &c->reply;
    *r = *from;
    r->length = min(r->length, c->out.length);
    if (r->length) pin_write(&c->out, 0, p->buffer->data, r->length);
    if (unlikely(r->flags & REPLY_HANDLE)) answer_object(c, r);
    if (unlikely(r->result <= -ERESTART)) r->result = -EIO; /* these mean something to the kernel */
    r->handle = HANDLE_NONE;
    bool claimed = thread_claim(caller); /* before DONE: see call_end */
    atomic_store_explicit(&c->state, CALL_DONE, memory_order_release);
    return claimed ? caller : nullptr;
}

/* --- the next request --------------------------------------------------------------------------- */

/* A note or queued call into the buffer, with the scheme's lock held on entry; it is released. */
static bool port_take_queued(struct port *p) RELEASES(&p->scheme->lock) UNCHECKED {
    struct scheme *s = p->scheme;
    if (!list_empty(&s->notes)) {
        struct note *n = list_entry(list_pop_front(&s->notes), struct note, link);
        p->buffer->request = n->request;
        void (*sent)(struct note *) = n->sent;
        spin_unlock(&s->lock);
        if (sent) sent(n);
        return true;
    }
    if (list_empty(&s->queue)) {
        spin_unlock(&s->lock);
        return false;
    }
    struct call *c = list_entry(list_pop_front(&s->queue), struct call, link);
    s->queued--;
    call_receive(s, c, p);
    /* Copied with the lock held: the caller may be killed and let go of its pins otherwise. */
    call_deliver(c, p);
    struct object *carried = c->carried;
    uint32_t rights = c->carried_rights;
    c->carried = nullptr;
    unsigned priority = c->caller->priority;
    spin_unlock(&s->lock);
    if (unlikely(carried)) call_carry(carried, rights, p);
    if (priority > thread_current()->priority) thread_lend_priority(thread_current(), priority);
    return true;
}

/* After a wait: off the idle list; true if a client has filled the buffer. */
static bool port_awake(struct port *p) {
    struct scheme *s = p->scheme;
    if (likely(atomic_load_explicit(&p->delivered, memory_order_acquire))) return true;
    spin_lock(&s->lock);
    list_remove(&p->idle_link);
    spin_unlock(&s->lock);
    return atomic_load_explicit(&p->delivered, memory_order_acquire);
}

long port_reply_wait(struct port *p, uint32_t flags, nsec_t deadline) UNCHECKED {
    struct thread *self = thread_current(), *back = nullptr;
    uint64_t orphan = 0;
    if (unlikely(p->process != self->process || p->detached)) return -EINVAL;
    if (unlikely(self->lent_priority)) thread_lend_priority(self, 0);
    if (p->buffer->reply.tag) back = port_answer(p, &orphan);
    if (unlikely(orphan)) {
        p->buffer->request = (struct request){.op = OP_CLOSE, .object = orphan};
        return PORT_REQUEST;
    }
    if (unlikely(flags & PORT_REPLY_ONLY)) {
        if (back) thread_wake_claimed(back, 0);
        return -EAGAIN;
    }
    self->port = p;
    for (;;) {
        struct scheme *s = p->scheme;
        bool event = p->event && unlikely(event_maybe_ready(p->event)) && event_ready(p->event);
        spin_lock(&s->lock);
        if (unlikely(p->detached)) {
            spin_unlock(&s->lock);
            if (back) thread_wake_claimed(back, 0);
            return -EINVAL;
        }
        if (unlikely(p->serving)) call_file(s, p->serving); /* parked */
        bool work = !list_empty(&s->notes) || !list_empty(&s->queue);
        if (unlikely(work || event || deadline == 0 || (flags & PORT_NO_WAIT))) {
            if (event) spin_unlock(&s->lock);
            bool got = !event && port_take_queued(p);
            if (back) thread_wake_claimed(back, 0);
            return event ? PORT_EVENT : got ? PORT_REQUEST : -EAGAIN;
        }
        if (unlikely(!list_empty(&p->idle_link))) { /* another thread waits on this port */
            spin_unlock(&s->lock);
            if (back) thread_wake_claimed(back, 0);
            return -EBUSY;
        }
        bool direct = likely(back && deadline == DEADLINE_NEVER);
        if (direct) thread_sleep_begin(self, s);
        else thread_block_prepare(s, true);
        atomic_store_explicit(&p->delivered, false, memory_order_relaxed);
        if (unlikely(p->event && p->thread != self)) event_set_port_waiter(p->event, self);
        p->thread = self;
        list_push_front(&s->idle, &p->idle_link);
        spin_unlock(&s->lock);
        /* A post after the first look either sees the waiter or is seen here. */
        if (p->event && unlikely(event_maybe_ready(p->event)) && event_ready(p->event)) thread_wake(self, 0);
        int woke = likely(direct) ? thread_switch_to(back)
                   : back         ? thread_block_switch_to(back, deadline)
                                  : thread_block(deadline);
        back = nullptr;
        if (likely(port_awake(p))) return PORT_REQUEST;
        if (p->detached) return -EINVAL;
        if (woke) return woke;
    }
}

/* --- what servers ask ---------------------------------------------------------------------------- */

void port_notify(struct port *p, uint64_t object, uint32_t mask) { scheme_files_notify(p->scheme, object, mask); }

int port_caller(struct port *p, uint32_t tag, struct caller_info *out) {
    struct scheme *s = p->scheme;
    spin_lock(&s->lock);
    struct call *c = call_find(p, tag);
    struct thread *caller = c ? c->caller : nullptr;
    if (caller) thread_get(caller);
    spin_unlock(&s->lock);
    if (!caller) return -ESRCH;
    process_caller_info(caller, out);
    thread_put(caller);
    return 0;
}
