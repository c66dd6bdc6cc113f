// SPDX-License-Identifier: MIT
/* The scheme `ipc:`: who gets which request. */
#include "ipc.h"
#include <flat.h>
#include <service.h>

struct scheme scheme;

bool in_group(const struct credentials *c, uint32_t gid) {
    for (uint32_t i = 0; i < c->group_count; i++)
        if (c->groups[i] == gid) return true;
    return c->egid == gid;
}

static int64_t serve_open(struct scheme *s, struct port_buffer *call) {
    return flat_is_root(call) ? flat_open(call) : mq_open_file(call);
}

static int64_t serve_remove(struct scheme *s, struct port_buffer *call) { return mq_remove(call); }
static int64_t serve_close(struct scheme *s, struct port_buffer *call) { return mq_close_file(call); }

static int64_t serve_stat(struct scheme *s, struct port_buffer *call) {
    return flat_is_root(call) ? flat_stat(call) : mq_stat(call);
}

/* The root has no state: a handle to it is as good after a restart. Queues are gone. */
static int64_t serve_reopen(struct scheme *s, struct port_buffer *call) {
    return call->request.object == 0 ? 0 : -ESTALE;
}

static int64_t serve_get(struct port_buffer *call) {
    switch (call->request.args[0]) {
    case IPC_SHM: return shm_get(call);
    case IPC_SEM: return sem_get(call);
    case IPC_MSG: return msg_get(call);
    default: return -EINVAL;
    }
}

static int64_t serve_control(struct port_buffer *call) {
    switch (call->request.args[0]) {
    case IPC_SHM: return shm_control(call);
    case IPC_SEM: return sem_control(call);
    case IPC_MSG: return msg_control(call);
    default: return -EINVAL;
    }
}

static int64_t serve_user(struct scheme *s, struct port_buffer *call) {
    shm_sweep();
    switch (call->request.op) {
    case IPC_GET: return serve_get(call);
    case IPC_CONTROL: return serve_control(call);
    case IPC_SEM_COUNT: return sem_count(call);
    case IPC_SEM_OPERATE: return sem_operate(call);
    case IPC_SHM_ATTACH: return shm_attach(call);
    case IPC_SHM_DETACH: return shm_detach(call);
    case IPC_MSG_SEND: return msg_send(call);
    case IPC_MSG_RECEIVE: return msg_receive(call);
    case MQ_ATTRIBUTES: return mq_attributes(call);
    case MQ_NOTIFY: return mq_notify_set(call);
    default: return -ENOSYS;
    }
}

static int64_t serve_cancel(struct scheme *s, struct port_buffer *call) {
    if (call->request.op == IPC_SEM_OPERATE) sem_cancel(call);
    return -EINTR;
}

static void serve_event(struct scheme *s, uint64_t key, uint32_t mask) {
    if (key >> 32) mq_event(key);
    else sem_process_exit((uint32_t)key);
}

static void serve_timeout(struct scheme *s) {
    s->deadline = DEADLINE_NEVER;
    shm_sweep();
}

static const struct scheme_ops ops = {
    .handler = {[OP_OPEN] = serve_open,
                [OP_REMOVE] = serve_remove,
                [OP_CLOSE] = serve_close,
                [OP_STAT] = serve_stat,
                [OP_REOPEN] = serve_reopen},
    .user = serve_user,
    .cancel = serve_cancel,
    .event = serve_event,
    .timeout = serve_timeout,
};

int main(void) {
    if (scheme_init(&scheme, SERVICE_SCHEME, &ops, nullptr) != 0) return 1;
    return -scheme_serve(&scheme);
}
