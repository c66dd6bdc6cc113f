// SPDX-License-Identifier: MIT
/* What the files of kernel/process (and its system calls) share and nobody else needs. */
#pragma once
#include <kernel/clock.h>
#include <kernel/lib.h>
#include <kernel/log.h>
#include <kernel/memory.h>
#include <kernel/process.h>
#include <kernel/sanitizer.h>

#include "cred.h"

/* t: each of p's threads in turn. */
#define for_each_thread(t, p)                                                                                          \
    for (struct thread *t = list_entry((p)->threads.next, struct thread, process_link);                                \
         &t->process_link != &(p)->threads; t = list_entry(t->process_link.next, struct thread, process_link))
static inline struct thread *first_thread(struct process *p) { /* or null */
    return list_empty(&p->threads) ? nullptr : list_entry(p->threads.next, struct thread, process_link);
}

/* account.c */
struct cred *cred_create(const struct credentials *c); /* null: no memory */
MUST_CHECK int process_set_credentials(struct process *p, const struct credentials *wish);
void process_replace_cred(struct process *p, struct cred *new); /* consumes `new` */
MUST_CHECK bool account_charge_task(struct process *p); /* false: RLIMIT_NPROC */
void account_uncharge_task(struct process *p);

/* tree.c: all with process_lock held */
extern struct process *process_init; /* pid 1 */
void process_link(struct process *p, struct process *parent) REQUIRES(process_lock);
void process_unlink(struct process *p) REQUIRES(process_lock); /* the caller drops a reference */
void process_reap(struct process *p) REQUIRES(process_lock); /* it was waited for: unlink, no task any more */
struct process *process_at(uint32_t pid) REQUIRES(process_lock);
struct process *process_next(uint32_t pid) REQUIRES(process_lock); /* smallest pid > pid, or null */
struct group *group_at(uint32_t id) REQUIRES(process_lock);
void process_orphan(struct process *p) REQUIRES(process_lock); /* children to their new parent; hang-ups */

/* group.c */
MUST_CHECK int process_set_group(struct process *caller, int32_t pid, int32_t group);
MUST_CHECK long process_set_session(struct process *p); /* its id */
void group_join(struct process *p, struct group *g) REQUIRES(process_lock);
void group_leave(struct process *p) REQUIRES(process_lock);
bool group_orphaned(struct group *g) REQUIRES(process_lock);
void group_signal(struct group *g, int signal) REQUIRES(process_lock);
void group_hang_up_if_orphaned(struct group *g) REQUIRES(process_lock);
void group_member_exit(struct process *p) REQUIRES(process_lock);
void session_leader_exit(struct process *p) REQUIRES(process_lock);
MUST_CHECK int terminal_create(struct process *p, struct object **out); /* a reference. -EPERM, -ENOMEM */

/* process.c */
struct process *process_prepare(struct process *parent); /* a copy without space, handles, threads; err_ptr */
void process_discard(struct process *p); /* undoes it, with all it got meanwhile */
/* Its first thread, on p->space, NEW; err_ptr. */
struct thread *process_first_thread(struct process *p);
/* Makes it visible as a child of the caller: pid, or -EINTR if the caller is being killed. */
MUST_CHECK long process_publish(struct process *p, struct thread *t);
void process_withdraw(struct process *p); /* undoes that; its thread has not been started */
#define PROCESS_RIGHTS (RIGHT_WAIT | RIGHT_TRANSFER | RIGHT_DUPLICATE) /* of a handle to it: one waits, no more */
MUST_CHECK long process_fork(void);
void user_entry(void *); /* where new user threads start */
MUST_CHECK int process_thread_add(struct process *p, struct thread *t); /* -EINTR: process is ending */
void process_end_threads(struct process *p, int32_t status) REQUIRES(p -> signal_lock);
MUST_CHECK int process_become_single(struct process *p); /* exec. -EINTR: killed, or another thread execs */

/* exec.c, image.c */
struct image { /* what exec and spawn were asked for, checked and held */
    struct image_args args; /* strings: address in the current process */
    struct memory *program, *interpreter; /* references; interpreter may be null */
    char path[512], name[32];
    uint32_t uid, gid; /* of a set-id file, else SETID_NONE */
    struct cred *cred; /* what the process will be, if that is a change: a reference */
    uint64_t old_cred; /* id of what it was */
    bool secure;
    uaddr_t entry, stack; /* once it is loaded, as what follows */
    vaddr_t arguments, arguments_end, environment_end;
};
MUST_CHECK int image_open(struct image *i, const struct image_args *args);
void image_close(struct image *i);
struct space *image_load(struct image *i, struct process *p); /* err_ptr */
/* p and what names mean for it are still as they were when the image was loaded. */
bool image_ids_hold(const struct image *i, struct process *p);
/* p, running or new, is the image from now on; gives its old space, or null. */
struct space *image_adopt(struct process *p, struct image *i, struct space *s);

/* info.c */
struct space *space_of_locked(struct process *p) REQUIRES(process_lock); /* with a reference; null: it has ended */

/* wait.c */
#define STATUS_CORE 0x80 /* in a wait status: WCOREDUMP */
static inline int exit_code(int32_t status) {
    return status & STATUS_CORE ? CLD_DUMPED : status & 0x7f ? CLD_KILLED : CLD_EXITED;
}
static inline int exit_value(int32_t status) { return status & 0x7f ? status & 0x7f : status >> 8 & 0xff; }
void parent_wake(struct process *parent);
void parent_notify(struct process *p, int code, int status) REQUIRES(process_lock);
bool parent_notify_exit(struct process *p) REQUIRES(process_lock); /* true: nobody will wait for p */

/* signal.c: pending sets, routing */
#define SIGNALS_UNBLOCKABLE (SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP))
/* Raised by the thread's own instructions: taken before others. */
#define SIGNALS_SYNCHRONOUS                                                                                            \
    (SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGILL) | SIGNAL_BIT(SIGTRAP) | SIGNAL_BIT(SIGFPE) |        \
     SIGNAL_BIT(SIGSYS))
#define SIGNALS_STOP (SIGNAL_BIT(SIGSTOP) | SIGNAL_BIT(SIGTSTP) | SIGNAL_BIT(SIGTTIN) | SIGNAL_BIT(SIGTTOU))
#define SIGNALS_DUMP                                                                                                   \
    (SIGNALS_SYNCHRONOUS | SIGNAL_BIT(SIGQUIT) | SIGNAL_BIT(SIGABRT) | SIGNAL_BIT(SIGXCPU) | SIGNAL_BIT(SIGXFSZ))
#define SIGNALS_IGNORED (SIGNAL_BIT(SIGCHLD) | SIGNAL_BIT(SIGCONT) | SIGNAL_BIT(SIGURG) | SIGNAL_BIT(SIGWINCH))
void pending_init(struct signal_pending *p);
MUST_CHECK int signal_post(struct process *p, struct thread *t, int signal, const struct signal_info *info)
    REQUIRES(p -> signal_lock);
/* Takes the next pending signal of `set`: its number, 0 if none. */
int signal_take(struct process *p, struct thread *t, uint64_t set, struct signal_info *out) REQUIRES(p -> signal_lock);
void signal_discard(struct process *p, uint64_t set) REQUIRES(p -> signal_lock);
void signal_reroute(struct process *p) REQUIRES(p -> signal_lock); /* the process's own, to who takes them */
void signal_hint(struct process *p) REQUIRES(p -> signal_lock);
bool signal_ignored(struct process *p, int signal) REQUIRES(p -> signal_lock);
bool signal_cancelled(struct thread *t); /* at a cancellation point, with its cancel word set */
uint64_t signal_mask_raw(struct thread *t);
void signal_mask_set(struct thread *t, uint64_t mask);
MUST_CHECK int control_register(struct thread *t, uaddr_t address);
void control_release(struct thread *t);

/* signal_object.c */
void signal_news(void); /* somebody who looks at signal objects has a new signal; any signal_lock held */

/* signal_deliver.c */
/* To others, while it is halted; null: no more. */
void thread_show(struct thread *t, struct thread_registers *registers);

/* trace.c: of the current thread, if it is traced */
int trace_signal(struct thread *t, struct signal_info *info); /* halts; the signal to take instead, 0: none */
void trace_pause(struct thread *t); /* on the way out of the kernel: halts for what there is */
bool trace_event(uint32_t event, uint64_t message); /* true: it will halt for it */
void trace_exit_by_signal(int signal);
void trace_exec(void);
void trace_child(struct thread *child, uint32_t event); /* before it runs */
void trace_thread_exit(struct thread *t);
void trace_tracer_exit(struct process *p); /* lets all go */
long trace_wait(struct process *p, uint32_t type, int32_t id, uint32_t flags, struct wait_status *out)
    REQUIRES(process_lock); /* as wait_look */

/* signal_send.c */
MUST_CHECK long signal_wait(uint64_t set, struct signal_info *out, nsec_t deadline); /* -EAGAIN, -ERESTARTNOHAND */
int32_t signal_stack_flags(const struct thread *t, const struct trapframe *f); /* SS_* */
void signal_exec(struct process *p, struct thread *t, uint64_t defaults); /* handlers, and these, become default */
struct thread *user_thread_find(uint32_t tid); /* of any process, with a reference; err_ptr */

/* limit.c */
void limits_init(struct process *p);
MUST_CHECK int limit_set(struct process *p, const struct process_limit *l, bool privileged);
MUST_CHECK int itimer_get(struct process *p, struct process_itimer *out);
MUST_CHECK int itimer_set(struct process *p, const struct process_itimer *in);
void process_timers_init(struct process *p);
void process_timers_stop(struct process *p);
void usage_add(struct process_usage *to, const struct process_usage *more);
void usage_of_thread(struct thread *t, struct process_usage *out);
void usage_of_process(struct process *p, struct process_usage *out) REQUIRES(p -> signal_lock);

/* info.c */
bool process_may_manage(struct process *p); /* may the caller */
/* `value` (enum thread_scheduling) for t: -EINVAL, or -EPERM if the caller may not raise t to it. */
MUST_CHECK int thread_check_scheduling(const struct thread *t, uint64_t value);
void thread_set_scheduling(struct thread *t, uint64_t value);
