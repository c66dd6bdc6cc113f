// SPDX-License-Identifier: MIT
/*
 * Priorities across scheme calls, all on one CPU: a server of low priority works at its caller's, past
 * what spins in between, even when the call takes longer than time slices; and no longer than the call.
 */
#include "native.h"
#include <sched.h>
#include <sys/mman.h>

enum { LOW = 8, MIDDLE = 14, HIGH = 20 };
enum { OP_WORK = OP_USER, OP_PRIORITY };
#define WORK_NS 60000000LL /* of the server's own CPU time: six slices */

static void be(uint64_t priority) { GOOD(sys_thread_set(0, THREAD_PRIORITY, priority, 0)); }
static void stay_here(void) { GOOD(sys_thread_set(0, THREAD_AFFINITY, 1, 0)); }

static int64_t own_time(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}
static uint32_t own_priority(void) {
    struct thread_info info;
    GOOD(sys_thread_info(0, &info));
    return info.priority;
}

static void serve(handle_t port, struct port_buffer *b) {
    be(LOW);
    for (;;) {
        server_next(port, b);
        if (b->request.op == OP_WORK)
            for (int64_t end = own_time() + WORK_NS; own_time() < end;) {
            }
        server_answer(b, own_priority());
    }
}

static int spin(void *) {
    be(MIDDLE);
    for (;;) {
    }
}

TEST(a_call_lends_its_priority) {
    stay_here();
    handle_t scheme = scheme_new("inversion", 40);
    pid_t server = server_start(scheme, serve);
    EQUAL(client_call(scheme, OP_PRIORITY, 0, 0) >= HIGH, true); /* it waits for requests now, below the spinners */
    be(HIGH);
    pid_t spinners[2] = {child_start(spin, nullptr), child_start(spin, nullptr)};
    sleep_ms(50); /* they spin: the server would never run again by itself */
    for (int i = 0; i < 3; i++) EQUAL(client_call(scheme, OP_WORK, 0, 0), HIGH);
    server_kill(spinners[0]);
    server_kill(spinners[1]);
    server_kill(server);
}

/* After the answer the server is what it was: it doesn't run before who spins above it. */
TEST(the_loan_ends_with_the_call) {
    stay_here();
    handle_t scheme = scheme_new("loan", 40);
    pid_t server = server_start(scheme, serve);
    EQUAL(client_call(scheme, OP_PRIORITY, 0, 0) >= HIGH, true);
    be(LOW + 1);
    EQUAL(client_call(scheme, OP_PRIORITY, 0, 0), LOW + 1);
    server_kill(server);
}
