// SPDX-License-Identifier: MIT
/* Event objects: the one readiness mechanism. Masks have the values of poll(2). */
#pragma once
#include <abi/types.h>

enum event_mask {
    EVENT_IN = 1,
    EVENT_PRIORITY = 2,
    EVENT_OUT = 4,
    EVENT_ERROR = 8, /* always reported */
    EVENT_HANGUP = 16, /* always reported */
    EVENT_INVALID = 32, /* event_poll: not a handle */
    EVENT_READ_HANGUP = 0x2000,
    EVENT_EXIT = EVENT_IN, /* process */
    EVENT_ONESHOT = 1 << 30,
    EVENT_EDGE = 1u << 31,
};
#define EVENT_SEMAPHORE (1u << 16) /* flag of event_create: a read takes 1 from the counter, not all */
enum timer_flags { TIMER_RELATIVE = 1 };
enum event_op { EVENT_ADD = 1, EVENT_DELETE, EVENT_MODIFY }; /* EPOLL_CTL_* */

struct event { /* struct epoll_event, unpacked */
    uint32_t mask;
    uint32_t reserved; /* 1: the event's own counter, key is what was posted */
    uint64_t key;
};
struct poll_entry { /* struct pollfd */
    handle_t handle; /* < 0: skipped */
    int16_t mask, ready;
};
