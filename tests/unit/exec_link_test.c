// SPDX-License-Identifier: MIT
/* The guest's end of the --exec link: frames, credits, limits, and what the host may not do. */
#include "link.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <unit.h>

static struct link l;
static int host;
static uint8_t got[1 << 18];

static void begin(void) {
    int ends[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    link_init(&l, ends[0]);
    host = ends[1];
}

static void end(void) {
    free(l.command);
    close(l.fd);
    close(host);
}

static void send_frame(char type, const void *payload, size_t length) {
    uint8_t head[3] = {(uint8_t)type, (uint8_t)length, (uint8_t)(length >> 8)};
    CHECK(write(host, head, 3) == 3);
    CHECK(write(host, payload, length) == (ssize_t)length);
    link_receive(&l);
}

static size_t host_reads(void) {
    link_flush(&l);
    ssize_t n = read(host, got, sizeof(got));
    return n < 0 ? 0 : (size_t)n;
}

TEST(hello) {
    begin();
    CHECK(host_reads() == LINK_SYNC_SIZE + 7);
    CHECK(memcmp(got, LINK_SYNC "W\4\0\0\0\1\0", LINK_SYNC_SIZE + 7) == 0);
    CHECK(link_room(&l) == 0); /* the host gives credit first */
    end();
}

TEST(command_and_output) {
    begin();
    host_reads();
    send_frame('C', "echo hi", 7);
    CHECK(l.command && strcmp(l.command, "echo hi") == 0);
    send_frame('W', "\5\0\0\0", 4);
    CHECK(link_room(&l) == 5);
    link_send(&l, 'O', "hello", 5);
    CHECK(link_room(&l) == 0 && l.credit == 0);
    link_send(&l, 'X', "\3", 1);
    CHECK(host_reads() == 12 && memcmp(got, "O\5\0helloX\1\0\3", 12) == 0);
    send_frame('C', "again", 5);
    CHECK(l.broken);
    end();
}

TEST(input_and_its_credit) {
    static uint8_t data[LINK_DATA_MAX];
    begin();
    host_reads();
    for (int i = 0; i < LINK_WINDOW / LINK_DATA_MAX; i++) send_frame('I', data, sizeof(data));
    CHECK(l.input_count == LINK_WINDOW && !l.broken);
    link_input_done(&l, 100);
    CHECK(host_reads() == 0); /* not worth a frame yet */
    link_input_done(&l, LINK_WINDOW / 4);
    CHECK(host_reads() == 7 && memcmp(got, "W\4\0\x64\x40\0\0", 7) == 0);
    link_input_done(&l, l.input_count);
    CHECK(host_reads() == 7);
    send_frame('I', "", 0);
    CHECK(l.input_end && !l.broken);
    send_frame('I', "x", 1);
    CHECK(l.broken);
    end();
}

TEST(input_beyond_the_window) {
    static uint8_t data[LINK_DATA_MAX];
    begin();
    for (int i = 0; i < LINK_WINDOW / LINK_DATA_MAX; i++) send_frame('I', data, sizeof(data));
    send_frame('I', "x", 1);
    CHECK(l.broken);
    end();
}

TEST(split_frames_and_nonsense) {
    begin();
    for (int i = 0; i < 6; i++) {
        CHECK(!l.command && write(host, &"C\3\0abc"[i], 1) == 1);
        link_receive(&l);
    }
    CHECK(l.command && strcmp(l.command, "abc") == 0);
    send_frame('?', "", 0);
    CHECK(l.broken);
    end();
}

TEST(full_queue) {
    static const uint8_t data[LINK_DATA_MAX];
    size_t room, sent = 0;
    begin();
    send_frame('W', "\xff\xff\xff\x7f", 4);
    while ((room = link_room(&l)) > 0) {
        link_send(&l, 'E', data, room);
        sent += room;
    }
    CHECK(sent > LINK_WINDOW * 9 / 10 && l.sending + 11 <= sizeof(l.out));
    link_send(&l, 'X', "\0", 1); /* has its place still */
    CHECK(host_reads() == l.sending + LINK_SYNC_SIZE + 7 + sent + 3 * ((sent + 4095) / 4096) + 4);
    end();
}

UNIT_MAIN
