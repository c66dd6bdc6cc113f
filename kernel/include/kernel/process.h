// SPDX-License-Identifier: MIT
/*
 * Processes, credentials, signals, images.  kernel/process/
 *
 * The tree (parents, groups, sessions) is under process_lock (RANK_PROCESS); threads and signal state
 * of one process are under its signal_lock (RANK_SIGNAL), which may be taken with process_lock or any
 * object locked.
 */
#pragma once
#include <abi/process.h>
#include <abi/signal.h>
#include <kernel/account.h>
#include <kernel/handle.h>
#include <kernel/signal.h>
#include <kernel/space.h>
#include <kernel/thread.h>

struct cred { /* immutable */
    _Atomic uint32_t refs;
    struct credentials c;
    struct account *account; /* of c.uid */
    struct tree_node node;
};
struct session {
    uint32_t id, members; /* processes in it and terminal objects of it */
    struct process *leader; /* null once it has exited */
    uint32_t foreground; /* group */
    uint32_t terminal; /* device number of the controlling terminal, 0: none */
    struct list terminals; /* terminal objects */
};
struct group {
    struct tree_node node; /* by id */
    struct session *session;
    struct list members; /* struct process.group_link */
};
struct interval_timer { /* in ns of the clock or of CPU time; expiry 0: not set */
    int64_t expiry, interval;
};
struct process {
    struct object object;
    uint32_t pid;
    struct space *space; /* own threads: at will; others: under process_lock; null after the end */
    struct handle_table handles;
    /* Replaced as a whole; a reader that neither sleeps nor takes a lock needs no reference. */
    _Atomic(struct cred *) cred;

    /* protected by process_lock */
    enum { PROCESS_ALIVE, PROCESS_ZOMBIE, PROCESS_REAPED } state;
    struct process *parent;
    struct list children, sibling_link;
    struct list tracees; /* records of trace.c */
    _Atomic(struct process *) tracer; /* of `traced` of its threads; changed under signal_lock too */
    uint32_t traced, tracee_count;
    struct group *group_of;
    struct session *session;
    struct list group_link;
    struct tree_node node; /* by pid */
    uint32_t group; /* its number */
    uint32_t parent_signal; /* sent to this process when its parent ends */
    bool executed, subreaper;

    /* protected by signal_lock */
    struct spinlock signal_lock;
    struct list threads; /* struct thread.process_link */
    _Atomic uint32_t thread_count; /* read by waiters without the lock, as `stopped` is */
    struct signal_pending pending;
    int32_t exit_status; /* as wait(2) encodes */
    bool group_exit; /* all threads are ending */
    struct thread *exec_thread; /* the others are ending */
    _Atomic(struct thread *) dumper; /* writes a core, the others are halted */
    int32_t dump_signal; /* it ends by this */
    _Atomic bool stopped;
    bool stop_reported, continued, continue_notify;
    uint32_t stop_signal, continue_count;
    struct process_usage usage, children_usage; /* of ended threads; of waited-for children */
    struct wait_queue self_wait; /* its own threads: stopped, or exec waiting for the others to end */

    struct wait_queue child_wait; /* threads that wait for children */
    _Atomic uint32_t child_events;
    struct timer itimer_real, cpu_timer;
    struct interval_timer timers[3]; /* ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF */
    uint32_t serve_rank; /* lowest rank of the schemes it serves; 0: it serves none */

    /* a child gets a copy of all from here … */
    struct signal_action actions[SIGNAL_COUNT]; /* under signal_lock */
    struct process_limit limits[LIMIT_COUNT];
    uint32_t umask, nice;
    bool dumpable, signals_watched; /* the latter under signal_lock; see signal_object.c */
    uaddr_t foreign_handler;
    vaddr_t arguments, arguments_end, environment_end; /* in user memory, for /proc */
    char name[32];
    /* … to here */
    uint64_t start_ns;
};
enum limit { /* RLIMIT_* */
             LIMIT_CPU,
             LIMIT_FILE_SIZE,
             LIMIT_DATA,
             LIMIT_STACK,
             LIMIT_CORE,
             LIMIT_RESIDENT,
             LIMIT_TASKS,
             LIMIT_HANDLES,
             LIMIT_LOCKED,
             LIMIT_SPACE,
             LIMIT_LOCKS,
             LIMIT_SIGNALS,
};
#define LIMIT_INFINITE UINT64_MAX

extern const struct object_ops process_ops, terminal_ops;
extern struct spinlock process_lock;

static inline struct process *process_current(void) { return thread_current()->process; }

/*
 * The lookup of hot paths. Only its own threads close a process's handles, so a process with one
 * thread needs neither the table's lock nor a reference: the slot is read as it is.  handle_return()
 * knows whether there is a reference to drop.  object: or err_ptr(-EBADF), -EINVAL as handle_lookup.
 */
static inline const struct handle_slot *handle_peek(struct process *p, handle_t h) UNCHECKED { /* null: not so */
    uint32_t upper = (uint32_t)h / HANDLE_UPPER, chunk = (uint32_t)h % HANDLE_UPPER / HANDLE_CHUNK;
    if (unlikely(p->thread_count != 1 || upper > 1)) return nullptr;
    const struct handle_range *r = &p->handles.ranges[upper];
    if (unlikely(chunk >= __atomic_load_n(&r->chunk_count, __ATOMIC_ACQUIRE))) return nullptr;
    const struct handle_slot *slots = __atomic_load_n(&r->chunks, __ATOMIC_ACQUIRE)[chunk];
    if (unlikely(!slots)) return nullptr;
    const struct handle_slot *s = &slots[(uint32_t)h % HANDLE_CHUNK];
    return likely((uintptr_t)s->object > (uintptr_t)HANDLE_RESERVED) ? s : nullptr;
}
static inline struct borrowed handle_borrow(struct process *p, handle_t h, enum object_type type) {
    const struct handle_slot *s = handle_peek(p, h);
    if (unlikely(!s) || unlikely(type && s->object->ops->type != type)) return handle_borrow_counted(h, type);
    return (struct borrowed){s->object, s->rights, false};
}
/* Whether h is what is cached still. Fill it in with what was borrowed. */
static inline bool handle_is_cached(const struct handle_cache *c, handle_t h, const struct process *p) {
    return likely(c->handle == h) && likely(c->generation == p->handles.generation);
}
static inline void handle_cache_fill(struct handle_cache *c, handle_t h, const struct process *p, struct borrowed b) {
    if (!b.counted) *c = (struct handle_cache){h, p->handles.generation, b.object};
}
static inline void handle_return(struct borrowed b) {
    if (unlikely(b.counted)) object_put(b.object);
}
struct process *process_find(uint32_t pid); /* reference (object), or null */
bool process_id_used(uint32_t id); /* by a process or a group: no thread may get this number */
/* init: process 1 from an ELF image, or err_ptr. Install its handles, then start it. */
struct process *process_create_first(struct memory *image, const char *path);
void process_start(struct process *p);
NORETURN void process_exit(int32_t wait_status); /* whole process; current thread */
NORETURN void process_thread_exit(void); /* current thread only; last one ends the process */
void process_kill(struct process *p, int signal); /* from the kernel (memory): at once, not caught */
void process_caller_info(struct thread *t, struct caller_info *out); /* pid … terminal_state */
uint64_t process_cpu_time(struct process *p); /* ns */

struct cred *cred_get(struct process *p); /* reference */
void cred_put(struct cred *c);
struct cred *cred_find(uint64_t id); /* reference, or null */
static inline bool cred_privileged(const struct cred *c) { return c->c.privileges & PRIVILEGE_ROOT; }

/* Signals. info null: as from the kernel. Callable in any context below RANK_SIGNAL. */
void signal_send_process(struct process *p, int signal, const struct signal_info *info);
void signal_send_thread(struct thread *t, int signal, const struct signal_info *info);
void signal_send_fault(int signal, int code, uaddr_t address); /* to the current thread, forced */

extern const struct object_ops signal_object_ops;
MUST_CHECK long signal_object_read(struct object *o, uaddr_t to, size_t size, bool nonblock, nsec_t deadline);

/* What sends one signal again and again (a timer): queued at most once, with memory of its own. */
struct signal_source {
    struct signal_entry entry;
    struct process *process; /* references */
    struct thread *thread; /* null: to the process */
    _Atomic int32_t overruns; /* those told with the signal taken last */
};
/* To thread tid (0: any) of the caller's process; value as si_value, id as si_timerid. err_ptr. */
struct signal_source *signal_source_create(int signal, uint32_t tid, uint64_t value, int32_t id);
void signal_source_destroy(struct signal_source *s); /* what is pending stays so */
void signal_source_post(struct signal_source *s, uint64_t times);
bool signal_pending_slow(struct thread *t);
/* A deliverable one, exit, stop, or a cancelled cancellation point: blocking calls return -EINTR. */
static inline bool signal_pending(struct thread *t) {
    uint32_t work = atomic_load_explicit(&t->work, memory_order_relaxed);
    bool look = work & (WORK_SIGNAL | WORK_STOP | WORK_EXIT) || (t->control && t->control->flags);
    return unlikely(look) && signal_pending_slow(t);
}
uint64_t signal_mask_of(struct thread *t); /* control area's mask if registered */
/* The current thread's mask until this system call returns (event_poll, sigsuspend). */
void signal_mask_temporary(uint64_t mask);
/* Result of a system call that may be done again after a signal: deadlines are absolute. */
static inline long syscall_restartable(long result) {
    bool signal =
        atomic_load_explicit(&thread_current()->work, memory_order_relaxed) & (WORK_SIGNAL | WORK_STOP | WORK_EXIT);
    return unlikely(result == -EINTR) && signal ? -ERESTART : result;
}
