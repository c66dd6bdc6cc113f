// SPDX-License-Identifier: MIT
/*
 * The client's side of a disk. `slots` names requests by their tag; they are kept in order of submission
 * until done, so that all of them can be given to the driver's next instance.
 *
 * The driver is no more trusted than it trusts us: a completion with a tag that nobody waits for is dropped.
 */
#include <disk.h>
#include <stdlib.h>
#include <string.h>

#define KEY_FILE 1
#define REOPEN_TRIES 3

/* --- the session --- */
static int64_t disk_call(struct disk *d, struct call_args *args, enum disk_call op, uint64_t a, uint64_t b) {
    args->request.op = (uint16_t)op;
    args->request.args[0] = a;
    args->request.args[1] = b;
    args->handle_flags = HANDLE_IN_UPPER;
    args->deadline = DEADLINE_NEVER;
    return sys_call(d->file, args);
}

static int memory_set_up(struct disk *d) {
    struct call_args args = {.carry = d->memory};
    int64_t e = disk_call(d, &args, DISK_MEMORY, d->pool_size, d->entries);
    if (e < 0) return (int)e;
    if (d->memory != HANDLE_NONE) { /* the driver's next instance knows it now */
        sys_handle_close(args.reply.handle);
        return 0;
    }
    size_t size = disk_pool_offset(d->entries) + d->pool_size;
    long at = sys_vm_map(0, (size + 4095) & ~4095ul, VM_READ | VM_WRITE | VM_SHARED, args.reply.handle, 0);
    if (at < 0) {
        sys_handle_close(args.reply.handle);
        return (int)at;
    }
    d->memory = args.reply.handle;
    d->ring_memory = (struct ring_memory *)at;
    d->pool = (uint8_t *)at + disk_pool_offset(d->entries);
    return 0;
}

static int session_start(struct disk *d) {
    int e = memory_set_up(d);
    if (e) return e;
    struct call_args args = {.carry = d->event};
    int64_t result = disk_call(d, &args, DISK_START, 0, 0);
    if (result < 0) return (int)result;
    if (d->doorbell != HANDLE_NONE) sys_handle_close(d->doorbell);
    d->doorbell = args.reply.handle;
    ring_init(&d->ring, RING_CLIENT, d->ring_memory, d->entries);
    (void)ring_may_sleep(&d->ring); /* it is empty: the first completion is posted */
    return 0;
}

static int info_read(struct disk *d) {
    struct call_args args = {.out = &d->info, .out_size = sizeof(d->info), .carry = HANDLE_NONE};
    int64_t e = disk_call(d, &args, DISK_INFO, 0, 0);
    return e < 0 ? (int)e : args.reply.length == sizeof(d->info) ? 0 : -EPROTO;
}

static void slots_init(struct disk *d) {
    for (uint32_t i = 0; i < d->entries; i++) d->slots[i].next_free = i + 1;
    d->free_slot = 0;
}

int disk_open(struct disk *d, handle_t file, uint32_t entries, size_t pool_size) {
    *d = (struct disk){
        .file = file, .memory = HANDLE_NONE, .doorbell = HANDLE_NONE, .event = HANDLE_NONE, .entries = entries};
    d->pool_size = (pool_size + 4095) & ~4095ul;
    if (entries == 0 || entries > DISK_RING_ENTRIES_MAX || (entries & (entries - 1))) return -EINVAL;
    d->slots = calloc(entries, sizeof(*d->slots));
    int e = d->slots ? info_read(d) : -ENOMEM;
    if (!e) d->event = (handle_t)sys_event_create(0, HANDLE_IN_UPPER);
    if (!e && d->event < 0) e = d->event;
    struct event interest = {.mask = DISK_RESTARTED, .key = KEY_FILE};
    if (!e) e = (int)sys_event_control(d->event, EVENT_ADD, file, &interest);
    if (!e) e = session_start(d);
    if (e) {
        d->file = HANDLE_NONE;
        disk_close(d);
        return e;
    }
    slots_init(d);
    return 0;
}

void disk_close(struct disk *d) {
    if (d->file != HANDLE_NONE) sys_handle_close(d->file);
    if (d->event >= 0) sys_handle_close(d->event);
    if (d->doorbell >= 0) sys_handle_close(d->doorbell);
    if (d->memory >= 0) sys_handle_close(d->memory);
    if (d->ring_memory)
        sys_vm_unmap((uintptr_t)d->ring_memory, (disk_pool_offset(d->entries) + d->pool_size + 4095) & ~4095ul);
    free(d->slots);
    *d = (struct disk){.file = HANDLE_NONE, .event = HANDLE_NONE, .doorbell = HANDLE_NONE, .memory = HANDLE_NONE};
}

/* --- requests --- */
static void list_append(struct disk *d, struct disk_request *r) {
    r->next = nullptr;
    r->previous = d->last;
    if (d->last) d->last->next = r;
    else d->first = r;
    d->last = r;
}

static void list_remove(struct disk *d, struct disk_request *r) {
    if (r->previous) r->previous->next = r->next;
    else d->first = r->next;
    if (r->next) r->next->previous = r->previous;
    else d->last = r->previous;
}

/* Into the ring, if there is a slot and a driver. */
static bool request_put(struct disk *d, struct disk_request *r) {
    if (d->lost || d->free_slot == d->entries) return false;
    uint32_t slot = d->free_slot;
    struct ring_entry e = {.tag = slot, .op = r->op, .length = r->length, .position = r->position, .buffer = r->buffer};
    if (ring_put(&d->ring, &e) != 0) {
        d->lost = true; /* the driver makes no sense: a new session */
        return false;
    }
    d->free_slot = d->slots[slot].next_free;
    d->slots[slot].request = r;
    r->slot = slot;
    d->unpublished = true;
    return true;
}

/* What hasn't been put yet, in order. */
static void requests_put(struct disk *d) {
    while (d->unsent && request_put(d, d->unsent)) d->unsent = d->unsent->next;
}

void disk_submit(struct disk *d, struct disk_request *r) {
    d->outstanding++;
    list_append(d, r);
    if (!d->unsent) d->unsent = r;
    requests_put(d);
}

void disk_kick(struct disk *d) {
    if (d->lost) sys_event_post(d->event, 1); /* disk_poll() tries again, or ends them */
    if (!d->unpublished) return;
    d->unpublished = false;
    if (ring_publish(&d->ring)) sys_event_post(d->doorbell, 1);
}

static void request_done(struct disk *d, struct disk_request *r, int64_t result) {
    if (d->unsent == r) d->unsent = r->next;
    list_remove(d, r);
    d->outstanding--;
    r->result = result;
    if (r->done) r->done(r);
}

static unsigned completions_take(struct disk *d) {
    struct ring_entry e;
    unsigned count = 0;
    int got = 0;
    while (!d->lost && (got = ring_get(&d->ring, &e)) > 0) {
        struct disk_request *r = e.tag < d->entries ? d->slots[e.tag].request : nullptr;
        if (!r) continue;
        d->slots[e.tag].request = nullptr;
        d->slots[e.tag].next_free = d->free_slot;
        d->free_slot = (uint32_t)e.tag;
        request_done(d, r, e.result);
        count++;
    }
    if (got < 0) d->lost = true;
    return count;
}

/* --- the driver's death --- */
/* A new session with all that was not complete. Waits for the next instance, which the kernel queues our call for. */
static void session_restart(struct disk *d) {
    int e = -EIO;
    d->restarts++;
    for (int i = 0; i < REOPEN_TRIES && e; i++) e = session_start(d); /* it may die again meanwhile */
    d->lost = e != 0;
    memset(d->slots, 0, d->entries * sizeof(*d->slots));
    slots_init(d);
    d->unsent = d->first;
    d->unpublished = false;
    if (!e) {
        requests_put(d);
        return;
    }
    struct disk_request *last = d->last; /* what is submitted meanwhile fails by the next poll */
    for (bool more = d->first; more;) {
        struct disk_request *r = d->first;
        more = r != last;
        request_done(d, r, -EIO);
    }
}

/* Takes what the event has; true: the driver has died. */
static bool events_take(struct disk *d, int64_t deadline, int *result) {
    struct event ready[4];
    bool lost = false;
    long n = sys_event_wait(d->event, ready, 4, deadline);
    for (long i = 0; i < n; i++) lost |= !ready[i].reserved;
    *result = n < 0 ? (int)n : 0;
    return lost;
}

static unsigned poll_once(struct disk *d) {
    unsigned count = completions_take(d);
    requests_put(d);
    disk_kick(d);
    return count;
}

/* After a death the completions that the last instance left are true: they are taken first. */
static unsigned recover(struct disk *d) {
    unsigned count = completions_take(d);
    session_restart(d);
    return count + poll_once(d);
}

/* Until the ring is empty and we are promised a post. */
static unsigned drain(struct disk *d) {
    unsigned count = 0;
    do {
        count += poll_once(d);
        if (d->lost) return count + recover(d);
    } while (!ring_may_sleep(&d->ring));
    return count;
}

unsigned disk_poll(struct disk *d) {
    int unused;
    bool lost = events_take(d, 0, &unused);
    return lost ? recover(d) + drain(d) : drain(d);
}

int disk_wait(struct disk *d, int64_t deadline) {
    disk_kick(d);
    if (drain(d) > 0) return 0;
    for (;;) {
        int result;
        bool lost = events_take(d, deadline, &result);
        if (result < 0 && result != -EINTR) return result == -EAGAIN ? -ETIMEDOUT : result;
        unsigned count = lost ? recover(d) + drain(d) : drain(d);
        if (count > 0) return 0;
    }
}

/* --- one at a time --- */
struct waited {
    void (*done)(struct disk_request *r);
    void *context;
    bool is_done;
};
static void run_done(struct disk_request *r) {
    struct waited *w = r->context;
    w->is_done = true;
}

int64_t disk_run(struct disk *d, struct disk_request *r) {
    struct waited w = {r->done, r->context, false};
    r->done = run_done;
    r->context = &w;
    disk_submit(d, r);
    while (!w.is_done) (void)disk_wait(d, DEADLINE_NEVER);
    r->done = w.done;
    r->context = w.context;
    if (r->done) r->done(r);
    return r->result;
}

static int transfer(struct disk *d, uint32_t op, uint64_t position, uint8_t *data, size_t length, uint64_t scratch,
                    size_t scratch_size) {
    size_t most = scratch_size < d->info.transfer_max ? scratch_size : d->info.transfer_max;
    most &= ~((size_t)d->info.sector_size - 1);
    if (most == 0 || scratch > d->pool_size || scratch_size > d->pool_size - scratch) return -EINVAL;
    for (size_t done = 0; done < length;) {
        size_t part = length - done < most ? length - done : most;
        struct disk_request r = {.op = op, .length = (uint32_t)part, .position = position + done, .buffer = scratch};
        if (op == DISK_WRITE) memcpy(d->pool + scratch, data + done, part);
        int64_t e = disk_run(d, &r);
        if (e < 0) return (int)e;
        if (op == DISK_READ) memcpy(data + done, d->pool + scratch, part);
        done += part;
    }
    return 0;
}

int disk_read(struct disk *d, uint64_t position, void *data, size_t length, uint64_t scratch, size_t scratch_size) {
    return transfer(d, DISK_READ, position, data, length, scratch, scratch_size);
}

int disk_write(struct disk *d, uint64_t position, const void *data, size_t length, uint64_t scratch,
               size_t scratch_size) {
    return transfer(d, DISK_WRITE, position, (uint8_t *)data, length, scratch, scratch_size);
}

int disk_flush(struct disk *d) {
    struct disk_request r = {.op = DISK_FLUSH};
    int64_t e = d->info.flags & DISK_CACHE ? disk_run(d, &r) : 0;
    return e < 0 ? (int)e : 0;
}
