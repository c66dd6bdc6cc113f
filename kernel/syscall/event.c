// SPDX-License-Identifier: MIT
/* Event objects and poll. */
#include <kernel/event.h>
#include <kernel/mm.h>
#include <kernel/process.h>
#include <kernel/syscall.h>

#define SMALL_EVENTS 32
#define SMALL_ENTRIES 64
#define ENTRIES_MAX 1024 /* watches of one poll are one allocation of 64 KiB */

long sys_event_create(uint64_t initial, uint32_t flags) {
    struct object *o = event_create(initial);
    if (!o) return -ENOMEM;
    object_handle_get(o);
    object_put(o);
    return handle_install(o, RIGHT_READ | RIGHT_WRITE | RIGHT_WAIT | RIGHT_DUPLICATE | RIGHT_TRANSFER | RIGHT_CONTROL,
                          flags);
}

long sys_event_control(handle_t ev, uint32_t op, handle_t h, const struct event *interest) {
    struct object *event, *source;
    struct event e = {};
    if (op != EVENT_DELETE && copy_from_user(&e, (uaddr_t)interest, sizeof(e))) return -EFAULT;
    int error = handle_lookup(ev, OBJECT_EVENT, RIGHT_CONTROL, &event, nullptr);
    if (error) return error;
    error = handle_lookup(h, 0, RIGHT_WAIT, &source, nullptr);
    if (!error) {
        error = event_control(event, op, source, h, &e);
        object_put(source);
    }
    object_put(event);
    return error;
}

/* An event with a right of `need`, borrowed. */
static inline struct borrowed event_borrow(handle_t h, uint32_t need) {
    struct borrowed b = handle_borrow(process_current(), h, OBJECT_EVENT);
    if (likely(!is_err(b.object) && b.rights & need) || is_err(b.object)) return b;
    handle_return(b);
    return (struct borrowed){.object = err_ptr(-EACCES)};
}

long sys_event_wait(handle_t h, struct event *out, size_t count, int64_t deadline) {
    struct event events[SMALL_EVENTS];
    if (unlikely(count == 0)) return -EINVAL;
    struct borrowed b = event_borrow(h, RIGHT_WAIT);
    if (unlikely(is_err(b.object))) return ptr_err(b.object);
    long n = event_wait(b.object, events, min(count, (size_t)SMALL_EVENTS), deadline);
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
    struct poll_entry small[SMALL_ENTRIES], *e = small;
    uint64_t set;
    if (count > ENTRIES_MAX) return -EINVAL;
    if (mask && copy_from_user(&set, (uaddr_t)mask, sizeof(set))) return -EFAULT;
    if (count > SMALL_ENTRIES) e = kmalloc(count * sizeof(*e));
    if (!e) return -ENOMEM;
    long n = copy_from_user(e, (uaddr_t)entries, count * sizeof(*e));
    if (!n && mask) signal_mask_temporary(set);
    if (!n) n = event_poll(e, count, deadline);
    if (n >= 0 && copy_to_user((uaddr_t)entries, e, count * sizeof(*e))) n = -EFAULT;
    if (e != small) kfree(e);
    return n == -EINTR ? -ERESTARTNOHAND : n;
}
