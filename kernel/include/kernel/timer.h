// SPDX-License-Identifier: MIT
/* One-shot kernel timers, per CPU, tickless. Callbacks run in interrupt context, interrupts off. */
#pragma once
#include <kernel/tree.h>

struct timer {
    struct tree_node node; /* key = deadline */
    void (*fire)(struct timer *);
    uint32_t cpu;
    bool armed;
};
void timer_init(struct timer *t, void (*fire)(struct timer *));
void timer_start(struct timer *t, nsec_t deadline); /* absolute; restarts if armed */
bool timer_stop(struct timer *t); /* false: it was not armed or is firing now (waits for it to end) */
void timer_init_cpu(void); /* this CPU's queue, before its first timer */
