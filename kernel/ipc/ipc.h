// SPDX-License-Identifier: MIT
/* What the files of kernel/ipc share and nobody else needs. */
#pragma once
#include <kernel/scheme.h>

struct file;
struct thread *scheme_take_idle(struct scheme *s) REQUIRES(s -> lock);
void scheme_flush_queue(struct scheme *s, int error);
void scheme_server_lost(struct scheme *s);
/* Fills the server's buffer from the call, in the client's or the server's context. Nothing fails. */
void call_deliver(struct call *c, struct port *p);
static inline struct list *call_bucket(struct scheme *s, uint32_t tag) { return &s->served[tag % CALL_BUCKETS]; }
void call_end(struct call *c, int error); /* off every list: its caller gets the error */
/* Gives a carried handle (or, for a file of the scheme, its id) to the server. Consumes the handle reference. */
void call_carry(struct object *carried, uint32_t rights, struct port *p);
/*
 * A received call has a tag.  It is `serving` of the port that took it, until that is answered or takes the
 * next one: then it is filed by tag (parked).
 */
void call_receive(struct scheme *s, struct call *c, struct port *p) REQUIRES(s -> lock);
void call_file(struct scheme *s, struct call *c) REQUIRES(s -> lock);
void call_unfile(struct call *c); /* off the port or the table; the scheme's lock is held */
void scheme_files_lost(struct scheme *s); /* file.c: watchers of its files hear EVENT_ERROR */
void scheme_file_add(struct scheme *s, struct file *f);
void scheme_file_remove(struct scheme *s, struct file *f);
void scheme_files_notify(struct scheme *s, uint64_t id, uint32_t mask);
