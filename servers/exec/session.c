// SPDX-License-Identifier: MIT
/* What a command left running ends with it: all processes of its session, in any process group. */
#ifndef CATHODE_USER_STUBS
#define CATHODE_USER_STUBS
#endif
#include "session.h"
#include <abi/syscall.h>
#include <signal.h>

void session_inherit(void) { sys_handle_set(HANDLE_INIT_SYSTEM, 0, HANDLE_KEEP, HANDLE_KEEP); }

void session_kill(pid_t session) {
    struct process_ids ids;
    for (long pid = 0; (pid = sys_process_info(0, PROCESS_NEXT, nullptr, 0, (uint64_t)pid)) > 0;) {
        if (sys_process_info((int32_t)pid, PROCESS_IDS, &ids, sizeof(ids), 0) >= 0 && ids.session == (uint32_t)session)
            kill((pid_t)pid, SIGKILL);
    }
}
