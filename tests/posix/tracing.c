// SPDX-License-Identifier: MIT
/* ptrace: a debugger's work on children and others. */
#include "setid.h"
#include <elf.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/utsname.h>

#ifndef PTRACE_EVENT_STOP
#define PTRACE_EVENT_STOP 128
#endif
#define EVENT(status) ((status) >> 16)

static bool on_linux(void) {
    struct utsname names;
    OK(uname(&names));
    return !strcmp(names.sysname, "Linux");
}

/* Waits for pid to stop by this signal and event. */
static void stopped_expect(pid_t pid, int signal, int event) {
    int status = 0;
    EQUAL(waitpid(pid, &status, __WALL), pid);
    CHECK(WIFSTOPPED(status));
    EQUAL(WSTOPSIG(status), signal);
    EQUAL(EVENT(status), event);
}
static void exit_expect(pid_t pid, int value) {
    int status = 0;
    EQUAL(waitpid(pid, &status, __WALL), pid);
    CHECK(WIFEXITED(status));
    EQUAL(WEXITSTATUS(status), value);
}
static void go(pid_t pid, int signal) { OK(ptrace(PTRACE_CONT, pid, NULL, (long)signal)); }

static pid_t traced_start(int (*fn)(void *), void *argument) {
    pid_t pid = (pid_t)OK(fork());
    if (pid == 0) {
        OK(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
        raise(SIGSTOP);
        _exit(fn(argument));
    }
    stopped_expect(pid, SIGSTOP, 0);
    return pid;
}

static uint64_t peek(pid_t pid, const volatile void *at) {
    errno = 0;
    long word = ptrace(PTRACE_PEEKDATA, pid, at, NULL);
    CHECK(errno == 0);
    return (uint64_t)word;
}
static void poke(pid_t pid, const volatile void *at, uint64_t word) { OK(ptrace(PTRACE_POKEDATA, pid, at, word)); }

static uint64_t pc_of(pid_t pid) {
    struct user_regs_struct r;
    OK(ptrace(PTRACE_GETREGS, pid, NULL, &r));
    return r.rip;
}

/* --- signals -------------------------------------------------------------------------------------- */

static volatile sig_atomic_t got;
static void take(int signal) { got = got * 100 + signal; }

static int raise_three(void *unused) {
    signal(SIGUSR1, take);
    signal(SIGUSR2, take);
    raise(SIGUSR1); /* goes through */
    raise(SIGUSR1); /* is taken away */
    raise(SIGUSR1); /* becomes another */
    raise(SIGCHLD); /* which nobody waits for */
    return got == SIGUSR1 * 100 + SIGUSR2 ? 7 : 1;
}

TEST(signals_go_by_the_tracer) {
    siginfo_t info;
    pid_t pid = traced_start(raise_three, NULL);
    go(pid, 0);
    stopped_expect(pid, SIGUSR1, 0);
    OK(ptrace(PTRACE_GETSIGINFO, pid, NULL, &info));
    EQUAL(info.si_signo, SIGUSR1);
    EQUAL(info.si_code, SI_TKILL);
    EQUAL(info.si_pid, pid);
    go(pid, SIGUSR1);
    stopped_expect(pid, SIGUSR1, 0);
    go(pid, 0);
    stopped_expect(pid, SIGUSR1, 0);
    go(pid, SIGUSR2);
    stopped_expect(pid, SIGCHLD, 0);
    EQUAL(waitpid(pid, NULL, WNOHANG), 0);
    go(pid, SIGCHLD);
    exit_expect(pid, 7);
}

static int value_taken;
static void take_value(int signal, siginfo_t *info, void *context) {
    (void)signal;
    (void)context;
    value_taken = info->si_value.sival_int;
}
static int raise_value(void *unused) {
    struct sigaction action = {.sa_sigaction = take_value, .sa_flags = SA_SIGINFO};
    OK(sigaction(SIGRTMIN, &action, NULL));
    OK(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 5}));
    return value_taken;
}

TEST(siginfo_can_be_changed) {
    siginfo_t info;
    pid_t pid = traced_start(raise_value, NULL);
    FAILS(EIO, ptrace(PTRACE_CONT, pid, NULL, 65L));
    go(pid, 0);
    stopped_expect(pid, SIGRTMIN, 0);
    OK(ptrace(PTRACE_GETSIGINFO, pid, NULL, &info));
    EQUAL(info.si_value.sival_int, 5);
    info.si_value.sival_int = 9;
    OK(ptrace(PTRACE_SETSIGINFO, pid, NULL, &info));
    go(pid, SIGRTMIN);
    exit_expect(pid, 9);
}

static int loop(void *counter) {
    for (;;) {
        ++*(volatile uint64_t *)counter;
    }
}

static volatile uint64_t *counter_make(void) {
    void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(at != MAP_FAILED);
    return at;
}
static bool counts(const volatile uint64_t *counter) {
    uint64_t before = *counter;
    for (int i = 0; i < 200 && *counter == before; i++) {
        sleep_ms(10);
    }
    return *counter != before;
}
static bool stands(const volatile uint64_t *counter) {
    uint64_t before = *counter;
    sleep_ms(50);
    return *counter == before;
}

TEST(stop_signals_of_a_tracee) {
    siginfo_t info;
    volatile uint64_t *counter = counter_make();
    pid_t pid = traced_start(loop, (void *)counter);
    go(pid, 0);
    OK(kill(pid, SIGTSTP));
    stopped_expect(pid, SIGTSTP, 0); /* about to be delivered */
    OK(ptrace(PTRACE_GETSIGINFO, pid, NULL, &info));
    EQUAL(info.si_code, SI_USER);
    EQUAL(info.si_pid, getpid());
    go(pid, SIGSTOP);
    stopped_expect(pid, SIGSTOP, 0); /* its process is stopped */
    FAILS(EINVAL, ptrace(PTRACE_GETSIGINFO, pid, NULL, &info));
    CHECK(stands(counter));
    go(pid, 0);
    CHECK(counts(counter));
    OK(kill(pid, SIGKILL));
    EQUAL(child_wait(pid), SIGKILL);
}

TEST(killed_while_halted) {
    pid_t pid = traced_start(loop, (void *)counter_make());
    OK(kill(pid, SIGKILL));
    EQUAL(child_wait(pid), SIGKILL);
    FAILS(ESRCH, ptrace(PTRACE_CONT, pid, NULL, NULL));
    pid = traced_start(loop, (void *)counter_make());
    OK(ptrace(PTRACE_KILL, pid, NULL, NULL));
    EQUAL(child_wait(pid), SIGKILL);
}

/* --- memory and registers ------------------------------------------------------------------------- */

static volatile uint64_t word = 0x0123456789abcdef;

__attribute__((noinline)) static int work(int a) {
    __asm__ volatile("" : "+r"(a));
    return a + 1;
}
static int call_work(void *unused) { return word == 5 ? work(40) : 1; }

TEST(breakpoint) {
    struct user_regs_struct r;
    pid_t pid = traced_start(call_work, NULL);
    const void *at = (const void *)work;
    EQUAL(peek(pid, &word), 0x0123456789abcdef);
    poke(pid, &word, 5);
    EQUAL(peek(pid, &word), 5);
    EQUAL(word, 0x0123456789abcdef); /* only there */
    uint64_t code = peek(pid, at);
    EQUAL(code, *(const uint64_t *)at);
    OK(ptrace(PTRACE_POKETEXT, pid, at, (code & ~0xffUL) | 0xcc));
    EQUAL(*(const uint64_t *)at, code);
    go(pid, 0);
    stopped_expect(pid, SIGTRAP, 0);
    OK(ptrace(PTRACE_GETREGS, pid, NULL, &r));
    EQUAL(r.rip, (uint64_t)(uintptr_t)at + 1);
    EQUAL((int)r.rdi, 40);
    EQUAL(ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user, regs.rip), NULL), (long)r.rip);
    OK(ptrace(PTRACE_POKETEXT, pid, at, code));
    r.rip--;
    r.rdi = 60;
    OK(ptrace(PTRACE_SETREGS, pid, NULL, &r));
    OK(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL));
    stopped_expect(pid, SIGTRAP, 0);
    CHECK(pc_of(pid) > r.rip && pc_of(pid) < r.rip + 16);
    go(pid, 0);
    exit_expect(pid, 61);
}

TEST(bad_addresses) {
    pid_t pid = traced_start(call_work, NULL);
    FAILS(EIO, ptrace(PTRACE_PEEKDATA, pid, 16L, NULL));
    FAILS(EIO, ptrace(PTRACE_POKEDATA, pid, 16L, NULL));
    FAILS(EIO, ptrace(PTRACE_PEEKDATA, pid, 0x7ffffffffffc, NULL));
    FAILS(EIO, ptrace(PTRACE_PEEKUSER, pid, 3L, NULL));
    FAILS(EIO, ptrace(PTRACE_PEEKUSER, pid, 1L << 20, NULL));
    FAILS(EIO, ptrace((int)0x7777, pid, NULL, NULL));
    FAILS(EINVAL, ptrace(PTRACE_SETOPTIONS, pid, NULL, 1L << 30));
    if (!on_linux()) {
        FAILS(EIO, ptrace(PTRACE_SYSCALL, pid, NULL, NULL));
    }
    go(pid, 0);
    exit_expect(pid, 1);
}

/* A word over two pages, of which one is code. */
TEST(words_across_pages) {
    char *two = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(two != MAP_FAILED);
    memset(two, 0x11, 8192);
    OK(mprotect(two + 4096, 4096, PROT_READ | PROT_EXEC));
    pid_t pid = traced_start(call_work, NULL);
    EQUAL(peek(pid, two + 4093), 0x1111111111111111);
    poke(pid, two + 4093, 0x2233445566778899);
    EQUAL(peek(pid, two + 4093), 0x2233445566778899);
    EQUAL(peek(pid, two + 4101), 0x1111111111111111);
    OK(kill(pid, SIGKILL));
    EQUAL(child_wait(pid), SIGKILL);
}

extern const char step_begin[], step_end[];
__asm__(".text\n"
        "step_begin: nop\n nop\n nop\n int3\n"
        "step_end: nop\n ret\n");
static int call_steps(void *unused) {
    __asm__ volatile("call step_begin" ::: "memory");
    return 3;
}

TEST(single_steps) {
    pid_t pid = traced_start(call_steps, NULL);
    struct user_regs_struct r;
    while (pc_of(pid) != (uint64_t)(uintptr_t)step_begin) {
        OK(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL));
        stopped_expect(pid, SIGTRAP, 0);
    }
    for (int i = 1; i <= 3; i++) {
        siginfo_t info;
        OK(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL));
        stopped_expect(pid, SIGTRAP, 0);
        EQUAL(pc_of(pid), (uint64_t)(uintptr_t)step_begin + (uint64_t)i);
        OK(ptrace(PTRACE_GETSIGINFO, pid, NULL, &info));
        EQUAL(info.si_code, TRAP_TRACE);
    }
    go(pid, 0);
    stopped_expect(pid, SIGTRAP, 0);
    OK(ptrace(PTRACE_GETREGS, pid, NULL, &r));
    EQUAL(r.rip, (uint64_t)(uintptr_t)step_end);
    CHECK(!(r.eflags & 0x100));
    go(pid, 0); /* and no step is left */
    exit_expect(pid, 3);
}

/* A step with a signal ends at the first instruction of its handler. */
static int raise_one(void *unused) {
    signal(SIGUSR1, take);
    raise(SIGUSR1);
    return got;
}
TEST(step_into_a_handler) {
    pid_t pid = traced_start(raise_one, NULL);
    go(pid, 0);
    stopped_expect(pid, SIGUSR1, 0);
    OK(ptrace(PTRACE_SINGLESTEP, pid, NULL, (long)SIGUSR1));
    stopped_expect(pid, SIGTRAP, 0);
    CHECK(pc_of(pid) - (uint64_t)(uintptr_t)take < 16);
    go(pid, 0);
    exit_expect(pid, SIGUSR1);
}

static int hold_double(void *unused) {
    double a = 1.5, b = 0;
    __asm__ volatile("movsd %1, %%xmm7\n int3\n movsd %%xmm7, %0" : "=m"(b) : "m"(a) : "xmm7");
    return (int)b;
}

TEST(floating_point_registers) {
    struct user_fpregs_struct fp;
    struct user_regs_struct r;
    double value;
    pid_t pid = traced_start(hold_double, NULL);
    go(pid, 0);
    stopped_expect(pid, SIGTRAP, 0);
    OK(ptrace(PTRACE_GETFPREGS, pid, NULL, &fp));
    memcpy(&value, &fp.xmm_space[7 * 4], sizeof(value));
    CHECK(value == 1.5);
    struct iovec v = {&fp, sizeof(fp)};
    memset(&fp, 0, sizeof(fp));
    OK(ptrace(PTRACE_GETREGSET, pid, (long)NT_FPREGSET, &v));
    EQUAL(v.iov_len, sizeof(fp));
    CHECK(!memcmp(&value, &fp.xmm_space[7 * 4], sizeof(value)));
    value = 77.25;
    memcpy(&fp.xmm_space[7 * 4], &value, sizeof(value));
    fp.mxcsr |= 0x40; /* may be refused, must not do harm */
    OK(ptrace(PTRACE_SETFPREGS, pid, NULL, &fp));
    v = (struct iovec){&r, sizeof(r)};
    OK(ptrace(PTRACE_GETREGSET, pid, (long)NT_PRSTATUS, &v));
    EQUAL(v.iov_len, sizeof(r));
    EQUAL(r.rip, pc_of(pid));
    OK(ptrace(PTRACE_SETREGSET, pid, (long)NT_PRSTATUS, &v));
    FAILS(EINVAL, ptrace(PTRACE_GETREGSET, pid, 0x7777L, &v));
    go(pid, 0);
    exit_expect(pid, 77);
}

/* What a tracer writes must not harm the kernel. */
TEST(wild_registers) {
    for (int i = 0; i < 8; i++) {
        struct user_regs_struct r;
        struct user_fpregs_struct fp;
        pid_t pid = traced_start(call_work, NULL);
        OK(ptrace(PTRACE_GETREGS, pid, NULL, &r));
        memset(&fp, 0xff, sizeof(fp));
        if (i & 1) r.rip = 0x8000000000000000;
        if (i & 2) r.eflags = ~0UL;
        if (i & 4) r.rsp = 0xffff800000000000;
        r.cs = r.ss = 0xffff;
        if (ptrace(PTRACE_SETREGS, pid, NULL, &r) == 0) {
            (void)!ptrace(PTRACE_SETFPREGS, pid, NULL, &fp);
            r.fs_base = r.gs_base = 0x8000000000000000;
            (void)!ptrace(PTRACE_SETREGS, pid, NULL, &r);
            (void)!ptrace(PTRACE_CONT, pid, NULL, NULL);
        }
        sleep_ms(10);
        kill(pid, SIGKILL);
        int status = 0;
        while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
        }
        CHECK(WIFSIGNALED(status) || WIFEXITED(status));
    }
}

/* --- attaching ------------------------------------------------------------------------------------ */

TEST(attach_and_detach) {
    volatile uint64_t *counter = counter_make();
    pid_t pid = child_start(loop, (void *)counter);
    CHECK(counts(counter));
    OK(ptrace(PTRACE_ATTACH, pid, NULL, NULL));
    FAILS(EPERM, ptrace(PTRACE_ATTACH, pid, NULL, NULL));
    stopped_expect(pid, SIGSTOP, 0);
    CHECK(stands(counter));
    poke(pid, &word, 99);
    OK(ptrace(PTRACE_DETACH, pid, NULL, NULL));
    CHECK(counts(counter));
    FAILS(ESRCH, ptrace(PTRACE_CONT, pid, NULL, NULL));
    OK(ptrace(PTRACE_ATTACH, pid, NULL, NULL)); /* again */
    stopped_expect(pid, SIGSTOP, 0);
    EQUAL(peek(pid, &word), 99);
    OK(ptrace(PTRACE_DETACH, pid, NULL, (long)SIGTERM));
    EQUAL(child_wait(pid), SIGTERM);
}

static int pipe_fds[2];
static int read_byte(void *unused) {
    char byte;
    return read(pipe_fds[0], &byte, 1) == 1 ? byte : 1;
}

TEST(blocked_calls_go_on) {
    struct user_regs_struct r;
    OK(pipe(pipe_fds));
    pid_t pid = child_start(read_byte, NULL);
    sleep_ms(30);
    for (int i = 0; i < 3; i++) {
        OK(ptrace(PTRACE_ATTACH, pid, NULL, NULL));
        stopped_expect(pid, SIGSTOP, 0);
        OK(ptrace(PTRACE_GETREGS, pid, NULL, &r));
        OK(ptrace(PTRACE_SETREGS, pid, NULL, &r)); /* as it was, and it is still in its call */
        OK(ptrace(PTRACE_DETACH, pid, NULL, NULL));
        sleep_ms(10);
    }
    EQUAL(write(pipe_fds[1], "*", 1), 1);
    exit_expect(pid, '*');
}

TEST(attach_to_a_stopped_process) {
    int status;
    volatile uint64_t *counter = counter_make();
    pid_t pid = child_start(loop, (void *)counter);
    OK(kill(pid, SIGSTOP));
    EQUAL(waitpid(pid, &status, WUNTRACED), pid);
    OK(ptrace(PTRACE_ATTACH, pid, NULL, NULL));
    stopped_expect(pid, SIGSTOP, 0);
    CHECK(stands(counter));
    EQUAL(peek(pid, &word), word);
    OK(kill(pid, SIGKILL));
    EQUAL(child_wait(pid), SIGKILL);
}

TEST(seize_and_interrupt) {
    volatile uint64_t *counter = counter_make();
    pid_t pid = child_start(loop, (void *)counter);
    OK(ptrace(PTRACE_SEIZE, pid, NULL, NULL));
    CHECK(counts(counter));
    EQUAL(waitpid(pid, NULL, WNOHANG), 0);
    OK(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL));
    stopped_expect(pid, SIGTRAP, PTRACE_EVENT_STOP);
    CHECK(stands(counter));
    go(pid, 0);
    CHECK(counts(counter));
    OK(kill(pid, SIGSTOP));
    stopped_expect(pid, SIGSTOP, 0);
    go(pid, SIGSTOP);
    stopped_expect(pid, SIGSTOP, PTRACE_EVENT_STOP);
    OK(ptrace(PTRACE_DETACH, pid, NULL, NULL)); /* its process is still stopped */
    CHECK(stands(counter));
    OK(kill(pid, SIGCONT));
    CHECK(counts(counter));
    OK(kill(pid, SIGKILL));
    EQUAL(child_wait(pid), SIGKILL);
}

/* --- events --------------------------------------------------------------------------------------- */

static int fork_one(void *unused) {
    pid_t pid = fork();
    if (pid == 0) {
        _exit(4);
    }
    return WEXITSTATUS(child_wait(pid));
}

TEST(fork_event) {
    unsigned long child = 0, exits = 0;
    pid_t pid = traced_start(fork_one, NULL);
    OK(ptrace(PTRACE_SETOPTIONS, pid, NULL, (long)(PTRACE_O_TRACEFORK | PTRACE_O_TRACEEXIT)));
    go(pid, 0);
    stopped_expect(pid, SIGTRAP, PTRACE_EVENT_FORK);
    OK(ptrace(PTRACE_GETEVENTMSG, pid, NULL, &child));
    stopped_expect((pid_t)child, SIGSTOP, 0);
    EQUAL(peek((pid_t)child, &word), word);
    go((pid_t)child, 0);
    stopped_expect((pid_t)child, SIGTRAP, PTRACE_EVENT_EXIT);
    OK(ptrace(PTRACE_GETEVENTMSG, (pid_t)child, NULL, &exits));
    EQUAL(exits, 4 << 8);
    go((pid_t)child, 0);
    exit_expect((pid_t)child, 4); /* though it is not ours */
    go(pid, 0);
    stopped_expect(pid, SIGCHLD, 0);
    go(pid, SIGCHLD);
    stopped_expect(pid, SIGTRAP, PTRACE_EVENT_EXIT);
    go(pid, 0);
    exit_expect(pid, 4);
}

static volatile int thread_ran;
static void *thread_main(void *unused) {
    thread_ran++;
    return NULL;
}
static int thread_one(void *unused) {
    pthread_t t;
    CHECK(pthread_create(&t, NULL, thread_main, NULL) == 0);
    CHECK(pthread_join(t, NULL) == 0);
    return 20 + thread_ran;
}

TEST(clone_event) {
    unsigned long child = 0;
    int status = 0;
    pid_t pid = traced_start(thread_one, NULL);
    OK(ptrace(PTRACE_SETOPTIONS, pid, NULL, (long)PTRACE_O_TRACECLONE));
    go(pid, 0);
    stopped_expect(pid, SIGTRAP, PTRACE_EVENT_CLONE);
    OK(ptrace(PTRACE_GETEVENTMSG, pid, NULL, &child));
    stopped_expect((pid_t)child, SIGSTOP, 0);
    poke((pid_t)child, &thread_ran, 2);
    go(pid, 0);
    CHECK(waitpid(pid, NULL, WNOHANG) == 0); /* it waits for the thread */
    go((pid_t)child, 0);
    EQUAL(waitpid((pid_t)child, &status, __WALL), (pid_t)child);
    CHECK(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 23)); /* joined, it may still live */
    exit_expect(pid, 23);
}

static int exec_true(void *unused) {
    execl("/bin/true", "true", (char *)NULL);
    return 1;
}

TEST(exec_stops) {
    unsigned long former = 0;
    pid_t pid = traced_start(exec_true, NULL);
    go(pid, 0);
    stopped_expect(pid, SIGTRAP, 0);
    go(pid, 0);
    exit_expect(pid, 0);
    pid = traced_start(exec_true, NULL);
    OK(ptrace(PTRACE_SETOPTIONS, pid, NULL, (long)PTRACE_O_TRACEEXEC));
    go(pid, 0);
    stopped_expect(pid, SIGTRAP, PTRACE_EVENT_EXEC);
    OK(ptrace(PTRACE_GETEVENTMSG, pid, NULL, &former));
    EQUAL(former, (unsigned long)pid);
    go(pid, 0);
    exit_expect(pid, 0);
}

static int end_by_signal(void *unused) {
    raise(SIGTERM);
    return 1;
}
TEST(exit_event_of_a_signal) {
    unsigned long message = 0;
    pid_t pid = traced_start(end_by_signal, NULL);
    OK(ptrace(PTRACE_SETOPTIONS, pid, NULL, (long)PTRACE_O_TRACEEXIT));
    go(pid, 0);
    stopped_expect(pid, SIGTERM, 0);
    go(pid, SIGTERM);
    stopped_expect(pid, SIGTRAP, PTRACE_EVENT_EXIT);
    OK(ptrace(PTRACE_GETEVENTMSG, pid, NULL, &message));
    EQUAL(message, SIGTERM);
    go(pid, 0);
    EQUAL(child_wait(pid), SIGTERM);
}

/* --- the tracer's end ------------------------------------------------------------------------------ */

struct orphan {
    pid_t pid;
    long options;
    bool halted;
};
static int trace_and_die(void *argument) {
    struct orphan *o = argument;
    OK(ptrace(PTRACE_SEIZE, o->pid, NULL, o->options));
    if (o->halted) {
        OK(ptrace(PTRACE_INTERRUPT, o->pid, NULL, NULL));
        stopped_expect(o->pid, SIGTRAP, PTRACE_EVENT_STOP);
    }
    return 0;
}

TEST(tracer_dies) {
    volatile uint64_t *counter = counter_make();
    for (int halted = 0; halted < 2; halted++) {
        pid_t pid = child_start(loop, (void *)counter);
        struct orphan o = {pid, 0, halted};
        EQUAL(child_run(trace_and_die, &o), 0);
        CHECK(counts(counter)); /* it goes on */
        o.options = PTRACE_O_EXITKILL;
        EQUAL(child_run(trace_and_die, &o), 0);
        EQUAL(child_wait(pid), SIGKILL);
    }
}

/* The child asks for it while its parent, which would be the tracer, ends. */
static int parent_of_tracee(void *unused) {
    for (int i = 0; i < 4; i++) {
        if (OK(fork())) continue;
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        sched_yield();
        _exit(0);
    }
    return 0;
}
TEST(tracer_ends_at_once) {
    for (int i = 0; i < 50; i++) EQUAL(child_run(parent_of_tracee, NULL), 0);
}

static void *thread_brief(void *tid) {
    __atomic_store_n((pid_t *)tid, (pid_t)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
    return NULL;
}
static int threads_begin_and_end(void *argument) {
    volatile pid_t *tid = argument;
    for (;;) {
        pthread_t t;
        EQUAL(pthread_create(&t, NULL, thread_brief, (void *)tid), 0);
        EQUAL(pthread_join(t, NULL), 0);
    }
    return 0;
}
TEST(attach_to_ending_threads) {
    volatile pid_t *tid = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid = child_start(threads_begin_and_end, (void *)tid);
    int attached = 0;
    for (int i = 0; i < 20000 && attached < 50; i++) {
        pid_t thread = *tid;
        if (!thread || ptrace(PTRACE_SEIZE, thread, NULL, NULL) < 0) {
            CHECK(!thread || errno == ESRCH || errno == EPERM); /* EPERM: it has ended, says Linux */
            sched_yield();
            continue;
        }
        attached++;
        int status;
        EQUAL(waitpid(thread, &status, __WALL), thread);
        CHECK(WIFEXITED(status));
    }
    kill(pid, SIGKILL);
    EQUAL(child_wait(pid), SIGKILL);
}

static int trace_to_the_end(void *argument) {
    struct orphan *o = argument;
    int status;
    OK(ptrace(PTRACE_ATTACH, o->pid, NULL, NULL));
    stopped_expect(o->pid, SIGSTOP, 0);
    go(o->pid, 0);
    EQUAL(write(pipe_fds[1], "\5", 1), 1);
    EQUAL(waitpid(o->pid, &status, 0), o->pid);
    FAILS(ECHILD, waitpid(o->pid, &status, 0));
    return WEXITSTATUS(status);
}
TEST(tracer_and_parent_both_hear_of_the_end) {
    OK(pipe(pipe_fds));
    struct orphan o = {.pid = child_start(read_byte, NULL)};
    EQUAL(child_run(trace_to_the_end, &o), 5);
    exit_expect(o.pid, 5);
}

/* --- who may --------------------------------------------------------------------------------------- */

static int attach_fails(void *pid) {
    setid_drop();
    FAILS(EPERM, ptrace(PTRACE_ATTACH, *(pid_t *)pid, NULL, NULL));
    FAILS(EPERM, ptrace(PTRACE_SEIZE, *(pid_t *)pid, NULL, NULL));
    FAILS(EPERM, ptrace(PTRACE_ATTACH, 1, NULL, NULL));
    return 0;
}
static int loop_as_user(void *dumpable) {
    setid_drop();
    OK(prctl(PR_SET_DUMPABLE, *(int *)dumpable));
    return loop((void *)counter_make());
}
static int attach_as_user(void *pid) {
    setid_drop();
    OK(ptrace(PTRACE_ATTACH, *(pid_t *)pid, NULL, NULL));
    stopped_expect(*(pid_t *)pid, SIGSTOP, 0);
    return 0;
}

TEST(permissions) {
    FAILS(EPERM, ptrace(PTRACE_ATTACH, getpid(), NULL, NULL));
    FAILS(ESRCH, ptrace(PTRACE_ATTACH, 4000000, NULL, NULL));
    FAILS(ESRCH, ptrace(PTRACE_CONT, getppid(), NULL, NULL));
    FAILS(ESRCH, ptrace(PTRACE_PEEKDATA, getpid(), &word, NULL));
    if (geteuid() != 0) {
        SKIP("needs root");
    }
    int no = 0, yes = 1;
    pid_t roots = child_start(loop, (void *)counter_make());
    pid_t secret = child_start(loop_as_user, &no), open = child_start(loop_as_user, &yes);
    sleep_ms(50);
    EQUAL(child_run(attach_fails, &roots), 0);
    EQUAL(child_run(attach_fails, &secret), 0);
    EQUAL(child_run(attach_as_user, &open), 0);
    OK(ptrace(PTRACE_ATTACH, secret, NULL, NULL)); /* root may */
    stopped_expect(secret, SIGSTOP, 0);
    if (!on_linux()) {
        FAILS(EPERM, ptrace(PTRACE_ATTACH, 1, NULL, NULL));
        FAILS(EPERM, ptrace(PTRACE_ATTACH, 2, NULL, NULL)); /* the root's server */
    }
}

static int exec_setid(void *unused) { return setid_exec((void *)SETID_PROGRAM); }
static int trace_setid(void *unused) {
    setid_drop();
    pid_t pid = traced_start(exec_setid, NULL);
    go(pid, 0);
    stopped_expect(pid, SIGTRAP, 0);
    go(pid, 0);
    int status = child_wait(pid);
    CHECK(WIFEXITED(status));
    return WEXITSTATUS(status);
}
TEST(no_set_id_under_a_tracer) {
    if (geteuid() != 0) {
        SKIP("needs root");
    }
    setid_make(0, 0, 04755);
    EQUAL(child_run(setid_user, SETID_PROGRAM), REPORT_ROOT | REPORT_SECURE);
    EQUAL(child_run(trace_setid, NULL) & ~REPORT_SECURE, REPORT_USER);
}
