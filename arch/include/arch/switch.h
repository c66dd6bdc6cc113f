// SPDX-License-Identifier: MIT
/*
 * Arch contract: the switch, for the scheduler.  Inline where each instruction counts.
 *
 *   struct thread *arch_switch(struct thread *prev, struct thread *next, bool users)
 *
 * saves prev's user state (FPU, TLS base) and kernel context, loads next's and its page table, and
 * sets cpu->current.  It returns in next's context: the thread that ran before on this CPU is the
 * result, or for a thread's first run cpu->previous.  users: both have user state.
 */
#pragma once
#include <asm/switch.h>
