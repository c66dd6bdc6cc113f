// SPDX-License-Identifier: MIT
/*
 * Tracing: a process halts threads of another, looks into them and changes them.  ptrace(2) of libposix.
 *
 * A traced thread has a record, which is on a list of its tracer.  The thread halts on its way out of the kernel, for
 * a signal that it is about to take, a stop of its process, or an event; its registers are then where others can reach
 * them (thread->registers), and its tracer, which waits for it as for a child, lets it go on.  Records are protected by
 * process_lock; thread->trace changes under signal_lock too.  Only the thread itself frees the record of a halted one.
 * That of one that has ended waits to be waited for, unless the tracer is the parent, which waits for the process.
 */
#include <kernel/syscall.h>

#include "process_impl.h"

#define TRACEES_MAX 1024 /* of one tracer, with those that have ended and were not waited for */

struct trace {
    struct list link; /* process->tracees of the tracer */
    struct thread *thread; /* null: it has ended */
    struct process *tracer; /* null: it was let go while it was halted */
    uint32_t tid, options; /* TRACE_* options */
    enum { TRACE_RUNNING, TRACE_HALTED, TRACE_ENDED } state;
    bool told, interrupt; /* the tracer has waited for this state; to halt soon, for nothing */
    bool inside; /* the thread is in trace_halt(), which frees the record if it was let go */
    uint32_t event; /* to halt for on the way out of the kernel, 0: none */
    int32_t status; /* as wait(2) encodes */
    uint64_t message; /* of the event */
    int32_t signal; /* to go on with */
    struct signal_info info; /* of the signal or event it halted for; signal 0: the process was stopped */
};

/* A service is let alone, and lets others: it would lend them the handles it was given. */
static bool may_trace(const struct process *tracer, const struct process *p) REQUIRES(process_lock) {
    const struct credentials *from = &atomic_load(&tracer->cred)->c, *to = &atomic_load(&p->cred)->c;
    if (p == tracer || p == process_init || !p->space || p->space->service || tracer->space->service) return false;
    return credentials_privileged(from) || (p->dumpable && credentials_may_inspect(from, to));
}

/* --- records ------------------------------------------------------------------------------------- */

/* Consumes x. -EPERM: traced already; -ESRCH: it ends, or has ended; -ENOMEM: too many. */
static int trace_begin(struct trace *x, struct thread *t, struct process *tracer, uint32_t options)
    REQUIRES(process_lock) {
    struct process *p = t->process;
    int e = 0;
    spin_lock(&p->signal_lock);
    if (tracer->tracee_count >= TRACEES_MAX) e = -ENOMEM;
    else if (t->trace || (p->tracer && p->tracer != tracer)) e = -EPERM;
    else if (list_empty(&t->process_link)) e = -ESRCH;
    if (!e) {
        t->trace = x; /* which it looks at after it got WORK_EXIT */
        if (atomic_load(&t->work) & WORK_EXIT) t->trace = nullptr, e = -ESRCH;
    }
    if (!e) {
        *x = (struct trace){.thread = t, .tracer = tracer, .tid = t->tid, .options = options};
        list_push_back(&tracer->tracees, &x->link);
        tracer->tracee_count++;
        p->tracer = tracer;
        p->traced++;
    }
    spin_unlock(&p->signal_lock);
    if (e) kfree(x);
    return e;
}

/* The thread has no record any more. */
static void trace_detach(struct thread *t) REQUIRES(process_lock) {
    struct process *p = t->process;
    spin_lock(&p->signal_lock);
    t->trace = nullptr;
    t->step = false;
    if (--p->traced == 0) p->tracer = nullptr;
    if (p->stopped) atomic_fetch_or(&t->work, WORK_STOP);
    spin_unlock(&p->signal_lock);
}

/* The tracer lets go of it for good. */
static void trace_release(struct trace *x) REQUIRES(process_lock) {
    struct thread *t = x->thread;
    list_remove(&x->link);
    x->tracer->tracee_count--;
    x->tracer = nullptr;
    if (t && x->event == TRACE_EVENT_EXIT) process_kill(t->process, (int32_t)x->message); /* it was ending */
    if (x->inside) { /* trace_halt() does the rest */
        x->state = TRACE_RUNNING;
        wait_queue_wake(&t->process->self_wait, INT32_MAX);
        return;
    }
    if (t) trace_detach(t);
    kfree(x);
}

void trace_tracer_exit(struct process *p) {
    spin_lock(&process_lock);
    while (!list_empty(&p->tracees)) {
        struct trace *x = list_entry(p->tracees.next, struct trace, link);
        if (x->thread && x->options & TRACE_EXIT_KILL) process_kill(x->thread->process, SIGKILL);
        trace_release(x);
    }
    p->tracee_count = TRACEES_MAX; /* its children get no other by TRACE_ME */
    spin_unlock(&process_lock);
}

/* --- the thread's side --------------------------------------------------------------------------- */

static void tracer_notify(const struct trace *x, int code, int status) REQUIRES(process_lock) {
    struct signal_info info = {.signal = SIGCHLD, .code = code};
    info.child.pid = (int32_t)x->tid;
    info.child.status = status;
    signal_send_process(x->tracer, SIGCHLD, &info);
    parent_wake(x->tracer);
}

RACE_INTENDED static bool may_go(void *arg) {
    struct thread *t = arg;
    const struct trace *x = t->trace; /* which nobody else frees now */
    return x->state != TRACE_HALTED || atomic_load(&t->work) & WORK_EXIT;
}

/* why: signal | event << 8. info: of the signal it is about to take, or null. Result: the signal to take, in info. */
static int trace_halt(struct thread *t, int32_t why, struct signal_info *info, uint64_t message) {
    struct thread_registers registers;
    t->step = false;
    arch_registers_get(&registers);
    thread_show(t, &registers);
    spin_lock(&process_lock);
    struct trace *x = t->trace;
    bool halts = x && !(atomic_load(&t->work) & WORK_EXIT);
    if (halts) {
        x->state = TRACE_HALTED;
        x->inside = true;
        x->told = false;
        x->status = why << 8 | 0x7f;
        x->message = message;
        x->signal = 0;
        x->info = (struct signal_info){};
        if (info) x->info = *info;
        else if ((why & 0xff) == SIGTRAP) x->info = (struct signal_info){.signal = SIGTRAP, .code = why};
        tracer_notify(x, CLD_TRAPPED, why & 0xff);
    }
    spin_unlock(&process_lock);
    if (halts) (void)wait_queue_sleep(&t->process->self_wait, may_go, t, false, DEADLINE_NEVER);
    thread_show(t, nullptr);
    if (!halts) return info ? info->signal : 0;
    arch_registers_set(&registers);
    spin_lock(&process_lock);
    int signal = x->signal;
    x->state = TRACE_RUNNING;
    x->inside = false;
    if (info) *info = x->info;
    if (!x->tracer) {
        trace_detach(t);
        kfree(x);
    }
    spin_unlock(&process_lock);
    return signal;
}

int trace_signal(struct thread *t, struct signal_info *info) {
    int signal = trace_halt(t, info->signal, info, 0);
    if (signal && signal != info->signal) { /* the tracer's own */
        *info = (struct signal_info){.signal = signal, .code = SI_USER};
        info->user.pid = (int32_t)t->process->pid;
    }
    return signal;
}

void trace_pause(struct thread *t) {
    struct process *p = t->process;
    int32_t why = 0;
    spin_lock(&process_lock);
    struct trace *x = t->trace;
    uint32_t event = x ? x->event : 0;
    uint64_t message = x ? x->message : 0;
    if (event) {
        why = SIGTRAP | (int32_t)event << 8;
        x->event = 0;
        if (p->stopped) atomic_fetch_or(&t->work, WORK_STOP);
    } else if (x && p->stopped) {
        why = (int32_t)p->stop_signal | (x->options & TRACE_SEIZED ? TRACE_EVENT_STOP << 8 : 0);
    } else if (x && x->interrupt) {
        why = SIGTRAP | TRACE_EVENT_STOP << 8;
    }
    if (x) x->interrupt = false;
    spin_unlock(&process_lock);
    if (why) (void)trace_halt(t, why, nullptr, message);
    if (event == TRACE_EVENT_EXIT) process_exit((int32_t)message);
}

bool trace_event(uint32_t event, uint64_t message) {
    struct thread *t = thread_current();
    if (likely(!t->trace)) return false;
    spin_lock(&process_lock);
    struct trace *x = t->trace;
    bool wanted = x && x->options & 1U << event;
    if (wanted) {
        x->event = event;
        x->message = message;
        atomic_fetch_or(&t->work, WORK_STOP);
    }
    spin_unlock(&process_lock);
    return wanted;
}

void trace_exit_by_signal(int signal) {
    if (trace_event(TRACE_EVENT_EXIT, (uint64_t)signal)) trace_pause(thread_current());
}

void trace_exec(void) {
    struct thread *t = thread_current();
    if (likely(!t->trace)) return;
    spin_lock(&process_lock);
    uint32_t former = t->trace ? t->trace->tid : 0;
    bool trap = former && !(t->trace->options & (TRACE_SEIZED | 1 << TRACE_EVENT_EXEC));
    if (former) t->trace->tid = t->tid;
    spin_unlock(&process_lock);
    const struct signal_info info = {.signal = SIGTRAP, .code = SI_USER, .user.pid = (int32_t)t->tid};
    if (trap) signal_send_thread(t, SIGTRAP, &info);
    else if (former) (void)trace_event(TRACE_EVENT_EXEC, former);
}

/* By SIGSTOP, unless it was seized or is stopped anyway; which the tracer will hear. */
static void trace_halt_soon(struct trace *x) REQUIRES(process_lock) {
    struct thread *t = x->thread;
    struct process *p = t->process;
    const struct signal_info info = {.signal = SIGSTOP, .code = SI_USER};
    spin_lock(&p->signal_lock);
    if (!(x->options & TRACE_SEIZED) && !p->stopped) (void)signal_post(p, t, SIGSTOP, &info);
    if (p->stopped || x->interrupt) atomic_fetch_or(&t->work, WORK_STOP);
    wait_queue_wake(&p->self_wait, INT32_MAX);
    spin_unlock(&p->signal_lock);
}

void trace_child(struct thread *child, uint32_t event) {
    struct thread *self = thread_current();
    if (likely(!self->trace)) return;
    struct trace *x = kzalloc(sizeof(*x)); /* without memory it is not traced */
    spin_lock(&process_lock);
    const struct trace *mine = self->trace;
    bool wanted = mine && mine->options & 1U << event &&
                  (child->process == self->process || may_trace(mine->tracer, child->process));
    if (x && !wanted) kfree(x);
    else if (x && !trace_begin(x, child, mine->tracer, mine->options)) {
        x->interrupt = x->options & TRACE_SEIZED;
        trace_halt_soon(x);
    }
    spin_unlock(&process_lock);
    (void)trace_event(event, child->tid);
}

void trace_thread_exit(struct thread *t) {
    if (likely(!t->trace)) return;
    spin_lock(&process_lock);
    struct trace *x = t->trace;
    struct process *p = t->process;
    if (x) {
        bool waited_for = x->tracer == p->parent && x->tid == p->pid;
        trace_detach(t);
        x->thread = nullptr;
        x->state = TRACE_ENDED;
        x->told = false;
        x->status = p->group_exit ? p->exit_status : 0;
        if (waited_for || p->exec_thread) trace_release(x);
        else tracer_notify(x, exit_code(x->status), exit_value(x->status));
    }
    spin_unlock(&process_lock);
}

/* --- the tracer's side --------------------------------------------------------------------------- */

long trace_wait(struct process *p, uint32_t type, int32_t id, uint32_t flags, struct wait_status *out) {
    long result = -ECHILD;
    list_for_each (n, &p->tracees) {
        struct trace *x = list_entry(n, struct trace, link);
        bool ended = x->state == TRACE_ENDED;
        uint32_t group = x->thread ? x->thread->process->group : 0;
        if (type != WAIT_ALL && (uint32_t)id != (type == WAIT_PID ? x->tid : group)) continue;
        result = 0;
        if (x->state == TRACE_RUNNING || x->told || (ended && !(flags & WAIT_EXITED))) continue;
        *out = (struct wait_status){
            .pid = (int32_t)x->tid,
            .code = ended ? exit_code(x->status) : CLD_TRAPPED,
            .status = ended ? exit_value(x->status) : x->status >> 8,
            .wait_status = x->status,
        };
        if (!(flags & WAIT_NOWAIT)) {
            x->told = true;
            if (ended) trace_release(x);
        }
        return out->pid;
    }
    return result;
}

static long trace_attach(struct thread *t, uint32_t options) {
    struct process *self = process_current();
    struct trace *x = kzalloc(sizeof(*x));
    if (!x) return -ENOMEM;
    spin_lock(&process_lock);
    int e = may_trace(self, t->process) ? 0 : -EPERM;
    if (e) kfree(x);
    else e = trace_begin(x, t, self, options);
    if (!e) trace_halt_soon(x);
    spin_unlock(&process_lock);
    return e;
}

/* By the parent, which was not asked: not by init, to which orphans come, nor by a service. */
static long trace_me(void) {
    struct thread *t = thread_current();
    struct trace *x = kzalloc(sizeof(*x));
    if (!x) return -ENOMEM;
    spin_lock(&process_lock);
    struct process *parent = t->process->parent;
    bool may = parent && parent != process_init && parent->space && !parent->space->service;
    int e = may ? 0 : -EPERM;
    if (e) kfree(x);
    else e = trace_begin(x, t, parent, 0);
    spin_unlock(&process_lock);
    return e;
}

/* Its record if the caller traces it, and it is halted; else null. */
static struct trace *halted(struct thread *t) REQUIRES(process_lock) {
    struct trace *x = t->trace;
    return x && x->tracer == process_current() && x->state == TRACE_HALTED ? x : nullptr;
}

/* The caller writes a core, and looks into its own process. */
static bool dumps(const struct process *p) { return p->dumper == thread_current(); }

static long trace_resume(struct thread *t, uint64_t how) {
    int32_t signal = how & 0xff;
    if (signal > SIGNAL_COUNT) return -EINVAL;
    spin_lock(&process_lock);
    struct trace *x = halted(t);
    if (x) {
        x->signal = x->info.signal ? signal : 0;
        t->step = how & TRACE_STEP && !(how & TRACE_DETACH);
        if (how & TRACE_DETACH) {
            trace_release(x);
        } else {
            x->state = TRACE_RUNNING;
            wait_queue_wake(&t->process->self_wait, INT32_MAX);
        }
    }
    spin_unlock(&process_lock);
    return x ? 0 : -ESRCH;
}

static long trace_interrupt(struct thread *t) {
    spin_lock(&process_lock);
    struct trace *x = t->trace;
    bool may = x && x->tracer == process_current() && x->options & TRACE_SEIZED;
    if (may) {
        x->interrupt = true;
        atomic_fetch_or(&t->work, WORK_STOP);
        thread_interrupt(t);
    }
    spin_unlock(&process_lock);
    return may ? 0 : -ESRCH;
}

/* What cannot be written is made writable meanwhile, as a private copy: breakpoints. */
static int space_poke(struct space *s, vaddr_t at, const void *from, size_t n) {
    struct map_info map;
    vaddr_t page = align_down(at, PAGE_SIZE);
    if (!space_describe(s, at, &map, 1) || map.start > at) return -EFAULT;
    if (map.flags & VM_WRITE) return space_write(s, at, from, n);
    if (map.flags & VM_SHARED) return -EFAULT;
    uint32_t access = map.flags & (VM_READ | VM_EXEC);
    int e = space_protect(s, page, PAGE_SIZE, access | VM_WRITE);
    if (e) return e;
    e = space_write(s, at, from, n);
    int back = space_protect(s, page, PAGE_SIZE, access);
    return e ? e : back;
}

static long memory_copy(struct space *s, vaddr_t at, uaddr_t buffer, size_t size, bool write) {
    char bytes[256];
    int e = 0;
    for (size_t done = 0, n; !e && done < size; done += n) {
        n = min(min(size - done, sizeof(bytes)), PAGE_SIZE - (at + done) % PAGE_SIZE);
        e = write ? copy_from_user(bytes, buffer + done, n) : space_read(s, bytes, at + done, n);
        if (!e) e = write ? space_poke(s, at + done, bytes, n) : copy_to_user(buffer + done, bytes, n);
    }
    return e ? -EFAULT : 0;
}

static long trace_memory(struct thread *t, vaddr_t at, uaddr_t buffer, size_t size, bool write) {
    spin_lock(&process_lock);
    bool may = halted(t) || (dumps(t->process) && !write);
    struct space *s = may ? space_of_locked(t->process) : nullptr;
    spin_unlock(&process_lock);
    if (!s) return -ESRCH;
    long result = memory_copy(s, at, buffer, size, write);
    space_put(s);
    return result;
}

/* What lies in kernel memory: registers, siginfo, message; out of it (or into it, set) through `copy`. */
static long trace_exchange(struct thread *t, uint32_t op, uaddr_t buffer, size_t size) {
    union {
        struct thread_registers registers;
        struct signal_info info;
        uint64_t message;
    } copy = {};
    struct process *p = t->process;
    bool set = op == TRACE_SET_REGISTERS || op == TRACE_SET_INFO, registers = op <= TRACE_SET_REGISTERS;
    const size_t right = registers             ? sizeof(copy.registers)
                         : op == TRACE_MESSAGE ? sizeof(copy.message)
                                               : sizeof(copy.info);
    if (size != right) return -EINVAL;
    if (set && copy_from_user(&copy, buffer, size)) return -EFAULT;
    long result = 0;
    spin_lock(&process_lock);
    struct trace *x = halted(t);
    spin_lock(&p->signal_lock);
    if (!x && !(op == TRACE_REGISTERS && dumps(p))) result = -ESRCH;
    else if (registers && !t->registers) result = -EAGAIN;
    else if (op == TRACE_REGISTERS) copy.registers = *t->registers;
    else if (op == TRACE_SET_REGISTERS) *t->registers = copy.registers;
    else if (op == TRACE_MESSAGE) copy.message = x->message;
    else if (!x->info.signal) result = -EINVAL;
    else if (op == TRACE_INFO) copy.info = x->info;
    else copy.info.signal = x->info.signal, x->info = copy.info;
    spin_unlock(&p->signal_lock);
    spin_unlock(&process_lock);
    return result || set ? result : copy_to_user(buffer, &copy, size);
}

static long trace_options(struct thread *t, uint32_t options) {
    spin_lock(&process_lock);
    struct trace *x = halted(t);
    if (x) x->options = options | (x->options & TRACE_SEIZED);
    spin_unlock(&process_lock);
    return x ? 0 : -ESRCH;
}

static long trace_do(struct thread *t, uint32_t op, uaddr_t buffer, size_t size, uint64_t value) {
    switch (op) {
    case TRACE_READ:
    case TRACE_WRITE: return trace_memory(t, value, buffer, size, op == TRACE_WRITE);
    case TRACE_REGISTERS:
    case TRACE_SET_REGISTERS:
    case TRACE_INFO:
    case TRACE_SET_INFO:
    case TRACE_MESSAGE: return trace_exchange(t, op, buffer, size);
    case TRACE_ME: return trace_me();
    case TRACE_ATTACH: return value > UINT32_MAX ? -EINVAL : trace_attach(t, (uint32_t)value);
    case TRACE_RESUME: return trace_resume(t, value);
    case TRACE_INTERRUPT: return trace_interrupt(t);
    case TRACE_OPTIONS: return value > UINT32_MAX || value & TRACE_SEIZED ? -EINVAL : trace_options(t, (uint32_t)value);
    default: return -EINVAL;
    }
}

long sys_trace(uint32_t tid, uint32_t op, void *buffer, size_t size, uint64_t value) {
    struct thread *t = user_thread_find(tid ? tid : thread_current()->tid);
    if (is_err(t)) return ptr_err(t);
    long result = trace_do(t, op, (uaddr_t)buffer, size, value);
    thread_put(t);
    return result;
}
