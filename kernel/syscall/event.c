// SPDX-License-Identifier: MIT
/* Event objects and poll. */
#include <kernel/event.h>
#include <kernel/mm.h>
#include <kernel/process.h>
#include <kernel/syscall.h>

#define SMALL_EVENTS 32
#define EVENTS_MAX (65536 / sizeof(struct event)) /* of one wait: what kmalloc has at most */

long sys_event_create(uint64_t initial, uint32_t flags) {
    struct object *o = event_create(initial, flags & EVENT_SEMAPHORE);
    const uint32_t rights = RIGHT_READ | RIGHT_WRITE | RIGHT_WAIT | RIGHT_DUPLICATE | RIGHT_TRANSFER | RIGHT_CONTROL;
    return o ? object_install(o, rights, flags) : -ENOMEM;
}

long sys_event_control(struct object *event, uint32_t op, handle_t h, const struct event *interest) {
    struct object *source;
    struct event e = {};
    if (op != EVENT_DELETE && copy_from_user(&e, (uaddr_t)interest, sizeof(e))) return -EFAULT;
    int error = handle_lookup(h, OBJECT_ANY, RIGHT_WAIT, &source, nullptr);
    if (error) return error;
    error = event_control(event, op, source, h, &e);
    object_put(source);
    return error;
}

/* An event with a right of `need`, borrowed. */
static inline struct borrowed event_borrow(handle_t h, uint32_t need) {
    struct borrowed b = handle_borrow(process_current(), h, OBJECT_EVENT);
    if (likely(!is_err(b.object) && b.rights & need) || is_err(b.object)) return b;
    handle_return(b);
    return (struct borrowed){.object = err_ptr(-EACCES)};
}

/* More than fit on the stack, if so many are ready. */
SLOW_PATH static long wait_many(struct object *o, struct event *out, size_t count, int64_t deadline) {
    struct event few[SMALL_EVENTS], *events = few;
    size_t room = SMALL_EVENTS, ready = event_count(o, min(count, (size_t)EVENTS_MAX));
    struct event *many = ready > room ? kmalloc(ready * sizeof(*many)) : nullptr;
    if (many) events = many, room = ready;
    long n = event_wait(o, events, room, deadline);
    if (n > 0 && copy_to_user((uaddr_t)out, events, (size_t)n * sizeof(*events))) n = -EFAULT;
    kfree(many);
    return n == -EINTR ? -ERESTARTNOHAND : n;
}

long sys_event_wait(handle_t h, struct event *out, size_t count, int64_t deadline) {
    struct event events[SMALL_EVENTS];
    if (unlikely(count == 0)) return -EINVAL;
    struct borrowed b = event_borrow(h, RIGHT_WAIT);
    if (unlikely(is_err(b.object))) return ptr_err(b.object);
    long n;
    if (unlikely(count > SMALL_EVENTS)) {
        n = wait_many(b.object, out, count, deadline);
        handle_return(b);
        return n;
    }
    n = event_wait(b.object, events, count, deadline);
    handle_return(b);
    if (likely(n > 0 && !copy_to_user((uaddr_t)out, events, (size_t)n * sizeof(*events)))) return n;
    return n > 0 ? -EFAULT : n == -EINTR ? -ERESTARTNOHAND : n;
}

long sys_event_post(handle_t h, uint64_t value) {
    struct borrowed b = event_borrow(h, RIGHT_WRITE);
    if (unlikely(is_err(b.object))) return ptr_err(b.object);
    event_post(b.object, value);
    handle_return(b);
    return 0;
}

long sys_event_poll(struct poll_entry *entries, size_t count, const uint64_t *mask, int64_t deadline) {
    uint64_t set;
    if (unlikely(count > process_current()->limits[LIMIT_HANDLES].soft)) return -EINVAL;
    if (mask && copy_from_user(&set, (uaddr_t)mask, sizeof(set))) return -EFAULT;
    if (mask) signal_mask_temporary(set);
    long n = event_poll((uaddr_t)entries, count, deadline);
    return n == -EINTR ? -ERESTARTNOHAND : n;
}
