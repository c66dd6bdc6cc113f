// SPDX-License-Identifier: MIT
/* One-shot kernel timers, per CPU, tickless. Callbacks run in interrupt context, interrupts off. */
#pragma once
#include <kernel/tree.h>

struct timer {
    struct tree_node node; /* key = deadline */
    void (*fire)(struct timer *);
    _Atomic uint32_t queue; /* 1 + the CPU on which it is armed, 0: on none; changed under that queue's lock */
    _Atomic bool stopping; /* fire can't start it again */
};
void timer_init(struct timer *t, void (*fire)(struct timer *));
/* The owner serialises start, cancel and stop of one timer (fire may start it, too). */
void timer_start(struct timer *t, nsec_t deadline); /* absolute; restarts if armed */
/* False: it was not armed or is firing now. cancel doesn't wait for fire to end, stop does. */
bool timer_cancel(struct timer *t);
bool timer_stop(struct timer *t);
void timer_init_cpu(void); /* this CPU's queue, before its first timer */
