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
    CHANNEL_SEQUENCED = 4, /* SOCK_SEQPACKET, not SOCK_DGRAM: the same to the kernel */
    CHANNEL_STAMPED = 8, /* in handle_info: CHANNEL_SET_STAMPED is on at this end */
};
#define CHANNEL_CAPACITY_DEFAULT 65536
#define CHANNEL_ATOMIC_MAX 4096 /* PIPE_BUF */
#define CHANNEL_HANDLES_MAX 253 /* per message: SCM_MAX_FD */
#define CHANNEL_ADDRESS_MAX 128

struct channel_message {
    const struct io_vector *vectors;
    uint32_t vector_count;
    uint32_t flags; /* io_flags in; out: MESSAGE_* */
    void *address; /* in: room in address_length; out: sender's address */
    uint32_t address_length;
    uint32_t handle_count; /* in: to send, or room; out: received */
    handle_t *handles;
    uint32_t handle_flags; /* received handles: CLOEXEC, IN_UPPER */
    uint32_t size; /* out: of the whole message */
    uint64_t credentials; /* out: id of the sender's at send time; 0: bytes that nothing came along with */
    uint32_t pid, uid, gid, reserved; /* out: the sender's */
};
enum message_flags { MESSAGE_TRUNCATED = 1, MESSAGE_HANDLES_TRUNCATED = 2 };

enum channel_op {
    CHANNEL_SHUTDOWN, /* argument: 1 reading, 2 writing, 3 both */
    CHANNEL_SET_ERROR, /* argument: errno that the peer's next operation returns */
    CHANNEL_SET_CAPACITY,
    CHANNEL_READABLE, /* result: bytes waiting; of messages: the first one's */
    CHANNEL_WRITABLE, /* result: bytes of room */
    CHANNEL_SET_STAMPED, /* argument: bool; bytes towards this end say who sent them, too */
};
