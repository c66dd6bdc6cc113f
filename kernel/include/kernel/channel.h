// SPDX-License-Identifier: MIT
/* Channels (kernel/ipc/channel.c): pipes, socketpairs, message queues. */
#pragma once
#include <abi/channel.h>
#include <abi/file.h>
#include <kernel/object.h>
#include <kernel/thread.h>

struct channel_end; /* first member: struct object object */
extern const struct object_ops channel_ops;
/* Two ends, each with one reference. -ENOMEM */
MUST_CHECK int channel_create(uint32_t flags, size_t capacity, struct object *ends[2]);
/* Bytes moved (0 = end of data), -EAGAIN, -EPIPE (caller raises SIGPIPE), -EINTR, pending error. */
MUST_CHECK long channel_read(struct object *end, const struct io_vector *v, size_t count, uint32_t io_flags,
                             nsec_t deadline);
MUST_CHECK long channel_write(struct object *end, const struct io_vector *v, size_t count, uint32_t io_flags,
                              nsec_t deadline);
uint32_t channel_flags(struct object *end); /* CHANNEL_* */
_Atomic uint32_t *channel_status(struct object *end); /* FILE_NONBLOCK and access mode */
/* Messages with handles; vectors already copied in; objects carry handle references. */
struct carried {
    struct object *object;
    uint32_t rights;
};
MUST_CHECK long channel_send(struct object *end, const struct channel_message *m, const struct io_vector *v,
                             struct carried *handles, nsec_t deadline); /* consumes handles on success */
MUST_CHECK long channel_receive(struct object *end, struct channel_message *m, const struct io_vector *v,
                                struct carried *handles, nsec_t deadline);
MUST_CHECK long channel_control(struct object *end, uint32_t op, uint64_t argument);
bool channel_flights_pending(void);
void channel_collect_cycles(void); /* handles in flight that nobody can receive */
