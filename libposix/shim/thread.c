// SPDX-License-Identifier: MIT
/*
 * Threads, their control areas, futexes and scheduling.
 *
 * A thread's control area (abi/signal.h) is found through a word of musl's struct pthread that
 * x86-64 has no other use for: `sysinfo`, at %fs:32. Zero means the first thread of the program,
 * whose area is main_control. The area of any other thread lies at the top of its stack.
 */
#include "shim.h"
#include <sys/membarrier.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <string.h>

#define THREAD_POINTER_CONTROL 32 /* offset of sysinfo in struct pthread */
#define ARCH_SET_FS 0x1002
#define STACK_ALIGN 16UL
#define CLONE_THREAD_FLAGS (CLONE_VM | CLONE_THREAD)

static _Alignas(64) struct thread_control main_control;

struct thread_control *thread_control(void) {
    struct thread_control *control;
    __asm__("mov %%fs:%c1, %0" : "=r"(control) : "i"(THREAD_POINTER_CONTROL));
    return control ? control : &main_control;
}

/* --- create and end --------------------------------------------------------------------------- */

/* On the new thread's stack: what it runs, and its control area. */
struct thread_start {
    int (*function)(void *);
    void *argument;
    struct thread_control *control;
};

[[noreturn]] static void thread_begin(struct thread_start *start) {
    sys_thread_set(0, THREAD_CONTROL, (uint64_t)start->control, 0);
    start->function(start->argument);
    for (;;) {
        sys_thread_exit(0, 0);
    }
}

static long thread_clone(int (*function)(void *), void *stack, void *argument, int *parent_tid, void *tls,
                         int *child_tid) {
    uintptr_t top = (uintptr_t)stack & ~(sizeof(struct thread_control) - 1);
    struct thread_control *control = (struct thread_control *)(top - sizeof(*control));
    struct thread_start *start = (struct thread_start *)control - 1;
    memset(control, 0, sizeof(*control));
    control->mask = thread_control()->mask;
    *start = (struct thread_start){function, argument, control};
    memcpy((char *)tls + THREAD_POINTER_CONTROL, &control, sizeof(control));
    struct thread_create_args args = {
        .entry = (uintptr_t)thread_begin,
        .stack = ((uintptr_t)start & ~(STACK_ALIGN - 1)) - 8,
        .tls = (uintptr_t)tls,
        .argument = (uint64_t)start,
        .parent_tid = (uintptr_t)parent_tid,
        .clear_tid = (uintptr_t)child_tid,
        .mask = control->mask,
    };
    return sys_thread_create(&args);
}

/*
 * What musl uses clone() for: threads, and a child that shares memory until it executes a program
 * (posix_spawn). The latter is a fork here, whose child runs on its copy of the same stack.
 */
int posix_clone(int (*function)(void *), void *stack, int flags, void *argument, int *parent_tid, void *tls,
                int *child_tid);
int posix_clone(int (*function)(void *), void *stack, int flags, void *argument, int *parent_tid, void *tls,
                int *child_tid) {
    if ((flags & CLONE_THREAD_FLAGS) == CLONE_THREAD_FLAGS) {
        return (int)thread_clone(function, stack, argument, parent_tid, tls, child_tid);
    }
    if (!(flags & CLONE_VFORK)) {
        return -EINVAL;
    }
    long pid = row_fork();
    if (pid == 0) {
        row_exit_group(function(argument));
    }
    return (int)pid;
}

[[noreturn]] void posix_thread_end(void *stack, size_t size);
[[noreturn]] void posix_thread_end(void *stack, size_t size) {
    for (;;) {
        sys_thread_exit((uintptr_t)stack, size);
    }
}

long row_exit(int status) {
    for (;;) {
        sys_thread_exit(0, 0);
    }
}

/* The first call of every program, with its first thread pointer. */
long row_arch_prctl(int code, unsigned long address) {
    return code == ARCH_SET_FS ? sys_thread_set(0, THREAD_TLS, address, 0) : -EINVAL;
}

/* The second: from here on the first thread has its control area. */
long row_set_tid_address(int *address) {
    struct thread_control *control = thread_control();
    if (!control->tid) {
        sys_thread_set(0, THREAD_CONTROL, (uint64_t)control, 0);
        sys_process_set(0, PROCESS_FOREIGN, nullptr, 0, (uint64_t)posix_foreign_entry);
    }
    sys_thread_set(0, THREAD_CLEAR_TID, (uint64_t)address, 0);
    return row_gettid();
}

long row_gettid(void) { return (long)thread_control()->tid; }

/* --- cancellation (musl/overlay/src/thread/pthread_cancel.c) ---------------------------------- */

int posix_cancel_point_enter(void);
int posix_cancel_point_enter(void) {
    struct thread_control *control = thread_control();
    int before = (int)control->flags;
    control->flags |= THREAD_CANCEL_POINT;
    atomic_signal_fence(memory_order_seq_cst);
    return before;
}

void posix_cancel_point_leave(int before);
void posix_cancel_point_leave(int before) {
    atomic_signal_fence(memory_order_seq_cst);
    thread_control()->flags = (uint32_t)before;
}

void posix_cancel_request(void);
void posix_cancel_request(void) { atomic_store(&thread_control()->cancel, 1); }

/* --- futex ------------------------------------------------------------------------------------ */

/* FUTEX_REQUEUE compares nothing: takes the value as it is until it stays. */
static long futex_move(uint32_t *address, uint32_t wake, uint32_t move, uint32_t *to, uint32_t flags) {
    long result;
    do {
        uint32_t value = __atomic_load_n(address, __ATOMIC_RELAXED);
        result = sys_futex_requeue(address, value, wake, move, to, flags);
    } while (result == -EAGAIN);
    return result;
}

static int64_t deadline_absolute(const struct timespec *at, bool realtime) {
    struct timespec wall;
    if (!at) {
        return DEADLINE_NEVER;
    }
    if (!timespec_valid(at)) {
        return -EINVAL;
    }
    int64_t ns;
    if (__builtin_mul_overflow(at->tv_sec, NS_PER_SECOND, &ns) || __builtin_add_overflow(ns, at->tv_nsec, &ns)) {
        return DEADLINE_NEVER;
    }
    if (realtime) {
        row_clock_gettime(CLOCK_REALTIME, &wall);
        ns -= wall.tv_sec * NS_PER_SECOND + wall.tv_nsec - clock_monotonic();
    }
    return ns > 0 ? ns : 1; /* 0 would mean "do not wait", which answers EAGAIN */
}

long row_futex(uint32_t *address, int operation, uint32_t value, const struct timespec *timeout, uint32_t *address2,
               uint32_t value3) {
    uint32_t flags = operation & FUTEX_PRIVATE_FLAG ? 0 : FUTEX_SHARED;
    bool realtime = operation & FUTEX_CLOCK_REALTIME;
    uint32_t count2 = (uint32_t)(uintptr_t)timeout; /* where the operation takes a number there */
    int64_t deadline;
    switch (operation & FUTEX_CMD_MASK) {
    case FUTEX_WAIT:
        deadline = deadline_after(timeout);
        return deadline < 0 ? deadline : sys_futex_wait(address, value, flags, deadline);
    case FUTEX_WAIT_BITSET:
        deadline = deadline_absolute(timeout, realtime);
        return deadline < 0 ? deadline : sys_futex_wait(address, value, flags, deadline);
    case FUTEX_WAKE:
    case FUTEX_WAKE_BITSET: return sys_futex_wake(address, value, flags);
    case FUTEX_REQUEUE: return futex_move(address, value, count2, address2, flags);
    case FUTEX_CMP_REQUEUE: return sys_futex_requeue(address, value3, value, count2, address2, flags);
    case FUTEX_LOCK_PI: /* its time is absolute, on the wall clock */
        deadline = deadline_absolute(timeout, true);
        return deadline < 0 ? deadline : sys_futex_pi(address, 0, flags, deadline);
    case FUTEX_UNLOCK_PI: return sys_futex_pi(address, 1, flags, DEADLINE_NEVER);
    case FUTEX_TRYLOCK_PI: return sys_futex_pi(address, 2, flags, DEADLINE_NEVER);
    default: return -ENOSYS;
    }
}

long row_set_robust_list(void *head, size_t size) { return sys_thread_set(0, THREAD_ROBUST_LIST, (uint64_t)head, 0); }

long row_get_robust_list(pid_t tid, void **head, size_t *size) {
    struct thread_info info;
    long error = sys_thread_info((uint32_t)tid, &info);
    if (error < 0) {
        return error;
    }
    *head = (void *)info.robust_list;
    *size = 3 * sizeof(long);
    return 0;
}

/* --- scheduling ------------------------------------------------------------------------------- */

/* exec forgets it, fork doesn't: as it should be */
static _Atomic bool barrier_registered;

long row_membarrier(int command, unsigned flags, int cpu) {
    if (flags) {
        return -EINVAL;
    }
    switch (command) {
    case MEMBARRIER_CMD_QUERY:
        return MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_PRIVATE_EXPEDITED | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED;
    case MEMBARRIER_CMD_GLOBAL: return sys_thread_barrier(1);
    case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED: barrier_registered = true; return 0;
    case MEMBARRIER_CMD_PRIVATE_EXPEDITED: return barrier_registered ? sys_thread_barrier(0) : -EPERM;
    default: return -EINVAL;
    }
}

long row_sched_yield(void) { return sys_thread_yield(); }

/*
 * The kernel has 64 priorities; nice values have those from 15 to 34. SCHED_FIFO and SCHED_RR have those above, several
 * of 1 … 99 one; SCHED_IDLE one of the lowest. What was asked for is kept by the kernel with the thread.
 */
#define REALTIME_MIN 1
#define REALTIME_MAX 99
#define NATIVE_REALTIME 35U
#define NATIVE_IDLE 1U
#define SLICE_NS 10000000

static bool is_realtime(int policy) { return policy == SCHED_FIFO || policy == SCHED_RR; }

long scheduling_value(int policy, int priority, uint32_t *out) {
    const uint32_t own = (uint32_t)policy * THREAD_OWN | (uint32_t)priority << 16;
    if (is_realtime(policy) ? priority < REALTIME_MIN || priority > REALTIME_MAX : priority != 0) {
        return -EINVAL;
    }
    switch (policy) {
    case SCHED_OTHER:
    case SCHED_BATCH: *out = own | THREAD_NICE; return 0;
    case SCHED_IDLE: *out = own | NATIVE_IDLE; return 0;
    case SCHED_FIFO:
    case SCHED_RR:
        *out = own | (policy == SCHED_FIFO ? THREAD_FIFO : 0U) |
               (NATIVE_REALTIME + (uint32_t)(priority - REALTIME_MIN) * (THREAD_PRIORITY_MASK - NATIVE_REALTIME) /
                                      (REALTIME_MAX - REALTIME_MIN));
        return 0;
    default: return -EINVAL;
    }
}

static long scheduling_of(pid_t tid, int *policy, int *priority) {
    struct thread_info info;
    if (tid < 0) {
        return -EINVAL;
    }
    long error = sys_thread_info((uint32_t)tid, &info);
    if (error < 0) {
        return error;
    }
    *policy = (int)(info.scheduling / THREAD_OWN & 0xff);
    *priority = (int)(info.scheduling >> 16);
    return 0;
}

long row_sched_setscheduler(pid_t tid, int policy, const struct sched_param *in) {
    uint32_t value;
    long error = tid < 0 ? -EINVAL : scheduling_value(policy, in->sched_priority, &value);
    return error < 0 ? error : sys_thread_set((uint32_t)tid, THREAD_PRIORITY, value, 0);
}

long row_sched_setparam(pid_t tid, const struct sched_param *in) {
    int policy, priority;
    long error = scheduling_of(tid, &policy, &priority);
    return error < 0 ? error : row_sched_setscheduler(tid, policy, in);
}

long row_sched_getscheduler(pid_t tid) {
    int policy, priority;
    long error = scheduling_of(tid, &policy, &priority);
    return error < 0 ? error : policy;
}

long row_sched_getparam(pid_t tid, struct sched_param *out) {
    int policy;
    return scheduling_of(tid, &policy, &out->sched_priority);
}

static long realtime_or_none(int policy, long realtime) {
    if (is_realtime(policy)) {
        return realtime;
    }
    return policy == SCHED_OTHER || policy == SCHED_BATCH || policy == SCHED_IDLE ? 0 : -EINVAL;
}

long row_sched_get_priority_max(int policy) { return realtime_or_none(policy, REALTIME_MAX); }

long row_sched_get_priority_min(int policy) { return realtime_or_none(policy, REALTIME_MIN); }

long row_sched_rr_get_interval(pid_t tid, struct timespec *out) {
    int policy, priority;
    long error = scheduling_of(tid, &policy, &priority);
    if (error < 0) {
        return error;
    }
    if (!out) {
        return -EFAULT;
    }
    *out = (struct timespec){0, policy == SCHED_FIFO ? 0 : SLICE_NS};
    return 0;
}

long row_sched_setaffinity(pid_t tid, size_t size, const void *set) {
    uint64_t mask = 0;
    memcpy(&mask, set, size < sizeof(mask) ? size : sizeof(mask));
    return mask ? sys_thread_set((uint32_t)tid, THREAD_AFFINITY, mask, 0) : -EINVAL;
}

/* Result: bytes written, as on Linux; musl clears the rest. */
long row_sched_getaffinity(pid_t tid, size_t size, void *set) {
    struct thread_info info;
    if (size < sizeof(info.affinity)) {
        return -EINVAL;
    }
    long error = sys_thread_info((uint32_t)tid, &info);
    if (error < 0) {
        return error;
    }
    memcpy(set, &info.affinity, sizeof(info.affinity));
    return sizeof(info.affinity);
}

long row_getcpu(unsigned *cpu, unsigned *node, void *unused) {
    struct thread_info info;
    long error = sys_thread_info(0, &info);
    if (error < 0) {
        return error;
    }
    if (cpu) {
        *cpu = info.cpu;
    }
    if (node) {
        *node = 0;
    }
    return 0;
}
