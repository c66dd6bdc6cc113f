// SPDX-License-Identifier: MIT
/*
 * Schemes, ports, namespaces, and the scheme call.  kernel/ipc/
 *
 * A scheme is a queue between clients and the server threads (ports) of one process.  All its state
 * is under scheme->lock (RANK_OBJECT).
 */
#pragma once
#include <abi/scheme.h>
#include <abi/system.h>
#include <kernel/object.h>
#include <kernel/thread.h>
#include <kernel/timer.h>

struct port {
    struct object object;
    struct scheme *scheme; /* reference, kept until the port is destroyed */
    bool detached; /* under the scheme's lock */
    struct port_buffer *buffer; /* kernel mapping of the wired buffer */
    struct memory *memory;
    struct frame *frames[PORT_BUFFER_SIZE / PAGE_SIZE]; /* one reference each */
    struct thread *thread; /* that waits, or waited last, in reply_wait */
    struct call *serving; /* received directly and not answered or parked yet */
    struct object *event; /* bound event object or null */
    struct process *process;
    struct list link; /* scheme->ports */
    struct port *idle_next; /* in scheme->idle, while waiting */
    uint32_t closed_count; /* as in the buffer */
    _Atomic bool event_hint; /* the event may be ready */
    uint8_t delivered; /* enum port_delivered: what a client put into the buffer while `thread` waited */
};

enum port_delivered { DELIVERED_REQUEST = 1, DELIVERED_CLOSES = 2 };

#define CALL_BUCKETS 64
struct scheme {
    struct object object;
    struct spinlock lock;
    char name[32];
    uint32_t number; /* never reused: handle_info.scheme, device numbers */
    uint32_t rank, flags, incarnation;
    bool failed; /* given up by the supervisor: calls get ECONNREFUSED */
    uint8_t indirect; /* enum scheme_indirect */
    struct list ports;
    struct port *idle; /* those that wait, the last first */
    struct list queue; /* struct call: not yet received, by priority then order */
    struct list notes; /* struct note, in order */
    struct list served[CALL_BUCKETS]; /* struct call: received, by tag */
    uint64_t last_tag; /* odd: the low half is never 0 */
    uint32_t queued, parked; /* calls: in the queue; in served[] */
    _Atomic uint32_t files; /* open ones */
    struct process *server; /* of the present incarnation */
    struct tree by_id; /* struct file: those whose readiness the server tells, by its id */
    struct list link; /* all schemes */
    struct note memory_low;
    /* Files whose CLOSE may come late: ids for the next request, or for close_timer. */
    uint64_t closed[PORT_CLOSES];
    uint32_t closed_count;
    bool close_timed; /* the timer is set */
    struct timer close_timer;
};

/* Without the lock: it may have changed already, which a call finds out. */
static inline uint32_t scheme_incarnation(const struct scheme *s) {
    return __atomic_load_n(&s->incarnation, __ATOMIC_RELAXED);
}

enum scheme_indirect {
    INDIRECT_CLOSES = 1, /* closed_count is not 0: they go along */
    INDIRECT_QUEUED = 2, /* failed, or there may be notes or queued calls: nothing goes the direct way */
};

struct scheme *scheme_create(const char *name, uint32_t rank, uint32_t flags);
/*
 * One call by the current thread, whose call record's request (op, flags, object, args, length),
 * out_size, in/out pins and carried object are set.  Blocks until the answer.  Result: reply.result, or
 * -ENOLINK, -EINTR, -ETIMEDOUT, -ECONNREFUSED.  incarnation 0: any.
 */
MUST_CHECK long scheme_call(struct scheme *s, struct call *c, nsec_t deadline);
/* Call from inside the kernel (RESERVE, SYNC, WATCH, READ of plain files), no data or via pins. */
MUST_CHECK long scheme_call_simple(struct scheme *s, uint16_t op, uint64_t object, uint64_t a0, uint64_t a1,
                                   uint64_t a2, struct reply *reply, nsec_t deadline);
bool scheme_note(struct scheme *s, struct note *n,
                 uint32_t pid); /* queues it: false if it is queued already; lock not held */
/* The CLOSE of a file opened at this incarnation may come late: false if it must be a note nevertheless. */
bool scheme_close_late(struct scheme *s, uint64_t id, uint32_t incarnation);
void scheme_note_remove(struct scheme *s, struct note *n);
void scheme_note_memory_low(void); /* to all servers */
size_t scheme_describe(struct scheme_info *out, size_t count);

/* Attaches the current process: a port with one reference and its buffer's address. -EBUSY, -ENOMEM, -ECONNREFUSED */
MUST_CHECK int port_create(struct scheme *s, struct object *event, struct port **out, uaddr_t *address);
MUST_CHECK int port_caller(struct port *p, uint32_t tag, struct caller_info *out);
void port_notify(struct port *p, uint64_t object, uint32_t mask);
