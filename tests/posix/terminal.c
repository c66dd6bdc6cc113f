// SPDX-License-Identifier: MIT
/* Terminals: what can be asked of the controlling one, and what others answer. */
#include "test.h"
#include <sys/ioctl.h>
#include <termios.h>

static int terminal_open(void) {
    int fd = open("/dev/tty", O_RDWR);
    if (fd < 0) {
        SKIP("no controlling terminal");
    }
    return fd;
}

TEST(what_is_no_terminal) {
    struct termios t;
    int p[2];
    file_make("a", "");
    int fd = (int)OK(open("a", O_RDWR)), null = (int)OK(open("/dev/null", O_RDWR));
    OK(pipe(p));
    FAILS(ENOTTY, tcgetattr(fd, &t));
    FAILS(ENOTTY, tcgetattr(p[0], &t));
    FAILS(ENOTTY, tcgetattr(null, &t));
    EQUAL(isatty(fd), 0);
    EQUAL(errno, ENOTTY);
    EQUAL(isatty(p[0]), 0);
    EQUAL(isatty(null), 0);
    FAILS(EBADF, tcgetattr(-1, &t));
    EQUAL(isatty(-1), 0);
    EQUAL(errno, EBADF);
    FAILS(ENOTTY, tcgetpgrp(fd));
}

static int without_terminal(void *unused) {
    OK(setsid());
    FAILS(ENXIO, open("/dev/tty", O_RDWR));
    return 0;
}

TEST(new_session_has_no_terminal) { EQUAL(child_run(without_terminal, NULL), 0); }

TEST(attributes_can_be_set) {
    struct termios before, t, after;
    int fd = terminal_open();
    signal(SIGTTOU, SIG_IGN);
    OK(tcgetattr(fd, &before));
    t = before;
    t.c_lflag ^= ECHO;
    t.c_cc[VMIN] = 3;
    OK(tcsetattr(fd, TCSANOW, &t));
    OK(tcgetattr(fd, &after));
    OK(tcsetattr(fd, TCSANOW, &before));
    EQUAL(after.c_lflag, t.c_lflag);
    EQUAL(after.c_cc[VMIN], 3);
    EQUAL(isatty(fd), 1);
}

TEST(foreground_group_and_session) {
    int fd = terminal_open();
    CHECK(OK(tcgetpgrp(fd)) > 0);
    EQUAL(tcgetsid(fd), getsid(0));
    struct winsize size;
    OK(ioctl(fd, TIOCGWINSZ, &size));
}

TEST(becoming_the_foreground) {
    int fd = terminal_open();
    pid_t before = (pid_t)OK(tcgetpgrp(fd));
    signal(SIGTTOU, SIG_IGN);
    OK(tcsetpgrp(fd, getpgrp()));
    EQUAL(tcgetpgrp(fd), getpgrp());
    OK(tcsetpgrp(fd, before));
    CHECK(tcsetpgrp(fd, 999999) == -1 && (errno == EPERM || errno == ESRCH)); /* Linux: ESRCH */
}
