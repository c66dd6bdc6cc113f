// SPDX-License-Identifier: MIT
/* Event objects, timer objects, futexes: kernel/ipc/event.c, kernel/time/timer_object.c, kernel/sched/futex.c */
#pragma once
#include <abi/event.h>
#include <kernel/object.h>
#include <kernel/thread.h>

extern const struct object_ops event_ops, timer_ops;
struct object *event_create(uint64_t initial, bool semaphore); /* null: no memory */
MUST_CHECK int event_control(struct object *ev, uint32_t op, struct object *source, handle_t key_handle,
                             const struct event *interest);
MUST_CHECK long event_wait(struct object *ev, struct event *out_kernel, size_t count, nsec_t deadline);
void event_post(struct object *ev, uint64_t value); /* any context */
bool event_ready(struct object *ev);
/* How many entries may be ready, counted up to `limit`. */
size_t event_count(struct object *ev, size_t limit);
struct event_head { /* how every event object begins */
    struct object object;
    uint64_t counter;
    struct list ready;
};
/* False: certainly not ready. */
static inline bool event_maybe_ready(const struct object *ev) {
    const struct event_head *h = (const struct event_head *)ev;
    return __atomic_load_n(&h->counter, __ATOMIC_RELAXED) ||
           __atomic_load_n(&h->ready.next, __ATOMIC_RELAXED) != &h->ready;
}
/* Sets *hint and wakes `t` (thread_wake, result 0) when ev becomes ready; one waiter of this kind per event.
 * null: stop, if it is the one with that hint. */
void event_set_port_waiter(struct object *ev, struct thread *t, _Atomic bool *hint);
MUST_CHECK long event_poll(uaddr_t entries, size_t count, nsec_t deadline); /* struct poll_entry */
MUST_CHECK long event_read(struct object *ev, uint64_t *value, bool nonblock, nsec_t deadline); /* eventfd read */
MUST_CHECK long event_write(struct object *ev, uint64_t value, bool nonblock, nsec_t deadline);
void watch_remove_all(struct object *source); /* description's last handle went */

struct process;
struct object *timer_object_create(uint32_t clock, struct process *p, struct thread *t); /* of whom: CPU time */
/* deadline (or span of time) and period on its clock, 0: disarm, once; old: remaining time and period before. */
void timer_object_set(struct object *t, nsec_t deadline, nsec_t period, bool relative, nsec_t old[2]);
MUST_CHECK int timer_object_signal(struct object *o, int signal, uint32_t tid, uint64_t value, int32_t id);
bool timer_object_own(struct object *o); /* timer_object_signal() made it its process's own */
int32_t timer_object_overruns(struct object *o); /* as told with its signal that was taken last */
void timer_objects_clock_set(void); /* the wall clock was set */
uint32_t timer_object_clock(struct object *t); /* enum clock */
MUST_CHECK long timer_object_read(struct object *t, uint64_t *expirations, bool nonblock, nsec_t deadline);

MUST_CHECK long futex_wait(uaddr_t at, uint32_t expected, uint32_t flags, nsec_t deadline);
MUST_CHECK long futex_wake(uaddr_t at, uint32_t count, uint32_t flags);
MUST_CHECK long futex_requeue(uaddr_t at, uint32_t expected, uint32_t wake, uint32_t move, uaddr_t to, uint32_t flags);
MUST_CHECK long futex_pi(uaddr_t at, uint32_t op, uint32_t flags, nsec_t deadline);
void futex_thread_exit(struct thread *t); /* robust list, clear_tid */
