// SPDX-License-Identifier: MIT
/*
 * The agent of `scripts/run --exec`: takes a command line from the host over a serial line, runs it
 * as `/bin/sh -c COMMAND` with stdin, stdout and stderr carried over the line, sends its exit
 * status and powers off.  Started by init when the kernel's command line has exec=com2.
 */
#include "link.h"
#include "session.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define AFTERMATH_MS 2000 /* to read what is left in the pipes after the command's end */
#define PIPE_SIZE 65536

enum { POLL_LINE, POLL_STDIN, POLL_STDOUT, POLL_STDERR, POLLS };

struct agent {
    struct link link;
    pid_t pid;
    int status; /* of the command, -1 while it runs */
    int to_stdin, from[2]; /* pipes to the command; -1 = closed */
    int early; /* EARLY_STDIN, until all of it is in the pipe */
    off_t early_at;
};

static volatile sig_atomic_t child_ended;

static void on_child(int signal) { child_ended = 1; }

/* --- the command --- */
static const char *const environment[] = {
    "PATH=/usr/local/bin:/bin:/sbin:/usr/bin:/usr/sbin",
    "HOME=/root",
    "USER=root",
    "LOGNAME=root",
    "SHELL=/bin/sh",
    "TERM=dumb",
    "PWD=/",
    nullptr,
};

static void command_exec(const char *command, int in, int out, int err, const sigset_t *mask) {
    const char *const arguments[] = {"sh", "-c", command, nullptr};
    setsid();
    dup2(in, 0);
    dup2(out, 1);
    dup2(err, 2);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGCHLD, SIG_DFL);
    sigprocmask(SIG_SETMASK, mask, nullptr);
    session_inherit();
    if (chdir("/") == 0) execve("/bin/sh", (char *const *)arguments, (char *const *)environment);
    static const char text[] = "exec agent: cannot run /bin/sh\n";
    (void)!write(2, text, sizeof(text) - 1);
    _exit(127);
}

static bool command_start(struct agent *a, const sigset_t *mask) {
    int in[2], out[2], err[2];
    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0) return false;
    a->pid = fork();
    if (a->pid == 0) command_exec(a->link.command, in[0], out[1], err[1], mask);
    close(in[0]);
    close(out[1]);
    close(err[1]);
    a->to_stdin = in[1];
    a->from[0] = out[0];
    a->from[1] = err[0];
    for (int i = 0; i < 3; i++) fcntl(i == 2 ? a->to_stdin : a->from[i], F_SETFL, O_NONBLOCK);
    return a->pid > 0;
}

static void command_reap(struct agent *a) {
    int status;
    child_ended = 0;
    if (a->status >= 0 || waitpid(a->pid, &status, WNOHANG) != a->pid) return;
    a->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    session_kill(a->pid);
}

/* --- moving data --- */
static void close_pipe(int *fd) {
    close(*fd);
    *fd = -1;
}

static void early_feed(struct agent *a) {
    static uint8_t data[PIPE_SIZE];
    while (a->early >= 0) {
        ssize_t n = pread(a->early, data, sizeof(data), a->early_at);
        if (n > 0) n = write(a->to_stdin, data, (size_t)n);
        if (n < 0 && errno == EAGAIN) return;
        if (n < 0) close_pipe(&a->to_stdin);
        if (n <= 0) close_pipe(&a->early);
        a->early_at += n;
    }
}

static void stdin_feed(struct agent *a) {
    struct link *l = &a->link;
    if (a->pid <= 0) return; /* the command's stdin may come along with the command */
    early_feed(a);
    if (a->early >= 0) return;
    while (l->input_count > 0) {
        ssize_t n = (ssize_t)l->input_count; /* to nobody, if the pipe is closed */
        if (a->to_stdin >= 0) n = write(a->to_stdin, l->input + l->input_at, l->input_count);
        if (n < 0 && errno == EPIPE) close_pipe(&a->to_stdin);
        else if (n < 0) return;
        else link_input_done(l, (size_t)n);
    }
    if (l->input_end && a->to_stdin >= 0) close_pipe(&a->to_stdin);
}

static void output_collect(struct agent *a, int which) {
    uint8_t data[LINK_DATA_MAX];
    size_t room;
    while (a->from[which] >= 0 && (room = link_room(&a->link)) > 0) {
        ssize_t n = read(a->from[which], data, room);
        if (n == 0) close_pipe(&a->from[which]);
        if (n <= 0) return;
        link_send(&a->link, which ? 'E' : 'O', data, (size_t)n);
    }
}

/* One wait, then everything that can be moved. False: nothing came in the time given. */
static bool agent_step(struct agent *a, int timeout_ms, const sigset_t *mask) {
    struct link *l = &a->link;
    short can_send = link_room(l) > 0 ? POLLIN : 0;
    struct pollfd polls[POLLS] = {
        [POLL_LINE] = {l->fd, (short)(POLLIN | (l->sending > 0 ? POLLOUT : 0)), 0},
        [POLL_STDIN] = {l->input_count > 0 || a->early >= 0 ? a->to_stdin : -1, POLLOUT, 0},
        [POLL_STDOUT] = {can_send ? a->from[0] : -1, can_send, 0},
        [POLL_STDERR] = {can_send ? a->from[1] : -1, can_send, 0},
    };
    struct timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
    int ready = child_ended ? 1 : ppoll(polls, POLLS, timeout_ms < 0 ? nullptr : &timeout, mask);
    if (child_ended) command_reap(a);
    link_receive(l);
    stdin_feed(a);
    output_collect(a, 0);
    output_collect(a, 1);
    link_flush(l);
    return ready != 0;
}

static void agent_run(struct agent *a, const sigset_t *mask) {
    while (!a->link.command && !a->link.broken) agent_step(a, -1, mask);
    if (a->link.broken || !command_start(a, mask)) return;
    stdin_feed(a);
    link_flush(&a->link);
    while (a->status < 0 && !a->link.broken) agent_step(a, -1, mask);
    while ((a->from[0] >= 0 || a->from[1] >= 0) && !a->link.broken) {
        if (!agent_step(a, AFTERMATH_MS, mask)) break; /* held open by a process that left the session */
    }
    uint8_t status = a->status < 0 ? 255 : (uint8_t)a->status;
    link_send(&a->link, 'X', &status, 1);
    while (a->link.sending > 0 && !a->link.broken) agent_step(a, -1, mask);
    tcdrain(a->link.fd);
}

int main(int argc, char **argv) {
    static struct agent agent = {.status = -1, .to_stdin = -1, .from = {-1, -1}, .early = -1};
    sigset_t child, mask;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, &mask); /* it comes in during ppoll only */
    signal(SIGCHLD, on_child);
    signal(SIGPIPE, SIG_IGN);
    int fd = open(argc > 1 ? argv[1] : "/scheme/serial/1", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return 1;
    agent.early = open(EARLY_STDIN, O_RDONLY | O_CLOEXEC);
    unlink(EARLY_STDIN);
    link_init(&agent.link, fd);
    agent_run(&agent, &mask);
    kill(1, SIGUSR2); /* init: power off */
    return 0;
}
