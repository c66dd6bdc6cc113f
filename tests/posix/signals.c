// SPDX-License-Identifier: MIT
/* Signals: handlers, masks, pending, alternate stacks, restart, waiting. */
#include "test.h"
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>

static volatile sig_atomic_t count, last;
static volatile int seen_code;
static volatile pid_t seen_pid;
static volatile void *volatile seen_address;

static void note(int signal) {
    count++;
    last = signal;
}

static void note_info(int signal, siginfo_t *info, void *context) {
    count++;
    last = signal;
    seen_code = info->si_code;
    seen_pid = info->si_pid;
    seen_address = info->si_addr;
}

static void handle(int signal, void (*handler)(int), int flags) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    OK(sigaction(signal, &action, NULL));
}

static sigset_t set_of(int signal) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    return set;
}

TEST(raise_runs_the_handler) {
    handle(SIGUSR1, note, 0);
    EQUAL(raise(SIGUSR1), 0);
    EQUAL(count, 1);
    EQUAL(last, SIGUSR1);
    OK(kill(getpid(), SIGUSR1));
    EQUAL(count, 2);
}

TEST(old_action_is_returned) {
    struct sigaction old;
    handle(SIGUSR1, note, SA_RESTART);
    OK(sigaction(SIGUSR1, NULL, &old));
    CHECK(old.sa_handler == note);
    CHECK(old.sa_flags & SA_RESTART);
    FAILS(EINVAL, sigaction(SIGKILL, &old, NULL));
    FAILS(EINVAL, sigaction(65, &old, NULL));
    CHECK(signal(SIGUSR1, SIG_IGN) == note);
}

TEST(blocked_signals_wait) {
    sigset_t set = set_of(SIGUSR1), old, pending;
    handle(SIGUSR1, note, 0);
    OK(sigprocmask(SIG_BLOCK, &set, &old));
    CHECK(!sigismember(&old, SIGUSR1));
    raise(SIGUSR1);
    raise(SIGUSR1);
    EQUAL(count, 0);
    OK(sigpending(&pending));
    CHECK(sigismember(&pending, SIGUSR1));
    OK(sigprocmask(SIG_SETMASK, &old, &set));
    CHECK(sigismember(&set, SIGUSR1));
    EQUAL(count, 1);
    OK(sigpending(&pending));
    CHECK(!sigismember(&pending, SIGUSR1));
}

TEST(kill_and_stop_cannot_be_blocked) {
    sigset_t all, now;
    sigfillset(&all);
    OK(sigprocmask(SIG_SETMASK, &all, NULL));
    OK(sigprocmask(SIG_SETMASK, NULL, &now));
    CHECK(!sigismember(&now, SIGKILL) && !sigismember(&now, SIGSTOP));
    CHECK(sigismember(&now, SIGTERM));
}

static void check_mask(int signal) {
    sigset_t now;
    sigprocmask(SIG_SETMASK, NULL, &now);
    last = (sigismember(&now, SIGUSR1) ? 1 : 0) | (sigismember(&now, SIGUSR2) ? 2 : 0);
}

TEST(mask_during_the_handler) {
    struct sigaction action = {.sa_handler = check_mask};
    sigaddset(&action.sa_mask, SIGUSR2);
    OK(sigaction(SIGUSR1, &action, NULL));
    raise(SIGUSR1);
    EQUAL(last, 3);
    check_mask(0);
    EQUAL(last, 0);
    action.sa_flags = SA_NODEFER;
    sigemptyset(&action.sa_mask);
    OK(sigaction(SIGUSR1, &action, NULL));
    raise(SIGUSR1);
    EQUAL(last, 0);
}

TEST(reset_handler) {
    struct sigaction old;
    handle(SIGUSR1, note, SA_RESETHAND);
    raise(SIGUSR1);
    OK(sigaction(SIGUSR1, NULL, &old));
    CHECK(old.sa_handler == SIG_DFL);
}

TEST(information_about_the_sender) {
    struct sigaction action = {.sa_sigaction = note_info, .sa_flags = SA_SIGINFO};
    OK(sigaction(SIGUSR1, &action, NULL));
    OK(kill(getpid(), SIGUSR1));
    EQUAL(seen_code, SI_USER);
    EQUAL(seen_pid, getpid());
    union sigval v = {.sival_int = 42};
    OK(sigqueue(getpid(), SIGUSR1, v));
    EQUAL(seen_code, SI_QUEUE);
}

static sigjmp_buf escape;

static void jump(int signal, siginfo_t *info, void *context) {
    note_info(signal, info, context);
    siglongjmp(escape, 1);
}

TEST(faults) {
    struct sigaction action = {.sa_sigaction = jump, .sa_flags = SA_SIGINFO};
    OK(sigaction(SIGSEGV, &action, NULL));
    OK(sigaction(SIGFPE, &action, NULL));
    OK(sigaction(SIGILL, &action, NULL));
    char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(page != MAP_FAILED);
    if (!sigsetjmp(escape, 1)) {
        *(volatile char *)(page + 5) = 1;
    }
    EQUAL(last, SIGSEGV);
    EQUAL(seen_code, SEGV_ACCERR);
    CHECK(seen_address == page + 5);
    OK(munmap(page, 4096));
    if (!sigsetjmp(escape, 1)) {
        (void)*(volatile char *)page;
    }
    EQUAL(seen_code, SEGV_MAPERR);
    if (!sigsetjmp(escape, 1)) {
        __asm__ volatile("ud2");
    }
    EQUAL(last, SIGILL);
    if (!sigsetjmp(escape, 1)) {
        __asm__ volatile("xor %%edx, %%edx; mov $1, %%eax; xor %%ecx, %%ecx; div %%ecx" ::: "eax", "ecx", "edx");
    }
    EQUAL(last, SIGFPE);
    sigset_t now;
    OK(sigprocmask(SIG_SETMASK, NULL, &now));
    CHECK(!sigismember(&now, SIGSEGV));
}

static void skip_instruction(int signal, siginfo_t *info, void *context) {
    ucontext_t *uc = context;
    count++;
    uc->uc_mcontext.gregs[REG_RIP] += 2; /* ud2 */
    uc->uc_mcontext.gregs[REG_RBX] = 1234;
}

TEST(context_may_be_changed) {
    struct sigaction action = {.sa_sigaction = skip_instruction, .sa_flags = SA_SIGINFO};
    long rbx;
    OK(sigaction(SIGILL, &action, NULL));
    __asm__ volatile("xor %%ebx, %%ebx; ud2; mov %%rbx, %0" : "=r"(rbx)::"rbx", "memory");
    EQUAL(count, 1);
    EQUAL(rbx, 1234);
}

TEST(registers_survive) {
    struct itimerval timer = {{0, 1000}, {0, 1000}};
    handle(SIGALRM, note, 0);
    OK(setitimer(ITIMER_REAL, &timer, NULL));
    double sum = 0, expected = 0;
    int64_t until = now_ms() + 300;
    while (now_ms() < until) {
        sum = expected = 0;
        for (int i = 1; i < 2000; i++) {
            sum += 1.0 / i;
        }
        for (int i = 1; i < 2000; i++) {
            expected += 1.0 / i;
        }
        CHECK(sum == expected);
    }
    timer = (struct itimerval){0};
    OK(setitimer(ITIMER_REAL, &timer, NULL));
    CHECK(count >= 5);
}

static char alternate[65536];
static volatile bool on_alternate;

static void where(int signal) {
    char here;
    stack_t now;
    on_alternate = &here >= alternate && &here < alternate + sizeof(alternate);
    sigaltstack(NULL, &now);
    last = now.ss_flags;
}

TEST(alternate_stack) {
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof(alternate)}, old;
    OK(sigaltstack(&stack, NULL));
    OK(sigaltstack(NULL, &old));
    CHECK(old.ss_sp == alternate);
    handle(SIGUSR1, where, SA_ONSTACK);
    raise(SIGUSR1);
    CHECK(on_alternate);
    EQUAL(last, SS_ONSTACK);
    handle(SIGUSR1, where, 0);
    raise(SIGUSR1);
    CHECK(!on_alternate);
    stack.ss_flags = SS_DISABLE;
    OK(sigaltstack(&stack, NULL));
    stack = (stack_t){.ss_sp = alternate, .ss_size = 100};
    FAILS(ENOMEM, sigaltstack(&stack, NULL));
}

static int overflow(int n) {
    volatile char big[4096];
    big[0] = (char)n;
    return n > 1 << 24 ? 0 : overflow(n + 1) + big[0];
}

static void exit_zero(int signal) { _exit(0); }

static int overflow_child(void *unused) {
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof(alternate)};
    sigaltstack(&stack, NULL);
    handle(SIGSEGV, exit_zero, SA_ONSTACK);
    return 1 + overflow(0);
}

TEST(stack_overflow_on_the_alternate_stack) { EQUAL(child_run(overflow_child, NULL), 0); }

static int send_later(void *unused) {
    sleep_ms(100);
    return kill(getppid(), SIGUSR1);
}

TEST(restart_and_interruption) {
    int p[2];
    char c;
    OK(pipe(p));
    handle(SIGUSR1, note, 0);
    pid_t pid = child_start(send_later, NULL);
    FAILS(EINTR, read(p[0], &c, 1));
    EQUAL(child_wait(pid), 0);
    handle(SIGUSR1, note, SA_RESTART);
    pid = fork();
    if (pid == 0) {
        sleep_ms(100);
        kill(getppid(), SIGUSR1);
        sleep_ms(100);
        _exit(write(p[1], "x", 1) != 1);
    }
    EQUAL(read(p[0], &c, 1), 1);
    EQUAL(count, 2);
    EQUAL(child_wait(pid), 0);
    handle(SIGUSR1, note, SA_RESTART);
    pid = child_start(send_later, NULL);
    FAILS(EINTR, pause());
    EQUAL(child_wait(pid), 0);
}

TEST(suspend_waits_under_another_mask) {
    sigset_t set = set_of(SIGUSR1), none, now;
    sigemptyset(&none);
    handle(SIGUSR1, note, 0);
    OK(sigprocmask(SIG_BLOCK, &set, NULL));
    raise(SIGUSR1);
    FAILS(EINTR, sigsuspend(&none));
    EQUAL(count, 1);
    OK(sigprocmask(SIG_SETMASK, NULL, &now));
    CHECK(sigismember(&now, SIGUSR1));
}

TEST(wait_for_a_signal) {
    sigset_t set = set_of(SIGUSR1);
    siginfo_t info;
    int number;
    struct timespec soon = {0, 50000000};
    OK(sigprocmask(SIG_BLOCK, &set, NULL));
    FAILS(EAGAIN, sigtimedwait(&set, &info, &soon));
    raise(SIGUSR1);
    EQUAL(sigwait(&set, &number), 0);
    EQUAL(number, SIGUSR1);
    pid_t pid = child_start(send_later, NULL);
    EQUAL(sigwaitinfo(&set, &info), SIGUSR1);
    EQUAL(info.si_pid, pid);
    EQUAL(child_wait(pid), 0);
}

static volatile int order[8];

static void note_value(int signal, siginfo_t *info, void *context) {
    if (count < 8) {
        order[count] = info->si_value.sival_int;
    }
    count++;
}

TEST(realtime_signals_queue) {
    sigset_t set = set_of(SIGRTMIN);
    struct sigaction action = {.sa_sigaction = note_value, .sa_flags = SA_SIGINFO};
    OK(sigaction(SIGRTMIN, &action, NULL));
    OK(sigprocmask(SIG_BLOCK, &set, NULL));
    for (int i = 0; i < 5; i++) {
        union sigval v = {.sival_int = i + 10};
        OK(sigqueue(getpid(), SIGRTMIN, v));
    }
    OK(sigprocmask(SIG_UNBLOCK, &set, NULL));
    EQUAL(count, 5);
    for (int i = 0; i < 5; i++) {
        EQUAL(order[i], i + 10);
    }
}

TEST(child_signal) {
    struct sigaction action = {.sa_sigaction = note_info, .sa_flags = SA_SIGINFO};
    OK(sigaction(SIGCHLD, &action, NULL));
    pid_t pid = (pid_t)OK(fork());
    if (pid == 0) {
        _exit(3);
    }
    for (int i = 0; i < 500 && !count; i++) {
        sleep_ms(10);
    }
    EQUAL(count, 1);
    EQUAL(seen_code, CLD_EXITED);
    EQUAL(seen_pid, pid);
    EQUAL(WEXITSTATUS(child_wait(pid)), 3);
}

TEST(ignored_children_leave_no_zombies) {
    signal(SIGCHLD, SIG_IGN);
    pid_t pid = (pid_t)OK(fork());
    if (pid == 0) {
        _exit(3);
    }
    FAILS(ECHILD, waitpid(pid, NULL, 0));
}

TEST(kill_errors) {
    FAILS(ESRCH, kill(999999, 0));
    FAILS(EINVAL, kill(getpid(), 99));
    FAILS(EINVAL, kill(getpid(), -1));
    OK(kill(getpid(), 0));
    OK(kill(0, 0));
}

TEST(alarm_and_interval) {
    handle(SIGALRM, note, 0);
    alarm(100);
    EQUAL(alarm(0), 100);
    struct itimerval timer = {{0, 20000}, {0, 20000}}, left;
    OK(setitimer(ITIMER_REAL, &timer, NULL));
    int64_t until = now_ms() + 5000;
    while (count < 3 && now_ms() < until) {
        pause();
    }
    CHECK(count >= 3);
    OK(getitimer(ITIMER_REAL, &left));
    CHECK(left.it_interval.tv_usec == 20000 && left.it_value.tv_usec <= 20000);
}

TEST(forked_child_has_no_pending_signals) {
    sigset_t set = set_of(SIGUSR1), pending;
    OK(sigprocmask(SIG_BLOCK, &set, NULL));
    raise(SIGUSR1);
    pid_t pid = (pid_t)OK(fork());
    if (pid == 0) {
        sigset_t now;
        sigpending(&pending);
        sigprocmask(SIG_SETMASK, NULL, &now);
        _exit(sigismember(&pending, SIGUSR1) || !sigismember(&now, SIGUSR1));
    }
    EQUAL(child_wait(pid), 0);
}
