// SPDX-License-Identifier: MIT
/*
 * System V IPC objects of three kinds, and POSIX message queues.  One thread.  The server keeps names,
 * permissions and semaphores; memory is mapped by the programs, POSIX messages go through channels.
 */
#pragma once
#include <errno.h> /* before abi/errno.h */

#include <cathode/ipc.h>
#include <object_map.h>
#include <scheme.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <time.h>

#define OBJECTS_MAX 4096 /* of a kind */

struct ipc_object { /* first member of segments, sets and queues */
    struct ipc_perm perm; /* __ipc_perm_key and __ipc_perm_seq are this file's */
    uint32_t index;
};
struct ipc_table {
    struct ipc_object *objects[OBJECTS_MAX];
    uint16_t uses[OBJECTS_MAX]; /* of the slot: in the id, so that an old one finds nothing */
    uint32_t end; /* all in use are below */
};

/* --- main.c --- */
extern struct scheme scheme;
static inline const struct credentials *caller(const struct port_buffer *call) {
    return scheme_credentials(&scheme, call->request.credentials);
}
bool in_group(const struct credentials *c, uint32_t gid);

/* --- sysv.c --- */
extern struct ipc_table tables[IPC_KINDS];
enum { MAY_READ = 4, MAY_WRITE = 2 };
/* 0 or -EACCES. */
int ipc_permit(const struct ipc_object *o, const struct credentials *who, uint32_t want);
/* The object with this id: *out, or -EINVAL. */
[[nodiscard]] int ipc_find(enum ipc_kind kind, uint64_t id, void *out);
int ipc_id(const struct ipc_object *o);
/* By key, or made by `make`, whose struct ipc_object is then filled in: id or -errno. `fits`: is an old one large
 * enough? */
int64_t ipc_get(struct port_buffer *call, struct ipc_object *(*make)(struct port_buffer *call, int *error),
                bool (*fits)(const struct ipc_object *o, uint64_t size));
void ipc_forget(enum ipc_kind kind, struct ipc_object *o); /* its id and key; frees nothing */
/* IPC_SET and IPC_RMID: by owner, maker or root. 0 or -EPERM. */
int ipc_may_change(const struct ipc_object *o, const struct credentials *who);
void ipc_set(struct ipc_object *o, const struct ipc_perm *new);

/* --- shm.c, sem.c, msg.c --- */
int64_t shm_get(struct port_buffer *call);
int64_t shm_control(struct port_buffer *call);
int64_t shm_attach(struct port_buffer *call);
int64_t shm_detach(struct port_buffer *call);
void shm_sweep(void); /* segments that were removed and that nobody maps any more */

int64_t sem_get(struct port_buffer *call);
int64_t sem_control(struct port_buffer *call);
int64_t sem_count(struct port_buffer *call);
int64_t sem_operate(struct port_buffer *call);
void sem_cancel(struct port_buffer *call);
void sem_process_exit(uint32_t pid);

int64_t msg_get(struct port_buffer *call);
int64_t msg_control(struct port_buffer *call);
int64_t msg_send(struct port_buffer *call);
int64_t msg_receive(struct port_buffer *call);

/* --- mq.c --- */
int64_t mq_open_file(struct port_buffer *call);
int64_t mq_remove(struct port_buffer *call);
int64_t mq_stat(struct port_buffer *call);
int64_t mq_close_file(struct port_buffer *call);
int64_t mq_attributes(struct port_buffer *call);
int64_t mq_notify_set(struct port_buffer *call);
void mq_event(uint64_t key);
