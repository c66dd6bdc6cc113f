// SPDX-License-Identifier: MIT
/*
 * exec: the calling process runs another image.
 *
 * The new space is complete before anything of the old program is given up.  Then the other threads
 * end, handles marked so are closed while the old space is still there (a port unmaps its buffer),
 * and the space is replaced.
 */
#include <kernel/event.h>
#include <kernel/syscall.h>
#include <kernel/trace_ring.h>

#include "process_impl.h"

/* committed: nothing below can fail */
static void exec_commit(struct process *p, struct space *s, struct image *i) {
    struct thread *t = thread_current();
    futex_thread_exit(t);
    t->clear_tid = t->robust_list = 0;
    control_release(t);
    handle_table_exec(&p->handles);
    object_reap();
    struct space *old = image_adopt(p, i, s);
    arch_thread_set_pagetable(t, &s->table);
    space_put(old);
    signal_exec(p, t, 0);
    memcpy(t->name, p->name, sizeof(t->name) - 1);
    arch_thread_reset(t);
    trace_ring_add(TR_EXEC, p->pid, 0);
    arch_frame_init(arch_frame(t), i->entry, i->stack, 0);
}

long sys_process_exec(const struct image_args *user) {
    struct process *p = process_current();
    struct image_args args;
    struct image image;
    int e = copy_from_user(&args, (uaddr_t)user, sizeof(args));
    if (!e) e = image_open(&image, &args);
    if (e) return e;
    struct space *s = image_load(&image, p);
    e = is_err(s) ? ptr_err(s) : process_become_single(p);
    if (e && !is_err(s)) space_put(s);
    /* Another thread may have changed the ids or the root until it ended; there's no way back from here. */
    bool broken = !e && !image_ids_hold(&image, p);
    if (broken) space_put(s);
    else if (!e) exec_commit(p, s, &image);
    image_close(&image);
    /* Who traces it since the image was loaded has stood in for the old ids. */
    if (broken || (!e && image.secure && p->tracer)) process_exit(SIGKILL);
    if (!e) trace_exec();
    return e;
}
