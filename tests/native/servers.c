// SPDX-License-Identifier: MIT
/*
 * Servers that misbehave, and clients that go away: ARCHITECTURE's rules for cancel, death and restart.
 * The servers use the port calls directly; the operation number says what to do wrong.
 */
#include "native.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#define SECOND 1000000000LL

enum misbehaviour {
    ANSWER = OP_USER, /* result 7 */
    DIE, /* with the call in hand */
    HANG, /* never answers, ignores CANCEL */
    CANCELLED, /* answers -EINTR when the CANCEL comes */
    ANSWER_CANCEL, /* answers 5 when the CANCEL comes: the answer wins */
    BUSY_CANCEL, /* asks for time twice by BUSY, then answers 6 */
    TWICE, /* answers 7, then the same tag again */
    WRONG_TAG, /* answers another tag first */
    LEAVE, /* closes the port with the call in hand */
    BAD_HANDLE, /* answers with a handle that it doesn't have */
    BAD_LENGTH, /* claims 4 GiB of data */
    BAD_RESULT, /* answers with the kernel's own -ERESTART */
    OPEN_NOTHING, /* claims to have opened a file with a plane that isn't there */
    WHICH, /* not wrong: the object id */
    SUM, /* nor this: the sum of the data's bytes */
    CLOSES, /* how many closes came before it */
    PARK, /* answers 9 when a CLOSE comes */
};

/* OPEN's flags, 4 times a number: the file's id is 100 more than that number. */
#define LATE 0x1000 /* its CLOSE may come late */
#define LATE_FILES 100

static handle_t scheme;
struct shared {
    _Atomic int instances, reopens, cancels, closes, notes, received; /* notes: closes that came at once */
    _Atomic uint64_t closed[LATE_FILES]; /* in the order in which they were told */
};
static struct shared *shared;

static void answer_now(handle_t port, struct port_buffer *b) {
    sys_port_reply_wait(port, PORT_REPLY_ONLY, 0);
    b->reply.tag = 0;
}

/* Waits for the CANCEL of this tag; answers as the operation says. */
static void serve_cancel(handle_t port, struct port_buffer *b, enum misbehaviour how, uint32_t tag) {
    b->reply.tag = 0;
    do {
        while (sys_port_reply_wait(port, 0, DEADLINE_NEVER) != PORT_REQUEST);
    } while (b->request.op != OP_CANCEL || b->request.args[0] != tag);
    shared->cancels++;
    for (int i = 0; how == BUSY_CANCEL && i < 3; i++) {
        b->reply = (struct reply){.tag = tag, .handle = HANDLE_NONE, .flags = REPLY_BUSY};
        answer_now(port, b);
        sleep_ms(600);
    }
    b->reply = (struct reply){.tag = tag, .handle = HANDLE_NONE};
    b->reply.result = how == CANCELLED ? -EINTR : how == BUSY_CANCEL ? 6 : 5;
    if (how == HANG) b->reply.tag = 0;
}

static uint32_t parked; /* the tag; 0: none */

static void serve_one(handle_t port, struct port_buffer *b) {
    uint32_t tag = b->request.tag;
    shared->received++;
    server_answer(b, 7);
    switch (b->request.op) {
    case OP_OPEN:
        server_answer_file(b, 100 + b->request.args[0] / 4, 0);
        if (b->request.args[0] & LATE) b->reply.flags |= REPLY_CLOSE_LATE;
        break;
    case OP_REOPEN:
        shared->reopens++;
        server_answer(b, b->request.object == 100 || b->request.object == 100 + LATE / 4 ? 0 : -ESTALE);
        break;
    case OP_CANCEL: b->reply.tag = 0; break;
    case DIE: _exit(1);
    case HANG:
    case CANCELLED:
    case ANSWER_CANCEL:
    case BUSY_CANCEL: serve_cancel(port, b, (enum misbehaviour)b->request.op, tag); break;
    case TWICE:
        answer_now(port, b);
        server_answer(b, 8);
        b->reply.tag = tag;
        answer_now(port, b);
        break;
    case WRONG_TAG:
        b->reply.tag = tag + 77;
        answer_now(port, b);
        server_answer(b, 7);
        b->reply.tag = tag;
        break;
    case LEAVE: sys_handle_close(port); _exit(0);
    case BAD_HANDLE:
        b->reply.flags = REPLY_HANDLE;
        b->reply.handle = 12345;
        break;
    case BAD_RESULT: b->reply.result = -512; break;
    case BAD_LENGTH: b->reply.length = UINT32_MAX; break;
    case PARK:
        parked = tag;
        b->reply.tag = 0;
        break;
    case CLOSES: b->reply.result = shared->closes; break;
    case WHICH: b->reply.result = (int64_t)b->request.object; break;
    case SUM:
        b->reply.result = 0;
        for (uint32_t i = 0; i < b->request.length; i++) b->reply.result += b->data[i];
        break;
    case OPEN_NOTHING:
        b->reply.flags = REPLY_FILE | REPLY_HANDLE;
        b->reply.args[2] = PLANE_MEMORY;
        break;
    }
}

static void closed(uint64_t id) { shared->closed[shared->closes++ % LATE_FILES] = id; }

static void serve(handle_t port, struct port_buffer *b) {
    shared->instances++;
    for (;;) {
        long got = sys_port_reply_wait(port, 0, DEADLINE_NEVER);
        for (uint32_t i = 0; got == PORT_CLOSED && i < b->closed_count; i++) closed(b->closed[i]);
        if (got != PORT_REQUEST && got != PORT_CLOSED) {
            b->reply.tag = 0;
        } else if (b->request.op == OP_CLOSE) {
            shared->notes += got == PORT_REQUEST;
            closed(b->request.object);
            b->reply = (struct reply){.tag = parked, .handle = HANDLE_NONE, .result = 9};
            parked = 0;
        } else {
            serve_one(port, b);
        }
    }
}

static void setup(void) {
    shared = mmap(nullptr, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    scheme = scheme_new("misbehaving", 40);
}

static long user(handle_t h, enum misbehaviour how) { return client_call(h, (uint16_t)how, 0, 0); }
static int user_child(void *how) { return (int)user(scheme, (enum misbehaviour)(uintptr_t)how) & 0xff; }
static pid_t user_start(enum misbehaviour how) { return child_start(user_child, (void *)(uintptr_t)how); }

/* The server still answers. */
static void expect_alive(void) { GIVES(7, user(scheme, ANSWER)); }

TEST(a_server_dies_in_a_call) {
    setup();
    pid_t server = server_start(scheme, serve);
    GIVES(-ENOLINK, user(scheme, DIE));
    child_wait(server);
}

TEST(a_server_leaves_in_a_call) {
    setup();
    server_start(scheme, serve);
    GIVES(-ENOLINK, user(scheme, LEAVE));
}

TEST(calls_wait_for_the_next_instance) {
    setup();
    pid_t waiting = user_start(ANSWER); /* before the first */
    sleep_ms(50);
    pid_t server = server_start(scheme, serve);
    EQUAL(WEXITSTATUS(child_wait(waiting)), 7);
    server_kill(server);
    pid_t more[8];
    for (int i = 0; i < 8; i++) more[i] = user_start(ANSWER);
    sleep_ms(50);
    server_start(scheme, serve);
    for (int i = 0; i < 8; i++) EQUAL(WEXITSTATUS(child_wait(more[i])), 7);
    EQUAL(shared->instances, 2);
}

TEST(a_failed_scheme_refuses) {
    setup();
    handle_t file;
    pid_t server = server_start(scheme, serve);
    file = client_open(scheme, 0);
    GIVES(-ETIMEDOUT, client_call_for(file, HANG, SECOND / 10));
    server_kill(server);
    pid_t waiting = (pid_t)OK(fork());
    if (waiting == 0) {
        GOOD(sys_handle_close(scheme));
        _exit((int)-user(file, ANSWER));
    }
    sleep_ms(50);
    GOOD(sys_handle_close(scheme)); /* the last handle: nobody can serve it again */
    EQUAL(WEXITSTATUS(child_wait(waiting)), ECONNREFUSED);
    GIVES(-ECONNREFUSED, user(file, ANSWER));
}

TEST(a_hanging_server_is_left_after_a_second) {
    setup();
    server_start(scheme, serve);
    int64_t start = now_ms();
    GIVES(-ETIMEDOUT, client_call_for(scheme, HANG, SECOND / 5));
    CHECK(now_ms() - start >= 1200 && now_ms() - start < 5000);
    EQUAL(shared->cancels, 1);
    expect_alive();
}

static void on_alarm(int signal) {}
static long call_interrupted(enum misbehaviour how) {
    struct sigaction action = {.sa_handler = on_alarm};
    OK(sigaction(SIGALRM, &action, nullptr));
    alarm(1);
    return user(scheme, how);
}

TEST(a_signal_cancels) {
    setup();
    server_start(scheme, serve);
    GIVES(-EINTR, call_interrupted(CANCELLED));
    EQUAL(shared->cancels, 1);
    expect_alive();
}
TEST(an_answer_wins_over_the_cancel) {
    setup();
    server_start(scheme, serve);
    GIVES(5, call_interrupted(ANSWER_CANCEL));
    GIVES(5, client_call_for(scheme, ANSWER_CANCEL, SECOND / 10));
    expect_alive();
}
TEST(busy_renews_the_second) {
    setup();
    server_start(scheme, serve);
    GIVES(6, client_call_for(scheme, BUSY_CANCEL, SECOND / 10));
    expect_alive();
}
TEST(a_queued_call_is_withdrawn) {
    setup();
    GIVES(-ETIMEDOUT, client_call_for(scheme, ANSWER, SECOND / 10));
    server_start(scheme, serve);
    expect_alive();
    EQUAL(shared->received, 1);
}

TEST(two_answers_to_one_call) {
    setup();
    server_start(scheme, serve);
    for (int i = 0; i < 20; i++) GIVES(7, user(scheme, TWICE));
    expect_alive();
}
TEST(an_answer_to_nobody) {
    setup();
    server_start(scheme, serve);
    for (int i = 0; i < 20; i++) GIVES(7, user(scheme, WRONG_TAG));
    expect_alive();
}
TEST(nonsense_in_answers) {
    char data[64] = {};
    setup();
    server_start(scheme, serve);
    GIVES(-EIO, user(scheme, BAD_HANDLE));
    GIVES(-EIO, user(scheme, BAD_RESULT));
    GIVES(7, user(scheme, OPEN_NOTHING) < 0 ? 7 : 0);
    struct call_args args = {.request = {.op = BAD_LENGTH},
                             .out = data,
                             .out_size = 16,
                             .carry = HANDLE_NONE,
                             .deadline = deadline_in(SECOND)};
    GIVES(7, sys_call(scheme, &args));
    CHECK(args.reply.length <= 16);
    for (int i = 16; i < 64; i++) EQUAL(data[i], 0);
    expect_alive();
}

TEST(a_client_is_killed_in_a_call) {
    setup();
    server_start(scheme, serve);
    int64_t start = now_ms();
    pid_t client = user_start(CANCELLED);
    sleep_ms(100);
    kill(client, SIGKILL);
    CHECK(WIFSIGNALED(child_wait(client)));
    CHECK(now_ms() - start < 900); /* at once: not after the second of a cancel */
    expect_alive();
    EQUAL(shared->cancels, 1);
}
TEST(a_client_is_killed_in_an_open) {
    setup(); /* the file that it gets nevertheless is closed again */
    pid_t client = (pid_t)OK(fork());
    if (client == 0) _exit(client_open(scheme, 0) < 0);
    sleep_ms(50);
    kill(client, SIGKILL);
    child_wait(client);
    server_start(scheme, serve);
    for (int i = 0; i < 50; i++) {
        pid_t pid = (pid_t)OK(fork());
        if (pid == 0) _exit(client_open(scheme, 0) < 0);
        if (i % 2) kill(pid, SIGKILL);
        child_wait(pid);
    }
    expect_alive();
}
TEST(many_clients_are_killed) {
    setup();
    server_start(scheme, serve);
    for (int round = 0; round < 20; round++) {
        pid_t clients[8];
        for (int i = 0; i < 8; i++)
            if ((clients[i] = (pid_t)OK(fork())) == 0)
                for (;;) user(scheme, ANSWER);
        sleep_ms(5);
        for (int i = 0; i < 8; i++) kill(clients[i], SIGKILL);
        for (int i = 0; i < 8; i++) child_wait(clients[i]);
    }
    expect_alive();
}

TEST(files_are_reopened_after_a_restart) {
    setup();
    pid_t server = server_start(scheme, serve);
    handle_t known = client_open(scheme, 0), gone = client_open(scheme, 4);
    GIVES(7, user(known, ANSWER));
    server_kill(server);
    server_start(scheme, serve);
    GIVES(7, user(known, ANSWER));
    GIVES(7, user(known, ANSWER));
    EQUAL(shared->reopens, 1);
    GIVES(-ESTALE, user(gone, ANSWER));
    GIVES(7, user(client_open(scheme, 4), ANSWER));
}
TEST(a_queued_call_on_a_file_survives_a_restart) {
    setup();
    pid_t server = server_start(scheme, serve);
    handle_t file = client_open(scheme, 0);
    server_kill(server);
    pid_t client = (pid_t)OK(fork());
    if (client == 0) _exit((int)user(file, ANSWER));
    sleep_ms(50);
    server_start(scheme, serve);
    EQUAL(WEXITSTATUS(child_wait(client)), 7);
    EQUAL(shared->reopens, 1);
}
TEST(restarts_under_load) {
    setup();
    pid_t clients[4];
    for (int i = 0; i < 4; i++)
        if ((clients[i] = (pid_t)OK(fork())) == 0) {
            for (int n = 0; n < 300; n++) {
                long result = user(scheme, ANSWER);
                if (result != 7 && result != -ENOLINK) _exit(1);
            }
            _exit(0);
        }
    for (int i = 0; i < 10; i++) {
        pid_t server = server_start(scheme, serve);
        sleep_ms(10);
        server_kill(server);
    }
    server_start(scheme, serve);
    for (int i = 0; i < 4; i++) EQUAL(child_wait(clients[i]), 0);
}

/* --- the direct way: a call on an open file, without a deadline ----------------------------------- */

static long direct(handle_t file, uint32_t how) {
    struct call_args args = {.request = {.op = (uint16_t)how}, .carry = HANDLE_NONE, .deadline = DEADLINE_NEVER};
    return sys_call(file, &args);
}
static handle_t file;
static int direct_child(void *how) { return (int)direct(file, (enum misbehaviour)(uintptr_t)how) & 0xff; }

TEST(direct_answers_and_nonsense) {
    char data[64] = {};
    setup();
    server_start(scheme, serve);
    file = client_open(scheme, 0);
    for (int i = 0; i < 20; i++) {
        GIVES(7, direct(file, ANSWER));
        GIVES(7, direct(file, TWICE));
        GIVES(7, direct(file, WRONG_TAG));
        GIVES(-EIO, direct(file, BAD_HANDLE));
        GIVES(-EIO, direct(file, BAD_RESULT));
        struct call_args args = {.request = {.op = BAD_LENGTH},
                                 .out = data,
                                 .out_size = 16,
                                 .carry = HANDLE_NONE,
                                 .deadline = DEADLINE_NEVER};
        GIVES(7, sys_call(file, &args));
        EQUAL(args.reply.length, 16);
        CHECK(args.reply.flags & REPLY_CUT);
        for (int n = 16; n < 64; n++) EQUAL(data[n], 0);
    }
}
TEST(direct_calls_end_with_their_server) {
    setup();
    for (int i = 0; i < 5; i++) {
        pid_t server = server_start(scheme, serve);
        if (i == 0) file = client_open(scheme, 0);
        EQUAL(shared->reopens, i > 0 ? i - 1 : 0);
        GIVES(7, direct(file, ANSWER)); /* reopens it */
        GIVES(7, direct(file, ANSWER));
        GIVES(-ENOLINK, direct(file, i % 2 ? DIE : LEAVE));
        child_wait(server);
    }
}
TEST(direct_clients_are_killed) {
    setup();
    server_start(scheme, serve);
    file = client_open(scheme, 0);
    for (int i = 0; i < 5; i++) {
        pid_t client = child_start(direct_child, (void *)(uintptr_t)CANCELLED);
        sleep_ms(20);
        kill(client, SIGKILL);
        child_wait(client);
        GIVES(7, direct(file, ANSWER));
    }
    EQUAL(shared->cancels, 5);
}
TEST(direct_data_that_is_not_in_memory) {
    setup();
    server_start(scheme, serve);
    file = client_open(scheme, 0);
    for (int i = 0; i < 20; i++) {
        uint8_t *data = mmap(nullptr, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(data != MAP_FAILED);
        struct call_args args = {
            .request = {.op = SUM, .length = 2 * PAGE}, .in = data, .carry = HANDLE_NONE, .deadline = DEADLINE_NEVER};
        data[0] = 200;
        GIVES(200, sys_call(file, &args)); /* the second page isn't there yet */
        data[2 * PAGE - 1] = 100;
        GIVES(300, sys_call(file, &args));
        munmap(data + PAGE, PAGE);
        GIVES(-EFAULT, sys_call(file, &args));
        GIVES(7, direct(file, ANSWER));
        munmap(data, PAGE);
    }
}
TEST(direct_calls_follow_the_handle) {
    setup();
    server_start(scheme, serve);
    file = client_open(scheme, 0);
    handle_t other = client_open(scheme, 4);
    for (int i = 0; i < 10; i++) {
        int fd = OK(dup(file));
        GIVES(100, direct(fd, WHICH));
        GIVES(100, direct(fd, WHICH));
        OK(dup2(other, fd));
        GIVES(101, direct(fd, WHICH));
        close(fd);
        GIVES(-EBADF, direct(fd, WHICH));
        GIVES(100, direct(file, WHICH));
    }
}

TEST(calls_need_the_rights_of_the_file) {
    setup();
    server_start(scheme, serve);
    for (uint32_t access = O_RDONLY; access <= O_RDWR; access++) {
        bool reads = access != O_WRONLY, writes = access != O_RDONLY;
        file = client_open(scheme, access);
        const struct {
            uint16_t op;
            bool may;
        } calls[] = {{OP_READ, reads}, {OP_WRITE, writes}, {OP_ALLOCATE, writes}};
        for (int i = 0; i < 3; i++) {
            EQUAL(direct(file, calls[i].op) != -EBADF, calls[i].may);
            EQUAL(client_call(file, calls[i].op, 0, 0) != -EBADF, calls[i].may);
        }
        close(file);
    }
}

/* --- closes that may come late ------------------------------------------------------------------------ */

static void late_close(int count) {
    handle_t files[LATE_FILES];
    for (int i = 0; i < count; i++) files[i] = client_open(scheme, LATE | (uint32_t)i * 4);
    for (int i = 0; i < count; i++) close(files[i]);
}
static void expect_closed(int before, int count) {
    for (int i = 0; i < count; i++) EQUAL(shared->closed[(before + i) % LATE_FILES], 100 + LATE / 4 + (uint64_t)i);
}

TEST(late_closes_come_before_the_next_request) {
    setup();
    server_start(scheme, serve);
    file = client_open(scheme, 0);
    for (int i = 0; i < 50; i++) {
        late_close(i % 5 + 1);
        GIVES(i % 5 + 1, i % 2 ? direct(file, CLOSES) : user(file, CLOSES));
        expect_closed(0, i % 5 + 1);
        shared->closes = 0;
    }
    late_close(LATE_FILES); /* more than can go along at once */
    GIVES(LATE_FILES, direct(file, CLOSES));
    bool seen[LATE_FILES] = {};
    for (int i = 0; i < LATE_FILES; i++) seen[shared->closed[i] - 100 - LATE / 4] = true;
    for (int i = 0; i < LATE_FILES; i++) CHECK(seen[i]);
}
TEST(late_closes_come_without_a_request) {
    setup();
    server_start(scheme, serve);
    for (int i = 1; i <= 3; i++) {
        late_close(i);
        for (int n = 0; n < 300 && shared->closes < i; n++) sleep_ms(10);
        EQUAL(shared->closes, i);
        expect_closed(0, i);
        shared->closes = 0;
    }
    close(client_open(scheme, 0));
    late_close(1); /* behind one that is on its way */
    GIVES(2, user(scheme, CLOSES));
}
TEST(late_closes_outlive_a_call_that_is_not_delivered) {
    setup();
    server_start(scheme, serve);
    file = client_open(scheme, 0);
    for (int i = 0; i < 20; i++) {
        uint8_t *data = mmap(nullptr, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(data != MAP_FAILED);
        struct call_args args = {
            .request = {.op = SUM, .length = PAGE}, .in = data, .carry = HANDLE_NONE, .deadline = DEADLINE_NEVER};
        late_close(i % 3 + 1);
        GIVES(0, sys_call(file, &args));
        EQUAL(shared->closes, i % 3 + 1);
        expect_closed(0, i % 3 + 1);
        shared->closes = 0;
        munmap(data, PAGE);
    }
}
static handle_t known;
static void serve_next(handle_t port, struct port_buffer *b) {
    close(known); /* inherited */
    serve(port, b);
}
TEST(late_closes_are_of_one_instance) {
    setup();
    pid_t server = server_start(scheme, serve);
    known = client_open(scheme, LATE);
    handle_t gone = client_open(scheme, LATE | 4);
    file = client_open(scheme, 0);
    kill(server, SIGSTOP);
    close(gone);
    server_kill(server); /* with the close pending: the next instance may have a file of that id */
    server_start(scheme, serve_next);
    GIVES(0, direct(file, CLOSES));
    GIVES(7, direct(known, ANSWER)); /* reopened */
    close(known);
    GIVES(1, direct(file, CLOSES));
    expect_closed(0, 1);
}
TEST(late_closes_of_a_failed_scheme) {
    setup();
    pid_t server = server_start(scheme, serve);
    file = client_open(scheme, 0);
    handle_t late = client_open(scheme, LATE);
    late_close(5);
    server_kill(server);
    GOOD(sys_handle_close(scheme));
    close(late);
    GIVES(-ECONNREFUSED, user(file, CLOSES));
}
TEST(closes_are_not_late_for_a_parked_call) {
    setup();
    server_start(scheme, serve);
    for (int i = 0; i < 5; i++) {
        pid_t waiting = user_start(PARK);
        while (shared->received < 2 * i + 1) sleep_ms(1);
        close(client_open(scheme, LATE)); /* the open ends after PARK was filed */
        EQUAL(WEXITSTATUS(child_wait(waiting)), 9);
        EQUAL(shared->notes, i + 1);
    }
    late_close(1);
    GIVES(6, user(scheme, CLOSES));
    EQUAL(shared->notes, 5);
}
TEST(late_closes_of_many_clients) {
    setup();
    server_start(scheme, serve);
    pid_t clients[4];
    for (int i = 0; i < 4; i++)
        if ((clients[i] = (pid_t)OK(fork())) == 0) {
            for (int n = 0; n < 50; n++) late_close(n % 40);
            _exit(0);
        }
    int count = 0;
    for (int n = 0; n < 50; n++) count += n % 40;
    for (int i = 0; i < 4; i++) EQUAL(child_wait(clients[i]), 0);
    GIVES(4 * count, user(scheme, CLOSES));
}

TEST(two_processes_cannot_serve) {
    setup();
    uintptr_t buffer;
    server_start(scheme, serve);
    expect_alive();
    GIVES(-EBUSY, sys_scheme_attach(scheme, HANDLE_NONE, &buffer));
}
TEST(a_port_is_its_process_own) {
    setup();
    uintptr_t buffer;
    handle_t port = (handle_t)GOOD(sys_scheme_attach(scheme, HANDLE_NONE, &buffer));
    pid_t child = (pid_t)OK(fork());
    if (child == 0) _exit(sys_port_reply_wait(port, PORT_NO_WAIT, 0) >= 0);
    EQUAL(child_wait(child), 0);
    GIVES(-EAGAIN, sys_port_reply_wait(port, PORT_NO_WAIT, 0));
}
TEST(higher_ranks_are_not_called) {
    setup();
    handle_t low = scheme_new("low", 10);
    uintptr_t buffer;
    server_start(scheme, serve);
    expect_alive();
    GOOD(sys_scheme_attach(low, HANDLE_NONE, &buffer));
    GIVES(-EDEADLK, user(scheme, ANSWER));
}
