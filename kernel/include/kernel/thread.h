// SPDX-License-Identifier: MIT
/*
 * Threads and the scheduler: 64 priorities (63 highest), round robin within one, a run queue per
 * CPU, direct switch for scheme calls.
 *
 *   NEW → RUNNABLE ⇄ RUNNING → BLOCKED → RUNNABLE …      RUNNING → MOVING (to another CPU) → RUNNABLE
 *                         └→ DEAD (freed by the next thread's sched_finish_switch on that CPU)
 *
 * Blocking: thread_block_prepare() sets BLOCKED; the caller publishes itself where wakers look, tests
 * its condition again, then calls thread_block(), which returns why it woke.  thread_wake() between
 * the two makes thread_block() return at once, so no wake-up is lost.
 */
#pragma once
#include <arch/thread.h>
#include <kernel/lock.h>
#include <kernel/object.h>
#include <kernel/pin.h>
#include <kernel/timer.h>
#include <kernel/tree.h>
#include <abi/scheme.h>
#include <abi/signal.h>
#include <abi/thread.h>

enum thread_state { THREAD_NEW, THREAD_RUNNABLE, THREAD_RUNNING, THREAD_BLOCKED, THREAD_MOVING, THREAD_DEAD };

/* Reasons to leave the fast path before returning to user mode. */
enum thread_work {
    WORK_SIGNAL = 1, /* a signal may be deliverable */
    WORK_RESCHED = 2, /* yield to another thread */
    WORK_EXIT = 4, /* the process is being killed */
    WORK_STOP = 8, /* job-control stop or ptrace */
    WORK_RESTORE_MASK = 16, /* sigsuspend and its like: saved_mask replaces the mask after delivery */
    WORK_REAP = 32, /* objects wait for object_reap() */
};

#define PRIORITY_COUNT 64
#define PRIORITY_DEFAULT 24
#define SLICE_NS (10 * 1000000LL)

struct note { /* one-way message that lives inside its object: no allocation, no flood */
    struct list link; /* in scheme->notes; self-linked: not queued */
    struct request request;
    void (*sent)(struct note *n); /* taken off the queue, no lock held (may queue again); may be null */
};

/* ANSWERED: done, and the answer has data or a handle. */
enum call_state { CALL_NONE, CALL_QUEUED, CALL_SERVED, CALL_REPLYING, CALL_DONE, CALL_ANSWERED };
struct call { /* the calling thread's side of a scheme call; kernel/ipc/call.c */
    /* Read in one piece from struct call_args, up to its reply. */
    struct request request;
    uaddr_t in_address, out_address;
    uint32_t out_size; /* room for the answer: in `out` if that is pinned, else in `answer` */
    handle_t carry;
    uint32_t handle_flags, reserved;
    nsec_t deadline;
    /* the kernel's own; the next three are null and empty between calls */
    struct object *carried; /* handle carried by the request, until delivered */
    struct object *reply_object; /* object carried by the reply, until installed */
    struct pin in, out; /* the caller's buffers */
    struct reply reply;
    struct list link; /* scheme's queue or its table of calls in service */
    uint32_t carried_rights, reply_rights;
    uint32_t incarnation; /* asked for, 0: any */
    uint32_t served_by; /* the one that received it, if it may open a file */
    _Atomic uint8_t state; /* enum call_state */
    struct note cancel; /* OP_CANCEL for this call */
    uint8_t answer[CALL_ANSWER_SMALL];
};

/* Pending signals of a thread or a process: a bit for each number, what is known about them queued. */
struct signal_entry {
    struct list link;
    struct account *account; /* charged for it, if it was allocated */
    struct signal_info info;
};
struct signal_pending {
    uint64_t set;
    struct list queue; /* struct signal_entry */
    struct signal_entry slot; /* for one: needs no allocation */
    bool slot_used;
};

/* The handle a thread called, or served, last: still this object while its table has the same generation. */
struct handle_cache {
    handle_t handle;
    uint64_t generation;
    struct object *object;
};

struct thread {
    struct arch_thread arch; /* must be first */
    vaddr_t stack; /* top of the kernel stack */
    _Atomic uint32_t work; /* enum thread_work bits; read by the return path */
    uint32_t tid;
    struct process *process; /* null for kernel threads */

    /* scheduling: protected by the lock of the run queue of `cpu`; so is `cpu`, changed by who has hold of it */
    _Atomic uint8_t state;
    _Atomic uint8_t base_priority, lent_priority; /* lent: from a caller or mutex waiters */
    union {
        struct {
            uint32_t cpu; /* where it runs or ran last */
            _Atomic uint8_t priority; /* max(base, lent) */
        };
        uint64_t place; /* both */
    };
    _Atomic uint32_t scheduling; /* THREAD_FIFO, THREAD_NICE, and the program's own */
    _Atomic uint64_t affinity; /* like the priorities: read without the lock as a hint */
    uint64_t run_cycles; /* while it runs, less the time it began: negative; see thread_run_ns() */
    uint64_t slice_used; /* cycles, of one that was preempted before its slice was over */
    struct list run_link;
    _Atomic bool on_cpu; /* context not yet saved: nobody else may run it */

    /* blocking */
    _Atomic uint32_t sleep; /* enum sleep_state, SLEEP_INTERRUPTIBLE, result of the wake-up; sched.c */
    struct timer timeout;
    struct list wait_link; /* on a list of waiters: kernel/ipc/waiter.h */
    uint64_t wait_value;
    void *wait_on; /* what it blocks on, for the hang dump */

    struct call call;

    struct handle_cache called, served; /* a file; a port */
    struct object *reap; /* what object_reap() has to do: kernel/handle/object.c */

    /* signals (kernel/process): protected by the process's signal lock, the mask also by being current */
    uint64_t signal_mask, saved_mask;
    uint64_t signal_waiting; /* sigtimedwait: counts as unblocked */
    struct signal_pending pending;
    struct stack_info altstack;
    struct thread_control *control; /* kernel address of the wired control area, or null */
    struct frame *control_frame;
    uaddr_t control_address; /* user address of the control area, or 0 */
    uaddr_t clear_tid; /* set to 0 and woken at exit (after the stack is out of use) */
    uaddr_t robust_list;
    _Atomic(struct trace *) trace; /* null: not traced; kernel/process/trace.c */
    bool step; /* its tracer wants one instruction */
    struct thread_registers *registers; /* while it is halted, for others to see; else null */
    struct list process_link; /* process->threads */
    struct tree_node tid_node;
    void (*entry)(void *); /* what a new thread runs */
    void *entry_argument;
    _Atomic uint8_t pi_state; /* kernel/sched/futex.c */
#if CATHODE_DEBUG
    uint8_t mutexes_held[RANK_COUNT];
#endif
    struct object *exit_event; /* null or what waits for the thread */
    _Atomic uint32_t refs;
    char name[16];
    uint64_t start_ns;
    uint64_t faults_minor, faults_major, switches_voluntary, switches_forced;
};

/*
 * The sleep word: state, SLEEP_INTERRUPTIBLE, and in its upper half the negated result.
 *
 *   AWAKE ── prepare ──→ PREPARED ── thread_block ──→ ASLEEP ── claim ──→ CLAIMED
 *     ↑                     │ wake                      │ wake               │ switch_to, wake_claimed
 *     └──── thread_block ── WOKEN ←─────────────────────┴────────────────────┘
 *
 * Each arrow is one compare-and-swap, so exactly one waker wins.  Who takes a thread out of ASLEEP
 * or CLAIMED must put it on a run queue or run it; who takes it out of PREPARED need do nothing:
 * the thread still runs, and its thread_block returns at once.
 */
enum sleep_state { SLEEP_AWAKE, SLEEP_PREPARED, SLEEP_ASLEEP, SLEEP_CLAIMED, SLEEP_WOKEN };
#define SLEEP_STATE 7u
#define SLEEP_INTERRUPTIBLE 8u
static inline uint32_t sleep_woken(int result) { return SLEEP_WOKEN | (uint32_t)-result << 16; }
static inline int sleep_result(uint32_t word) { return -(int16_t)(word >> 16); }

static inline struct thread *thread_current(void) { return cpu_current()->current; }

/* kernel/sched/thread.c. A new thread is NEW with one reference; thread_start makes it runnable. */
struct thread *thread_create(struct process *p, const char *name, void (*entry)(void *),
                             void *arg); /* null: no memory */
void thread_start(struct thread *t);
NORETURN void thread_exit(void); /* the current thread; process accounting is done by the caller */
void thread_get(struct thread *t);
void thread_put(struct thread *t);
struct thread *thread_find(uint32_t tid); /* reference, or null */
uint32_t tid_allocate(void); /* a number that no thread, process or group has */
void thread_set_tid(struct thread *t, uint32_t tid); /* exec: the number is free */
uint64_t thread_run_ns(const struct thread *t); /* CPU time, for /proc and CPU clocks */
uint64_t sched_ns(uint64_t cycles); /* of arch_cycles() */

/* kernel/sched/sched.c */
void sched_init_cpu(void); /* this CPU: idle thread, queues; the caller becomes the idle thread */
uint32_t sched_running(void); /* threads that run or are ready */
NORETURN void sched_idle_loop(void);
static inline void thread_block_prepare(void *wait_on, bool interruptible) {
    struct thread *t = thread_current();
    ASSERT((t->sleep & SLEEP_STATE) == SLEEP_AWAKE);
    t->wait_on = wait_on;
    atomic_store_explicit(&t->state, THREAD_BLOCKED, memory_order_relaxed);
    atomic_exchange(&t->sleep, SLEEP_PREPARED | (interruptible ? SLEEP_INTERRUPTIBLE : 0));
}
void thread_block_cancel(void); /* back to running without a wait */
/* 0 woken, -EINTR signal, -ETIMEDOUT, or the waker's result. A late waker of an earlier wait may end
 * this one: callers test their condition again. */
int thread_block(nsec_t deadline);
/* Wakes t if it is blocked (or about to be): its thread_block returns result. True if it was this call. */
bool thread_wake(struct thread *t, int result);
/* t->work was just set: ends an interruptible wait with -EINTR, or makes t enter the kernel soon. */
void thread_interrupt(struct thread *t);
/*
 * Direct switch: the current thread is prepared to block; `next` was blocked and is owned by the
 * caller (taken off its wait list). Runs next at once on this CPU, on the current time slice, if
 * affinity allows, else wakes it and blocks. Returns as thread_block does.
 */
int thread_block_switch_to(struct thread *next, nsec_t deadline);
/*
 * Takes a thread that is blocked for a direct switch: false if somebody else has woken it (or it was
 * not blocked yet).  A claimed thread ignores thread_wake, signals and timeouts until it is switched
 * to, or woken by thread_wake_claimed.
 */
bool thread_claim_slow(struct thread *t);
static inline bool thread_claim_asleep(struct thread *t) { /* false, and nothing done, also if it is about to sleep */
    uint32_t word = SLEEP_ASLEEP | SLEEP_INTERRUPTIBLE;
    return atomic_compare_exchange_strong(&t->sleep, &word, SLEEP_CLAIMED);
}
static inline bool thread_claim(struct thread *t) { return likely(thread_claim_asleep(t)) || thread_claim_slow(t); }
/*
 * The shortest way from one thread to another, for a wait without deadline.  After thread_sleep_begin()
 * anyone may wake or claim the current thread; it must go on to thread_switch_to() whatever happens:
 * woken before that, it is on a run queue.  `next` is claimed.  Then thread_awake(): as thread_block returns.
 */
static inline void thread_sleep_begin(struct thread *self, void *wait_on) {
    self->wait_on = wait_on;
    atomic_store_explicit(&self->state, THREAD_BLOCKED, memory_order_relaxed);
    atomic_exchange(&self->sleep, SLEEP_ASLEEP | SLEEP_INTERRUPTIBLE);
}
void thread_switch_to(struct thread *next);
static inline int thread_awake(struct thread *self) {
    uint32_t word = atomic_load_explicit(&self->sleep, memory_order_relaxed);
    atomic_store_explicit(&self->sleep, SLEEP_AWAKE, memory_order_relaxed);
    return sleep_result(word);
}
void thread_wake_claimed(struct thread *t, int result);
void thread_yield(void);
void thread_set_priority(struct thread *t, unsigned base);
void thread_lend_priority(struct thread *t, unsigned lent); /* 0 ends the loan */
void thread_set_affinity(struct thread *t, uint64_t mask);
void preempt_point(void); /* lets interrupts in and switches if due; no spinlock held */
void sched_dump(void); /* threads and what they wait for, to the console */
uint64_t sched_load(unsigned which); /* 1, 5, 15 minute load × 65536 (which 0…2) */
void sched_cpu_times(uint32_t cpu, uint64_t *idle_ns, uint64_t *busy_ns);
void sched_thread_counts(uint64_t *running, uint64_t *total); /* running or ready; all user threads */

/* Wait queues for simple kernel waits. */
struct wait_queue {
    struct spinlock lock;
    struct list waiters GUARDED_BY(lock);
};
void wait_queue_init(struct wait_queue *q);
/* Sleeps until woken; condition is tested with q->lock held by cond(arg) before each sleep. */
int wait_queue_sleep(struct wait_queue *q, bool (*cond)(void *), void *arg, bool interruptible, nsec_t deadline);
void wait_queue_wake(struct wait_queue *q, int count);
