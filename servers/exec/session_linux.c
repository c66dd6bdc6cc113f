// SPDX-License-Identifier: MIT
/* session.h for the agent on Linux (scripts/run --linux), where nothing runs but init and the command. */
#include "session.h"
#include <signal.h>

void session_inherit(void) {}

void session_kill(pid_t session) {
    (void)session;
    kill(-1, SIGKILL);
}
