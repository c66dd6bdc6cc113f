// SPDX-License-Identifier: MIT
/* Frames to and from the host; nothing here waits. */
#include "link.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONTROL_RESERVE 64 /* of `out`, for W and X */

static uint32_t get32(const uint8_t *p) {
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

void link_send(struct link *l, char type, const void *payload, size_t length) {
    uint8_t *at = l->out + l->sending;
    at[0] = (uint8_t)type;
    at[1] = (uint8_t)length;
    at[2] = (uint8_t)(length >> 8);
    memcpy(at + 3, payload, length);
    l->sending += 3 + length;
    if (type == 'O' || type == 'E') l->credit -= length;
}

size_t link_room(const struct link *l) {
    size_t room = sizeof(l->out) - CONTROL_RESERVE - l->sending;
    if (l->sending + CONTROL_RESERVE + 3 >= sizeof(l->out)) return 0;
    room -= 3;
    room = room < LINK_DATA_MAX ? room : LINK_DATA_MAX;
    return room < l->credit ? room : (size_t)l->credit;
}

static void credit_give(struct link *l, uint32_t count) {
    uint8_t bytes[4] = {(uint8_t)count, (uint8_t)(count >> 8), (uint8_t)(count >> 16), (uint8_t)(count >> 24)};
    link_send(l, 'W', bytes, sizeof(bytes));
}

void link_init(struct link *l, int fd) {
    *l = (struct link){.fd = fd};
    memcpy(l->out, LINK_SYNC, LINK_SYNC_SIZE);
    l->sending = LINK_SYNC_SIZE;
    credit_give(l, LINK_WINDOW);
}

/* Credit for the input used: in quarters of the window, so that it isn't a frame for every read. */
static void credit_settle(struct link *l) {
    bool due = l->input_count == 0 ? l->input_at > 0 : l->input_at >= LINK_WINDOW / 4;
    if (!due || l->sending + CONTROL_RESERVE / 2 > sizeof(l->out)) return;
    credit_give(l, (uint32_t)l->input_at);
    memmove(l->input, l->input + l->input_at, l->input_count);
    l->input_at = 0;
}

void link_flush(struct link *l) {
    size_t done = 0;
    credit_settle(l);
    while (done < l->sending) {
        ssize_t n = write(l->fd, l->out + done, l->sending - done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            l->broken |= n < 0 && errno != EAGAIN;
            break;
        }
        done += (size_t)n;
    }
    l->sending -= done;
    memmove(l->out, l->out + done, l->sending);
}

void link_input_done(struct link *l, size_t count) {
    l->input_at += count;
    l->input_count -= count;
}

static bool frame_take(struct link *l, uint8_t type, const uint8_t *payload, size_t length) {
    switch (type) {
    case 'C':
        if (l->command) return false;
        l->command = strndup((const char *)payload, length);
        return l->command;
    case 'W':
        if (length != 4) return false;
        l->credit += get32(payload);
        return true;
    case 'I':
        if (l->input_end || length > sizeof(l->input) - l->input_at - l->input_count) return false;
        memcpy(l->input + l->input_at + l->input_count, payload, length);
        l->input_count += length;
        l->input_end = length == 0;
        return true;
    default: return false;
    }
}

static void frames_take(struct link *l) {
    size_t at = 0;
    while (l->received - at >= 3) {
        const uint8_t *frame = l->in + at;
        size_t length = frame[1] | (size_t)frame[2] << 8;
        if (l->received - at < 3 + length) break;
        if (!frame_take(l, frame[0], frame + 3, length)) {
            l->broken = true;
            return;
        }
        at += 3 + length;
    }
    l->received -= at;
    memmove(l->in, l->in + at, l->received);
}

void link_receive(struct link *l) {
    while (!l->broken) {
        ssize_t n = read(l->fd, l->in + l->received, sizeof(l->in) - l->received);
        if (n <= 0) {
            l->broken |= n == 0 || (errno != EAGAIN && errno != EINTR);
            return;
        }
        l->received += (size_t)n;
        frames_take(l);
    }
}
