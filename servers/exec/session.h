// SPDX-License-Identifier: MIT
/* The command's processes. */
#pragma once
#include <sys/types.h>

/* SIGKILL to every process of a session. */
void session_kill(pid_t session);
