// SPDX-License-Identifier: MIT
/* System calls on handles themselves. */
#include <kernel/log.h>
#include <kernel/channel.h>
#include <kernel/event.h>
#include <kernel/file.h>
#include <kernel/handle.h>
#include <kernel/process.h>
#include <kernel/syscall.h>

/* What went with it ends at once: the long way out of the system call would do no more. */
long sys_handle_close(handle_t h) {
    int e = handle_close(h);
    if (atomic_load_explicit(&thread_current()->work, memory_order_relaxed) & WORK_REAP) object_reap();
    return e;
}

long sys_handle_duplicate(handle_t h, handle_t at, uint32_t flags, uint32_t rights) {
    struct object *o;
    uint32_t have;
    int e = handle_lookup_as_handle(h, RIGHT_DUPLICATE, &o, &have);
    if (e) return e;
    rights &= have;
    if (flags & HANDLE_AT) {
        e = handle_install_at(&process_current()->handles, at, o, rights, flags);
        return e ? e : at;
    }
    handle_t to = handle_reserve(at, flags);
    if (to < 0) object_handle_put(o);
    else handle_publish(to, o, rights, flags);
    return to;
}

/* What handle_info says of an object. */
void handle_info_fill(struct object *o, uint32_t rights, uint32_t flags, struct handle_info *i) {
    *i = (struct handle_info){.type = o->ops->type, .rights = rights, .flags = flags};
    if (object_status(o)) i->status = *object_status(o);
    if (o->ops == &file_ops) {
        struct file *f = object_as(file, o);
        i->object = f->id;
        i->scheme = (uint64_t)f->scheme->number;
        i->offset = f->offset;
        i->plane = f->plane | (uint32_t)f->kind << 8;
        if (f->plane == PLANE_CHANNEL) {
            struct handle_info plane;
            channel_describe(f->channel, &plane);
            i->plane |= plane.plane << 16;
        }
        i->incarnation = f->incarnation;
    } else if (o->ops == &channel_ops) {
        channel_describe(o, i);
    } else if (o->ops == &memory_ops) {
        i->object = memory_size(memory_of(o));
    } else if (o->ops == &process_ops) {
        i->object = object_as(process, o)->pid;
    } else if (o->ops == &timer_ops) {
        i->plane = timer_object_clock(o);
        i->object = (uint64_t)timer_object_overruns(o);
    } else if (o->ops->type == OBJECT_LOG) {
        i->object = log_start();
    } else if (o->ops->type == OBJECT_SCHEME) {
        i->object = atomic_load(&o->refs);
    }
}

long sys_handle_info(handle_t h, struct handle_info *out) {
    struct object *o;
    uint32_t rights, flags;
    struct handle_info i;
    int e = handle_describe(&process_current()->handles, h, &o, &rights, &flags);
    if (e) return e;
    handle_info_fill(o, rights, flags, &i);
    object_put(o);
    return copy_to_user((uaddr_t)out, &i, sizeof(i));
}

long sys_handle_set(handle_t h, uint32_t kind, uint32_t mask, uint32_t flags) {
    if (kind == 0) return handle_set_flags(h, h, mask & (HANDLE_CLOEXEC | HANDLE_KEEP), flags);
    if (kind != 1 || (mask & ~(uint32_t)FILE_SETTABLE)) return -EINVAL;
    struct object *o;
    int e = handle_lookup(h, 0, 0, &o, nullptr);
    if (e) return e;
    _Atomic uint32_t *status = object_status(o);
    if (status) {
        uint32_t old = atomic_load(status);
        while (!atomic_compare_exchange_weak(status, &old, (old & ~mask) | (flags & mask))) continue;
    }
    object_put(o);
    return status ? 0 : -EINVAL;
}

long sys_handle_close_range(handle_t first, handle_t last, uint32_t flags) {
    if (first < 0 || last < first || flags > 1) return -EINVAL;
    if (flags == 0) return handle_close_range(first, last);
    int found = handle_set_flags(first, last, HANDLE_CLOEXEC, HANDLE_CLOEXEC);
    (void)found; /* an empty range is no error */
    return 0;
}
