// SPDX-License-Identifier: MIT
/*
 * System V message queues.  Messages are kept here: which one a receiver gets depends on its type, and
 * its size on a limit that may change, so that a channel would not do.
 */
#include "ipc.h"
#include <sys/msg.h>

#define QUEUE_BYTES 65536 /* default of msg_qbytes */
#define MESSAGE_MAX 8192
#ifndef MSG_EXCEPT
#define MSG_EXCEPT 020000
#endif

struct message {
    struct message *next;
    long type;
    size_t size;
    char text[];
};
struct queue {
    struct ipc_object object;
    struct message *first, *last;
    size_t bytes, limit;
    uint32_t count;
    time_t stime, rtime, ctime;
    pid_t lspid, lrpid;
    struct scheme_queue senders, receivers;
};

static struct ipc_object *queue_make(struct port_buffer *call, int *error) {
    struct queue *q = calloc(1, sizeof(*q));
    *error = q ? 0 : -ENOMEM;
    if (!q) return nullptr;
    q->limit = QUEUE_BYTES;
    q->ctime = time(nullptr);
    return &q->object;
}

static bool queue_fits(const struct ipc_object *o, uint64_t size) { return true; }

int64_t msg_get(struct port_buffer *call) { return ipc_get(call, queue_make, queue_fits); }

static void queue_free(struct queue *q) {
    ipc_forget(IPC_MSG, &q->object);
    scheme_wake(&scheme, &q->senders); /* EIDRM */
    scheme_wake(&scheme, &q->receivers);
    for (struct message *m; (m = q->first);) {
        q->first = m->next;
        free(m);
    }
    free(q);
}

static int queue_find(const struct port_buffer *call, uint32_t want, struct queue **q) {
    int e = ipc_find(IPC_MSG, call->request.args[0], q);
    if (e) return scheme_again(&scheme) ? -EIDRM : e;
    return ipc_permit(&(*q)->object, caller(call), want);
}

int64_t msg_send(struct port_buffer *call) {
    const struct request *r = &call->request;
    struct queue *q;
    long type;
    int e = queue_find(call, MAY_WRITE, &q);
    if (e) return e;
    if (r->length < sizeof(type)) return -EINVAL;
    memcpy(&type, call->data, sizeof(type));
    size_t size = r->length - sizeof(type);
    if (type < 1 || size > MESSAGE_MAX || size > q->limit) return -EINVAL;
    /* Also of empty ones there are no more than bytes would be allowed. */
    if (q->bytes + size > q->limit || q->count >= q->limit)
        return r->args[1] & IPC_NOWAIT ? -EAGAIN : scheme_park(&scheme, call, &q->senders);
    struct message *m = malloc(sizeof(*m) + size);
    if (!m) return -ENOMEM;
    *m = (struct message){.type = type, .size = size};
    memcpy(m->text, call->data + sizeof(type), size);
    if (q->last) q->last->next = m;
    else q->first = m;
    q->last = m;
    q->bytes += size;
    q->count++;
    q->stime = time(nullptr);
    q->lspid = (pid_t)r->pid;
    scheme_wake(&scheme, &q->receivers);
    return 0;
}

/* Where the message that is asked for hangs; null: there is none. */
static struct message **message_find(struct queue *q, long type, uint32_t flags) {
    struct message **best = nullptr;
    for (struct message **at = &q->first; *at; at = &(*at)->next) {
        long have = (*at)->type;
        if (type == 0) return at;
        if (type > 0 && (flags & MSG_EXCEPT ? have != type : have == type)) return at;
        if (type < 0 && (type == INT64_MIN || have <= -type) && (!best || have < (*best)->type)) best = at;
    }
    return best;
}

static void message_take(struct queue *q, struct message **at) {
    struct message *m = *at;
    *at = m->next;
    if (q->last == m) {
        q->last = q->first;
        while (q->last && q->last->next) q->last = q->last->next;
    }
    q->bytes -= m->size;
    q->count--;
}

int64_t msg_receive(struct port_buffer *call) {
    const struct request *r = &call->request;
    uint32_t flags = (uint32_t)r->args[1];
    size_t room = r->args[3];
    struct queue *q;
    int e = queue_find(call, MAY_READ, &q);
    if (e) return e;
    struct message **at = message_find(q, (long)r->args[2], flags);
    if (!at) return flags & IPC_NOWAIT ? -ENOMSG : scheme_park(&scheme, call, &q->receivers);
    struct message *m = *at;
    if (m->size > room && !(flags & MSG_NOERROR)) return -E2BIG;
    size_t size = m->size < room ? m->size : room;
    message_take(q, at);
    memcpy(call->data, &m->type, sizeof(m->type));
    memcpy(call->data + sizeof(m->type), m->text, size);
    call->reply.length = (uint32_t)(sizeof(m->type) + size);
    free(m);
    q->rtime = time(nullptr);
    q->lrpid = (pid_t)r->pid;
    scheme_wake(&scheme, &q->senders);
    return (int64_t)size;
}

/* --- control --- */
static int64_t answer(struct port_buffer *call, const void *data, size_t size, int64_t result) {
    memcpy(call->data, data, size);
    call->reply.length = (uint32_t)size;
    return result;
}

static int64_t queue_stat(const struct queue *q, struct port_buffer *call, int64_t result) {
    struct msqid_ds ds = {
        .msg_perm = q->object.perm,
        .msg_stime = q->stime,
        .msg_rtime = q->rtime,
        .msg_ctime = q->ctime,
        .msg_cbytes = q->bytes,
        .msg_qnum = q->count,
        .msg_qbytes = q->limit,
        .msg_lspid = q->lspid,
        .msg_lrpid = q->lrpid,
    };
    return answer(call, &ds, sizeof(ds), result);
}

static int64_t msg_information(struct port_buffer *call, bool limits) {
    struct ipc_table *t = &tables[IPC_MSG];
    struct msginfo info = {.msgmax = MESSAGE_MAX, .msgmnb = QUEUE_BYTES, .msgmni = OBJECTS_MAX};
    for (uint32_t i = 0; !limits && i < t->end; i++) {
        const struct queue *q = (struct queue *)t->objects[i];
        if (!q) continue;
        info.msgpool++;
        info.msgmap += (int)q->count;
        info.msgtql += (int)q->bytes;
    }
    return answer(call, &info, sizeof(info), t->end > 0 ? t->end - 1 : 0);
}

/* More room than the default is root's to give. */
static int64_t change(struct queue *q, struct port_buffer *call, int command) {
    const struct credentials *who = caller(call);
    struct msqid_ds ds;
    int e = ipc_may_change(&q->object, who);
    if (e) return e;
    if (command == IPC_RMID) {
        queue_free(q);
        return 0;
    }
    if (call->request.length < sizeof(ds)) return -EINVAL;
    memcpy(&ds, call->data, sizeof(ds));
    if (ds.msg_qbytes > QUEUE_BYTES && !(who->privileges & PRIVILEGE_ROOT)) return -EPERM;
    ipc_set(&q->object, &ds.msg_perm);
    q->limit = ds.msg_qbytes;
    q->ctime = time(nullptr);
    scheme_wake(&scheme, &q->senders);
    return 0;
}

int64_t msg_control(struct port_buffer *call) {
    const struct request *r = &call->request;
    int command = (int)r->args[2];
    struct queue *q;
    if (command == IPC_INFO || command == MSG_INFO) return msg_information(call, command == IPC_INFO);
    bool by_index = command == MSG_STAT || command == MSG_STAT_ANY;
    if (by_index) {
        q = r->args[1] < OBJECTS_MAX ? (struct queue *)tables[IPC_MSG].objects[r->args[1]] : nullptr;
        if (!q) return -EINVAL;
    } else if (ipc_find(IPC_MSG, r->args[1], &q)) {
        return -EINVAL;
    }
    if (command == IPC_SET || command == IPC_RMID) return change(q, call, command);
    if (command != IPC_STAT && !by_index) return -EINVAL;
    int e = command == MSG_STAT_ANY ? 0 : ipc_permit(&q->object, caller(call), MAY_READ);
    return e ? e : queue_stat(q, call, by_index ? ipc_id(&q->object) : 0);
}
