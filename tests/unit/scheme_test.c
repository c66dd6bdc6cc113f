// SPDX-License-Identifier: MIT
/* servers/lib/scheme/server.c: whose turn it is, in front of a kernel that always has another request. */
#include <scheme.h>
#include <unit.h>

static long kernel_reply_wait(handle_t port, uint32_t flags, int64_t deadline);
#define sys_port_reply_wait kernel_reply_wait
#include "../../servers/lib/scheme/server.c"
#undef sys_port_reply_wait

#define REQUESTS 10000

static struct port_buffer buffer;
static unsigned received, answered, timeouts;
static bool lost; /* a request came before the last one was answered */

static long kernel_reply_wait(handle_t port, uint32_t flags, int64_t deadline) {
    if (buffer.reply.tag) {
        lost |= buffer.reply.tag != received;
        answered++;
        buffer.reply.tag = 0;
    }
    if (flags & PORT_REPLY_ONLY) return -EAGAIN;
    if (received == REQUESTS) return -EINVAL;
    lost |= answered != received;
    buffer.request = (struct request){.op = OP_USER, .tag = ++received};
    return PORT_REQUEST;
}

static int64_t user(struct scheme *s, struct port_buffer *call) { return 0; }
static void timeout(struct scheme *s) { timeouts++; }

static unsigned serve(int64_t deadline) {
    static const struct scheme_ops ops = {.user = user, .timeout = timeout};
    struct scheme s = {.ops = &ops, .buffer = &buffer, .deadline = deadline, .turns = 1};
    received = answered = timeouts = 0;
    lost = false;
    CHECK(scheme_serve(&s) == -EINVAL);
    CHECK(received == REQUESTS && answered == REQUESTS && !lost);
    return timeouts;
}

TEST(requests_without_pause_leave_a_turn_to_the_deadline) {
    CHECK(serve(0) > 10 && timeouts < REQUESTS / 10);
    CHECK(serve(1) > 10);
}

TEST(a_deadline_to_come_and_none_are_waited_for) {
    CHECK(serve(DEADLINE_NEVER) == 0);
    CHECK(serve(DEADLINE_NEVER - 1) == 0);
}

UNIT_MAIN
