// SPDX-License-Identifier: MIT
/*
 * spawn: a new process straight from an image, with the handles it is given.
 */
#include <kernel/syscall.h>

#include "process_impl.h"

#define SPAWN_HANDLES_MAX 4096

static int transfer_one(struct process *p, const struct handle_transfer *t) {
    struct object *o;
    uint32_t rights;
    if (t->from == HANDLE_NONE) {
        handle_close_in(&p->handles, t->to);
        return 0;
    }
    int e = handle_lookup_transfer(t->from, &o, &rights);
    return e ? e : handle_install_at(&p->handles, t->to, o, rights & t->rights, t->flags);
}

static int handles_transfer(struct process *p, const struct spawn_args *a) {
    if (a->handle_count > SPAWN_HANDLES_MAX) return -E2BIG;
    if (a->flags & SPAWN_INHERIT) {
        int e = handle_table_copy(&p->handles, &process_current()->handles, true);
        if (e) return e;
    }
    for (uint32_t i = 0; i < a->handle_count; i++) {
        struct handle_transfer t;
        int e = copy_from_user(&t, (uaddr_t)&a->handles[i], sizeof(t));
        if (!e) e = transfer_one(p, &t);
        if (e) return e;
    }
    return 0;
}

static int spawn_become_user(struct process *p, uint32_t id) {
    const struct credentials user = {
        .uid = id, .euid = id, .suid = id, .fsuid = id, .gid = id, .egid = id, .sgid = id, .fsgid = id};
    return process_set_credentials(p, &user);
}

/* The new process's thread, NEW, with all that must be there before anybody sees the process. */
static struct thread *spawn_prepare(struct process *p, const struct spawn_args *a, struct image *image) {
    int e = handles_transfer(p, a);
    if (!e && a->flags & SPAWN_USER) e = spawn_become_user(p, a->user);
    if (e) return err_ptr(e);
    struct space *s = image_load(image, p);
    if (is_err(s)) return (struct thread *)s;
    (void)image_adopt(p, image, s);
    struct thread *t = process_first_thread(p);
    if (is_err(t)) return t;
    arch_frame_init(arch_frame(t), image->entry, image->stack, 0);
    signal_exec(p, t, a->flags & SPAWN_DEFAULT ? a->signal_default : 0);
    if (a->flags & SPAWN_MASK) t->signal_mask = a->signal_mask & ~SIGNALS_UNBLOCKABLE;
    if (a->flags & SPAWN_PRIORITY) thread_set_scheduling(t, a->priority);
    return t;
}

static int spawn_enter_group(struct process *p, const struct spawn_args *a) {
    if (a->flags & SPAWN_SESSION) {
        long session = process_set_session(p);
        return session < 0 ? (int)session : 0;
    }
    if (a->flags & SPAWN_GROUP) return process_set_group(process_current(), (int32_t)p->pid, a->group);
    return 0;
}

static long spawn(const struct spawn_args *a, struct image *image, handle_t handle) {
    struct process *p = process_prepare(process_current());
    if (is_err(p)) return ptr_err(p);
    p->signals_watched = false; /* until it looks at a signal object itself */
    struct thread *t = spawn_prepare(p, a, image);
    long result = is_err(t) ? ptr_err(t) : process_publish(p, t);
    if (result > 0) {
        int e = spawn_enter_group(p, a);
        if (!e) {
            p->executed = true;
            if (handle >= 0) {
                object_handle_get(&p->object);
                handle_publish(handle, &p->object, PROCESS_RIGHTS, 0);
            }
            trace_child(t, TRACE_EVENT_FORK);
            thread_start(t);
            return result;
        }
        process_withdraw(p);
        result = e;
    }
    if (!is_err(t)) thread_put(t);
    process_discard(p);
    return result;
}

long sys_process_spawn(struct spawn_args *user) {
    const uint32_t known = SPAWN_MASK | SPAWN_DEFAULT | SPAWN_GROUP | SPAWN_SESSION | SPAWN_PRIORITY | SPAWN_HANDLE |
                           SPAWN_INHERIT | SPAWN_USER;
    struct spawn_args a;
    struct image image;
    if (copy_from_user(&a, (uaddr_t)user, sizeof(a))) return -EFAULT;
    if (a.flags & ~known) return -EINVAL;
    if (a.flags & SPAWN_PRIORITY) {
        int e = thread_check_scheduling(thread_current(), a.priority);
        if (e) return e;
    }
    int e = image_open(&image, &a.image);
    if (e) return e;
    handle_t handle = a.flags & SPAWN_HANDLE ? handle_reserve(0, HANDLE_IN_UPPER) : HANDLE_NONE;
    long result = a.flags & SPAWN_HANDLE ? min(handle, 0) : 0;
    if (handle >= 0) result = copy_to_user((uaddr_t)&user->process, &handle, sizeof(handle));
    if (!result) result = spawn(&a, &image, handle);
    if (handle >= 0 && result < 0) handle_unreserve(handle);
    image_close(&image);
    return result;
}
