// SPDX-License-Identifier: MIT
/* Pipes and FIFOs. */
#include "test.h"
#include <limits.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

TEST(bytes_in_order) {
    int p[2];
    char got[8];
    OK(pipe(p));
    EQUAL(write(p[1], "abc", 3), 3);
    EQUAL(write(p[1], "def", 3), 3);
    int waiting = 0;
    OK(ioctl(p[0], FIONREAD, &waiting));
    EQUAL(waiting, 6);
    EQUAL(read(p[0], got, 4), 4);
    CHECK(!memcmp(got, "abcd", 4));
    EQUAL(read(p[0], got, 8), 2);
    FAILS(EBADF, write(p[0], "x", 1));
    FAILS(EBADF, read(p[1], got, 1));
    FAILS(ESPIPE, lseek(p[0], 0, SEEK_CUR));
    FAILS(ESPIPE, pread(p[0], got, 1, 0));
}

TEST(capacity) {
    int p[2];
    OK(pipe(p));
    for (int i = 0; i < 2; i++) {
        int capacity = fcntl(p[i], F_GETPIPE_SZ);
        CHECK(capacity >= PIPE_BUF);
        EQUAL(fcntl(p[i], F_SETPIPE_SZ, capacity / 2), capacity / 2);
        EQUAL(fcntl(p[0], F_GETPIPE_SZ), capacity / 2);
        EQUAL(fcntl(p[1], F_GETPIPE_SZ), capacity / 2);
    }
    FAILS(EBADF, fcntl(open("/tmp", O_RDONLY), F_GETPIPE_SZ));
}

TEST(end_of_data) {
    int p[2];
    char c;
    OK(pipe(p));
    EQUAL(write(p[1], "x", 1), 1);
    OK(close(p[1]));
    EQUAL(read(p[0], &c, 1), 1);
    EQUAL(read(p[0], &c, 1), 0);
    EQUAL(read(p[0], &c, 1), 0);
}

static volatile int signalled;
static void note(int signal) { signalled = signal; }

TEST(broken_pipe) {
    int p[2];
    OK(pipe(p));
    OK(close(p[0]));
    signal(SIGPIPE, note);
    FAILS(EPIPE, write(p[1], "x", 1));
    EQUAL(signalled, SIGPIPE);
    signal(SIGPIPE, SIG_IGN);
    FAILS(EPIPE, write(p[1], "x", 1));
}

static int write_one(void *argument) { return write(*(int *)argument, "x", 1) != 1; }

TEST(broken_pipe_kills) {
    int p[2];
    OK(pipe(p));
    OK(close(p[0]));
    int status = child_wait(child_start(write_one, &p[1]));
    CHECK(WIFSIGNALED(status));
    EQUAL(WTERMSIG(status), SIGPIPE);
}

TEST(nonblocking) {
    int p[2];
    char buffer[4096];
    long total = 0, n;
    OK(pipe2(p, O_NONBLOCK | O_CLOEXEC));
    EQUAL(fcntl(p[0], F_GETFD), FD_CLOEXEC);
    FAILS(EAGAIN, read(p[0], buffer, 1));
    memset(buffer, 'x', sizeof(buffer));
    while ((n = write(p[1], buffer, sizeof(buffer))) > 0) {
        total += n;
    }
    EQUAL(errno, EAGAIN);
    CHECK(total >= 4096);
    FAILS(EAGAIN, write(p[1], buffer, PIPE_BUF));
    EQUAL(read(p[0], buffer, sizeof(buffer)), sizeof(buffer));
    EQUAL(write(p[1], buffer, PIPE_BUF), PIPE_BUF);
}

static int write_much(void *argument) {
    static char block[300000];
    memset(block, 'y', sizeof(block));
    return write(*(int *)argument, block, sizeof(block)) != sizeof(block);
}

TEST(blocking_write_of_much) {
    int p[2];
    char buffer[7000];
    long total = 0, n;
    OK(pipe(p));
    pid_t pid = child_start(write_much, &p[1]);
    OK(close(p[1]));
    while ((n = OK(read(p[0], buffer, sizeof(buffer)))) > 0) {
        total += n;
    }
    EQUAL(total, 300000);
    EQUAL(child_wait(pid), 0);
}

static int write_atoms(void *argument) {
    char block[PIPE_BUF];
    int fd = *(int *)argument;
    memset(block, (int)getpid() % 26 + 'a', sizeof(block));
    for (int i = 0; i < 20; i++) {
        if (write(fd, block, sizeof(block)) != sizeof(block)) {
            return 1;
        }
    }
    return 0;
}

TEST(small_writes_are_atomic) {
    int p[2];
    char block[PIPE_BUF];
    pid_t pids[3];
    OK(pipe(p));
    for (int i = 0; i < 3; i++) {
        pids[i] = child_start(write_atoms, &p[1]);
    }
    OK(close(p[1]));
    for (int i = 0; i < 60; i++) {
        size_t got = 0;
        while (got < sizeof(block)) {
            got += (size_t)OK(read(p[0], block + got, sizeof(block) - got));
        }
        for (size_t k = 1; k < sizeof(block); k++) {
            EQUAL(block[k], block[0]);
        }
    }
    for (int i = 0; i < 3; i++) {
        EQUAL(child_wait(pids[i]), 0);
    }
}

static int fifo_writer(void *unused) {
    int fd = open("p", O_WRONLY);
    return fd < 0 || write(fd, "hello", 5) != 5;
}

/* What `diff <(a) <(b)` asks: are they one file? */
TEST(each_pipe_is_another_file) {
    struct stat ends[4];
    int fds[4];
    OK(pipe(fds));
    OK(pipe(fds + 2));
    for (int i = 0; i < 4; i++) OK(fstat(fds[i], &ends[i]));
    CHECK(ends[0].st_dev != 0 && ends[0].st_ino != 0);
    EQUAL(ends[0].st_ino, ends[1].st_ino);
    EQUAL(ends[2].st_ino, ends[3].st_ino);
    CHECK(ends[0].st_ino != ends[2].st_ino);
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    for (int i = 0; i < 2; i++) OK(fstat(fds[i], &ends[i]));
    CHECK(ends[0].st_ino != 0 && ends[0].st_ino != ends[1].st_ino);
}

TEST(fifo_between_processes) {
    char got[8];
    OK(mkfifo("p", 0600));
    pid_t pid = child_start(fifo_writer, NULL);
    int fd = (int)OK(open("p", O_RDONLY));
    EQUAL(read(fd, got, 5), 5);
    CHECK(!memcmp(got, "hello", 5));
    EQUAL(read(fd, got, 5), 0);
    EQUAL(child_wait(pid), 0);
}

TEST(fifo_without_waiting) {
    char c;
    OK(mkfifo("p", 0600));
    int r = (int)OK(open("p", O_RDONLY | O_NONBLOCK));
    EQUAL(read(r, &c, 1), 0);
    int w = (int)OK(open("p", O_WRONLY | O_NONBLOCK));
    FAILS(EAGAIN, read(r, &c, 1));
    EQUAL(write(w, "z", 1), 1);
    EQUAL(read(r, &c, 1), 1);
    EQUAL(c, 'z');
}

static void *fifo_opener(void *directory) { return (void *)(intptr_t)openat((int)(intptr_t)directory, "p", O_RDONLY); }

/* An open that waits doesn't need the directory any more that it started at. */
TEST(fifo_directory_closed) {
    pthread_t thread;
    void *reader;
    OK(mkfifo("p", 0600));
    int directory = (int)OK(open(".", O_RDONLY | O_DIRECTORY));
    OK(-pthread_create(&thread, NULL, fifo_opener, (void *)(intptr_t)directory));
    sleep_ms(200);
    OK(close(directory));
    int writer = (int)OK(open("p", O_WRONLY));
    OK(-pthread_join(thread, &reader));
    OK(close((int)(intptr_t)reader));
    OK(close(writer));
    FAILS(ENXIO, open("p", O_WRONLY | O_NONBLOCK)); /* nobody is left */
}

/* Processes that end with many files, at once: what was theirs has ended when wait() tells. */
static int file_holder(void *unused) {
    int p[2];
    (void)unused;
    for (int i = 0; i < 200; i++) OK(pipe(p));
    return 0;
}
static int holders(void *unused) {
    (void)unused;
    for (int i = 0; i < 50; i++) {
        int p[2];
        char c;
        OK(pipe2(p, O_NONBLOCK));
        pid_t pid = child_start(file_holder, NULL);
        OK(close(p[1]));
        EQUAL(child_wait(pid), 0);
        EQUAL(read(p[0], &c, 1), 0);
        OK(close(p[0]));
    }
    return 0;
}
TEST(closed_when_waited_for) {
    pid_t pids[8];
    for (int i = 0; i < 8; i++) pids[i] = child_start(holders, NULL);
    for (int i = 0; i < 8; i++) EQUAL(child_wait(pids[i]), 0);
}

TEST(interrupted_read) {
    int p[2];
    char c;
    OK(pipe(p));
    struct sigaction action = {.sa_handler = note};
    OK(sigaction(SIGALRM, &action, NULL));
    alarm(1);
    FAILS(EINTR, read(p[0], &c, 1));
    EQUAL(signalled, SIGALRM);
}

TEST(popen_both_ways) {
    char line[32];
    FILE *in = popen("echo from the shell", "r");
    CHECK(in && fgets(line, sizeof(line), in));
    CHECK(!strcmp(line, "from the shell\n"));
    EQUAL(pclose(in), 0);
    FILE *out = popen("cat >made", "w");
    CHECK(out && fputs("to the shell", out) >= 0);
    EQUAL(pclose(out), 0);
    file_expect("made", "to the shell");
    EQUAL(WEXITSTATUS(system("exit 3")), 3);
}
