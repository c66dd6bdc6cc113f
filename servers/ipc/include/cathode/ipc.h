// SPDX-License-Identifier: MIT
/*
 * The scheme `ipc:`.  System V IPC are operations on its root; structures, flags and errors are those
 * of <sys/shm.h>, <sys/sem.h>, <sys/msg.h>.  A message queue of <mqueue.h> is the file `mq/NAME`: OPEN
 * (args[3]: messages | bytes of each << 32, 0: the defaults) and REMOVE.  Its plane is a channel
 * (CHANNEL_PRIORITY), by which messages move without the server.
 */
#pragma once
#include <abi/scheme.h>

enum ipc_kind { IPC_SHM, IPC_SEM, IPC_MSG, IPC_KINDS };
enum ipc_op {
    IPC_GET = OP_USER, /* args[0] kind, args[1] key, args[2] bytes or semaphores, args[3] flags; result: id */
    IPC_CONTROL, /* args[0] kind, args[1] id, args[2] command, args[3] semaphore; data in, answers out */
    IPC_SEM_COUNT, /* args[0] id; result: how many, for the room of GETALL */
    IPC_SEM_OPERATE, /* args[0] id; data: struct sembuf[] */
    IPC_SHM_ATTACH, /* args[0] id, args[1] flags; reply.handle: memory object, reply.args[0] its size */
    IPC_SHM_DETACH, /* args[0] map_info.object; args[1] 0: is it a segment (EINVAL)? 1: it was unmapped */
    IPC_MSG_SEND, /* args[0] id, args[1] flags; data: long type, text */
    IPC_MSG_RECEIVE, /* args[0] id, args[1] flags, args[2] type, args[3] bytes; answers type, text; result: bytes */
    /* on an open message queue */
    MQ_ATTRIBUTES, /* answers uint64_t: messages at most, bytes of each, messages now */
    MQ_NOTIFY, /* args[0] SIGEV_*, -1: no more; args[1] signal; args[2] value; THREAD: a channel comes along */
};
#define MQ_COOKIE_SIZE 32 /* what is written to a thread's channel: zeros, and at its end enum mq_cookie */
enum mq_cookie { MQ_NOTIFIED = 1, MQ_REMOVED = 2 };
