// SPDX-License-Identifier: MIT
/* What the files of kernel/ipc share and nobody else needs. */
#pragma once
#include <kernel/scheme.h>
#include <kernel/trace_ring.h>

struct file;
static inline struct thread *call_thread(struct call *c) { return container_of(c, struct thread, call); }

#define CALL_NOT_MADE INT64_MIN /* no result: nothing has happened */
long call_try(struct scheme *s, struct call *c); /* call.c: the direct way, if it can be gone */
/* thread_switch_to(), the client lending its priority. */
SLOW_PATH void switch_long(struct thread *next, bool lend);
/* client.c */
/* committed, not delivered */
SLOW_PATH long call_retract(struct scheme *s, struct call *c, struct port *p, struct thread *server);
SLOW_PATH void call_stamp_root(struct scheme *s, struct call *c); /* where the caller's walks of paths end */
/* After the switch, with or without an answer: its result. finish: with its data and handle delivered. */
SLOW_PATH long call_woken(struct scheme *s, struct call *c);
SLOW_PATH long call_finish(struct scheme *s, struct call *c);
SLOW_PATH long call_error(handle_t h, struct call *c, long result); /* tries again what may be; result for the caller */
void call_end(struct call *c, int error); /* off every list: its caller gets the error */

/* port.c */
#define PORT_WAIT 2 /* beside enum port_result: nothing yet */
SLOW_PATH long port_handle(handle_t h, uint32_t flags, nsec_t deadline); /* all of sys_port_reply_wait */
SLOW_PATH long port_resume(struct port *p, int woke); /* woke without a request */
/* Gives the handle (or, for a file of the scheme, its id) to the server. Consumes the handle reference. */
void port_carry(struct port *p, struct object *carried, uint32_t rights);
/* The answer's data to where the caller wants it; false if that takes too long for a lock. */
SLOW_PATH bool call_answer_data(struct call *c, struct port *p);
/* The closes that are pending go to the port's buffer. claim: if its thread can be claimed, and nothing is queued. */
SLOW_PATH bool port_take_closes(struct scheme *s, struct port *p, bool claim) REQUIRES(s -> lock);
SLOW_PATH void port_close_request(struct port *p); /* the last of them is the request */
/* The server's handle that goes along, a handle reference, if that can be had without a lock. */
SLOW_PATH bool call_answer_object(struct call *c, struct process *server);
struct port *scheme_take_idle(struct scheme *s) REQUIRES(s -> lock); /* its thread is claimed; or null */

/*
 * A received call has a tag.  It is `serving` of the port that took it, until that is answered or takes the
 * next one: then it is filed by tag (parked).
 */
static inline void call_receive(struct scheme *s, struct call *c, struct port *p) REQUIRES(s -> lock) {
    cpu_count(COUNT_CALL);
    if (CATHODE_DEBUG) trace_ring_add(TR_CALL, c->request.op, p->thread ? p->thread->tid : 0);
    c->request.tag = (uint32_t)(s->last_tag += 2);
    atomic_store_explicit(&c->state, CALL_SERVED, memory_order_relaxed);
    p->serving = c;
}
static inline struct list *call_bucket(struct scheme *s, uint32_t tag) { return &s->served[tag % CALL_BUCKETS]; }
static inline void call_park(struct scheme *s, struct port *p) REQUIRES(s -> lock) {
    if (!p->serving) return;
    list_push_front(call_bucket(s, p->serving->request.tag), &p->serving->link);
    s->parked++;
    p->serving = nullptr;
}
/* Off the port or the table. */
static inline void call_unfile(struct scheme *s, struct call *c) REQUIRES(s -> lock) {
    if (!list_empty(&c->link)) s->parked--;
    list_remove(&c->link);
    list_for_each (l, &s->ports) {
        struct port *p = list_entry(l, struct port, link);
        if (p->serving == c) p->serving = nullptr;
    }
}

void scheme_server_lost(struct scheme *s); /* scheme.c: the last port is gone */
/* file.c */
void scheme_files_lost(struct scheme *s); /* watchers of its files hear EVENT_ERROR */
void scheme_file_add(struct scheme *s, struct file *f);
void scheme_file_remove(struct scheme *s, struct file *f);
void scheme_files_notify(struct scheme *s, uint64_t id, uint32_t mask);
