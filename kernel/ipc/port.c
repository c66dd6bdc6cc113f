// SPDX-License-Identifier: MIT
/*
 * Ports: the server's side of a scheme, and its long ways to answer one call and wait for the next: notes
 * and queued calls, events, deadlines, handles, parked calls, calls that another thread took.
 */
#include <asm/string.h>
#include <kernel/event.h>
#include <kernel/file.h>
#include <kernel/mm.h>
#include <kernel/process.h>
#include "ipc.h"

/* False: a client, or a note, has taken it. */
static bool idle_remove(struct scheme *s, struct port *p) REQUIRES(s -> lock) {
    for (struct port **at = &s->idle; *at; at = &(*at)->idle_next) {
        if (*at != p) continue;
        *at = p->idle_next;
        return true;
    }
    return false;
}

static void port_detach(struct port *p) {
    struct scheme *s = p->scheme;
    if (!s) return; /* never attached */
    spin_lock(&s->lock);
    p->detached = true;
    list_remove(&p->link);
    if (idle_remove(s, p)) thread_wake(p->thread, 0); /* another thread closed it under its feet */
    call_park(s, p);
    bool last = list_empty(&s->ports); /* until s->server is null nobody can attach */
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
    if (p->event) {
        event_set_port_waiter(p->event, nullptr, &p->event_hint);
        object_put(p->event);
    }
    if (p->scheme) object_put(&p->scheme->object);
    kfree(p);
}

static uint32_t port_poll(struct object *o) {
    struct port *p = object_as(port, o);
    struct scheme *s = p->scheme;
    spin_lock(&s->lock);
    bool ready = !p->detached && (!list_empty(&s->queue) || !list_empty(&s->notes));
    spin_unlock(&s->lock);
    return ready ? EVENT_IN : 0;
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

/*
 * Calls on files of the last instance that nobody received: their files are reopened first.  That these have been
 * closed is no news for the next one, in which their ids may mean other files: these notes go to `stale`.
 */
static void scheme_reincarnate(struct scheme *s, struct list *stale) REQUIRES(s -> lock) {
    s->incarnation++;
    s->closed_count = 0; /* the old one's ids may mean other files now */
    s->indirect &= (uint8_t)~INDIRECT_CLOSES;
    list_for_each_safe (l, &s->queue) {
        struct call *c = list_entry(l, struct call, link);
        if (!c->incarnation) continue;
        list_remove(l);
        s->queued--;
        call_end(c, -ESTALE);
    }
    list_for_each_safe (l, &s->notes) {
        const struct request *r = &list_entry(l, struct note, link)->request;
        if (r->op != OP_CLOSE && r->op != OP_DETACH) continue;
        list_remove(l);
        list_push_back(stale, l);
    }
}

int port_create(struct scheme *s, struct object *event, struct port **out, uaddr_t *address) {
    struct process *self = process_current();
    struct port *p = kzalloc(sizeof(*p));
    if (!p) return -ENOMEM;
    object_init(&p->object, &port_ops);
    list_init(&p->link);
    int e = port_buffer_init(p);
    long at = e ? e : space_map(self->space, 0, PORT_BUFFER_SIZE, VM_READ | VM_WRITE | VM_SHARED, p->memory, 0);
    if (at < 0) {
        object_put(&p->object);
        return (int)at;
    }
    struct list stale, *note;
    list_init(&stale);
    spin_lock(&s->lock);
    bool busy = s->server && (s->server != self || list_empty(&s->ports));
    if (s->failed || busy) e = s->failed ? -ECONNREFUSED : -EBUSY;
    if (!e) {
        if (list_empty(&s->ports)) scheme_reincarnate(s, &stale);
        s->server = self;
        p->scheme = s;
        object_get(&s->object);
        list_push_back(&s->ports, &p->link);
    }
    spin_unlock(&s->lock);
    while ((note = list_pop_front(&stale)))
        list_entry(note, struct note, link)->sent(list_entry(note, struct note, link));
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

static struct call *call_take(struct port *p, uint32_t tag, uint32_t flags) UNCHECKED {
    struct call *c = call_find(p, tag);
    if (unlikely(!c)) return nullptr;
    if (unlikely(flags & REPLY_BUSY)) { /* still at it: another second for a cancelled call */
        c->request.flags |= REQUEST_RENEWED;
        thread_wake(call_thread(c), 0);
        return nullptr;
    }
    call_unfile(p->scheme, c);
    atomic_store_explicit(&c->state, CALL_REPLYING, memory_order_relaxed);
    return c;
}

/* The answer's data, cut to what the caller has room for. */
static void answer_data(struct call *c, const struct port *p) {
    struct reply *r = &c->reply;
    if (r->length > c->out_size) r->flags |= REPLY_CUT;
    r->length = min(r->length, c->out_size);
    if (c->out.count) pin_write(&c->out, 0, p->buffer->data, r->length);
    else asm_copy(c->answer, p->buffer->data, r->length);
}

bool call_answer_data(struct call *c, struct port *p) {
    if (min(c->reply.length, c->out_size) > PAGE_SIZE) return false;
    answer_data(c, p);
    return true;
}

/* The server's handle that goes with the answer; a bad one makes the call fail with EIO. */
static void answer_object(struct call *c, struct reply *r) {
    int e = handle_lookup_transfer(r->handle, &c->reply_object, &c->reply_rights);
    if (!e && r->flags & REPLY_MOVE) (void)!handle_close(r->handle);
    if (!e) return;
    c->reply_object = nullptr;
    r->result = -EIO;
    r->flags = 0;
}

bool call_answer_object(struct call *c, struct process *server) {
    const struct handle_slot *s =
        c->reply.flags & (REPLY_BUSY | REPLY_MOVE) ? nullptr : handle_peek(server, c->reply.handle);
    if (!s || !(s->rights & RIGHT_TRANSFER)) return false;
    object_handle_get(c->reply_object = s->object);
    c->reply_rights = s->rights;
    return true;
}

/*
 * Moves the answer in the buffer to its caller: that caller, claimed, for the switch back; or null.
 * The reply is read from the server's buffer once.  An answer to nobody (killed or given up) is
 * dropped; if it had opened a file, *orphan tells the object that must be closed again.
 */
static struct thread *port_answer(struct port *p, uint64_t *orphan) {
    struct scheme *s = p->scheme;
    struct reply answer = p->buffer->reply;
    p->buffer->reply.tag = 0;
    spin_lock(&s->lock);
    struct call *c = call_take(p, answer.tag, answer.flags);
    spin_unlock(&s->lock);
    if (unlikely(!c)) {
        const uint32_t moved = REPLY_HANDLE | REPLY_MOVE;
        if ((answer.flags & moved) == moved) (void)!handle_close(answer.handle);
        if (answer.result >= 0 && (answer.flags & (REPLY_FILE | REPLY_BUSY)) == REPLY_FILE) *orphan = answer.args[0];
        return nullptr;
    }
    struct thread *caller = call_thread(c);
    c->reply = answer;
    answer_data(c, p);
    if (answer.flags & REPLY_HANDLE) answer_object(c, &c->reply);
    c->reply.handle = HANDLE_NONE;
    bool claimed = thread_claim(caller); /* before DONE: see call_end */
    bool more = c->reply.length || c->reply_object;
    atomic_store_explicit(&c->state, more ? CALL_ANSWERED : CALL_DONE, memory_order_release);
    return claimed ? caller : nullptr;
}

/* --- the next request --------------------------------------------------------------------------- */

void port_carry(struct port *p, struct object *carried, uint32_t rights) {
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

static void take_note(struct port *p) RELEASES(&p->scheme->lock) UNCHECKED {
    struct scheme *s = p->scheme;
    struct note *n = list_entry(list_pop_front(&s->notes), struct note, link);
    p->buffer->request = n->request;
    void (*sent)(struct note *) = n->sent;
    spin_unlock(&s->lock);
    if (sent) sent(n);
}

/* Message and data with the lock held: the caller may be killed and let go of its pins otherwise. */
static void take_call(struct port *p) RELEASES(&p->scheme->lock) UNCHECKED {
    struct scheme *s = p->scheme;
    struct call *c = list_entry(list_pop_front(&s->queue), struct call, link);
    s->queued--;
    call_receive(s, c, p);
    c->served_by = s->incarnation;
    p->buffer->request = c->request;
    if (c->request.length) pin_read(&c->in, 0, p->buffer->data, c->request.length);
    struct object *carried = c->carried;
    uint32_t rights = c->carried_rights;
    c->carried = nullptr;
    unsigned priority = call_thread(c)->priority;
    spin_unlock(&s->lock);
    if (unlikely(carried)) port_carry(p, carried, rights);
    if (priority > thread_current()->priority) thread_lend_priority(thread_current(), priority);
}

bool port_take_closes(struct scheme *s, struct port *p, bool claim) {
    if (claim && (s->indirect & INDIRECT_QUEUED || !thread_claim_asleep(p->thread))) return false;
    p->closed_count = p->buffer->closed_count = s->closed_count;
    for (uint32_t i = 0; i < s->closed_count; i++) p->buffer->closed[i] = s->closed[i];
    s->closed_count = 0;
    s->indirect &= (uint8_t)~INDIRECT_CLOSES;
    p->delivered = DELIVERED_CLOSES;
    return true;
}

void port_close_request(struct port *p) {
    struct port_buffer *b = p->buffer;
    uint32_t last = p->closed_count - 1;
    if (last >= PORT_CLOSES) return; /* none: a second thread waited on the port meanwhile */
    b->closed_count = last;
    b->request = (struct request){.op = OP_CLOSE, .object = b->closed[last]};
}

static bool port_event_ready(struct port *p) {
    if (!atomic_exchange(&p->event_hint, false)) return false;
    bool ready = event_ready(p->event);
    if (ready) atomic_store(&p->event_hint, true); /* until it was seen not to be */
    return ready;
}

/* The result, or PORT_WAIT: the port is idle and the thread about to block. */
static long port_next(struct port *p, bool wait) UNCHECKED {
    struct scheme *s = p->scheme;
    struct thread *self = thread_current();
    if (port_event_ready(p)) return PORT_EVENT;
    spin_lock(&s->lock);
    call_park(s, p);
    if (!p->detached) {
        bool closes = unlikely(s->closed_count) && port_take_closes(s, p, false);
        if (!list_empty(&s->notes)) return take_note(p), closes ? PORT_CLOSED : PORT_REQUEST;
        if (!list_empty(&s->queue)) return take_call(p), closes ? PORT_CLOSED : PORT_REQUEST;
        if (closes) {
            port_close_request(p);
            spin_unlock(&s->lock);
            return PORT_CLOSED;
        }
    }
    long result = p->detached ? -EINVAL : wait ? PORT_WAIT : -EAGAIN;
    if (result == PORT_WAIT && p->thread != self && idle_remove(s, p)) {
        p->idle_next = s->idle; /* another thread waits on this port */
        s->idle = p;
        result = -EBUSY;
    }
    if (result == PORT_WAIT) {
        s->indirect = s->failed ? INDIRECT_QUEUED : 0;
        thread_block_prepare(s, true);
        p->delivered = 0;
        if (p->thread != self && p->event) event_set_port_waiter(p->event, self, &p->event_hint);
        p->thread = self;
        p->idle_next = s->idle;
        s->idle = p;
    }
    spin_unlock(&s->lock);
    return result;
}

/* Only a client that has claimed the thread delivers: woken by anyone else, it finds its port idle. */
long port_resume(struct port *p, int woke) {
    if (likely(p->delivered)) return p->delivered & DELIVERED_CLOSES ? PORT_CLOSED : PORT_REQUEST;
    spin_lock(&p->scheme->lock);
    idle_remove(p->scheme, p);
    bool detached = p->detached;
    spin_unlock(&p->scheme->lock);
    return detached ? -EINVAL : woke ? woke : PORT_WAIT;
}

static long port_reply_wait(struct port *p, uint32_t flags, nsec_t deadline) {
    struct thread *self = thread_current(), *back = nullptr;
    uint64_t orphan = 0;
    if (unlikely(p->process != self->process || p->detached)) return -EINVAL;
    if (unlikely(atomic_load_explicit(&self->work, memory_order_relaxed) & WORK_REAP)) object_reap();
    if (self->lent_priority) thread_lend_priority(self, 0);
    if (p->buffer->reply.tag) back = port_answer(p, &orphan);
    long result = PORT_WAIT;
    if (unlikely(orphan)) {
        p->buffer->request = (struct request){.op = OP_CLOSE, .object = orphan};
        result = PORT_REQUEST;
    }
    if (flags & PORT_REPLY_ONLY && !orphan) result = -EAGAIN;
    while (result == PORT_WAIT) {
        result = port_next(p, deadline != 0 && !(flags & PORT_NO_WAIT));
        if (result != PORT_WAIT) break;
        if (port_event_ready(p))
            thread_wake(self, 0); /* a post after the first look sees the waiter, or is seen here */
        int woke = back ? thread_block_switch_to(back, deadline) : thread_block(deadline);
        back = nullptr;
        result = port_resume(p, woke);
    }
    if (back) thread_wake_claimed(back, 0);
    return result;
}

long port_handle(handle_t h, uint32_t flags, nsec_t deadline) {
    struct process *process = process_current();
    struct borrowed b = handle_borrow(process, h, OBJECT_PORT);
    if (is_err(b.object)) return ptr_err(b.object);
    handle_cache_fill(&thread_current()->served, h, process, b);
    long result = port_reply_wait(object_as(port, b.object), flags, deadline);
    handle_return(b);
    return result;
}

/* --- what servers ask ---------------------------------------------------------------------------- */

void port_notify(struct port *p, uint64_t object, uint32_t mask) { scheme_files_notify(p->scheme, object, mask); }

int port_caller(struct port *p, uint32_t tag, struct caller_info *out) {
    struct scheme *s = p->scheme;
    spin_lock(&s->lock);
    struct call *c = call_find(p, tag);
    struct thread *caller = c ? call_thread(c) : nullptr;
    if (caller) thread_get(caller);
    spin_unlock(&s->lock);
    if (!caller) return -ESRCH;
    process_caller_info(caller, out);
    thread_put(caller);
    return 0;
}
