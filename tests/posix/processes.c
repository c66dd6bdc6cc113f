// SPDX-License-Identifier: MIT
/* fork, exec, wait, spawn, groups and sessions. */
#include "test.h"
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/times.h>

extern char **environ;

static int exit_with(void *argument) { return *(int *)argument; }

static int die_by(void *argument) {
    raise(*(int *)argument);
    return 0;
}

TEST(exit_values) {
    for (int i = 0; i < 256; i += 51) {
        EQUAL(child_run(exit_with, &i), i);
    }
}

TEST(death_by_signal) {
    static const int signals[] = {SIGKILL, SIGTERM, SIGSEGV, SIGUSR1};
    for (size_t i = 0; i < 4; i++) {
        int s = signals[i], status = child_wait(child_start(die_by, &s));
        CHECK(WIFSIGNALED(status));
        EQUAL(WTERMSIG(status), s);
    }
}

static int wait_nothing(void *unused) {
    FAILS(ECHILD, wait(NULL));
    FAILS(ECHILD, waitpid(-1, NULL, WNOHANG));
    FAILS(ECHILD, waitpid(1, NULL, 0));
    FAILS(EINVAL, waitpid(-1, NULL, 0x40000));
    return 0;
}

TEST(wait_without_children) { EQUAL(child_run(wait_nothing, NULL), 0); }

static int pause_long(void *unused) {
    for (;;) {
        pause();
    }
}

TEST(wait_choices) {
    int zero = 0, status;
    pid_t slow = child_start(pause_long, NULL), quick = child_start(exit_with, &zero);
    EQUAL(waitpid(slow, &status, WNOHANG), 0);
    EQUAL(waitpid(-1, &status, 0), quick);
    EQUAL(waitpid(0, &status, WNOHANG), 0);
    OK(kill(slow, SIGKILL));
    EQUAL(waitpid(-getpgrp(), &status, 0), slow);
}

TEST(waitid_details) {
    siginfo_t info;
    int seven = 7;
    pid_t pid = child_start(exit_with, &seven);
    OK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
    EQUAL(info.si_pid, pid);
    OK(waitid(P_ALL, 0, &info, WEXITED));
    EQUAL(info.si_signo, SIGCHLD);
    EQUAL(info.si_code, CLD_EXITED);
    EQUAL(info.si_status, 7);
    FAILS(EINVAL, waitid(P_ALL, 0, &info, 0));
}

TEST(pidfd_polls_and_waits) {
    siginfo_t info;
    int seven = 7;
    pid_t pid = child_start(exit_with, &seven), gone = child_start(exit_with, &seven);
    int fd = OK(syscall(SYS_pidfd_open, pid, 0)), other = OK(syscall(SYS_pidfd_open, gone, 0));
    EQUAL(fcntl(fd, F_GETFD), FD_CLOEXEC);
    struct pollfd entry = {fd, POLLIN, 0};
    EQUAL(poll(&entry, 1, -1), 1);
    EQUAL(entry.revents, POLLIN);
    OK(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0)); /* not waited for yet */
    OK(waitid(P_PIDFD, (id_t)fd, &info, WEXITED));
    EQUAL(info.si_pid, pid);
    EQUAL(info.si_status, 7);
    FAILS(ESRCH, syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0));
    EQUAL(waitpid(gone, NULL, 0), gone);
    FAILS(ECHILD, waitid(P_PIDFD, (id_t)other, &info, WEXITED));
    FAILS(ESRCH, syscall(SYS_pidfd_open, gone, 0));
    FAILS(EINVAL, syscall(SYS_pidfd_open, 0, 0));
    FAILS(EBADF, waitid(P_PIDFD, 0x100000, &info, WEXITED));
}

TEST(pidfd_signals) {
    char path[32];
    int pipe_fds[2], status;
    pid_t pid = child_start(pause_long, NULL), second = child_start(pause_long, NULL);
    int fd = OK(syscall(SYS_pidfd_open, pid, 0));
    struct pollfd entry = {fd, POLLIN, 0};
    EQUAL(poll(&entry, 1, 0), 0);
    OK(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0));
    FAILS(EINVAL, syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 1));
    FAILS(EINVAL, syscall(SYS_pidfd_send_signal, fd, 100, NULL, 0));
    OK(pipe(pipe_fds));
    FAILS(EBADF, syscall(SYS_pidfd_send_signal, pipe_fds[0], SIGTERM, NULL, 0));
    OK(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0));
    EQUAL(waitpid(pid, &status, 0), pid);
    EQUAL(WTERMSIG(status), SIGTERM);
    snprintf(path, sizeof(path), "/proc/%d", second);
    int directory = OK(open(path, O_RDONLY | O_DIRECTORY)), root = OK(open("/", O_RDONLY));
    FAILS(EBADF, syscall(SYS_pidfd_send_signal, root, SIGTERM, NULL, 0));
    OK(syscall(SYS_pidfd_send_signal, directory, SIGTERM, NULL, 0));
    EQUAL(waitpid(second, &status, 0), second);
    EQUAL(WTERMSIG(status), SIGTERM);
}

TEST(stop_and_continue) {
    int status;
    pid_t pid = child_start(pause_long, NULL);
    OK(kill(pid, SIGSTOP));
    EQUAL(waitpid(pid, &status, WUNTRACED), pid);
    CHECK(WIFSTOPPED(status));
    EQUAL(WSTOPSIG(status), SIGSTOP);
    OK(kill(pid, SIGCONT));
    EQUAL(waitpid(pid, &status, WCONTINUED), pid);
    CHECK(WIFCONTINUED(status));
    OK(kill(pid, SIGKILL));
    EQUAL(waitpid(pid, &status, 0), pid);
}

static int value = 1;

static int change_value(void *unused) {
    value = 2;
    return getppid() == 1;
}

TEST(fork_copies_memory_and_descriptors) {
    file_make("a", "0123");
    int fd = (int)OK(open("a", O_RDONLY)), v = 0;
    char *heap = malloc(1 << 20);
    heap[77] = 'h';
    EQUAL(child_run(change_value, NULL), 0);
    EQUAL(value, 1);
    pid_t pid = fork();
    if (pid == 0) {
        char c;
        heap[77] = 'x';
        _exit(read(fd, &c, 1) != 1 || c != '0');
    }
    CHECK(pid > 0);
    v = child_wait(pid);
    EQUAL(v, 0);
    EQUAL(heap[77], 'h');
    EQUAL(lseek(fd, 0, SEEK_CUR), 1);
}

TEST(many_children) {
    pid_t pids[50];
    for (int i = 0; i < 50; i++) {
        pids[i] = child_start(exit_with, &i);
    }
    for (int i = 0; i < 50; i++) {
        EQUAL(WEXITSTATUS(child_wait(pids[i])), i);
    }
}

static int orphan_parent(void *argument) {
    int *p = argument;
    if (fork() == 0) {
        while (getppid() != 1) {
            sleep_ms(5);
        }
        _exit(write(p[1], "1", 1) != 1);
    }
    return 0;
}

/* Together they map 1 GiB, more than there is, but it is the same 32 MiB. */
TEST(children_share_what_they_only_read) {
    enum { CHILDREN = 32, SIZE = 32 << 20 };
    char *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pid_t pids[CHILDREN];
    CHECK(p != MAP_FAILED);
    memset(p, 5, SIZE);
    for (int i = 0; i < CHILDREN; i++) {
        pids[i] = (pid_t)OK(fork());
        if (pids[i] == 0)
            for (;;) pause();
    }
    for (int i = 0; i < CHILDREN; i++) {
        OK(kill(pids[i], SIGKILL));
        EQUAL(WTERMSIG(child_wait(pids[i])), SIGKILL);
    }
    OK(munmap(p, SIZE));
}

/* Nobody outside watches this group, before as after: the end of a member hangs up nobody. */
static int leader_with_a_stopped_child(void *argument) {
    OK(setsid());
    pid_t stopped = (pid_t)OK(fork());
    if (stopped == 0)
        for (;;) pause();
    OK(kill(stopped, SIGSTOP));
    OK(waitpid(stopped, nullptr, WUNTRACED));
    pid_t ends = (pid_t)OK(fork());
    if (ends == 0) _exit(0);
    OK(waitpid(ends, nullptr, 0));
    usleep(10000);
    EQUAL(waitpid(stopped, nullptr, WNOHANG | WCONTINUED), 0);
    OK(kill(stopped, SIGKILL));
    OK(waitpid(stopped, nullptr, 0));
    return 0;
}

TEST(end_in_an_orphaned_group) { EQUAL(child_run(leader_with_a_stopped_child, nullptr), 0); }

TEST(orphans_go_to_init) {
    int p[2];
    char c;
    if (getpid() != 2 && getppid() == 1) {
        SKIP("init itself is the runner's parent");
    }
    OK(pipe(p));
    EQUAL(child_run(orphan_parent, p), 0);
    alarm(5);
    EQUAL(read(p[0], &c, 1), 1);
}

/* --- exec ------------------------------------------------------------------------------------- */

/* Runs a program; its output at `out`. Returns the wait status. */
static int run_program(char *const *argv, char *const *environment, char *out, size_t size) {
    int p[2];
    size_t got = 0;
    OK(pipe2(p, O_CLOEXEC));
    pid_t pid = (pid_t)OK(fork());
    if (pid == 0) {
        dup2(p[1], 1);
        execve(argv[0], argv, environment);
        _exit(100 + errno % 100);
    }
    OK(close(p[1]));
    for (ssize_t n; (n = read(p[0], out + got, size - 1 - got)) > 0;) {
        got += (size_t)n;
    }
    out[got] = 0;
    OK(close(p[0]));
    return child_wait(pid);
}

TEST(exec_arguments_and_environment) {
    char out[256];
    char *argv[] = {"/bin/sh", "-c", "echo \"$0|$1|$2|$VAR\"; exit 9", "zero", "", "two words", NULL};
    char *environment[] = {"VAR=value", NULL};
    int status = run_program(argv, environment, out, sizeof(out));
    EQUAL(WEXITSTATUS(status), 9);
    CHECK(!strcmp(out, "zero||two words|value\n"));
}

TEST(exec_of_many_arguments) {
    static char *argv[3005], out[64];
    argv[0] = "/bin/sh";
    argv[1] = "-c";
    argv[2] = "echo $# ${2999}";
    argv[3] = "sh";
    for (int i = 4; i < 3003; i++) {
        argv[i] = "an argument that is fairly long";
    }
    argv[3002] = "last";
    EQUAL(run_program(argv, environ, out, sizeof(out)), 0);
    CHECK(!strcmp(out, "2999 last\n"));
}

TEST(exec_errors) {
    char *argv[] = {"x", NULL};
    file_make("text", "no program");
    FAILS(EACCES, execve("text", argv, environ));
    OK(chmod("text", 0755));
    FAILS(ENOEXEC, execve("text", argv, environ));
    FAILS(ENOENT, execve("none", argv, environ));
    FAILS(ENOENT, execve("", argv, environ));
    FAILS(EACCES, execve(".", argv, environ));
    FAILS(ENOTDIR, execve("text/x", argv, environ));
    file_make("bad", "#!/no/such/interpreter\n");
    OK(chmod("bad", 0755));
    FAILS(ENOENT, execve("bad", argv, environ));
    file_make("elf", "\177ELF\2\1\1");
    OK(chmod("elf", 0755));
    FAILS(ENOEXEC, execve("elf", argv, environ));
}

TEST(scripts) {
    char out[256];
    char *argv[] = {"./script", "one", NULL};
    file_make("script", "#! /bin/sh -e\necho \"$0 $1 $-\"\n");
    OK(chmod("script", 0755));
    EQUAL(run_program(argv, environ, out, sizeof(out)), 0);
    CHECK(!strncmp(out, "./script one ", 13) && strchr(out + 13, 'e'));
    file_make("nested", "#!./script\n");
    OK(chmod("nested", 0755));
    char *nested[] = {"./nested", "x", NULL};
    EQUAL(run_program(nested, environ, out, sizeof(out)), 0);
    CHECK(!strncmp(out, "./script ./nested ", 18));
}

TEST(close_on_exec) {
    char out[64], number[8], kept[8];
    int fd = (int)OK(open("/dev/null", O_RDONLY | O_CLOEXEC)), other = (int)OK(dup(fd));
    snprintf(number, sizeof(number), "%d", fd);
    snprintf(kept, sizeof(kept), "%d", other);
    char *argv[] = {"/bin/sh",
                    "-c",
                    "(eval \"true <&$1\") 2>/dev/null && echo open; "
                    "(eval \"true <&$2\") 2>/dev/null && echo kept; true",
                    "sh",
                    number,
                    kept,
                    NULL};
    EQUAL(run_program(argv, environ, out, sizeof(out)), 0);
    CHECK(!strcmp(out, "kept\n"));
}

TEST(exec_keeps_and_resets_signals) {
    char out[128];
    sigset_t set;
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, SIG_DFL);
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    OK(sigprocmask(SIG_BLOCK, &set, NULL));
    char *argv[] = {"/bin/sh", "-c", "kill -USR1 $$; kill -HUP $$; echo alive", NULL};
    EQUAL(run_program(argv, environ, out, sizeof(out)), 0);
    CHECK(!strcmp(out, "alive\n"));
}

TEST(exec_keeps_directory_and_umask) {
    char out[512], cwd[256];
    char *argv[] = {"/bin/sh", "-c", "umask; pwd", NULL};
    OK(mkdir("d", 0755));
    OK(chdir("d"));
    umask(0137);
    CHECK(getcwd(cwd, sizeof(cwd)) != NULL);
    EQUAL(run_program(argv, environ, out, sizeof(out)), 0);
    CHECK(!strncmp(out, "0137\n", 5));
    EQUAL(strncmp(out + 5, cwd, strlen(cwd)), 0);
}

/* --- spawn ------------------------------------------------------------------------------------ */

TEST(spawn_with_file_actions) {
    pid_t pid;
    posix_spawn_file_actions_t actions;
    char *argv[] = {"sh", "-c", "read line; echo \"got $line\"; exit 4", NULL};
    file_make("in", "input\n");
    EQUAL(posix_spawn_file_actions_init(&actions), 0);
    EQUAL(posix_spawn_file_actions_addopen(&actions, 0, "in", O_RDONLY, 0), 0);
    EQUAL(posix_spawn_file_actions_addopen(&actions, 5, "out", O_WRONLY | O_CREAT, 0644), 0);
    EQUAL(posix_spawn_file_actions_adddup2(&actions, 5, 1), 0);
    EQUAL(posix_spawn_file_actions_addclose(&actions, 5), 0);
    EQUAL(posix_spawnp(&pid, "sh", &actions, NULL, argv, environ), 0);
    EQUAL(WEXITSTATUS(child_wait(pid)), 4);
    file_expect("out", "got input\n");
    EQUAL(posix_spawn(&pid, "none", NULL, NULL, argv, environ), ENOENT);
}

TEST(spawn_attributes) {
    pid_t pid;
    posix_spawnattr_t attributes;
    char *argv[] = {"sh", "-c", "kill -TERM $$; exit 1", NULL};
    sigset_t set;
    signal(SIGTERM, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigdefault(&attributes, &set);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    EQUAL(posix_spawnp(&pid, "sh", NULL, &attributes, argv, environ), 0);
    int status = child_wait(pid);
    CHECK(WIFSIGNALED(status));
    EQUAL(WTERMSIG(status), SIGTERM);
}

TEST(vfork_child) {
    pid_t pid = vfork();
    if (pid == 0) {
        _exit(5);
    }
    CHECK(pid > 0);
    EQUAL(WEXITSTATUS(child_wait(pid)), 5);
}

/* --- groups, sessions ------------------------------------------------------------------------- */

static int new_session(void *unused) {
    pid_t pid = getpid();
    EQUAL(OK(setsid()), pid);
    EQUAL(getsid(0), pid);
    EQUAL(getpgrp(), pid);
    FAILS(EPERM, setsid());
    FAILS(EPERM, setpgid(0, 0));
    return 0;
}

TEST(sessions) {
    EQUAL(child_run(new_session, NULL), 0);
    FAILS(EPERM, setsid());
}

TEST(groups) {
    pid_t pid = child_start(pause_long, NULL);
    EQUAL(getpgid(pid), getpgrp());
    OK(setpgid(pid, pid));
    EQUAL(getpgid(pid), pid);
    FAILS(EINVAL, setpgid(pid, -1));
    FAILS(EPERM, setpgid(pid, 999999));
    FAILS(ESRCH, setpgid(999999, 0));
    FAILS(ESRCH, getpgid(999999));
    OK(kill(-pid, SIGTERM));
    CHECK(WIFSIGNALED(child_wait(pid)));
}

/* --- usage, priorities ------------------------------------------------------------------------ */

static int spin(void *unused) {
    volatile unsigned long n = 0;
    int64_t until = now_ms() + 100;
    while (now_ms() < until) {
        n++;
    }
    return 0;
}

TEST(usage) {
    struct rusage before, after;
    struct tms t;
    OK(getrusage(RUSAGE_CHILDREN, &before));
    EQUAL(child_run(spin, NULL), 0);
    OK(getrusage(RUSAGE_CHILDREN, &after));
    long us = (after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1000000L +
              (after.ru_utime.tv_usec - before.ru_utime.tv_usec) +
              (after.ru_stime.tv_sec - before.ru_stime.tv_sec) * 1000000L +
              (after.ru_stime.tv_usec - before.ru_stime.tv_usec);
    CHECK(us > 5000);
    CHECK(times(&t) != (clock_t)-1);
    CHECK(t.tms_cutime + t.tms_cstime > 0);
    FAILS(EINVAL, getrusage(99, &before));
}

TEST(priorities) {
    EQUAL(getpriority(PRIO_PROCESS, 0), 0);
    OK(setpriority(PRIO_PROCESS, 0, 5));
    EQUAL(getpriority(PRIO_PROCESS, 0), 5);
    EQUAL(nice(3), 8);
    FAILS(EINVAL, getpriority(99, 0));
    FAILS(ESRCH, getpriority(PRIO_PROCESS, 999999));
}
