// SPDX-License-Identifier: MIT
/*
 * Sockets against their server directly: it dies while sockets are open, and clients tell it nonsense.
 */
#include "native.h"
#include <cathode/uds.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

static pid_t process_named(const char *name) {
    for (long pid = 0; (pid = sys_process_info(0, PROCESS_NEXT, nullptr, 0, (uint64_t)pid)) > 0;) {
        struct process_state state;
        if (sys_process_info((int32_t)pid, PROCESS_STATE, &state, sizeof(state), 0) < 0) continue;
        if (!strcmp(state.name, name) && state.state != 'Z') return (pid_t)pid;
    }
    test_fail(__FILE__, __LINE__, "no process %s", name);
}

static int named(int type, const char *path, bool client) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    strcpy(a.sun_path, path);
    int s = (int)OK(socket(AF_UNIX, type, 0));
    if (client) OK(connect(s, (struct sockaddr *)&a, sizeof(a)));
    else OK(bind(s, (struct sockaddr *)&a, sizeof(a)));
    if (!client && type != SOCK_DGRAM) OK(listen(s, 4));
    return s;
}

TEST(connections_outlive_their_server) {
    char c;
    struct sockaddr_un a;
    socklen_t size = sizeof(a);
    struct pollfd p = {.events = POLLIN};
    int l = named(SOCK_STREAM, "stream", false), s = named(SOCK_STREAM, "stream", true);
    int accepted = (int)OK(accept(l, nullptr, nullptr)), waiting = named(SOCK_STREAM, "stream", true);
    int d = named(SOCK_DGRAM, "datagram", false), e = named(SOCK_DGRAM, "datagram", true);
    int idle = (int)OK(socket(AF_UNIX, SOCK_STREAM, 0));
    pid_t server = process_named("uds");
    OK(kill(server, SIGKILL));
    while (kill(server, 0) == 0) sleep_ms(1);
    EQUAL(write(s, "x", 1), 1);
    EQUAL(read(accepted, &c, 1), 1);
    EQUAL(write(e, "y", 1), 1);
    EQUAL(read(d, &c, 1), 1);
    EQUAL(read(waiting, &c, 1), 0); /* nobody will accept it */
    OK(getsockname(s, (struct sockaddr *)&a, &size));
    EQUAL(size, sizeof(sa_family_t));
    p.fd = l;
    EQUAL(poll(&p, 1, 1000), 1);
    CHECK(p.revents & POLLHUP);
    FAILS(ESTALE, accept(l, nullptr, nullptr));
    a = (struct sockaddr_un){.sun_family = AF_UNIX, .sun_path = "stream"};
    FAILS(ESTALE, connect(idle, (struct sockaddr *)&a, sizeof(a)));
    EQUAL(close(l), 0);
    int again = (int)OK(socket(AF_UNIX, SOCK_STREAM, 0));
    FAILS(ECONNREFUSED, connect(again, (struct sockaddr *)&a, sizeof(a)));
    OK(unlink("stream"));
    l = named(SOCK_STREAM, "stream", false);
    OK(connect(again, (struct sockaddr *)&a, sizeof(a)));
    EQUAL(write(again, "z", 1), 1);
    EQUAL(read((int)OK(accept(l, nullptr, nullptr)), &c, 1), 1);
}

/* An operation with these bytes and handle; results must be errors, and the server must live. */
static long tell(int fd, uint16_t op, const void *data, size_t length, handle_t carry, uint64_t argument) {
    static char answer[65536];
    struct call_args call = {
        .request = {.op = op, .length = (uint32_t)length, .args = {argument, 1}},
        .in = data,
        .out = answer,
        .out_size = sizeof(answer),
        .carry = carry,
        .handle_flags = HANDLE_IN_UPPER,
        .deadline = deadline_in(CALL_TIMEOUT_NS),
    };
    long result = sys_call(fd, &call);
    if (result >= 0 && call.reply.handle >= 0) sys_handle_close(call.reply.handle);
    return result;
}

TEST(nonsense_is_refused) {
    static char noise[65536];
    int s = (int)OK(socket(AF_UNIX, SOCK_STREAM, 0)), d = (int)OK(socket(AF_UNIX, SOCK_DGRAM, 0)), p[2];
    pid_t server = process_named("uds");
    OK(pipe(p));
    file_make("file", "");
    int file = (int)OK(open("file", O_RDWR));
    handle_t carried[] = {HANDLE_NONE, p[0], file, s, d, HANDLE_ROOT};
    static const size_t lengths[] = {0, 1, 2, 3, 110, 111, 4096, 65536};
    noise[0] = AF_UNIX;
    for (int text = 0; text < 2; text++) {
        memset(noise + 2, text ? 'x' : 0, sizeof(noise) - 2);
        for (uint16_t op = UDS_BIND; op <= UDS_STATE + 3; op++)
            for (size_t i = 0; i < 8; i++)
                for (size_t j = 0; j < 6; j++) {
                    int fresh = (int)OK(socket(AF_UNIX, j % 2 ? SOCK_STREAM : SOCK_DGRAM, 0));
                    tell(fresh, op, noise, lengths[i], carried[j], ~0ULL >> (i * 8));
                    OK(close(fresh));
                }
    }
    struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "x"};
    CHECK(tell(s, UDS_BIND, &a, sizeof(a), file, 0) < 0); /* not a socket's node */
    CHECK(tell(s, UDS_CONNECT, &a, sizeof(a), file, 0) < 0);
    CHECK(tell(s, UDS_CONNECT, &a, sizeof(a), HANDLE_NONE, 0) < 0);
    OK(mknod("node", S_IFSOCK | 0666, 0));
    int node = (int)OK(open("node", O_PATH));
    CHECK(tell(d, UDS_CONNECT, &a, sizeof(a), node, 0) < 0); /* not opened for writing */
    EQUAL(process_named("uds"), server);
}

/* All operations that a client may send, with numbers and bytes of every kind, to the servers of local
 * communication: whatever they answer, they live. */
static void nonsense_for(const char *path, const char *server, unsigned seed) {
    static char noise[65536];
    static const uint64_t numbers[] = {0, 1, 2, 5, 255, 4096, 0x5430, INT32_MAX, UINT32_MAX, INT64_MAX, UINT64_MAX};
    pid_t pid = process_named(server);
    srand(seed);
    for (int round = 0; round < 300; round++) {
        int fd = (int)OK(open(path, O_RDWR | O_NONBLOCK));
        struct call_args call = {.in = noise, .carry = HANDLE_NONE, .handle_flags = HANDLE_IN_UPPER};
        call.request.op = (uint16_t)(rand() % 2 ? OP_USER + rand() % 14 : 1 + rand() % (OP_PATH + 1));
        call.request.length = rand() % 3 ? (uint32_t)(rand() % 64) : (uint32_t)(rand() % 65537);
        for (int i = 0; i < 4; i++)
            call.request.args[i] = rand() % 4 ? numbers[rand() % 11] : (uint64_t)rand() << 32 | (unsigned)rand();
        for (int i = 0; i < 64; i++) noise[i] = (char)(rand() % 3 ? rand() % 8 : rand());
        if (rand() % 4 == 0) call.carry = rand() % 2 ? fd : STDOUT_FILENO;
        call.deadline = deadline_in(3000000);
        long result = sys_call(fd, &call);
        if (result >= 0 && call.reply.handle >= 0) sys_handle_close(call.reply.handle);
        OK(close(fd));
    }
    EQUAL(process_named(server), pid);
}

TEST(nonsense_for_ptys) { nonsense_for("/dev/ptmx", "pty", 1); }

/* A root can't be opened for writing: its operations need no more than the handle. */
TEST(nonsense_for_ipc) {
    static const char *const paths[] = {"/scheme/ipc", "/scheme/chan"}, *const servers[] = {"ipc", "chan"};
    for (int i = 0; i < 2; i++) {
        static char noise[4096];
        pid_t pid = process_named(servers[i]);
        int fd = (int)OK(open(paths[i], O_RDONLY | O_DIRECTORY));
        srand((unsigned)i + 7);
        for (int round = 0; round < 600; round++) {
            struct call_args call = {.in = noise, .out = noise, .out_size = sizeof(noise), .carry = HANDLE_NONE};
            call.handle_flags = HANDLE_IN_UPPER;
            call.request.op = (uint16_t)(rand() % 4 ? OP_USER + rand() % 12 : 1 + rand() % (OP_PATH + 1));
            call.request.length = (uint32_t)(rand() % 200);
            for (int k = 0; k < 4; k++)
                call.request.args[k] = rand() % 3 ? (uint64_t)(rand() % 20) : (uint64_t)rand() << 32;
            if (rand() % 4 == 0) call.request.args[rand() % 4] = (uint64_t)-(rand() % 3);
            for (int k = 0; k < 200; k++) noise[k] = (char)(rand() % 4);
            call.deadline = deadline_in(2000000);
            long result = sys_call(fd, &call);
            if (result >= 0 && call.reply.handle >= 0) sys_handle_close(call.reply.handle);
        }
        EQUAL(process_named(servers[i]), pid);
    }
}

/* What the server hands out to send to a datagram socket is good for nothing else. */
TEST(targets_only_take_messages) {
    char c;
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    socklen_t size = sizeof(a);
    int d = (int)OK(socket(AF_UNIX, SOCK_DGRAM, 0)), s = (int)OK(socket(AF_UNIX, SOCK_DGRAM, 0));
    OK(bind(d, (struct sockaddr *)&a, sizeof(sa_family_t)));
    OK(getsockname(d, (struct sockaddr *)&a, &size));
    struct call_args call = {
        .request = {.op = UDS_TARGET, .length = size},
        .in = &a,
        .carry = HANDLE_NONE,
        .handle_flags = HANDLE_IN_UPPER,
        .deadline = deadline_in(CALL_TIMEOUT_NS),
    };
    GOOD(sys_call(s, &call));
    handle_t h = call.reply.handle;
    CHECK(sys_read(h, &c, 1, OFFSET_CURRENT, IO_NONBLOCK, 0) < 0);
    for (uint32_t op = CHANNEL_SHUTDOWN; op <= CHANNEL_RESETS; op++) {
        if (op == CHANNEL_READABLE || op == CHANNEL_WRITABLE || op == CHANNEL_CAPACITY || op == CHANNEL_IS) continue;
        CHECK(sys_channel_control(h, op, 1) < 0);
    }
    EQUAL(send(d, "x", 1, 0), -1); /* still not connected */
    EQUAL(errno, ENOTCONN);
}

/* The end of a socket of before is no new socket's, though the server numbers them from the start again. */
TEST(old_ones_end) {
    enum { COUNT = 8 };
    int old[COUNT], s[COUNT];
    char name[8];
    for (int i = 0; i < COUNT; i++) old[i] = (int)OK(socket(AF_UNIX, SOCK_STREAM, 0));
    pid_t server = process_named("uds");
    OK(kill(server, SIGKILL));
    while (kill(server, 0) == 0) sleep_ms(1);
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof(name), "s%d", i);
        s[i] = named(SOCK_STREAM, name, false);
    }
    for (int i = 0; i < COUNT; i++) OK(close(old[i]));
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof(name), "s%d", i);
        OK(close(named(SOCK_STREAM, name, true)));
        OK(accept(s[i], nullptr, nullptr));
    }
}
