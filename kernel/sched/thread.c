// SPDX-License-Identifier: MIT
/*
 * Threads: creation, numbers, end.  A thread has one reference of its own from creation to the
 * moment the next thread has taken over its CPU; it holds one on its process.  Thread and process
 * numbers are one space: a process is named by its first thread's.
 */
#include "sched.h"
#include <kernel/clock.h>
#include <kernel/lib.h>
#include <kernel/log.h>
#include <kernel/mm.h>
#include <kernel/process.h>

#define TID_LIMIT (1u << 22) /* as Linux's largest pid_max */

static struct spinlock tid_lock = SPINLOCK_INIT(RANK_THREAD);
static struct tree tids GUARDED_BY(tid_lock);
static uint32_t tid_last GUARDED_BY(tid_lock), thread_total GUARDED_BY(tid_lock);
static uint32_t kernel_tid_last GUARDED_BY(tid_lock) = TID_LIMIT; /* theirs lie above: init is 1 */

static struct thread *tid_lookup(uint32_t tid) REQUIRES(tid_lock) {
    struct tree_node *n = tree_find_ge(&tids, tid);
    return n && n->key == tid ? container_of(n, struct thread, tid_node) : nullptr;
}

uint32_t tid_allocate(void) {
    for (;;) {
        spin_lock(&tid_lock);
        do {
            tid_last = tid_last + 1 < TID_LIMIT ? tid_last + 1 : 1;
        } while (tid_lookup(tid_last));
        uint32_t tid = tid_last;
        spin_unlock(&tid_lock);
        if (!process_id_used(tid)) return tid;
    }
}

static uint32_t kernel_tid_allocate(void) {
    spin_lock(&tid_lock);
    uint32_t tid = ++kernel_tid_last;
    spin_unlock(&tid_lock);
    return tid;
}

static void tid_publish(struct thread *t) {
    spin_lock(&tid_lock);
    t->tid_node.key = t->tid;
    tree_insert(&tids, &t->tid_node);
    thread_total++;
    spin_unlock(&tid_lock);
}

static void tid_withdraw(struct thread *t) {
    spin_lock(&tid_lock);
    tree_remove(&tids, &t->tid_node);
    thread_total--;
    spin_unlock(&tid_lock);
}

void thread_set_tid(struct thread *t, uint32_t tid) {
    tid_withdraw(t);
    t->tid = tid;
    tid_publish(t);
}

struct thread *thread_find(uint32_t tid) {
    spin_lock(&tid_lock);
    struct thread *t = tid_lookup(tid);
    if (t) thread_get(t);
    spin_unlock(&tid_lock);
    return t;
}

static void thread_begin(void *arg) {
    struct thread *t = arg;
    sched_finish_switch(cpu_current()->previous);
    t->entry(t->entry_argument);
    thread_exit();
}

struct thread *thread_create(struct process *p, const char *name, void (*entry)(void *), void *arg) {
    struct thread *t = kzalloc(sizeof(*t));
    if (!t) return nullptr;
    t->stack = kernel_stack_alloc();
    if (!t->stack) {
        kfree(t);
        return nullptr;
    }
    t->base_priority = t->priority = PRIORITY_DEFAULT;
    t->cpu = cpu_current()->id;
    t->affinity = UINT64_MAX;
    atomic_init(&t->state, THREAD_NEW);
    atomic_init(&t->refs, 1);
    list_init(&t->run_link);
    list_init(&t->wait_link);
    list_init(&t->call.link);
    list_init(&t->call.cancel.link);
    list_init(&t->process_link);
    list_init(&t->pending.queue);
    thread_init_sleep(t);
    t->entry = entry;
    t->entry_argument = arg;
    t->start_ns = (uint64_t)clock_now();
    memcpy(t->name, name, strnlen(name, sizeof(t->name) - 1));
    t->process = p;
    if (p) object_get(&p->object);
    arch_thread_init(t);
    arch_thread_set_entry(t, thread_begin, t);
    t->tid = p ? tid_allocate() : kernel_tid_allocate();
    tid_publish(t);
    return t;
}

void thread_start(struct thread *t) {
    trace_ring_add(TR_START, t->process ? t->process->pid : 0, t->tid);
    sched_enqueue(t);
}

NORETURN void thread_exit(void) {
    struct thread *t = thread_current();
    tid_withdraw(t);
    atomic_store(&t->state, THREAD_DEAD);
    sched_schedule(t); /* the next thread's sched_finish_switch drops our reference */
    panic("thread %u ran after its end", t->tid);
}

void thread_get(struct thread *t) { atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed); }

void thread_put(struct thread *t) {
    if (atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1) return;
    if (t->state == THREAD_NEW) /* never started */
        tid_withdraw(t);
    kernel_stack_free(t->stack);
    if (t->process) object_put(&t->process->object);
    kfree(t);
}

uint64_t thread_run_ns(const struct thread *t) {
    uint64_t cycles = __atomic_load_n(&t->run_cycles, __ATOMIC_RELAXED);
    return sched_ns((int64_t)cycles < 0 ? cycles + arch_cycles() : cycles);
}

void sched_thread_counts(uint64_t *running, uint64_t *total) {
    *running = sched_running();
    *total = __atomic_load_n(&thread_total, __ATOMIC_RELAXED);
}

/* Without the lock: this runs when the system hangs, perhaps by that lock. */
UNCHECKED void sched_dump(void) {
    static const char states[] = "NRRSMX";
    for (struct tree_node *n = tree_first(&tids); n; n = tree_next(n)) {
        const struct thread *t = container_of(n, struct thread, tid_node);
        klog(LOG_ERROR, "tid %u %c cpu %u prio %u waits for %p work %x %s", t->tid, states[atomic_load(&t->state)],
             t->cpu, t->priority, t->wait_on, atomic_load(&t->work), t->name);
    }
}
