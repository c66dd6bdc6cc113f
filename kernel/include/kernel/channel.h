// SPDX-License-Identifier: MIT
/* Channels (kernel/ipc/channel.c): pipes, socketpairs, message queues. */
#pragma once
#include <abi/channel.h>
#include <abi/file.h>
#include <kernel/object.h>
#include <kernel/thread.h>

struct channel_end; /* first member: struct object object */
struct account;
struct quota;
extern const struct object_ops channel_ops;
struct flight { /* a handle that a message carries */
    struct object *object; /* a handle reference; null: not yet */
    uint32_t rights;
    struct channel_end *target; /* the channel end that it leads to, or null */
    struct list link;
};
struct message { /* what comes along with bytes */
    struct list link;
    _Atomic uint32_t refs; /* the queue or who has it, and who peeks */
    uint32_t size; /* in a channel of messages */
    uint64_t position; /* of its first byte */
    struct account *account; /* of the sender, as are: */
    uint64_t credentials;
    uint32_t pid, uid, gid;
    uint32_t address_length, handle_count, priority;
    char *data; /* in a channel with priorities; else in the ring */
    char address[CHANNEL_ADDRESS_MAX];
    struct flight handles[];
};
/* From the current process, with room for handles. err_ptr: -ENOMEM, -ETOOMANYREFS */
struct message *message_create(uint32_t handle_count);
void message_put(struct message *m); /* the last one closes its handles; no lock held */
/* Two ends, each with one reference. -ENOMEM */
MUST_CHECK int channel_create(uint32_t flags, size_t capacity, struct object *ends[2]);
/* Moves bytes, or one message, and consumes m (what goes along, or null). -EAGAIN, -EPIPE (caller raises
 * SIGPIPE), -EMSGSIZE, -EINTR, pending error. */
MUST_CHECK long channel_send(struct object *end, struct message *m, const struct io_vector *v, size_t count,
                             uint32_t io_flags, nsec_t deadline);
/* A datagram for another end than its own. */
MUST_CHECK long channel_send_to(struct object *end, struct object *to, struct message *m, const struct io_vector *v,
                                size_t count, uint32_t io_flags, nsec_t deadline);
/* Bytes moved (0 = end of data). What came along goes to *came, the caller's, or is dropped if that is null. */
MUST_CHECK long channel_receive(struct object *end, struct message **came, const struct io_vector *v, size_t count,
                                uint32_t io_flags, nsec_t deadline);
MUST_CHECK long channel_control(struct object *end, uint32_t op, uint64_t argument); /* all but the next four */
MUST_CHECK int channel_set_name(struct object *end, const char *bytes, size_t length); /* CHANNEL_NAME */
bool channel_is(struct object *a, struct object *b); /* ends of one channel? */
MUST_CHECK int channel_route(struct object *end, struct object *via); /* CHANNEL_ROUTE; null: HANDLE_NONE */
void channel_wait_for(struct object *end, struct object *peer); /* CHANNEL_WAIT; null: HANDLE_NONE */
void channel_describe(struct object *end, struct handle_info *i);
void channel_charge(struct object *end, struct quota *quota); /* opened through a server that has none itself */
/* A handle reference more to what a message in the queue towards `end` carries. False: nobody can reach that queue. */
bool channel_share_flight(struct object *end, const struct flight *f);
void channel_collect_cycles(void); /* handles in flight that nobody can receive */
void channel_stranded(struct object *o); /* of the handles to o, which is in flight, one was closed */
