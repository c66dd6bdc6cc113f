// SPDX-License-Identifier: MIT
/*
 * What nobody can reach any more must go.  Each case makes a scheme, lets something refer to it that
 * could be forgotten or held in a circle, and lets go of all that it has itself.
 */
#include "native.h"
#include <abi/channel.h>

static char name[32];
static handle_t scheme, port;

static void setup(void) {
    uintptr_t buffer;
    snprintf(name, sizeof(name), "leaks %d", getpid());
    scheme = scheme_new(name, 40);
    port = (handle_t)GOOD(sys_scheme_attach(scheme, HANDLE_NONE, &buffer));
}

/* A little later: the last of it may be on another CPU. */
static void expect_gone(void) {
    sys_handle_close(port);
    sys_handle_close(scheme);
    for (int i = 0; i < 50 && scheme_count(name); i++) sleep_ms(20);
    EQUAL(scheme_count(name), 0);
}

static long file_new(uint32_t plane_kind, handle_t plane) {
    return sys_file_create(port, 1, 0, plane_kind << 8, plane, O_RDWR);
}

static void send_handles(handle_t end, handle_t *handles, uint32_t count) {
    const struct io_vector data = {"x", 1};
    struct channel_message m = {
        .vectors = &data, .vector_count = 1, .handles = handles, .handle_count = count, .flags = IO_NO_SIGNAL};
    GIVES(1, sys_channel_send(end, &m, deadline_in(1000000000)));
}

TEST(a_plane_that_is_none) {
    handle_t ends[2];
    setup();
    GOOD(sys_channel_create(0, PAGE, ends));
    for (uint32_t kind = PLANE_NONE; kind <= PLANE_FULL + 1; kind++) {
        GIVES(-EIO, file_new(kind, scheme));
        if (kind != PLANE_CHANNEL) GIVES(-EIO, file_new(kind, ends[0]));
    }
    GIVES(-EIO, file_new(PLANE_MEMORY, HANDLE_NONE));
    GIVES(-EIO, file_new(PLANE_CHANNEL, HANDLE_NONE));
    expect_gone();
}

/* `count` files around one end, and that end itself if `bare`, on their way to that end. */
static void close_a_circle(uint32_t flags, uint32_t count, bool bare, bool end_first) {
    handle_t ends[2], carried[3];
    setup();
    GOOD(sys_channel_create(flags, PAGE, ends));
    for (uint32_t i = 0; i < count; i++) carried[i] = (handle_t)GOOD(file_new(PLANE_CHANNEL, ends[1]));
    carried[count] = ends[1];
    send_handles(ends[0], carried, count + bare);
    if (end_first) GOOD(sys_handle_close(ends[0]));
    for (uint32_t i = 0; i <= count; i++) GOOD(sys_handle_close(carried[i]));
    if (!end_first) GOOD(sys_handle_close(ends[0]));
    expect_gone();
}

TEST(files_carried_by_their_own_channel) {
    for (int way = 0; way < 16; way++)
        close_a_circle(way & 1 ? CHANNEL_MESSAGES : 0, way & 2 ? 2 : 1, way & 4, way & 8);
}

/* What can still be received stays. */
TEST(a_circle_that_is_held) {
    handle_t ends[2], carried[2], got[2];
    char byte;
    setup();
    GOOD(sys_channel_create(CHANNEL_MESSAGES, PAGE, ends));
    for (int i = 0; i < 2; i++) carried[i] = (handle_t)GOOD(file_new(PLANE_CHANNEL, ends[1]));
    send_handles(ends[0], carried, 2);
    for (int i = 0; i < 2; i++) GOOD(sys_handle_close(carried[i]));
    const struct io_vector data = {&byte, 1};
    struct channel_message m = {.vectors = &data, .vector_count = 1, .handles = got, .handle_count = 2};
    GIVES(1, sys_channel_receive(ends[1], &m, deadline_in(1000000000)));
    EQUAL(m.handle_count, 2);
    GOOD(sys_handle_close(ends[1]));
    send_handles(got[1], &got[0], 1);
    GOOD(sys_handle_close(got[0]));
    GIVES(1, sys_channel_receive(ends[0], &m, deadline_in(1000000000)));
    EQUAL(m.handle_count, 1);
    GOOD(sys_handle_close(got[0]));
    GOOD(sys_handle_close(got[1]));
    GOOD(sys_handle_close(ends[0]));
    expect_gone();
}

/* CHANNEL_WAIT knows the other end by its peer, which is all that may be left of the two. */
TEST(waiting_for_an_end_that_has_gone) {
    handle_t own[2], other[2];
    setup();
    for (int way = 0; way < 4; way++) {
        GOOD(sys_channel_create(CHANNEL_MESSAGES, PAGE, own));
        GOOD(sys_channel_create(CHANNEL_MESSAGES, PAGE, other));
        handle_t carried = (handle_t)GOOD(file_new(PLANE_CHANNEL, own[1]));
        send_handles(own[0], &carried, 1);
        GOOD(sys_handle_close(carried));
        GOOD(sys_handle_close(other[1]));
        GIVES(0, sys_channel_control(own[0], CHANNEL_WAIT, (uint64_t)other[0]));
        GIVES(0, sys_channel_control(own[0], CHANNEL_WAIT, (uint64_t)other[0]));
        if (way & 1) GIVES(0, sys_channel_control(own[0], CHANNEL_WAIT, (uint64_t)(int64_t)HANDLE_NONE));
        GOOD(sys_handle_close(way & 2 ? other[0] : own[0]));
        GOOD(sys_handle_close(way & 2 ? own[0] : other[0]));
        GOOD(sys_handle_close(own[1]));
    }
    expect_gone();
}
