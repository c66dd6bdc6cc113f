// SPDX-License-Identifier: MIT
/* Record locks and flock. */
#include "test.h"
#include <sys/file.h>

static int fd;

static int lock(int command, short type, off_t start, off_t length) {
    struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    return fcntl(fd, command, &l);
}

static int child_may_write(void *unused) { return lock(F_SETLK, F_WRLCK, 0, 10) == 0; }

static int child_may_read(void *unused) { return lock(F_SETLK, F_RDLCK, 0, 10) == 0; }

static int child_may_write_beyond(void *unused) { return lock(F_SETLK, F_WRLCK, 10, 10) == 0; }

static void open_file(void) {
    fd = (int)OK(open("a", O_RDWR | O_CREAT, 0644));
    EQUAL(write(fd, "0123456789", 10), 10);
}

TEST(exclusion_between_processes) {
    open_file();
    OK(lock(F_SETLK, F_WRLCK, 0, 10));
    EQUAL(child_run(child_may_write, NULL), 0);
    EQUAL(child_run(child_may_read, NULL), 0);
    EQUAL(child_run(child_may_write_beyond, NULL), 1);
    OK(lock(F_SETLK, F_RDLCK, 0, 10));
    EQUAL(child_run(child_may_write, NULL), 0);
    EQUAL(child_run(child_may_read, NULL), 1);
    OK(lock(F_SETLK, F_UNLCK, 0, 0));
    EQUAL(child_run(child_may_write, NULL), 1);
}

static int who_holds(void *unused) {
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 100};
    if (fcntl(fd, F_GETLK, &l) < 0 || l.l_pid != getppid()) {
        return 1;
    }
    return !(l.l_type == F_RDLCK && l.l_start == 4 && l.l_len == 2);
}

TEST(who_holds_a_lock) {
    open_file();
    OK(lseek(fd, 4, SEEK_SET));
    struct flock l = {.l_type = F_RDLCK, .l_whence = SEEK_CUR, .l_start = 0, .l_len = 2};
    OK(fcntl(fd, F_SETLK, &l));
    EQUAL(child_run(who_holds, NULL), 0);
}

TEST(closing_any_descriptor_releases) {
    open_file();
    OK(lock(F_SETLK, F_WRLCK, 0, 10));
    int other = (int)OK(open("a", O_RDONLY));
    OK(close(other));
    EQUAL(child_run(child_may_write, NULL), 1);
}

static int hold_briefly(void *argument) {
    int *p = argument;
    if (lock(F_SETLK, F_WRLCK, 0, 10) < 0 || write(p[1], "x", 1) != 1) {
        return 1;
    }
    sleep_ms(100);
    return 0;
}

TEST(waiting_for_a_lock) {
    int p[2];
    char c;
    OK(pipe(p));
    open_file();
    pid_t pid = child_start(hold_briefly, p);
    EQUAL(read(p[0], &c, 1), 1);
    CHECK(lock(F_SETLK, F_WRLCK, 0, 10) == -1 && (errno == EAGAIN || errno == EACCES));
    OK(lock(F_SETLKW, F_WRLCK, 0, 10));
    EQUAL(child_wait(pid), 0);
}

static int crossing(void *argument) {
    int *p = argument;
    if (lock(F_SETLK, F_WRLCK, 5, 1) < 0 || write(p[1], "x", 1) != 1) {
        return 1;
    }
    sleep_ms(50);
    return lock(F_SETLKW, F_WRLCK, 0, 1) == -1 && errno == EDEADLK ? 2 : 0;
}

TEST(deadlock_is_noticed) {
    int p[2];
    char c;
    OK(pipe(p));
    open_file();
    OK(lock(F_SETLK, F_WRLCK, 0, 1));
    pid_t pid = child_start(crossing, p);
    EQUAL(read(p[0], &c, 1), 1);
    int mine = lock(F_SETLKW, F_WRLCK, 5, 1) == -1 && errno == EDEADLK;
    OK(lock(F_SETLK, F_UNLCK, 0, 0));
    int status = child_wait(pid);
    CHECK(mine || WEXITSTATUS(status) == 2);
}

TEST(record_lock_errors) {
    open_file();
    int r = (int)OK(open("a", O_RDONLY));
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    FAILS(EBADF, fcntl(r, F_SETLK, &l));
    l.l_type = 99;
    FAILS(EINVAL, fcntl(fd, F_SETLK, &l));
}

static int flock_other(void *unused) {
    int own = open("a", O_RDWR);
    return flock(own, LOCK_EX | LOCK_NB) == 0;
}

TEST(flock_belongs_to_the_description) {
    open_file();
    OK(flock(fd, LOCK_EX));
    EQUAL(child_run(flock_other, NULL), 0);
    OK(flock(fd, LOCK_SH));
    EQUAL(child_run(flock_other, NULL), 0);
    int copy = (int)OK(dup(fd));
    OK(close(copy));
    EQUAL(child_run(flock_other, NULL), 0);
    OK(flock(fd, LOCK_UN));
    EQUAL(child_run(flock_other, NULL), 1);
    FAILS(EINVAL, flock(fd, 0));
}
