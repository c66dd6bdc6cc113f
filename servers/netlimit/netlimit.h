// SPDX-License-Identifier: MIT
/* Limited schemes: a thread and a port each. */
#pragma once
#include <errno.h> /* before abi/errno.h */

#include <cathode/netlimit.h>
#include <scheme.h>

/* A new scheme that opens sockets with these rules: its handle, which stays ours, or -errno. EAGAIN: too many. */
int gate_make(enum netlimit_scheme which, const struct inet_rule *rules, size_t count, uint32_t user);
