// SPDX-License-Identifier: MIT
/*
 * Isolation is paid per open, not per byte: a mebibyte through a file, a pipe, a socketpair, sockets
 * connected by name and TCP makes no scheme call.  The counter is the system's, so a run that others disturbed
 * is measured again.
 */
#include "native.h"
#include <abi/counters.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#define BLOCK 65536
#define MIB (1 << 20)
static char block[BLOCK];

static uint64_t calls(void) {
    uint64_t all[COUNT_COUNT];
    GOOD(sys_system_info(SYSTEM_COUNTERS, all, sizeof(all)));
    return all[COUNT_CALL];
}

/* `move` is tried until nobody else called in between. */
static void expect_no_calls(void (*move)(int in, int out), int in, int out) {
    uint64_t least = UINT64_MAX;
    for (int tries = 0; tries < 50 && least; tries++) {
        uint64_t before = calls();
        move(in, out);
        uint64_t made = calls() - before;
        least = made < least ? made : least;
    }
    EQUAL(least, 0);
}

static void read_file(int in, int) {
    lseek(in, 0, SEEK_SET);
    for (int i = 0; i < MIB / BLOCK; i++) EQUAL(read(in, block, BLOCK), BLOCK);
}

static void write_then_read(int in, int out) {
    for (int i = 0; i < MIB / BLOCK; i++) {
        EQUAL(write(out, block, BLOCK), BLOCK);
        for (size_t got = 0; got < BLOCK;) {
            ssize_t n = read(in, block, BLOCK);
            CHECK(n > 0);
            got += (size_t)n;
        }
    }
}

TEST(file) {
    int fd = (int)OK(open("mebibyte", O_RDWR | O_CREAT, 0600));
    for (int i = 0; i < MIB / BLOCK; i++) EQUAL(write(fd, block, BLOCK), BLOCK);
    expect_no_calls(read_file, fd, fd);
}

TEST(pipes) {
    int fd[2];
    OK(pipe(fd));
    expect_no_calls(write_then_read, fd[0], fd[1]);
}

TEST(socketpairs) {
    int fd[2];
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
    expect_no_calls(write_then_read, fd[0], fd[1]);
}

/* Two sockets connected by name: what [1] sends, [0] gets. */
static void connect_named(int type, int fd[2]) {
    struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "socket"};
    fd[0] = (int)OK(socket(AF_UNIX, type, 0));
    OK(bind(fd[0], (struct sockaddr *)&a, sizeof(a)));
    fd[1] = (int)OK(socket(AF_UNIX, type, 0));
    if (type != SOCK_DGRAM) OK(listen(fd[0], 1));
    OK(connect(fd[1], (struct sockaddr *)&a, sizeof(a)));
    if (type != SOCK_DGRAM) fd[0] = (int)OK(accept(fd[0], nullptr, nullptr));
}

TEST(named_sockets) {
    static const int types[] = {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM};
    for (int i = 0; i < 3; i++) {
        int fd[2];
        connect_named(types[i], fd);
        expect_no_calls(write_then_read, fd[0], fd[1]);
        OK(unlink("socket"));
    }
}

TEST(internet_sockets) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(a);
    int l = (int)OK(socket(AF_INET, SOCK_STREAM, 0)), fd[2];
    OK(bind(l, (struct sockaddr *)&a, sizeof(a)));
    OK(listen(l, 1));
    OK(getsockname(l, (struct sockaddr *)&a, &length));
    fd[1] = (int)OK(socket(AF_INET, SOCK_STREAM, 0));
    OK(connect(fd[1], (struct sockaddr *)&a, sizeof(a)));
    fd[0] = (int)OK(accept(l, nullptr, nullptr));
    expect_no_calls(write_then_read, fd[0], fd[1]);
}

/* The counter does count: otherwise nothing above could fail. */
TEST(counter_counts) {
    struct stat s;
    int fd = (int)OK(open("file", O_RDWR | O_CREAT, 0600));
    uint64_t before = calls();
    OK(fstat(fd, &s));
    CHECK(calls() > before);
}
