// SPDX-License-Identifier: MIT
/*
 * What channel.c (objects, rings) and channel_message.c (messages, handles in flight) share.
 *
 * A channel has two ends and a queue towards each.  All of it is under channel->lock; what poll
 * reads without it is written by one store.
 */
#pragma once
#include <kernel/channel.h>
#include <kernel/mm.h>
#include <kernel/space.h>

#define MESSAGE_SHARE 64 /* a queue holds one message per so many bytes of capacity */
#define MESSAGES_PER_PAGE 16 /* charged to the opener */

#define QUEUE_ENDED 1 /* the reader gets an end of data once it is empty */
#define QUEUE_BROKEN 2 /* the writer EPIPE */
#define QUEUE_HUNG_UP 4 /* which is a hangup, if the other direction has ended, too */
#define QUEUE_OVER (QUEUE_ENDED | QUEUE_BROKEN | QUEUE_HUNG_UP)

struct queue { /* towards one end */
    uint32_t used, capacity; /* bytes */
    uint32_t message_count, message_limit; /* limit: of a channel with priorities */
    uint8_t over; /* QUEUE_ENDED and its like */
    bool news; /* CHANNEL_NEWS */
    bool stamped; /* the reader wants to know who sent what: also bytes come with messages */
    uint32_t read_at, write_at; /* in the ring */
    uint64_t position; /* bytes ever read */
    _Atomic nsec_t timeouts[2]; /* of reading, of writing; 0: none */
    void **pages; /* the ring, allocated as it is used; null: the unused direction of a pipe */
    struct list messages; /* in a channel of bytes: what came along with some of them */
    struct list readers, writers; /* struct thread.wait_link; wait_value: room a writer waits for */
};
struct channel_end {
    struct object object;
    struct channel *channel;
    struct queue *in, *out;
    _Atomic uint32_t status; /* FILE_NONBLOCK, access mode */
    int error; /* returned once by the next operation */
    bool resets; /* CHANNEL_RESETS */
    _Atomic uint32_t hold; /* CHANNEL_HELD */
    struct channel_name *_Atomic name; /* set once */
    /* under route_lock */
    struct channel_end *route; /* reference, or null: its own */
    struct list route_link; /* route->routed */
    struct list routed; /* ends whose route this is */
    /* under flight_lock */
    struct list carrying; /* struct flight: handles to channel ends in the queue towards this end */
    struct list holder_link; /* ends that carry some */
    struct channel_end *waits_for; /* CHANNEL_WAIT: with a reference to its peer; or null */
    struct flight wait; /* carried by it as if a message had it */
    struct channel_end *next, *next_garbage;
    uint32_t inside; /* handles to it that only flights keep */
    bool reached, garbage; /* by the last look; for good */
};
struct channel_name {
    uint32_t length;
    char bytes[CHANNEL_ADDRESS_MAX];
};
struct channel {
    struct spinlock lock; /* RANK_OBJECT */
    uint32_t flags; /* enum channel_flags */
    uint32_t message_max; /* CHANNEL_PRIORITY: bytes of one */
    uint32_t maker; /* pid */
    uint32_t number;
    uint64_t maker_ids; /* for SO_PEERCRED */
    _Atomic uint32_t ends_left;
    struct quota *quota; /* the opener's, charged for pages and messages; null: none */
    struct channel_end ends[2];
    struct queue queues[2]; /* [i]: what end i reads */
};

static inline struct channel_end *channel_end_of(struct object *o) { return object_as(channel_end, o); }
static inline struct channel_end *end_peer(struct channel_end *e) {
    return &e->channel->ends[e == &e->channel->ends[0]];
}
static inline struct message *message_first(const struct queue *q) {
    return q->message_count ? list_entry(q->messages.next, struct message, link) : nullptr;
}

static inline bool end_is(const struct channel_end *e, uint32_t flag) { return e->channel->flags & flag; }
static inline unsigned hold_read(const struct channel_end *e) { return e->hold & 0xff; }
static inline unsigned hold_write(const struct channel_end *e) { return e->hold >> 8 & 0xff; }

/* channel.c. The long way; m is consumed. */
long end_send(struct channel_end *e, struct message *m, const struct io_vector *v, size_t count, uint32_t io_flags,
              nsec_t deadline, bool locked);

/* channel_socket.c */
struct channel_end *route_get(struct channel_end *e); /* the end that what e sends is sent on; a reference */
int route_set(struct channel_end *e, struct channel_end *via);
void room_notify_routed(struct channel_end *via); /* there is room in what is sent on via */
/* m (or null) is consumed; to: null, or where this one goes. */
long datagram_send(struct channel_end *e, struct channel_end *to, struct message *m, const struct io_vector *v,
                   size_t count, uint32_t io_flags, nsec_t deadline);
long priority_receive(struct channel_end *e, struct message **came, const struct io_vector *v, size_t count,
                      uint32_t io_flags, nsec_t deadline);
long socket_control(struct channel_end *e, uint32_t op, uint64_t argument);

/* What is charged for a message with data of its own. */
static inline int64_t message_pages(const struct message *m) { return 1 + m->size / PAGE_SIZE; }

/* channel_message.c. With the channel's lock held: */
bool message_queue(struct channel_end *e, struct message *m); /* behind what is there; false: over the quota */
void message_unqueue(struct channel_end *reader, struct message *m);
/* No lock held: frees the messages towards e, which nobody will receive. */
void queue_purge(struct channel_end *e);
