// SPDX-License-Identifier: MIT
/*
 * spawn: a new process straight from an image, with the handles it is given.
 */
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

static void signals_prepare(struct process *p, struct thread *t, const struct spawn_args *a) {
    for (unsigned i = 0; i < SIGNAL_COUNT; i++) {
        bool ignored =
            p->actions[i].handler == SIG_IGN && !(a->flags & SPAWN_DEFAULT && a->signal_default & SIGNAL_BIT(i + 1));
        p->actions[i] = (struct signal_action){.handler = ignored ? SIG_IGN : SIG_DFL};
    }
    if (a->flags & SPAWN_MASK) t->signal_mask = a->signal_mask & ~SIGNALS_UNBLOCKABLE;
}

/* The new process's thread, NEW, with all that must be there before anybody sees the process. */
static struct thread *spawn_prepare(struct process *p, const struct spawn_args *a, struct image *image) {
    struct image_start start;
    int e = handles_transfer(p, a);
    if (e) return err_ptr(e);
    struct space *s = image_load(image, p, &start);
    if (is_err(s)) return (struct thread *)s;
    (void)image_adopt(p, image, &start, s);
    struct thread *t = process_first_thread(p);
    if (is_err(t)) return t;
    arch_frame_init(arch_frame(t), start.entry, start.stack, 0);
    signals_prepare(p, t, a);
    if (a->flags & SPAWN_PRIORITY) thread_set_priority(t, a->priority);
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

long process_spawn(const struct spawn_args *a, uaddr_t handle_out) {
    uint32_t known =
        SPAWN_MASK | SPAWN_DEFAULT | SPAWN_GROUP | SPAWN_SESSION | SPAWN_PRIORITY | SPAWN_HANDLE | SPAWN_INHERIT;
    if (a->flags & ~known) return -EINVAL;
    if (a->flags & SPAWN_PRIORITY &&
        (a->priority >= PRIORITY_COUNT ||
         (a->priority > thread_current()->base_priority && !cred_privileged(atomic_load(&process_current()->cred)))))
        return a->priority >= PRIORITY_COUNT ? -EINVAL : -EPERM;
    struct image image;
    int e = image_open(&image, &a->image);
    if (e) return e;
    handle_t handle = a->flags & SPAWN_HANDLE ? handle_reserve(0, HANDLE_IN_UPPER) : HANDLE_NONE;
    long result = a->flags & SPAWN_HANDLE ? min(handle, 0) : 0;
    if (handle >= 0) result = copy_to_user(handle_out, &handle, sizeof(handle));
    if (!result) result = spawn(a, &image, handle);
    if (handle >= 0 && result < 0) handle_unreserve(handle);
    image_close(&image);
    return result;
}
