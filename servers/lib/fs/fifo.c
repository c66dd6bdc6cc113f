// SPDX-License-Identifier: MIT
/*
 * Named pipes (POSIX.1-2017 open, read, write).  Planeless: their two sides come and go
 * independently, may be one open file (O_RDWR), and a reader that stays sees the next writer's
 * bytes, which no pair of channel ends offers.
 *
 * An opener that waits for its peer counts already; `peers_seen` tells a peer that came and went.
 */
#include <fs.h>
#include <stdlib.h>
#include <string.h>

#define FIFO_CAPACITY 65536
#define FIFO_ATOMIC 4096 /* PIPE_BUF */

struct fs_fifo {
    uint32_t readers, writers;          /* open now */
    uint64_t readers_ever, writers_ever; /* opened so far */
    struct scheme_queue open_queue, read_queue, write_queue;
    size_t start, used;
    char bytes[FIFO_CAPACITY];
};

static bool reads(const struct fs_open *o) { return (o->flags & FILE_ACCESS_MASK) != FILE_WRITE_ONLY; }
static bool writes(const struct fs_open *o) { return (o->flags & FILE_ACCESS_MASK) != FILE_READ_ONLY; }

uint32_t fs_fifo_ready(struct fs_open *o) {
    struct fs_fifo *f = o->node->fifo;
    uint32_t ready = 0;
    if (reads(o) && f->used) ready |= EVENT_IN;
    if (reads(o) && !f->writers && f->writers_ever > o->peers_seen) ready |= EVENT_HANGUP;
    if (writes(o) && FIFO_CAPACITY - f->used >= FIFO_ATOMIC) ready |= EVENT_OUT;
    if (writes(o) && !f->readers) ready |= EVENT_ERROR;
    return ready;
}

int32_t fs_fifo_bytes(struct fs_open *o) { return o->in_fifo ? (int32_t)o->node->fifo->used : 0; }

static void fifo_changed(struct fs_node *n) {
    for (struct fs_open *o = n->opens; o; o = o->next)
        if (o->in_fifo) watch_post(&n->fs->scheme, &o->watch, o->id, fs_fifo_ready(o));
}

static int fifo_count_in(struct fs_open *o) {
    struct fs_node *n = o->node;
    if (!n->fifo && !(n->fifo = calloc(1, sizeof(*n->fifo)))) return -ENOMEM;
    struct fs_fifo *f = n->fifo;
    o->peers_seen = reads(o) && !writes(o) ? f->writers_ever : f->readers_ever;
    if (reads(o)) {
        f->readers++;
        f->readers_ever++;
    }
    if (writes(o)) {
        f->writers++;
        f->writers_ever++;
    }
    o->in_fifo = true;
    scheme_wake(&n->fs->scheme, &f->open_queue);
    fifo_changed(n);
    return 0;
}

int fs_fifo_open(struct fs_call *c, struct fs_open *o, bool again) {
    struct fs_fifo *f = o->node->fifo;
    bool nonblock = o->flags & FILE_NONBLOCK;
    if (!again) {
        if (nonblock && !reads(o) && (!f || !f->readers)) return -ENXIO;
        int result = fifo_count_in(o);
        if (result) return result;
        f = o->node->fifo;
    }
    if (nonblock || (reads(o) && writes(o))) return 0;
    if (reads(o) ? f->writers || f->writers_ever > o->peers_seen : f->readers || f->readers_ever > o->peers_seen)
        return 0;
    c->wait = &f->open_queue;
    return FS_WAIT;
}

void fs_fifo_close(struct fs_open *o) {
    struct fs_node *n = o->node;
    struct fs_fifo *f = n->fifo;
    struct scheme *s = &n->fs->scheme;
    o->in_fifo = false;
    f->readers -= reads(o);
    f->writers -= writes(o);
    if (!f->writers) scheme_wake(s, &f->read_queue); /* end of file */
    if (!f->readers) scheme_wake(s, &f->write_queue); /* EPIPE */
    fifo_changed(n);
    if (!f->readers && !f->writers) {
        free(f); /* nobody waits: who waits is open */
        n->fifo = nullptr;
    }
}

int64_t fs_fifo_read(struct fs_call *c, struct fs_open *o, void *out, size_t size, bool nonblock) {
    struct fs_fifo *f = o->node->fifo;
    if (!f->used) {
        if (!f->writers || !size) return 0;
        c->wait = &f->read_queue;
        return nonblock ? -EAGAIN : FS_WAIT;
    }
    size_t n = size < f->used ? size : f->used;
    size_t first = FIFO_CAPACITY - f->start < n ? FIFO_CAPACITY - f->start : n;
    memcpy(out, f->bytes + f->start, first);
    memcpy((char *)out + first, f->bytes, n - first);
    f->start = (f->start + n) % FIFO_CAPACITY;
    f->used -= n;
    scheme_wake(&c->fs->scheme, &f->write_queue);
    fifo_changed(o->node);
    fs_atime_update(o->node);
    fs_notify_open(o, NOTIFY_ACCESS);
    return (int64_t)n;
}

static void fifo_put(struct fs_fifo *f, const char *in, size_t n) {
    size_t at = (f->start + f->used) % FIFO_CAPACITY;
    size_t first = FIFO_CAPACITY - at < n ? FIFO_CAPACITY - at : n;
    memcpy(f->bytes + at, in, first);
    memcpy(f->bytes, in + first, n - first);
    f->used += n;
}

/* Up to PIPE_BUF bytes go whole or not at all; *done of a longer write have gone before. */
int64_t fs_fifo_write(struct fs_call *c, struct fs_open *o, const void *in, size_t size, bool nonblock,
                      uint64_t *done) {
    struct fs_fifo *f = o->node->fifo;
    if (!f->readers) return *done ? (int64_t)*done : -EPIPE;
    size_t room = FIFO_CAPACITY - f->used, n = size - *done;
    if (n > room) n = size <= FIFO_ATOMIC ? 0 : room;
    if (n) {
        fifo_put(f, (const char *)in + *done, n);
        *done += n;
        scheme_wake(&c->fs->scheme, &f->read_queue);
        fifo_changed(o->node);
        fs_touch(o->node, TOUCH_MTIME | TOUCH_CTIME);
        fs_notify_open(o, NOTIFY_MODIFY);
    }
    if (*done == size || (nonblock && *done)) return (int64_t)*done;
    c->wait = &f->write_queue;
    return nonblock ? -EAGAIN : FS_WAIT;
}
