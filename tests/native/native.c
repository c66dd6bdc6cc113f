// SPDX-License-Identifier: MIT
/* Helpers of the tests on Cathode's own calls. */
#include "native.h"

handle_t scheme_new(const char *name, uint32_t rank) {
    struct scheme_create_args args = {.rank = rank};
    strncpy(args.name, name, sizeof(args.name) - 1);
    return (handle_t)GOOD(sys_scheme_create(HANDLE_INIT_SYSTEM, &args));
}

long scheme_count(const char *name) {
    struct scheme_info schemes[64];
    long n = GOOD(sys_system_info(SYSTEM_SCHEMES, schemes, sizeof(schemes))) / (long)sizeof(schemes[0]), found = 0;
    for (long i = 0; i < n; i++) found += !name || strcmp(schemes[i].name, name) == 0;
    return found;
}

pid_t server_start(handle_t scheme, void (*serve)(handle_t port, struct port_buffer *b)) {
    pid_t pid = (pid_t)OK(fork());
    if (pid != 0) return pid;
    uintptr_t buffer;
    handle_t port = (handle_t)GOOD(sys_scheme_attach(scheme, HANDLE_NONE, &buffer));
    struct port_buffer *b = (struct port_buffer *)buffer;
    b->reply.tag = 0;
    serve(port, b);
    _exit(0);
}

void server_kill(pid_t pid) {
    kill(pid, SIGKILL);
    child_wait(pid);
}

void server_next(handle_t port, struct port_buffer *b) {
    do {
        while (sys_port_reply_wait(port, 0, DEADLINE_NEVER) != PORT_REQUEST) b->reply.tag = 0;
    } while (b->request.op == OP_CLOSE);
    b->reply = (struct reply){.handle = HANDLE_NONE};
}

void server_answer(struct port_buffer *b, int64_t result) {
    b->reply = (struct reply){.tag = b->request.tag, .handle = HANDLE_NONE, .result = result};
}

void server_answer_file(struct port_buffer *b, uint64_t object, uint32_t kind) {
    server_answer(b, 0);
    b->reply.flags = REPLY_FILE;
    b->reply.args[0] = object;
    b->reply.args[3] = kind;
}

static long call(handle_t h, struct request request, int64_t deadline) {
    struct call_args args = {.request = request, .carry = HANDLE_NONE, .deadline = deadline};
    long result = sys_call(h, &args);
    return result >= 0 && request.op == OP_OPEN ? args.reply.handle : result;
}

long client_call(handle_t h, uint16_t op, uint64_t a0, uint64_t a1) {
    return call(h, (struct request){.op = op, .args = {a0, a1}}, deadline_in(CALL_TIMEOUT_NS));
}

long client_call_for(handle_t h, uint16_t op, int64_t ns) {
    return call(h, (struct request){.op = op}, deadline_in(ns));
}

handle_t client_open(handle_t scheme, uint32_t flags) { return (handle_t)GOOD(client_call(scheme, OP_OPEN, flags, 0)); }
