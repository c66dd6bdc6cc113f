// SPDX-License-Identifier: MIT
/* Inside the block class library. */
#pragma once
#include <block.h>
#include <partition.h>
#include <service.h>

#define BOUNCES 4
#define BOUNCE_ARGUMENT 2 /* request.args of what is parked: its buffer's number + 1, or 0 */
#define BOUNCE_DATA 65536u /* of a read or write by call */
#define BOUNCE_BYTES (BOUNCE_DATA + 2 * 4096) /* and what is around it in its first and last sector */

struct volume { /* a disk or a partition */
    uint64_t start, sectors; /* sectors 0: none */
    const struct partition *partition; /* null: the disk */
};
struct block_stats {
    uint64_t reads, writes, flushes, others, errors, bytes_read, bytes_written;
    uint64_t bytes_copied; /* by the CPU, for reads and writes by call */
    uint64_t kicks; /* batches given to the device */
    unsigned depth_max; /* requests that it had at a time */
};
struct block_state { /* of a device */
    struct block_device *device;
    unsigned unit;
    struct partition_table table;
    struct volume volumes[PARTITIONS_MAX + 1]; /* by number, 0 the disk */
    struct block_request *pending, **pending_end; /* not yet taken by the driver */
    unsigned active; /* the driver's */
    bool kick, gone;
    bool partial_write; /* one at a time, and no other write by call meanwhile */
    unsigned direct_writes;
    struct block_stats stats;
};

/* A request on its way, and who wants to know. */
struct job {
    struct block_request request; /* first: what the driver gives back */
    void (*done)(struct block_server *b, struct job *j, int64_t result);
    void *owner;
    uint64_t tag;
    uint32_t length; /* what it answers if all is well */
    bool flush_after; /* a write that must reach the medium, of a device without FUA */
    struct job *next_free;
};

struct open_file {
    struct open_file *next;
    uint64_t id;
    struct block_state *state;
    unsigned partition;
    bool writable;
    bool inert; /* the counters, or opened with O_PATH: nothing is read, written or asked through it */
    bool reopened; /* by the next instance */
    struct session *session;
};

struct session {
    struct session *next;
    struct open_file *file; /* null: closed */
    struct open_file about; /* what it was of, also then */
    struct dma memory;
    size_t pool_offset, pool_size;
    uint32_t entries, outstanding;
    struct ring ring;
    handle_t event; /* the client's */
    bool running, broken;
    bool completed; /* entries not yet published */
    struct job *jobs, *free;
};

enum bounce_state { BOUNCE_FREE, BOUNCE_BUSY, BOUNCE_DONE };
struct bounce { /* of one call */
    struct dma memory;
    enum bounce_state state;
    struct job job;
    int64_t result;
    struct block_state *device;
    bool orphan; /* the caller has gone */
    bool partial, write, merging;
    struct scheme_queue waiter;
};

struct block_private {
    struct block_state *devices[BLOCK_DEVICES_MAX];
    struct open_file *files;
    struct session *sessions;
    struct bounce bounces[BOUNCES];
    struct scheme_queue bounce_wait, session_wait;
    handle_t doorbell; /* what clients get of the bound event */
    uint64_t next_id;
};

static inline struct block_server *server_of(struct scheme *s) { return s->server; }
static inline const struct volume *file_volume(const struct open_file *f) { return &f->state->volumes[f->partition]; }
static inline uint64_t file_size(const struct open_file *f) {
    return file_volume(f)->sectors * f->state->device->sector_size;
}

/* --- block.c --- */
/* Gives j to the device when it has room; j->done comes later, never from in here. */
void job_submit(struct block_server *b, struct block_state *d, struct job *j);
/* op, length and position in bytes for this file: 0 or the error that its request gets. */
int request_check(const struct open_file *f, uint32_t op, uint64_t position, uint64_t length);
/* Fills in the request for what was checked. */
void job_prepare(struct job *j, const struct open_file *f, uint32_t op, uint64_t position, uint32_t length,
                 uint64_t physical);
void partitions_read(struct block_server *b, struct block_state *d);

/* --- session.c --- */
int64_t session_memory(struct scheme *s, struct open_file *f, struct port_buffer *call);
int64_t session_start(struct block_server *b, struct open_file *f, struct port_buffer *call);
void session_close(struct block_server *b, struct session *s);
/* Takes what clients have put into their rings. */
void sessions_pump(struct block_server *b);
/* Tells clients of what was completed. */
void sessions_publish(struct block_server *b);

/* --- direct.c --- */
int64_t direct_read(struct scheme *s, struct port_buffer *call);
int64_t direct_write(struct scheme *s, struct port_buffer *call);
int64_t direct_sync(struct scheme *s, struct port_buffer *call);
int64_t direct_range(struct scheme *s, struct port_buffer *call, uint32_t op, uint64_t position, uint64_t length);
int64_t direct_cancel(struct scheme *s, struct port_buffer *call);

/* --- file.c --- */
extern const struct scheme_ops block_scheme_ops;
/* Null for inert ones, too. */
struct open_file *file_find(struct block_server *b, uint64_t id);
