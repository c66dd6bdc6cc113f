// SPDX-License-Identifier: MIT
/* Pseudo-terminals: both sides, job control, hang-up, packet mode. */
#include "test.h"
#include <dirent.h>
#include <poll.h>
#include <pty.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <utmp.h>

#ifndef TIOCGPTPEER
#define TIOCGPTPEER 0x5441
#endif

static int master_open(void) {
    int m = (int)OK(posix_openpt(O_RDWR | O_NOCTTY));
    OK(grantpt(m));
    OK(unlockpt(m));
    return m;
}

static int slave_open(int m, int flags) {
    char name[64];
    EQUAL(ptsname_r(m, name, sizeof(name)), 0);
    return (int)OK(open(name, O_RDWR | flags));
}

/* Both ends; the terminal raw. */
static void raw_pair(int *m, int *s) {
    struct termios t;
    OK(openpty(m, s, NULL, NULL, NULL));
    OK(tcgetattr(*s, &t));
    cfmakeraw(&t);
    OK(tcsetattr(*s, TCSANOW, &t));
}

static int ready(int fd) {
    struct pollfd p = {fd, POLLIN | POLLOUT | POLLPRI, 0};
    OK(poll(&p, 1, 0));
    return p.revents;
}

/* Reads exactly this text. */
static void expect(int fd, const char *text) {
    char got[512] = {0};
    size_t want = strlen(text), n = 0;
    while (n < want) {
        struct pollfd p = {fd, POLLIN, 0};
        EQUAL(poll(&p, 1, 10000), 1);
        n += (size_t)OK(read(fd, got + n, want - n));
    }
    if (strcmp(got, text) != 0) {
        test_fail(__FILE__, __LINE__, "got \"%s\", not \"%s\"", got, text);
    }
}

TEST(names_and_nodes) {
    struct stat a, b;
    char name[64], *found;
    int m = (int)OK(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    EQUAL(fcntl(m, F_GETFD), FD_CLOEXEC);
    EQUAL(ptsname_r(m, name, sizeof(name)), 0);
    CHECK(!strncmp(name, "/dev/pts/", 9));
    EQUAL(ptsname_r(m, name, 3), ERANGE);
    EQUAL(ptsname_r(m, name, sizeof(name)), 0);
    FAILS(EIO, open(name, O_RDWR | O_NOCTTY)); /* locked */
    OK(unlockpt(m));
    int s = (int)OK(open(name, O_RDWR | O_NOCTTY));
    OK(fstat(s, &a));
    OK(stat(name, &b));
    EQUAL(a.st_ino, b.st_ino);
    EQUAL(a.st_dev, b.st_dev);
    CHECK(S_ISCHR(a.st_mode));
    EQUAL(major(a.st_rdev), 136);
    EQUAL(a.st_uid, getuid());
    EQUAL(isatty(s), 1);
    EQUAL(isatty(m), 1);
    CHECK((found = ttyname(s)) && !strcmp(found, name));
    OK(stat("/dev/ptmx", &b));
    CHECK(S_ISCHR(b.st_mode));
    EQUAL(b.st_rdev, makedev(5, 2));
    CHECK(!ptsname(s) || errno == ENOTTY);
    FAILS(ESPIPE, lseek(s, 0, SEEK_SET));
    OK(chmod(name, 0600));
    OK(fstat(s, &a));
    EQUAL(a.st_mode & 0777, 0600);
    DIR *d = opendir("/dev/pts");
    bool listed = false;
    for (struct dirent *e; d && (e = readdir(d));) {
        listed |= !strcmp(e->d_name, name + 9);
    }
    CHECK(listed);
    OK(close(s));
    OK(close(m));
    FAILS(ENOENT, open(name, O_RDWR | O_NOCTTY));
    FAILS(ENOENT, stat("/dev/pts/nonsense", &a));
    FAILS(ENOENT, stat("/dev/pts/99999", &a));
}

TEST(cooked_lines) {
    int m = master_open(), s = slave_open(m, O_NOCTTY);
    char got[64];
    EQUAL(write(m, "hellp\177o\n", 8), 8);
    expect(m, "hellp\b \bo\r\n");
    EQUAL(read(s, got, sizeof(got)), 6);
    CHECK(!memcmp(got, "hello\n", 6));
    EQUAL(write(s, "out\n", 4), 4);
    expect(m, "out\r\n");
    EQUAL(write(m, "\004", 1), 1);
    EQUAL(read(s, got, sizeof(got)), 0);
}

TEST(raw_bytes_both_ways) {
    unsigned char all[256], got[256];
    int m, s;
    raw_pair(&m, &s);
    for (int i = 0; i < 256; i++) {
        all[i] = (unsigned char)i;
    }
    EQUAL(write(m, all, sizeof(all)), sizeof(all));
    for (size_t n = 0; n < sizeof(got);) {
        n += (size_t)OK(read(s, got + n, sizeof(got) - n));
    }
    CHECK(!memcmp(all, got, sizeof(all)));
    EQUAL(write(s, all, sizeof(all)), sizeof(all));
    for (size_t n = 0; n < sizeof(got);) {
        n += (size_t)OK(read(m, got + n, sizeof(got) - n));
    }
    CHECK(!memcmp(all, got, sizeof(all)));
}

TEST(peer_by_ioctl) {
    int m = (int)OK(posix_openpt(O_RDWR | O_NOCTTY));
    OK(unlockpt(m));
    int s = (int)OK(ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
    EQUAL(fcntl(s, F_GETFD), FD_CLOEXEC);
    EQUAL(isatty(s), 1);
    EQUAL(write(m, "x\n", 2), 2);
    expect(s, "x\n");
}

/* --- readiness and limits --- */
TEST(readiness) {
    int m, s;
    raw_pair(&m, &s);
    EQUAL(ready(m), POLLOUT);
    EQUAL(ready(s), POLLOUT);
    EQUAL(write(m, "x", 1), 1);
    EQUAL(write(s, "y", 1), 1);
    struct pollfd p[2] = {{m, POLLIN, 0}, {s, POLLIN, 0}};
    while (poll(p, 2, 1000) < 2) { /* both sides may take a moment */
    }
    EQUAL(ready(m), POLLIN | POLLOUT);
    EQUAL(ready(s), POLLIN | POLLOUT);
    expect(m, "y");
    OK(close(s));
    CHECK(ready(m) & POLLHUP);
}

static int late_writer(void *fd) {
    sleep_ms(100);
    EQUAL(write(*(int *)fd, "x", 1), 1);
    sleep_ms(100);
    return 0;
}

TEST(epoll_waits_on_both_ends) {
    int m, s, set = (int)OK(epoll_create1(0));
    struct epoll_event e = {.events = EPOLLIN}, got;
    raw_pair(&m, &s);
    e.data.fd = m;
    OK(epoll_ctl(set, EPOLL_CTL_ADD, m, &e));
    e.data.fd = s;
    OK(epoll_ctl(set, EPOLL_CTL_ADD, s, &e));
    EQUAL(epoll_wait(set, &got, 1, 0), 0);
    pid_t child = child_start(late_writer, &s);
    EQUAL(epoll_wait(set, &got, 1, 10000), 1);
    EQUAL(got.data.fd, m);
    expect(m, "x");
    child_wait(child);
    child = child_start(late_writer, &m);
    EQUAL(epoll_wait(set, &got, 1, 10000), 1);
    EQUAL(got.data.fd, s);
    child_wait(child);
}

TEST(full_queues) {
    static char block[4096];
    int m, s;
    raw_pair(&m, &s);
    OK(fcntl(s, F_SETFL, O_NONBLOCK));
    OK(fcntl(m, F_SETFL, O_NONBLOCK));
    size_t out = 0, in = 0;
    for (ssize_t n; (n = write(s, block, sizeof(block))) > 0;) {
        out += (size_t)n;
        CHECK(out < 1 << 20);
    }
    EQUAL(errno, EAGAIN);
    for (ssize_t n; (n = write(m, block, sizeof(block))) > 0;) {
        in += (size_t)n;
        CHECK(in < 1 << 20);
    }
    EQUAL(errno, EAGAIN);
    while (out > 0) {
        struct pollfd p = {m, POLLIN, 0};
        EQUAL(poll(&p, 1, 10000), 1);
        out -= (size_t)OK(read(m, block, sizeof(block)));
    }
    while (in > 0) {
        struct pollfd p = {s, POLLIN, 0};
        EQUAL(poll(&p, 1, 10000), 1);
        in -= (size_t)OK(read(s, block, sizeof(block)));
    }
    FAILS(EAGAIN, read(s, block, 1));
    FAILS(EAGAIN, read(m, block, 1));
}

static int copier(void *fd) {
    static char block[3000];
    for (size_t sent = 0; sent < 200000;) {
        for (size_t i = 0; i < sizeof(block); i++) {
            block[i] = (char)((sent + i) % 251);
        }
        size_t n = 0;
        while (n < sizeof(block)) {
            n += (size_t)OK(write(*(int *)fd, block + n, sizeof(block) - n));
        }
        sent += n;
    }
    sleep_ms(200);
    return 0;
}

static void bulk(int from, int to) {
    static char block[1000];
    pid_t child = child_start(copier, &from);
    for (size_t at = 0; at < 200000 + 1000;) {
        ssize_t n = (ssize_t)OK(read(to, block, sizeof(block)));
        for (ssize_t i = 0; i < n; i++, at++) {
            CHECK(block[i] == (char)(at % 251));
        }
    }
    EQUAL(child_wait(child), 0);
}

TEST(bulk_from_the_terminal) {
    int m, s;
    raw_pair(&m, &s);
    bulk(s, m);
}

TEST(bulk_to_the_terminal) {
    int m, s;
    raw_pair(&m, &s);
    bulk(m, s);
}

TEST(hundreds) {
    enum { COUNT = 300 };
    static int m[COUNT];
    for (int i = 0; i < COUNT; i++) {
        m[i] = master_open();
    }
    int s = slave_open(m[COUNT - 1], O_NOCTTY);
    EQUAL(write(s, "x", 1), 1);
    expect(m[COUNT - 1], "x");
    int entries = 0;
    DIR *d = opendir("/dev/pts");
    while (d && readdir(d)) {
        entries++;
    }
    CHECK(entries >= COUNT);
}

/* --- windows --- */
static volatile sig_atomic_t seen;
static void on_signal(int signal) { seen = signal; }

static void wait_seen(int signal) {
    for (int i = 0; i < 2000 && seen != signal; i++) {
        sleep_ms(5);
    }
    EQUAL(seen, signal);
}

static int window_child(void *fds) {
    int *p = fds;
    struct winsize w;
    signal(SIGWINCH, on_signal);
    OK(close(p[0]));
    OK(login_tty(p[1]));
    EQUAL(tcgetsid(0), getpid());
    EQUAL(tcgetpgrp(0), getpid());
    EQUAL(write(1, "r", 1), 1);
    wait_seen(SIGWINCH);
    OK(ioctl(0, TIOCGWINSZ, &w));
    EQUAL(w.ws_row, 50);
    EQUAL(w.ws_col, 132);
    return 0;
}

TEST(window_size) {
    struct winsize w = {.ws_row = 30, .ws_col = 100}, got;
    int p[2];
    OK(openpty(&p[0], &p[1], NULL, NULL, &w));
    OK(ioctl(p[1], TIOCGWINSZ, &got));
    EQUAL(got.ws_row, 30);
    EQUAL(got.ws_col, 100);
    pid_t child = child_start(window_child, p);
    expect(p[0], "r");
    w = (struct winsize){.ws_row = 50, .ws_col = 132};
    OK(ioctl(p[0], TIOCSWINSZ, &w));
    EQUAL(child_wait(child), 0);
}

/* --- sessions --- */
/* Runs fn(argument) as leader of a session on a new terminal; the master. */
static pid_t forked(int *m, int (*fn)(void *), void *argument) {
    pid_t pid = (pid_t)OK(forkpty(m, NULL, NULL, NULL));
    if (pid == 0) {
        _exit(fn(argument));
    }
    return pid;
}

static int print_tty(void *unused) {
    (void)unused;
    int tty = (int)OK(open("/dev/tty", O_RDWR));
    char *name = ttyname(0);
    CHECK(name && !strncmp(name, "/dev/pts/", 9));
    dprintf(tty, "on %d\n", tcgetsid(tty) == getpid());
    return 7;
}

TEST(fork_with_a_terminal) {
    int m;
    pid_t child = forked(&m, print_tty, NULL);
    expect(m, "on 1\r\n");
    EQUAL(WEXITSTATUS(child_wait(child)), 7);
    char c;
    FAILS(EIO, read(m, &c, 1));
}

static int wait_interrupt(void *unused) {
    (void)unused;
    signal(SIGINT, on_signal);
    EQUAL(write(1, "r", 1), 1);
    wait_seen(SIGINT);
    return 0;
}

TEST(keyboard_signals) {
    int m;
    pid_t child = forked(&m, wait_interrupt, NULL);
    expect(m, "r");
    EQUAL(write(m, "\003", 1), 1);
    EQUAL(child_wait(child), 0);
}

static int wait_hangup(void *fd) {
    signal(SIGHUP, on_signal);
    EQUAL(write(1, "r", 1), 1);
    wait_seen(SIGHUP);
    char c = 0;
    EQUAL(read(0, &c, 1), 0);
    FAILS(EIO, write(1, "x", 1));
    FAILS(EIO, ioctl(0, TIOCGWINSZ, &(struct winsize){0}));
    EQUAL(write(*(int *)fd, "k", 1), 1);
    return 0;
}

TEST(closing_the_master_hangs_up) {
    int m, p[2];
    char c;
    OK(pipe(p));
    pid_t child = forked(&m, wait_hangup, &p[1]);
    expect(m, "r");
    OK(close(m));
    EQUAL(read(p[0], &c, 1), 1);
    EQUAL(child_wait(child), 0);
}

static int blocked_reader(void *unused) {
    (void)unused;
    char c;
    signal(SIGHUP, SIG_IGN);
    EQUAL(write(1, "r", 1), 1);
    CHECK(read(0, &c, 1) <= 0); /* Linux: EIO */
    EQUAL(read(0, &c, 1), 0);
    return 0;
}

TEST(hang_up_ends_a_read) {
    int m;
    pid_t child = forked(&m, blocked_reader, NULL);
    expect(m, "r");
    sleep_ms(50);
    OK(close(m));
    EQUAL(child_wait(child), 0);
}

static int background(void *unused) {
    (void)unused;
    char c;
    int status;
    pid_t child = (pid_t)OK(fork());
    if (child == 0) {
        OK(setpgid(0, 0));
        read(0, &c, 1); /* SIGTTIN */
        _exit(9);
    }
    setpgid(child, child);
    EQUAL(waitpid(child, &status, WUNTRACED), child);
    CHECK(WIFSTOPPED(status));
    EQUAL(WSTOPSIG(status), SIGTTIN);
    signal(SIGTTOU, SIG_IGN);
    OK(tcsetpgrp(0, child));
    EQUAL(tcgetpgrp(0), child);
    OK(kill(child, SIGCONT));
    EQUAL(write(1, "f", 1), 1);
    EQUAL(waitpid(child, &status, 0), child);
    EQUAL(WEXITSTATUS(status), 9);
    OK(tcsetpgrp(0, getpgrp()));
    struct termios t;
    OK(tcgetattr(0, &t));
    t.c_lflag |= TOSTOP;
    OK(tcsetattr(0, TCSANOW, &t));
    signal(SIGTTOU, SIG_DFL);
    child = (pid_t)OK(fork());
    if (child == 0) {
        OK(setpgid(0, 0));
        write(1, "never", 5); /* SIGTTOU */
        _exit(0);
    }
    setpgid(child, child);
    EQUAL(waitpid(child, &status, WUNTRACED), child);
    EQUAL(WSTOPSIG(status), SIGTTOU);
    OK(kill(child, SIGKILL));
    EQUAL(waitpid(child, &status, 0), child);
    return 0;
}

TEST(job_control) {
    int m;
    pid_t child = forked(&m, background, NULL);
    expect(m, "f");
    EQUAL(write(m, "x\n", 2), 2);
    EQUAL(child_wait(child), 0);
}

static int without(void *fd) {
    OK(setsid());
    FAILS(ENXIO, open("/dev/tty", O_RDWR));
    FAILS(ENOTTY, tcgetpgrp(*(int *)fd));
    OK(ioctl(*(int *)fd, TIOCSCTTY, 0));
    EQUAL(tcgetpgrp(*(int *)fd), getpgrp());
    int tty = (int)OK(open("/dev/tty", O_RDWR));
    OK(close(tty));
    signal(SIGHUP, SIG_IGN);
    OK(ioctl(*(int *)fd, TIOCNOTTY));
    FAILS(ENXIO, open("/dev/tty", O_RDWR));
    FAILS(ENOTTY, tcgetpgrp(*(int *)fd));
    return 0;
}

TEST(taking_and_leaving) {
    int m = master_open(), s = slave_open(m, O_NOCTTY);
    EQUAL(child_run(without, &s), 0);
}

static int by_opening(void *master) {
    OK(setsid());
    int s = slave_open(*(int *)master, 0); /* without O_NOCTTY */
    EQUAL(tcgetsid(s), getpid());
    return 0;
}

TEST(a_leader_takes_what_it_opens) {
    int m = master_open();
    EQUAL(child_run(by_opening, &m), 0);
}

static int thief(void *slave) {
    OK(setsid());
    OK(setuid(1000));
    FAILS(EPERM, ioctl(*(int *)slave, TIOCSCTTY, 0));
    FAILS(EPERM, ioctl(*(int *)slave, TIOCSCTTY, 1));
    return 0;
}

static int victim(void *unused) {
    (void)unused;
    if (getuid() == 0) {
        int s = dup(0);
        EQUAL(child_run(thief, &s), 0);
    }
    EQUAL(tcgetsid(0), getpid());
    return 0;
}

TEST(a_terminal_is_not_stolen) {
    int m;
    EQUAL(child_wait(forked(&m, victim, NULL)), 0);
}

/* --- packet mode --- */
TEST(packets) {
    char got[16];
    int m, s, on = 1;
    raw_pair(&m, &s);
    OK(ioctl(m, TIOCPKT, &on));
    EQUAL(write(s, "ab", 2), 2);
    EQUAL(read(m, got, sizeof(got)), 3);
    EQUAL(got[0], TIOCPKT_DATA);
    CHECK(!memcmp(got + 1, "ab", 2));
    OK(tcflush(s, TCIFLUSH));
    CHECK(ready(m) & POLLPRI);
    EQUAL(read(m, got, sizeof(got)), 1);
    EQUAL(got[0] & TIOCPKT_FLUSHREAD, TIOCPKT_FLUSHREAD);
    on = 0;
    OK(ioctl(m, TIOCPKT, &on));
    EQUAL(write(s, "c", 1), 1);
    expect(m, "c");
}

TEST(bad_input) {
    int m = master_open(), s = slave_open(m, O_NOCTTY);
    char *volatile nowhere = NULL;
    FAILS(EFAULT, write(m, nowhere, 1));
    FAILS(ENOTTY, ioctl(m, 0x5499, 0));
    FAILS(EFAULT, ioctl(s, TIOCSWINSZ, (void *)3));
    FAILS(EFAULT, ioctl(s, TIOCGWINSZ, (void *)3));
    FAILS(EFAULT, ioctl(m, TIOCGPTN, (void *)3)); /* its number says an address of 4 bytes */
    FAILS(ENOTTY, ioctl(s, 0x5499, 0));
    FAILS(ENOTTY, ioctl(s, TIOCGPTN, &(int){0}));
    FAILS(ENOTTY, ioctl(s, TIOCPKT, &(int){0}));
    EQUAL(ioctl(s, TIOCGPTPEER, 0), -1);
    EQUAL(write(m, "", 0), 0);
    EQUAL(read(m, nowhere, 0), 0);
    static char line[10000]; /* longer than a line may be */
    memset(line, 'x', sizeof(line));
    struct termios t;
    OK(tcgetattr(s, &t));
    t.c_lflag &= ~(tcflag_t)ECHO;
    OK(tcsetattr(s, TCSANOW, &t));
    OK(fcntl(m, F_SETFL, O_NONBLOCK));
    for (size_t n = 0; n < sizeof(line);) {
        ssize_t w = write(m, line + n, sizeof(line) - n);
        if (w < 0) {
            break;
        }
        n += (size_t)w;
    }
    EQUAL(write(m, "\n", 1), 1);
    ssize_t n = (ssize_t)OK(read(s, line, sizeof(line)));
    EQUAL(n, 4096);
    EQUAL(line[n - 1], '\n');
}
