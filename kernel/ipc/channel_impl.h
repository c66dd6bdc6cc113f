// SPDX-License-Identifier: MIT
/*
 * What channel.c (objects, bytes) and channel_message.c (messages, handles in flight) share.
 *
 * A channel has two ends and a queue towards each.  All of it is under channel->lock; counts that
 * poll reads without it are written by one store.
 */
#pragma once
#include <kernel/channel.h>
#include <kernel/mm.h>

#define CAPACITY_MAX (1u << 20)
#define INLINE_PAGES (CHANNEL_CAPACITY_DEFAULT / PAGE_SIZE)

struct queue { /* towards one end */
    uint32_t used, capacity; /* bytes; of messages their cost */
    uint32_t low_water; /* readable from so many bytes on */
    bool write_closed; /* no more will come: end of data once it is empty */
    bool read_closed; /* nobody will read: EPIPE */
    uint32_t read_at, write_at; /* in the ring */
    uint64_t position; /* bytes ever read */
    void **pages; /* the ring, allocated as it is used; null in message mode */
    void *inline_pages[INLINE_PAGES];
    struct list messages; /* or, in byte mode, what came along with bytes */
    uint32_t flights; /* channel ends carried by messages */
    struct list readers, writers; /* struct channel_waiter */
};
struct channel_end {
    struct object object;
    struct channel *channel;
    _Atomic uint32_t status; /* FILE_NONBLOCK, access mode */
    int error; /* returned once by the next operation */
    uint8_t mark; /* cycle collection */
    uint32_t inside;
    struct channel_end *garbage_next;
};
struct channel {
    struct spinlock lock; /* RANK_OBJECT */
    uint32_t flags; /* enum channel_flags */
    uint32_t nesting; /* of channels carried by its messages */
    _Atomic uint32_t ends_left;
    struct channel_end ends[2];
    struct queue queues[2]; /* [i]: what end i reads */
};
struct channel_waiter {
    struct list link;
    struct thread *thread;
    uint32_t need; /* writers: room to wait for */
};

struct cursor { /* a place in a vector of user buffers */
    const struct io_vector *v;
    size_t offset; /* in *v */
    size_t left; /* bytes from here to the end of all */
};

static inline struct channel_end *channel_end_of(struct object *o) { return object_as(channel_end, o); }
static inline unsigned end_side(const struct channel_end *e) { return e == &e->channel->ends[1]; }
static inline struct queue *queue_in(struct channel_end *e) { return &e->channel->queues[end_side(e)]; }
static inline struct queue *queue_out(struct channel_end *e) { return &e->channel->queues[!end_side(e)]; }
static inline struct channel_end *end_peer(struct channel_end *e) { return &e->channel->ends[!end_side(e)]; }
static inline uint32_t queue_room(const struct queue *q) { return q->used < q->capacity ? q->capacity - q->used : 0; }

struct cursor cursor_make(const struct io_vector *v, size_t count);
/* Wakes who can go on: a reader if there is data, a writer if there is room for it. */
void queue_wake(struct queue *q);
/*
 * Waits with the channel's lock held, which is released: 0 look again, -EAGAIN, -EINTR, -ETIMEDOUT.
 * need: room a writer waits for, 0 for readers.
 */
int queue_wait(struct channel *c, struct queue *q, uint32_t need, nsec_t deadline) RELEASES(&c->lock);
/* Errors that come before all else: the pending one (once), wrong direction, broken. Lock held. */
int read_error(struct channel_end *e);
int write_error(struct channel_end *e);
nsec_t end_deadline(const struct channel_end *e, uint32_t io_flags, nsec_t deadline); /* 0: nonblocking */
/* What came along with the bytes read goes to *attached (and ends the read), or is dropped if null. */
struct message;
long bytes_read(struct channel_end *e, struct cursor *to, uint32_t io_flags, nsec_t deadline,
                struct message **attached);
/* `attach`, if not null, is queued with the first byte. */
long bytes_write(struct channel_end *e, struct cursor *from, uint32_t io_flags, nsec_t deadline,
                 struct message *attach);

/* channel_message.c. In a channel of bytes a message is an attachment at a position in the stream. */
size_t message_distance(const struct queue *q); /* of the next one, from the reader; SIZE_MAX: none */
bool message_at_reader(const struct queue *q);
/* Takes off what the reader has just passed, or null. Lock held. */
struct message *message_take_attached(struct channel *c, struct queue *q);
void message_attach(struct channel_end *e, struct message *m, size_t bytes); /* to the last `bytes` put */
void message_free(struct message *m); /* with its handles; no lock held */
void queue_purge(struct channel *c, struct queue *q); /* frees messages; no lock held */
size_t message_first_size(const struct queue *q);
