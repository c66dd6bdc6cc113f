// SPDX-License-Identifier: MIT
/* Threads. */
#include <kernel/event.h>
#include <kernel/syscall.h>

#include "../process/process_impl.h"

long sys_thread_create(const struct thread_create_args *args) {
    struct thread_create_args a;
    struct thread *self = thread_current();
    int e = copy_from_user(&a, (uaddr_t)args, sizeof(a));
    if (e) return e;
    if (a.entry >= USER_END || a.stack > USER_END || a.tls >= USER_END) return -EINVAL;
    struct thread *t = thread_create(self->process, self->name, user_entry, nullptr);
    if (!t) return -ENOMEM;
    long tid = t->tid;
    arch_thread_copy(t, self); /* the floating-point environment is inherited (POSIX) */
    arch_frame_init(arch_frame(t), a.entry, a.stack, a.argument);
    arch_thread_set_tls(t, a.tls);
    t->clear_tid = a.clear_tid;
    if (a.parent_tid) e = copy_to_user(a.parent_tid, &t->tid, sizeof(t->tid));
    if (!e) e = process_thread_add(self->process, t);
    if (e) {
        thread_put(t);
        return e;
    }
    t->signal_mask = a.mask & ~SIGNALS_UNBLOCKABLE;
    trace_child(t, TRACE_EVENT_CLONE);
    thread_start(t);
    return tid;
}

long sys_thread_exit(uintptr_t address, size_t length) {
    control_release(thread_current()); /* it may lie in what is unmapped */
    if (length && space_unmap(space_current(), address, length)) return -EINVAL;
    process_thread_exit();
}

static struct thread *thread_of(uint32_t tid) { return user_thread_find(tid ? tid : thread_current()->tid); }

static long set_name(struct thread *t, uaddr_t at) {
    char name[sizeof(t->name)];
    if (copy_from_user(name, at, sizeof(name))) return -EFAULT;
    name[sizeof(name) - 1] = 0;
    memcpy(t->name, name, sizeof(name));
    return 0;
}

/* Topics that concern the thread's own memory and registers. */
static long set_own(struct thread *t, uint32_t topic, uint64_t value) {
    switch (topic) {
    case THREAD_CONTROL: return control_register(t, value);
    case THREAD_NAME: return set_name(t, value);
    case THREAD_CLEAR_TID: t->clear_tid = value; return 0;
    case THREAD_ROBUST_LIST: t->robust_list = value; return 0;
    case THREAD_TLS:
        if (value >= USER_END) return -EINVAL;
        arch_thread_set_tls(t, value);
        return 0;
    default: return -EINVAL;
    }
}

static uint64_t cpus(void) { return cpu_online() < 64 ? (1ULL << cpu_online()) - 1 : ~0ULL; }

static long set_scheduling(struct thread *t, uint32_t topic, uint64_t value) {
    if (!process_may_manage(t->process)) return -EPERM;
    if (topic == THREAD_AFFINITY) {
        if (!(value & cpus())) return -EINVAL;
        thread_set_affinity(t, value & cpus());
        return 0;
    }
    int e = thread_check_scheduling(t, value);
    if (!e) thread_set_scheduling(t, value);
    return e;
}

long sys_thread_set(uint32_t tid, uint32_t topic, uint64_t value, uint64_t aux) {
    struct thread *t = thread_of(tid);
    if (is_err(t)) return ptr_err(t);
    long result = -EPERM;
    if (topic == THREAD_PRIORITY || topic == THREAD_AFFINITY) result = set_scheduling(t, topic, value);
    else if (t == thread_current()) result = set_own(t, topic, value);
    thread_put(t);
    return result;
}

long sys_thread_info(uint32_t tid, struct thread_info *out) {
    struct thread *t = thread_of(tid);
    if (is_err(t)) return ptr_err(t);
    struct process *p = t->process;
    struct thread_info i = {
        .tid = t->tid,
        .pid = p->pid,
        .cpu = t->cpu,
        .state = t->state,
        .priority = t->priority,
        .base_priority = t->base_priority,
        .scheduling = t->scheduling,
        .affinity = t->affinity & cpus(),
        .run_ns = thread_run_ns(t),
        .robust_list = t->robust_list,
    };
    spin_lock(&p->signal_lock);
    i.signal_mask = signal_mask_raw(t);
    i.signal_pending = t->pending.set | p->pending.set;
    memcpy(i.name, t->name, sizeof(i.name));
    spin_unlock(&p->signal_lock);
    thread_put(t);
    return copy_to_user((uaddr_t)out, &i, sizeof(i));
}

static void barrier_pass(void *) {} /* the interrupt is the barrier */

/* A CPU that loads the process's page table after the look passes one by that. */
long sys_thread_barrier(uint32_t everybody) {
    const struct pagetable *pt = &space_current()->table;
    uint64_t cpus = 0;
    atomic_thread_fence(memory_order_seq_cst);
    for (uint32_t i = 0; i < cpu_online(); i++) {
        const struct cpu *c = cpu_get(i);
        bool loaded = __atomic_load_n(&c->pagetable_left, __ATOMIC_ACQUIRE) == pt ||
                      __atomic_load_n(&c->pagetable, __ATOMIC_RELAXED) == pt;
        if (loaded || everybody) cpus |= 1ULL << i;
    }
    arch_ipi_call(cpus, barrier_pass, nullptr);
    atomic_thread_fence(memory_order_seq_cst);
    return 0;
}
