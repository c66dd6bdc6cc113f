// SPDX-License-Identifier: MIT
/*
 * Tests of Cathode's own calls, on top of tests/posix/test.h: schemes made with the authority that
 * `authority=test` on the kernel's command line gives, servers in processes of their own, and clients
 * that call them directly.
 */
#pragma once
#ifndef CATHODE_USER_STUBS
#define CATHODE_USER_STUBS
#endif
#include "test.h"
#include <abi/syscall.h>

#define CALL_TIMEOUT_NS 20000000000LL
#define PAGE 4096UL

/* A system call's own result: not -1 and errno. */
#define GIVES(expected, call) EQUAL(call, expected)
#define GOOD(call)                                                                                                     \
    ({                                                                                                                 \
        long good_ = (long)(call);                                                                                     \
        if (good_ < 0) test_fail(__FILE__, __LINE__, "%s gives %ld", #call, good_);                                    \
        good_;                                                                                                         \
    })

static inline int64_t deadline_in(int64_t ns) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec + ns;
}

/* A new scheme of this rank: its handle, with all rights. */
handle_t scheme_new(const char *name, uint32_t rank);

/* A server process: attaches, then runs serve(port, buffer). It ends with the test. */
pid_t server_start(handle_t scheme, void (*serve)(handle_t port, struct port_buffer *b));
void server_kill(pid_t pid);
/* How many schemes of this name there are, or of any (null): what still refers to one keeps it. */
long scheme_count(const char *name);
/* In a server: answers what the buffer's reply says and takes the next request, that isn't a CLOSE. */
void server_next(handle_t port, struct port_buffer *b);
/* Prepares the answer to the request at hand. */
void server_answer(struct port_buffer *b, int64_t result);
void server_answer_file(struct port_buffer *b, uint64_t object, uint32_t kind);

/* One call without data, at most 20 s. */
long client_call(handle_t h, uint16_t op, uint64_t a0, uint64_t a1);
/* The same with a limit in ns. */
long client_call_for(handle_t h, uint16_t op, int64_t ns);
/* OP_OPEN on the scheme: the file's handle. */
handle_t client_open(handle_t scheme, uint32_t flags);
