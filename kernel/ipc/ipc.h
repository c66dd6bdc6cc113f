// SPDX-License-Identifier: MIT
/* What the files of kernel/ipc share and nobody else needs. */
#pragma once
#include <kernel/scheme.h>

struct file;
static inline struct thread *call_thread(struct call *c) { return container_of(c, struct thread, call); }

/* call.c: the direct way, if it can go. -ESTALE: it was not gone, or that is the answer. */
long call_direct_long(struct file *f, struct call *c);
/* thread_switch_to(), the client lending its priority. */
SLOW_PATH void switch_long(struct thread *next, bool lend);
/* client.c: the long ways. All give the call's result. */
SLOW_PATH long call_handle(handle_t h, struct call *c); /* all of sys_call but for copying its arguments */
SLOW_PATH long call_finish(struct scheme *s, struct call *c); /* switched to, but perhaps without an answer */
SLOW_PATH long call_error(struct call *c, long result); /* what the caller gets to see of it */
SLOW_PATH long call_retract(struct scheme *s, struct call *c, struct thread *server); /* not delivered: -ESTALE */
void call_end(struct call *c, int error); /* off every list: its caller gets the error */

/* port.c */
#define PORT_WAIT 2 /* beside enum port_result: nothing yet */
SLOW_PATH long port_handle(handle_t h, uint32_t flags, nsec_t deadline); /* all of sys_port_reply_wait */
SLOW_PATH long port_resume(struct port *p, int woke); /* woke without a request */
/* The answer's data to where the caller wants it; false if that takes too long for a lock. */
SLOW_PATH bool call_answer_data(struct call *c, struct port *p);
void call_deliver(struct call *c, struct port *p); /* request, pinned data and handle to the server. Nothing fails */
struct port *scheme_take_idle(struct scheme *s) REQUIRES(s -> lock); /* its thread is claimed; or null */

/*
 * A received call has a tag.  It is `serving` of the port that took it, until that is answered or takes the
 * next one: then it is filed by tag (parked).
 */
static inline void call_receive(struct scheme *s, struct call *c, struct port *p) REQUIRES(s -> lock) {
    c->request.tag = (uint32_t)(s->last_tag += 2);
    atomic_store_explicit(&c->state, CALL_SERVED, memory_order_relaxed);
    c->port = p;
    p->serving = c;
}
static inline struct list *call_bucket(struct scheme *s, uint32_t tag) { return &s->served[tag % CALL_BUCKETS]; }
static inline void call_file(struct scheme *s, struct call *c) REQUIRES(s -> lock) {
    c->port->serving = nullptr;
    c->port = nullptr;
    list_push_front(call_bucket(s, c->request.tag), &c->link);
}
/* Off the port or the table; the scheme's lock is held. */
static inline void call_unfile(struct call *c) {
    if (c->port) c->port->serving = nullptr;
    else list_remove(&c->link);
}

void scheme_server_lost(struct scheme *s); /* scheme.c: the last port is gone */
/* file.c */
void scheme_files_lost(struct scheme *s); /* watchers of its files hear EVENT_ERROR */
void scheme_file_add(struct scheme *s, struct file *f);
void scheme_file_remove(struct scheme *s, struct file *f);
void scheme_files_notify(struct scheme *s, uint64_t id, uint32_t mask);
