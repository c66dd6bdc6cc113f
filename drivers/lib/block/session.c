// SPDX-License-Identifier: MIT
/*
 * Sessions: a client's ring and pool. The client may write both at any time: entries are copied out once and
 * checked; the pool's bytes mean nothing to us. Who breaks the ring's rules is not served any more.
 */
#include "private.h"
#include <stdlib.h>
#include <string.h>

static void session_free(struct block_server *b, struct session *s) {
    for (struct session **at = &b->private->sessions; *at; at = &(*at)->next) {
        if (*at != s) continue;
        *at = s->next;
        break;
    }
    if (s->event >= 0) sys_handle_close(s->event);
    pci_dma_destroy(b->function, &s->memory);
    free(s->jobs);
    free(s);
    scheme_wake(&b->scheme, &b->private->session_wait);
}

/* The device may still be at work in its memory. */
void session_close(struct block_server *b, struct session *s) {
    s->file = nullptr;
    s->running = false;
    if (s->outstanding == 0) session_free(b, s);
}

/* --- set-up --- */
static int memory_get(struct block_server *b, struct port_buffer *call, size_t size, struct dma *out) {
    if (!(call->request.flags & REQUEST_HANDLE)) return pci_dma_create(b->function, size, b->dma_flags, out);
    handle_t h = request_take_handle(call);
    struct memory_info info;
    long e = sys_memory_control(h, MEMORY_INFO, (uintptr_t)&info, 0, 0);
    if (e >= 0 && (!info.physical || info.size < size)) e = -EINVAL;
    if (e >= 0) e = pci_dma_adopt(b->function, h, out);
    if (e < 0) sys_handle_close(h);
    return (int)e;
}

static bool overlap(const struct open_file *f, const struct open_file *g) {
    const struct volume *v = file_volume(f), *w = file_volume(g);
    return f->state == g->state && v->start < w->start + w->sectors && w->start < v->start + v->sectors;
}

/* Does another session write to it? `closed`: one whose client has gone, but not yet all of its requests. */
static bool is_written(const struct block_server *b, const struct open_file *f, bool closed) {
    for (const struct session *s = b->private->sessions; s; s = s->next)
        if (!s->file == closed && s->about.writable && overlap(&s->about, f)) return true;
    return false;
}

/*
 * Two who write would destroy each other's file system. Who comes after one that has gone, which may be with the same
 * file, waits until the device has ended what that one asked for: it must not come after what is written from now on.
 */
int64_t session_memory(struct scheme *scheme, struct open_file *f, struct port_buffer *call) {
    struct block_server *b = server_of(scheme);
    uint64_t pool = call->request.args[0], entries = call->request.args[1];
    if (f->session) session_close(b, f->session);
    f->session = nullptr;
    call->request.args[BOUNCE_ARGUMENT] = 0;
    if (is_written(b, f, true)) return scheme_park(scheme, call, &b->private->session_wait);
    if (f->writable && is_written(b, f, false)) return -EBUSY;
    if (entries == 0 || entries > DISK_RING_ENTRIES_MAX || (entries & (entries - 1)) || pool == 0 ||
        pool > DISK_POOL_MAX)
        return -EINVAL;
    size_t offset = disk_pool_offset((uint32_t)entries);
    struct session *s = calloc(1, sizeof(*s));
    struct job *jobs = calloc(entries, sizeof(*jobs));
    int e = s && jobs ? memory_get(b, call, offset + pool, &s->memory) : -ENOMEM;
    if (e) {
        free(s);
        free(jobs);
        return e;
    }
    s->file = f;
    s->about = *f;
    s->pool_offset = offset;
    s->pool_size = pool;
    s->entries = (uint32_t)entries;
    s->event = HANDLE_NONE;
    s->jobs = jobs;
    for (uint32_t i = 0; i < entries; i++) {
        jobs[i].next_free = s->free;
        s->free = &jobs[i];
    }
    s->next = b->private->sessions;
    b->private->sessions = s;
    f->session = s;
    call->reply.flags = REPLY_HANDLE;
    call->reply.handle = s->memory.memory;
    return 0;
}

int64_t session_start(struct block_server *b, struct open_file *f, struct port_buffer *call) {
    struct session *s = f->session;
    struct handle_info info;
    if (!s || s->running || s->broken || s->outstanding) return s ? -EBUSY : -EINVAL;
    if (!(call->request.flags & REQUEST_HANDLE)) return -EINVAL;
    handle_t event = request_take_handle(call);
    if (sys_handle_info(event, &info) < 0 || info.type != OBJECT_EVENT || !(info.rights & RIGHT_WRITE)) {
        sys_handle_close(event);
        return -EINVAL;
    }
    s->event = event;
    memset(s->memory.at, 0, ring_size(s->entries));
    ring_init(&s->ring, RING_SERVER, s->memory.at, s->entries);
    s->running = true;
    call->reply.flags = REPLY_HANDLE;
    call->reply.handle = b->private->doorbell;
    return 0;
}

/* --- requests --- */
static void session_break(struct session *s) {
    if (!s->broken) service_log("a client broke the rules of its ring");
    s->broken = true;
}

static void session_answer(struct session *s, uint64_t tag, int64_t result) {
    struct ring_entry e = {.tag = tag, .result = result};
    if (ring_put(&s->ring, &e) != 0) session_break(s); /* it has more under way than entries */
    s->completed = true;
}

static void session_done(struct block_server *b, struct job *j, int64_t result) {
    struct session *s = j->owner;
    s->outstanding--;
    j->next_free = s->free;
    s->free = j;
    if (s->running && !s->broken) session_answer(s, j->tag, result);
    if (!s->file && s->outstanding == 0) session_free(b, s);
}

static bool pool_contains(const struct session *s, const struct ring_entry *e) {
    return e->buffer <= s->pool_size && e->length <= s->pool_size - e->buffer && e->buffer % 512 == 0;
}

static void session_request(struct block_server *b, struct session *s, const struct ring_entry *e) {
    uint32_t kind = e->op & ~(uint32_t)DISK_FUA;
    bool data = kind == DISK_READ || kind == DISK_WRITE;
    int error = request_check(s->file, e->op, e->position, e->length);
    if (!error && data && !pool_contains(s, e)) error = -EFAULT;
    if (error) {
        s->file->state->stats.errors++;
        session_answer(s, e->tag, error);
        return;
    }
    struct job *j = s->free;
    s->free = j->next_free;
    s->outstanding++;
    j->done = session_done;
    j->owner = s;
    j->tag = e->tag;
    job_prepare(j, s->file, e->op, e->position, e->length, data ? s->memory.physical + s->pool_offset + e->buffer : 0);
    job_submit(b, s->file->state, j);
}

/* All that is there, until the ring is empty and we are promised a post. */
static void session_pump(struct block_server *b, struct session *s) {
    struct ring_entry e;
    while (s->running && !s->broken && s->free) {
        int got = ring_get(&s->ring, &e);
        if (got < 0) session_break(s);
        else if (got > 0) session_request(b, s, &e);
        else if (ring_may_sleep(&s->ring)) break;
    }
}

void sessions_pump(struct block_server *b) {
    for (struct session *s = b->private->sessions; s; s = s->next) session_pump(b, s);
}

void sessions_publish(struct block_server *b) {
    for (struct session *s = b->private->sessions; s; s = s->next) {
        if (!s->running || s->broken || !s->completed) continue;
        s->completed = false;
        if (ring_publish(&s->ring)) sys_event_post(s->event, 1);
    }
}
