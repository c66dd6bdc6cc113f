// SPDX-License-Identifier: MIT
/* Processes: what is left beside kernel/process, whose files have the calls that work on the caller itself. */
#include <kernel/syscall.h>

#include "../process/process_impl.h"

enum process_open_flags { OPEN_PROCESS, OPEN_TERMINAL };

long sys_process_exit(int32_t status) {
    struct process *p = process_current();
    bool dumps = p->dumper == thread_current();
    status = dumps ? p->dump_signal | (status ? 0 : STATUS_CORE) : (status & 0xff) << 8;
    if (trace_event(TRACE_EVENT_EXIT, (uint64_t)status)) return 0; /* trace_pause() ends it */
    process_exit(status);
}

long sys_process_open(int32_t pid, uint32_t flags) {
    struct process *self = process_current();
    struct object *o;
    uint32_t rights = RIGHT_TRANSFER | RIGHT_DUPLICATE | RIGHT_WAIT | RIGHT_CONTROL;
    if (flags > OPEN_TERMINAL || (flags == OPEN_TERMINAL && pid)) return -EINVAL;
    if (flags == OPEN_TERMINAL) {
        int e = terminal_create(self, &o);
        if (e) return e;
    } else {
        struct process *p = pid < 0 ? nullptr : process_find(pid ? (uint32_t)pid : self->pid);
        if (!p) return -ESRCH;
        rights = PROCESS_RIGHTS;
        o = &p->object;
    }
    return object_install(o, rights, HANDLE_IN_UPPER);
}

long sys_credentials_info(uint64_t id, struct credentials *out) {
    struct cred *c = cred_find(id);
    if (!c) return -ESRCH;
    int e = copy_to_user((uaddr_t)out, &c->c, sizeof(c->c));
    cred_put(c);
    return e;
}
