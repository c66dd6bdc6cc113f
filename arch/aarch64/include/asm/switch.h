// SPDX-License-Identifier: MIT
/* The switch is a function here. */
#pragma once
#include <kernel/types.h>

struct thread;
struct thread *arch_switch(struct thread *prev, struct thread *next, bool users);
