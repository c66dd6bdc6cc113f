// SPDX-License-Identifier: MIT
/*
 * A disk, from the side of those who use it: file systems. Many requests are under way at once; their
 * data lies in the pool, which the device reads and writes itself.
 *
 * When the driver dies, its successor gets everything that was not complete again: a request is
 * idempotent, and the caller sees nothing but a delay. Requests under way at the same time have no
 * order between them; who needs one waits. A flush covers the writes completed before it was submitted.
 *
 * One thread. In a server: scheme_event_add(s, disk->event, EVENT_IN, key), and disk_poll() when it comes;
 * disk_submit() any number, then disk_kick() once at the end of the handler.
 */
#pragma once
#ifndef CATHODE_USER_STUBS
#define CATHODE_USER_STUBS
#endif
#include <abi/syscall.h>
#include <disk_protocol.h>
#include <stdbool.h>

struct disk_request {
    /* the caller's: */
    uint32_t op; /* enum disk_op, DISK_WRITE | DISK_FUA */
    uint32_t length; /* bytes, whole sectors, ≤ info.transfer_max */
    uint64_t position; /* bytes */
    uint64_t buffer; /* offset in the pool */
    void (*done)(struct disk_request *r); /* called by disk_poll(); may submit again, also r */
    void *context;
    int64_t result; /* when done: length, or -errno */
    /* the library's: */
    struct disk_request *next, *previous;
    uint32_t slot;
};

struct disk {
    struct disk_info info;
    uint8_t *pool; /* mapped */
    size_t pool_size;
    handle_t event; /* EVENT_IN: call disk_poll() */
    unsigned outstanding; /* submitted, not done */
    uint64_t restarts; /* of the driver, noticed so far */
    /* private */
    handle_t file, memory, doorbell;
    struct ring ring;
    struct ring_memory *ring_memory;
    uint32_t entries, free_slot; /* free_slot = entries: none */
    struct disk_slot {
        struct disk_request *request;
        uint32_t next_free;
    } *slots; /* by tag */
    struct disk_request *first, *last; /* outstanding, in order of submission */
    struct disk_request *unsent; /* from here on not yet in the ring */
    bool unpublished, lost;
};

/*
 * Takes over `file`, an open file of a disk (RIGHT_WRITE for anything but reading), with room for
 * `entries` requests at a time (a power of two ≤ DISK_RING_ENTRIES_MAX) and a pool of pool_size bytes. 0 or -errno
 * (then the file is still the caller's).
 */
[[nodiscard]] int disk_open(struct disk *d, handle_t file, uint32_t entries, size_t pool_size);
/* Nothing may be outstanding. */
void disk_close(struct disk *d);

/* Queues r, which is the library's until done. Never fails: errors come as its result. Beyond `entries` it waits. */
void disk_submit(struct disk *d, struct disk_request *r);
/* Shows the driver what was submitted. */
void disk_kick(struct disk *d);
/* Takes completions (calling `done`), reconnects if the driver was restarted, kicks what `done` submitted. Doesn't wait
 * for the device. The number of requests done. */
unsigned disk_poll(struct disk *d);
/* The same, but waits until something came or the deadline (absolute ns) passed: -ETIMEDOUT. */
int disk_wait(struct disk *d, int64_t deadline);
/* One request, waited for (others complete meanwhile): its result. r->done may be null. */
[[nodiscard]] int64_t disk_run(struct disk *d, struct disk_request *r);
/* The same for data anywhere, through `scratch` (offset in the pool, transfer room of `scratch_size`): whole sectors.
 * 0 or -errno. */
[[nodiscard]] int disk_read(struct disk *d, uint64_t position, void *data, size_t length, uint64_t scratch,
                            size_t scratch_size);
[[nodiscard]] int disk_write(struct disk *d, uint64_t position, const void *data, size_t length, uint64_t scratch,
                             size_t scratch_size);
[[nodiscard]] int disk_flush(struct disk *d);
