// SPDX-License-Identifier: MIT
/*
 * Channels: two ends, each direction a queue of bytes or messages. Pipes, socketpairs, ttys, TCP
 * data. Bytes move by read and write; send and receive move messages, addresses and handles.
 */
#pragma once
#include <abi/types.h>

enum channel_flags {
    CHANNEL_MESSAGES = 1, /* keeps message boundaries (≤ CALL_DATA_MAX each) */
    CHANNEL_ONE_WAY = 2, /* end 0 reads, end 1 writes (pipe) */
    CHANNEL_SOCKET = 4, /* an end closed with data unread resets its peer; who names it: CHANNEL_NAME */
    CHANNEL_STAMPED = 8, /* in handle_info: CHANNEL_SET_STAMPED is on at this end */
    CHANNEL_DATAGRAM = 16, /* messages without a connection: no end of data; sending to a closed end: ECONNREFUSED */
    CHANNEL_PRIORITY = 32, /* datagrams: the highest priority first; holds a number of them (CHANNEL_LIMITS) */
    CHANNEL_HALVES = 64, /* its directions end each by itself: an end of reading isn't told, closing is no hangup */
};
#define CHANNEL_CAPACITY_DEFAULT 65536
#define CHANNEL_ATOMIC_MAX 4096 /* PIPE_BUF */
#define CHANNEL_HANDLES_MAX 253 /* per message: SCM_MAX_FD */
#define CHANNEL_ADDRESS_MAX 128

struct channel_message {
    const struct io_vector *vectors;
    uint32_t vector_count;
    uint32_t flags; /* io_flags, MESSAGE_TO in; out: MESSAGE_* */
    void *address; /* in: room in address_length; out: sender's address (of a socket: its CHANNEL_NAME) */
    uint32_t address_length;
    uint32_t handle_count; /* in: to send, or room; out: received */
    handle_t *handles;
    uint32_t handle_flags; /* received handles: CLOEXEC, IN_UPPER */
    uint32_t size; /* out: of the whole message */
    uint64_t credentials; /* out: id of the sender's at send time; 0: bytes that nothing came along with */
    uint32_t pid, uid, gid; /* out: the sender's */
    uint32_t priority; /* CHANNEL_PRIORITY: in and out */
    handle_t to; /* with MESSAGE_TO: goes where what is sent on this end goes */
    uint32_t reserved;
};
enum message_flags { MESSAGE_TRUNCATED = 1, MESSAGE_HANDLES_TRUNCATED = 2, MESSAGE_TO = 1 << 16 };

enum channel_op {
    CHANNEL_SHUTDOWN, /* argument: 1 reading, 2 writing, 3 both, 7 both whatever CHANNEL_HALVES says */
    CHANNEL_SET_ERROR, /* argument: errno that the peer's next operation returns */
    CHANNEL_SET_CAPACITY,
    CHANNEL_READABLE, /* result: bytes waiting; of messages: the first one's */
    CHANNEL_WRITABLE, /* result: bytes of room */
    CHANNEL_SET_STAMPED, /* argument: bool; bytes towards this end say who sent them, too */
    CHANNEL_CAPACITY, /* result: bytes, of what comes to this end */
    CHANNEL_READ_TIMEOUT, /* argument: ns (0: none) that waits without a deadline last; -1: as it is; result: old */
    CHANNEL_WRITE_TIMEOUT,
    CHANNEL_TAKE_ERROR, /* result: the pending error, which is then none */
    /* What the holder of one end says about its peer: */
    CHANNEL_HOLD, /* a socket that isn't connected: CHANNEL_HELD(read errno, write errno, events ready); 0: it is */
    CHANNEL_NAME, /* argument: struct io_vector *, the address of what it sends; once */
    CHANNEL_LIMITS, /* of CHANNEL_PRIORITY, once: messages | bytes of each << 32. Less room to receive: EMSGSIZE */
    CHANNEL_NEWS, /* result 1: a message came to its empty queue and nobody waited; EVENT_PRIORITY here until asked */
    CHANNEL_ROUTE, /* argument: what it sends goes where what is sent on this end goes; HANDLE_NONE: to its peer */
    CHANNEL_IS, /* argument: a handle; result 1: it is an end of the same channel, 0: of another */
    CHANNEL_WAIT, /* argument: an end; whoever has its peer, and nobody else, gets this one. HANDLE_NONE: not so */
    CHANNEL_RESETS, /* a socket's end, closed without CHANNEL_SHUTDOWN of its writing, resets its peer; 1: not so */
};
#define CHANNEL_HELD(read, write, events) ((read) | (write) << 8 | (events) << 16)
