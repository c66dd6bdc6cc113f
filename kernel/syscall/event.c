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
static inline int event_borrow(handle_t h, uint32_t need, struct object **o, bool *counted) {
    uint32_t rights;
    int e = handle_borrow(process_current(), h, OBJECT_EVENT, o, &rights, counted);
    if (likely(!e && rights & need)) return 0;
    if (!e) handle_return(*o, *counted);
    return e ? e : -EACCES;
}

long sys_event_wait(handle_t h, struct event *out, size_t count, int64_t deadline) {
    struct event events[SMALL_EVENTS];
    struct object *o;
    bool counted;
    if (unlikely(count == 0)) return -EINVAL;
    int e = event_borrow(h, RIGHT_WAIT, &o, &counted);
    if (unlikely(e)) return e;
    long n = event_wait(o, events, min(count, (size_t)SMALL_EVENTS), deadline);
    handle_return(o, counted);
    if (likely(n > 0 && !copy_to_user((uaddr_t)out, events, (size_t)n * sizeof(*events)))) return n;
    return n > 0 ? -EFAULT : n == -EINTR ? -ERESTARTNOHAND : n;
}

long sys_event_post(handle_t h, uint64_t value) {
    struct object *o;
    bool counted;
    int e = event_borrow(h, RIGHT_WRITE, &o, &counted);
    if (unlikely(e)) return e;
    event_post(o, value);
    handle_return(o, counted);
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
