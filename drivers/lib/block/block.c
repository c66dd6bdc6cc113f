// SPDX-License-Identifier: MIT
/*
 * Devices and their requests. A request goes from its owner (a session, a call) to the device's `pending`
 * list, to the driver while that has room, and back by block_complete(). Owners hear of completions from the main
 * loop's end of a turn only, so that nobody is called from inside his own submit.
 */
#include "private.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECOND_NS 1000000000LL
#define TABLE_TIMEOUT_NS (30 * SECOND_NS)

/* --- jobs --- */
static struct job *job_of(struct block_request *r) { return (struct job *)r; }

void job_submit(struct block_server *b, struct block_state *d, struct job *j) {
    j->request.next = nullptr;
    j->request.device = d->device;
    *d->pending_end = &j->request;
    d->pending_end = &j->request.next;
}

static struct block_request *pending_pop(struct block_state *d) {
    struct block_request *r = d->pending;
    d->pending = r->next;
    if (!d->pending) d->pending_end = &d->pending;
    return r;
}

static void count(struct block_state *d, const struct block_request *r) {
    switch (r->op & ~DISK_FUA) {
    case DISK_READ:
        d->stats.reads++;
        d->stats.bytes_read += r->length;
        break;
    case DISK_WRITE:
        d->stats.writes++;
        d->stats.bytes_written += r->length;
        break;
    case DISK_FLUSH: d->stats.flushes++; break;
    default: d->stats.others++;
    }
}

static void job_done(struct block_server *b, struct job *j, int64_t result) {
    struct block_state *d = j->request.device->state;
    if (result >= 0) result = j->length;
    else d->stats.errors++;
    j->done(b, j, result);
}

/* As many as the driver takes. */
static void device_feed(struct block_server *b, struct block_state *d) {
    while (d->pending) {
        if (b->no_flush && d->pending->op == DISK_FLUSH) {
            job_done(b, job_of(pending_pop(d)), 0);
            continue;
        }
        int e = d->gone                         ? -ENXIO
                : d->active >= d->device->depth ? -EAGAIN
                                                : d->device->ops->submit(d->device, d->pending);
        if (e == -EAGAIN) break;
        struct block_request *r = pending_pop(d);
        if (e < 0) {
            job_done(b, job_of(r), e);
            continue;
        }
        count(d, r);
        d->kick = true;
        if (++d->active > d->stats.depth_max) d->stats.depth_max = d->active;
    }
    if (!d->kick) return;
    d->kick = false;
    d->stats.kicks++;
    if (d->device->ops->kick) d->device->ops->kick(d->device);
}

void block_complete(struct block_server *b, struct block_request *r, int64_t result) {
    struct job *j = job_of(r);
    struct block_state *d = r->device->state;
    d->active--;
    if (result < 0 || !j->flush_after) {
        job_done(b, j, result);
        return;
    }
    j->flush_after = false;
    r->op = DISK_FLUSH;
    r->length = 0;
    job_submit(b, d, j);
}

/* The end of a turn: everything that can go to a device or a client goes. */
static void turn_end(struct block_server *b) {
    sessions_pump(b);
    for (unsigned i = 0; i < BLOCK_DEVICES_MAX; i++)
        if (b->private->devices[i]) device_feed(b, b->private->devices[i]);
    sessions_publish(b);
}

/* --- checks --- */
int request_check(const struct open_file *f, uint32_t op, uint64_t position, uint64_t length) {
    const struct block_device *d = f->state->device;
    uint32_t kind = op & ~(uint32_t)DISK_FUA;
    if (f->state->gone) return -ENXIO;
    if (kind < DISK_READ || kind > DISK_WRITE_ZEROES || (op & DISK_FUA && kind != DISK_WRITE)) return -EINVAL;
    if (kind == DISK_FLUSH) return 0;
    if (kind != DISK_READ && (!f->writable || d->flags & DISK_READ_ONLY)) return f->writable ? -EROFS : -EBADF;
    if (kind == DISK_DISCARD && !(d->flags & DISK_CAN_DISCARD)) return -EOPNOTSUPP;
    if (kind == DISK_WRITE_ZEROES && !(d->flags & DISK_CAN_WRITE_ZEROES)) return -EOPNOTSUPP;
    if (length == 0 || (position | length) % d->sector_size || length > d->transfer_max) return -EINVAL;
    uint64_t size = file_size(f);
    return position <= size && length <= size - position ? 0 : kind == DISK_READ ? -EIO : -ENOSPC;
}

void job_prepare(struct job *j, const struct open_file *f, uint32_t op, uint64_t position, uint32_t length,
                 uint64_t physical) {
    const struct block_device *d = f->state->device;
    bool flush = op == DISK_FLUSH;
    j->length = flush ? 0 : length;
    j->flush_after = op & DISK_FUA && !(d->flags & DISK_NATIVE_FUA) && d->flags & DISK_CACHE;
    if (!(d->flags & DISK_NATIVE_FUA)) op &= ~(uint32_t)DISK_FUA;
    j->request = (struct block_request){
        .op = op,
        .length = j->length,
        .sector = flush ? 0 : file_volume(f)->start + position / d->sector_size,
        .physical = physical,
    };
}

/* --- before and beside serving --- */
static int64_t time_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND_NS + t.tv_nsec;
}

int block_wait(struct block_server *b, const bool *done, int64_t deadline) {
    while (!*done) {
        struct event ready[8];
        for (unsigned i = 0; i < BLOCK_DEVICES_MAX; i++)
            if (b->private->devices[i]) device_feed(b, b->private->devices[i]);
        if (*done) break;
        long n = sys_event_wait(b->scheme.event, ready, 8, deadline);
        if (n == -ETIMEDOUT || n == -EAGAIN) return -ETIMEDOUT;
        for (long i = 0; i < n; i++)
            if (!ready[i].reserved) b->interrupt(b, ready[i].key); /* else a client's; looked at at the turn's end */
    }
    return 0;
}

struct wait {
    bool done;
    int64_t result;
};
static void wait_done(struct block_server *b, struct job *j, int64_t result) {
    struct wait *w = j->owner;
    w->result = result;
    w->done = true;
}

struct table_reader {
    struct block_server *server;
    struct block_state *state;
    struct dma memory;
};

/* What times out stays with the driver for ever: that instance ends. */
static int table_read(void *context, uint64_t sector, uint32_t sectors, void *out) {
    struct table_reader *t = context;
    struct open_file whole = {.state = t->state};
    uint32_t sector_size = t->state->device->sector_size;
    struct wait w = {};
    struct job j = {.done = wait_done, .owner = &w};
    if (sectors * sector_size > t->memory.size) return -EINVAL;
    int e = request_check(&whole, DISK_READ, sector * sector_size, sectors * sector_size);
    if (e) return e;
    job_prepare(&j, &whole, DISK_READ, sector * sector_size, sectors * sector_size, t->memory.physical);
    job_submit(t->server, t->state, &j);
    if (block_wait(t->server, &w.done, time_ns() + TABLE_TIMEOUT_NS)) {
        service_log("disk %u does not answer", t->state->unit);
        exit(1);
    }
    if (w.result < 0) return (int)w.result;
    memcpy(out, t->memory.at, sectors * sector_size);
    return 0;
}

/* CDs have none, whatever their first sector says for those who copy it to a stick. */
void partitions_read(struct block_server *b, struct block_state *d) {
    bool cd = d->device->flags & DISK_CD;
    struct table_reader t = {.server = b, .state = d};
    struct partition_source source = {table_read, &t, d->device->sectors, d->device->sector_size};
    d->volumes[0] = (struct volume){.sectors = d->device->sectors};
    memset(d->volumes + 1, 0, sizeof(d->volumes) - sizeof(d->volumes[0]));
    d->table = (struct partition_table){};
    int e = cd ? 0 : d->device->sectors ? pci_dma_create(b->function, 4096, b->dma_flags, &t.memory) : -ENOMEDIUM;
    if (!e && !cd) {
        e = partition_table_read(&source, &d->table);
        pci_dma_destroy(b->function, &t.memory);
    }
    if (e) service_log("disk %u: cannot read the partition table: error %d", d->unit, -e);
    if (d->table.damaged) service_log("disk %u: both copies of its partition table are damaged", d->unit);
    if (d->table.backup_used) service_log("disk %u: its partition table is damaged, the backup is good", d->unit);
    service_tell(&(struct service_message){.kind = SERVICE_NODE, .class_code = cd, .unit = d->unit}, HANDLE_NONE);
    for (unsigned i = 0; i < d->table.count; i++) {
        const struct partition *p = &d->table.partitions[i];
        d->volumes[p->number] = (struct volume){.start = p->start, .sectors = p->sectors, .partition = p};
        service_tell(&(struct service_message){.kind = SERVICE_NODE, .unit = d->unit, .partition = p->number},
                     HANDLE_NONE);
    }
}

int block_device_add(struct block_server *b, struct block_device *d, unsigned unit) {
    if (unit >= BLOCK_DEVICES_MAX || b->private->devices[unit]) return -EEXIST;
    if (d->sector_size < 512 || d->sector_size > 4096 || (d->sector_size & (d->sector_size - 1)) ||
        d->transfer_max < BOUNCE_BYTES || d->depth == 0)
        return -EINVAL;
    struct block_state *state = calloc(1, sizeof(*state));
    if (!state) return -ENOMEM;
    state->device = d;
    state->unit = unit;
    state->pending_end = &state->pending;
    d->state = state;
    b->private->devices[unit] = state;
    partitions_read(b, state);
    return 0;
}

void block_device_remove(struct block_server *b, struct block_device *d) {
    d->state->gone = true; /* open files keep the rest */
    b->private->devices[d->state->unit] = nullptr;
    device_feed(b, d->state);
    service_tell(&(struct service_message){.kind = SERVICE_NODE_GONE, .unit = d->state->unit}, HANDLE_NONE);
}

/* --- the loop --- */
static void block_event(struct scheme *s, uint64_t key, uint32_t mask) {
    struct block_server *b = server_of(s);
    b->interrupt(b, key);
    turn_end(b);
}

static void block_posted(struct scheme *s) { turn_end(server_of(s)); }

static void block_timeout(struct scheme *s) {
    s->deadline = DEADLINE_NEVER;
    if (server_of(s)->timeout) server_of(s)->timeout(server_of(s));
    turn_end(server_of(s));
}

/* Requests by call: the handler, then the end of the turn. */
static struct scheme_ops ops;
static int64_t block_handle(struct scheme *s, struct port_buffer *call) {
    uint32_t op = call->request.op;
    int64_t result = op < SCHEME_HANDLERS ? block_scheme_ops.handler[op](s, call) : block_scheme_ops.user(s, call);
    turn_end(server_of(s));
    return result;
}

int block_server_init(struct block_server *b, handle_t function, int argc, char **argv) {
    b->no_flush = argc > 1 && strcmp(argv[1], "noflush") == 0;
    ops = (struct scheme_ops){.user = block_handle,
                              .cancel = direct_cancel,
                              .event = block_event,
                              .posted = block_posted,
                              .timeout = block_timeout};
    for (unsigned i = 0; i < SCHEME_HANDLERS; i++)
        if (block_scheme_ops.handler[i]) ops.handler[i] = block_handle;
    b->function = function;
    b->private = calloc(1, sizeof(*b->private));
    if (!b->private) return -ENOMEM;
    b->private->next_id = (uint64_t)time_ns(); /* no id of an earlier instance */
    int e = scheme_init(&b->scheme, SERVICE_SCHEME, &ops, b);
    if (e) return e;
    b->private->doorbell = (handle_t)sys_handle_duplicate(b->scheme.event, HANDLE_FREE, HANDLE_IN_UPPER,
                                                          RIGHT_WRITE | RIGHT_TRANSFER | RIGHT_DUPLICATE);
    return b->private->doorbell < 0 ? b->private->doorbell : 0;
}

int block_serve(struct block_server *b) {
    service_tell(&(struct service_message){.kind = SERVICE_READY}, HANDLE_NONE);
    return scheme_serve(&b->scheme);
}
