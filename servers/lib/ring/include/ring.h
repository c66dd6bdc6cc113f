// SPDX-License-Identifier: MIT
/*
 * Rings: requests and completions in shared memory, many per wake-up. Two sides, the client and the
 * server, each with one thread at a time. Each side writes one queue and reads the other one, and
 * waits on an event of its own that the peer posts. No IPC in here: the caller maps the memory object
 * and owns the events; the functions tell when to post.
 *
 * The peer is not trusted. Whatever it may write is read once, into a local variable, and checked;
 * what we write ourselves is kept in private memory and never read back. A peer that breaks the rules
 * gets -EPROTO and can't do more than feed us nonsense entries, which the caller checks anyway.
 *
 * Going to sleep: the reader sets `sleeping`, full barrier, looks once more; the writer publishes
 * `tail`, full barrier, looks at `sleeping`. Either the reader sees the entry or the writer the flag.
 */
#pragma once
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring_entry {
    uint64_t tag; /* the client's name for the request; the completion carries the same */
    union {
        struct { /* request */
            uint32_t op, length;
            uint64_t position;
            uint64_t buffer; /* offset in the memory that both share */
        };
        struct { /* completion */
            int64_t result;
            uint64_t values[2];
        };
    };
};
_Static_assert(sizeof(struct ring_entry) == 32, "two entries in a cache line");

/* Indices count up for ever; modulo capacity they name an entry. Reader's and writer's lines apart. */
struct ring_shared {
    alignas(64) _Atomic uint32_t head; /* the reader's: next to be read */
    _Atomic uint32_t sleeping; /* the reader's: wants a post */
    alignas(64) _Atomic uint32_t tail; /* the writer's: next to be written */
};
struct ring_memory { /* what lies in the shared memory object */
    struct ring_shared requests, completions;
    struct ring_entry entries[]; /* of requests, then as many of completions */
};

struct ring_writer {
    struct ring_shared *shared;
    struct ring_entry *entries;
    uint32_t mask, tail, head_seen;
};
struct ring_reader {
    struct ring_shared *shared;
    const struct ring_entry *entries;
    uint32_t mask, head, tail_seen;
};
struct ring { /* one side */
    struct ring_writer out;
    struct ring_reader in;
};

enum ring_side { RING_CLIENT, RING_SERVER };

/* Bytes of shared memory for `capacity` entries each way: a power of two, at most 2^16. */
static inline size_t ring_size(uint32_t capacity) {
    return sizeof(struct ring_memory) + 2 * capacity * sizeof(struct ring_entry);
}
/* Both sides must know the capacity by other means. The memory is all zero at first. */
void ring_init(struct ring *r, enum ring_side side, void *memory, uint32_t capacity);

/* Adds an entry, not yet seen by the peer. 0; -EAGAIN: full; -EPROTO. */
[[nodiscard]] static inline int ring_put(struct ring *r, const struct ring_entry *e) {
    struct ring_writer *w = &r->out;
    if (w->tail - w->head_seen > w->mask) {
        uint32_t head = atomic_load_explicit(&w->shared->head, memory_order_acquire);
        if (w->tail - head > w->mask + 1) return -EPROTO;
        w->head_seen = head;
        if (w->tail - head > w->mask) return -EAGAIN;
    }
    w->entries[w->tail++ & w->mask] = *e;
    return 0;
}

/* Takes the next entry. 1: here it is; 0: none; -EPROTO. */
[[nodiscard]] static inline int ring_get(struct ring *ring, struct ring_entry *e) {
    struct ring_reader *r = &ring->in;
    if (r->head == r->tail_seen) {
        uint32_t tail = atomic_load_explicit(&r->shared->tail, memory_order_acquire);
        if (tail - r->head > r->mask + 1) return -EPROTO;
        if (tail == r->head) return 0;
        r->tail_seen = tail;
    }
    *e = r->entries[r->head++ & r->mask];
    return 1;
}

/* Gives the places of the entries taken so far back to the peer, then shows it those put so far: in
 * this order, so that who sees a completion has room for another request. True: post its event. */
[[nodiscard]] static inline bool ring_publish(struct ring *r) {
    struct ring_shared *out = r->out.shared;
    atomic_store_explicit(&r->in.shared->head, r->in.head, memory_order_release);
    atomic_store_explicit(&out->tail, r->out.tail, memory_order_release);
    atomic_thread_fence(memory_order_seq_cst);
    return atomic_load_explicit(&out->sleeping, memory_order_relaxed) &&
           atomic_exchange_explicit(&out->sleeping, 0, memory_order_relaxed);
}

/* Nothing to take and all published: may the caller wait on its event? False: an entry came after
 * all. Nobody waits for room: a client with at most `capacity` requests under way always has it, and
 * so has its server. */
[[nodiscard]] bool ring_may_sleep(struct ring *r);
