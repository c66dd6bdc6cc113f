// SPDX-License-Identifier: MIT
/* Processes: fork, exec, spawn, exit, wait, what is known about them; terminals. */
#include <kernel/syscall.h>

#include "../process/process_impl.h"

enum process_open_flags { OPEN_PROCESS, OPEN_TERMINAL };

long sys_process_spawn(struct spawn_args *args) {
    struct spawn_args a;
    int e = copy_from_user(&a, (uaddr_t)args, sizeof(a));
    return e ? e : process_spawn(&a, (uaddr_t)&args->process);
}

long sys_process_exec(const struct image_args *args) {
    struct image_args a;
    int e = copy_from_user(&a, (uaddr_t)args, sizeof(a));
    return e ? e : process_exec(&a);
}

long sys_process_exit(int32_t status) { process_exit((status & 0xff) << 8); }

long sys_process_wait(uint32_t type, int32_t id, uint32_t flags, struct wait_status *out, int64_t deadline) {
    struct wait_status status;
    long pid = process_wait(type, id, flags, &status, deadline);
    if (pid > 0 && out && copy_to_user((uaddr_t)out, &status, sizeof(status))) return -EFAULT;
    return pid;
}

long sys_process_info(int32_t pid, uint32_t topic, void *out, size_t size, uint64_t aux) {
    return process_info(pid, topic, (uaddr_t)out, size, aux);
}

long sys_process_set(int32_t pid, uint32_t topic, const void *in, size_t size, uint64_t value) {
    return process_set(pid, topic, (uaddr_t)in, size, value);
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

long sys_terminal_control(struct object *o, uint32_t op, uint64_t a, uint64_t b) {
    return terminal_control(o, op, a, b);
}
