// SPDX-License-Identifier: MIT
/*
 * Reads and writes by call, of any length and alignment, through bounce buffers.
 *
 * A call parks twice at most: for a buffer, and for the device. What it waits for it finds again by
 * args[2], its buffer's number + 1. A write that covers part of a sector first reads what is around it; while it
 * does, no other write by call is under way on that disk, or one of them would be undone.
 */
#include "private.h"
#include <string.h>

#define NUMBER BOUNCE_ARGUMENT
#define RANGE_DONE 1 /* request.args, of direct_range() */

static struct bounce *bounce_of(struct scheme *s, const struct port_buffer *call) {
    uint64_t number = scheme_again(s) ? call->request.args[NUMBER] : 0;
    return number ? &server_of(s)->private->bounces[number - 1] : nullptr;
}

static struct bounce *bounce_take(struct block_server *b) {
    for (unsigned i = 0; i < BOUNCES; i++) {
        struct bounce *x = &b->private->bounces[i];
        if (x->state != BOUNCE_FREE) continue;
        if (!x->memory.at && pci_dma_create(b->function, BOUNCE_BYTES, b->dma_flags, &x->memory) != 0) continue;
        x->orphan = x->merging = x->partial = x->write = false;
        return x;
    }
    return nullptr;
}

static void bounce_release(struct block_server *b, struct bounce *x) {
    if (x->write) x->device->direct_writes--;
    if (x->partial) x->device->partial_write = false;
    x->state = BOUNCE_FREE;
    scheme_wake(&b->scheme, &b->private->bounce_wait);
}

static void bounce_done(struct block_server *b, struct job *j, int64_t result) {
    struct bounce *x = j->owner;
    x->result = result;
    x->state = BOUNCE_DONE;
    if (x->orphan) bounce_release(b, x);
    else scheme_wake(&b->scheme, &x->waiter);
}

/* Not an open file, or its disk is gone: the buffer, if the call has one already, is given back. */
static int64_t refuse(struct scheme *s, struct port_buffer *call, const struct open_file *f) {
    struct bounce *x = bounce_of(s, call);
    if (x) bounce_release(server_of(s), x);
    return f ? -ENXIO : -EBADF;
}

/* Starts the request and waits for it. */
static int64_t bounce_run(struct scheme *s, struct port_buffer *call, struct bounce *x, const struct open_file *f,
                          uint32_t op, uint64_t position, uint32_t length) {
    struct block_server *b = server_of(s);
    x->device = f->state;
    x->job.done = bounce_done;
    x->job.owner = x;
    job_prepare(&x->job, f, op, position, length, x->memory.physical);
    call->request.args[NUMBER] = (uint64_t)(x - b->private->bounces) + 1;
    int64_t result = scheme_park(s, call, &x->waiter);
    if (result != PARK) {
        bounce_release(b, x);
        return result;
    }
    x->state = BOUNCE_BUSY;
    job_submit(b, f->state, &x->job);
    return PARK;
}

static int64_t wait_for_bounce(struct scheme *s, struct port_buffer *call) {
    call->request.args[NUMBER] = 0;
    return scheme_park(s, call, &server_of(s)->private->bounce_wait);
}

int64_t direct_cancel(struct scheme *s, struct port_buffer *call) {
    uint64_t number = call->request.args[NUMBER];
    struct bounce *x = number ? &server_of(s)->private->bounces[number - 1] : nullptr;
    if (x && x->state == BOUNCE_BUSY) x->orphan = true;
    else if (x && x->state == BOUNCE_DONE) bounce_release(server_of(s), x);
    return -EINTR;
}

/* --- reading --- */
struct span { /* the sectors around [at, at + size) */
    uint64_t position;
    uint32_t length, skip;
};
static struct span span_around(const struct open_file *f, uint64_t at, size_t size) {
    uint64_t sector = f->state->device->sector_size, start = at & ~(sector - 1);
    uint64_t end = (at + size + sector - 1) & ~(sector - 1);
    return (struct span){start, (uint32_t)(end - start), (uint32_t)(at - start)};
}

static int64_t answer_done(struct port_buffer *call, uint64_t at, size_t size) {
    call->reply.args[0] = at + size;
    return (int64_t)size;
}

int64_t direct_read(struct scheme *s, struct port_buffer *call) {
    struct block_server *b = server_of(s);
    struct open_file *f = file_find(b, call->request.object);
    uint64_t at = call->request.args[0];
    if (!f || f->state->gone) return refuse(s, call, f);
    if (at >= file_size(f)) return answer_done(call, at, 0);
    size_t size = call->request.args[1] < BOUNCE_DATA ? call->request.args[1] : BOUNCE_DATA;
    if (size > file_size(f) - at) size = file_size(f) - at;
    if (size == 0) return answer_done(call, at, 0);
    struct span span = span_around(f, at, size);
    struct bounce *x = bounce_of(s, call);
    if (!x) {
        x = bounce_take(b);
        return x ? bounce_run(s, call, x, f, DISK_READ, span.position, span.length) : wait_for_bounce(s, call);
    }
    int64_t result = x->result;
    if (result >= 0) {
        memcpy(call->data, (uint8_t *)x->memory.at + span.skip, size);
        call->reply.length = (uint32_t)size;
        f->state->stats.bytes_copied += size;
        result = answer_done(call, at, size);
    }
    bounce_release(b, x);
    return result;
}

/* --- writing --- */
static bool is_partial(const struct open_file *f, uint64_t at, size_t size) {
    return (at | size) % f->state->device->sector_size;
}

/* Claims a buffer, and the disk for a write of this kind. */
static struct bounce *write_begin(struct block_server *b, struct open_file *f, bool partial) {
    struct block_state *d = f->state;
    if (d->partial_write || (partial && d->direct_writes > 0)) return nullptr;
    struct bounce *x = bounce_take(b);
    if (!x) return nullptr;
    x->device = d;
    x->write = true;
    x->partial = x->merging = partial;
    d->direct_writes++;
    d->partial_write = partial;
    return x;
}

int64_t direct_write(struct scheme *s, struct port_buffer *call) {
    struct block_server *b = server_of(s);
    struct open_file *f = file_find(b, call->request.object);
    uint64_t at = call->request.args[0];
    size_t size = call->request.length;
    if (!f || f->state->gone) return refuse(s, call, f);
    if (!f->writable) return -EBADF;
    if (f->state->device->flags & DISK_READ_ONLY) return -EROFS;
    if (size == 0) return answer_done(call, at, 0);
    if (at >= file_size(f)) return -ENOSPC;
    if (size > file_size(f) - at) size = file_size(f) - at;
    struct span span = span_around(f, at, size);
    struct bounce *x = bounce_of(s, call);
    bool fresh = !x;
    if (fresh) x = write_begin(b, f, is_partial(f, at, size));
    if (!x) return wait_for_bounce(s, call);
    if (fresh && x->merging) return bounce_run(s, call, x, f, DISK_READ, span.position, span.length);
    if (!fresh && (x->result < 0 || !x->merging)) {
        int64_t result = x->result < 0 ? x->result : answer_done(call, at, size);
        bounce_release(b, x);
        return result;
    }
    x->merging = false;
    memcpy((uint8_t *)x->memory.at + span.skip, call->data, size);
    f->state->stats.bytes_copied += size;
    return bounce_run(s, call, x, f, DISK_WRITE, span.position, span.length);
}

/* --- requests without data --- */
static int64_t run_plain(struct scheme *s, struct port_buffer *call, struct open_file *f, uint32_t op,
                         uint64_t position, uint32_t length) {
    struct block_server *b = server_of(s);
    struct bounce *x = bounce_of(s, call);
    if (!x) {
        x = bounce_take(b);
        return x ? bounce_run(s, call, x, f, op, position, length) : wait_for_bounce(s, call);
    }
    int64_t result = x->result;
    bounce_release(b, x);
    return result < 0 ? result : 0;
}

int64_t direct_sync(struct scheme *s, struct port_buffer *call) {
    struct open_file *f = file_find(server_of(s), call->request.object);
    if (!f || f->state->gone) return refuse(s, call, f);
    return f->state->device->flags & DISK_CACHE ? run_plain(s, call, f, DISK_FLUSH, 0, 0) : 0;
}

/* One request after the other; what is done is in args[RANGE_DONE]. */
int64_t direct_range(struct scheme *s, struct port_buffer *call, uint32_t op, uint64_t position, uint64_t length) {
    struct open_file *f = file_find(server_of(s), call->request.object);
    if (!f || f->state->gone) return refuse(s, call, f);
    if (!scheme_again(s)) call->request.args[RANGE_DONE] = 0;
    struct bounce *x = bounce_of(s, call);
    uint64_t most = f->state->device->transfer_max;
    if (x) {
        int64_t result = x->result;
        call->request.args[RANGE_DONE] += x->job.length;
        bounce_release(server_of(s), x);
        call->request.args[NUMBER] = 0;
        if (result < 0) return result;
    }
    uint64_t done = call->request.args[RANGE_DONE];
    if (done >= length) return length ? 0 : -EINVAL;
    uint64_t part = length - done < most ? length - done : most;
    int e = request_check(f, op, position + done, part);
    if (e) return e;
    x = bounce_take(server_of(s));
    return x ? bounce_run(s, call, x, f, op, position + done, (uint32_t)part) : wait_for_bounce(s, call);
}
