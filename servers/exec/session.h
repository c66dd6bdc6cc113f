// SPDX-License-Identifier: MIT
/* The command's processes. */
#pragma once
#include <sys/types.h>

/* What a manifest with `grant system` gave goes on to the command (tests/native). */
void session_inherit(void);
/* SIGKILL to every process of a session. */
void session_kill(pid_t session);
