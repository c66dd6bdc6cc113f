// SPDX-License-Identifier: MIT
/*
 * Bytes of regular files: the kernel's page cache on one side, the disk on the other, and the pool between them.
 *
 * Pages become dirty inside grants, whose holes have blocks set aside. Write-back takes back all grants first, so that
 * who writes again asks again: what has none and isn't dirty needs no look. New blocks are unwritten extents until
 * their data is on the device; only files with indirect blocks, which have no such state, hold up the commit.
 *
 * What is read ahead is given to the kernel only if nothing was written meanwhile: a page that came, became dirty and
 * was reclaimed would come to life again with its old bytes. A page that somebody waits for can't go.
 */
#include "server.h"

#include <stdlib.h>
#include <string.h>

#define GRANT_PAGES 32 /* given at once if there is room */

/* --- transfers --- */
static struct transfer *transfer_get(struct volume *v, struct node *n, uint64_t offset, uint64_t length, bool write) {
    struct transfer *t = v->free_count > (write ? TRANSFERS_READING : 0) ? v->free : nullptr;
    if (!t) return nullptr;
    v->free = t->next;
    v->free_count--;
    *t = (struct transfer){.node = n,
                           .requests = t->requests,
                           .buffer = t->buffer,
                           .offset = offset,
                           .length = length,
                           .writes = n->writes,
                           .parts = 1,
                           .write = write};
    n->transfers++;
    return t;
}

/* The last part: it is ended by transfers_end(), which is outside of the format library. */
static void transfer_part_done(struct volume *v, struct transfer *t) {
    if (--t->parts) return;
    t->next = v->done;
    v->done = t;
    if (!v->base.polling) sys_event_post(v->base.fs.scheme.event, 1);
}

void transfer_done(struct disk_request *r) {
    struct transfer *t = r->context;
    struct volume *v = volume_of(t->node->base.node.fs);
    int error = r->result < 0 ? (int)r->result : r->result != r->length ? -EIO : 0;
    if (error) t->error = error;
    transfer_part_done(v, t);
}

/* The same for what a commit waits for. */
static void ordered_done(struct disk_request *r) {
    struct transfer *t = r->context;
    struct volume *v = volume_of(t->node->base.node.fs);
    v->ordered--;
    if (r->result != r->length) v->ordered_error = r->result < 0 ? (int)r->result : -EIO;
    transfer_done(r);
}

/* `count` blocks of the file from `logical` on, at `physical` on the disk. */
static void part_submit(struct volume *v, struct transfer *t, uint64_t logical, uint64_t physical, uint64_t count,
                        bool ordered) {
    uint64_t most = v->base.disk.info.transfer_max >> v->block_bits;
    while (count) {
        uint64_t part = count < most ? count : most;
        struct disk_request *r = &t->requests[logical - (t->offset >> v->block_bits)];
        *r = (struct disk_request){.op = t->write ? DISK_WRITE : DISK_READ,
                                   .length = (uint32_t)(part << v->block_bits),
                                   .position = physical << v->block_bits,
                                   .buffer = t->buffer + ((logical << v->block_bits) - t->offset),
                                   .done = ordered ? ordered_done : transfer_done,
                                   .context = t};
        t->parts++;
        v->ordered += ordered;
        disk_submit(&v->base.disk, r);
        logical += part;
        physical += part;
        count -= part;
    }
}

/* --- reading --- */
static void read_start(struct volume *v, struct transfer *t) {
    uint8_t *bytes = v->base.disk.pool + t->buffer;
    uint64_t at = t->offset >> v->block_bits, end = (t->offset + t->length) >> v->block_bits;
    while (at < end && !t->error) {
        struct ext4_extent e;
        int result = ext4_map(t->node->disk, at, end - at, &e);
        if (result < 0) {
            t->error = volume_error(v, result);
            break;
        }
        if (e.state == EXT4_WRITTEN) part_submit(v, t, at, e.physical, e.count, false);
        else memset(bytes + ((at << v->block_bits) - t->offset), 0, e.count << v->block_bits);
        at += e.count;
    }
    disk_kick(&v->base.disk);
    transfer_part_done(v, t);
}

static void read_end(struct transfer *t) {
    struct node *n = t->node;
    struct volume *v = volume_of(n->base.node.fs);
    uint64_t length = t->writes == n->writes ? t->length : t->asked;
    uintptr_t bytes = (uintptr_t)(v->base.disk.pool + t->buffer);
    if (t->error) sys_memory_control(n->base.memory, MEMORY_FAIL, t->offset, (uint64_t)-t->error, t->asked);
    else sys_memory_control(n->base.memory, MEMORY_SUPPLY, t->offset, bytes, length);
}

static bool page_in(struct volume *v, const struct page_in *p) {
    struct node *n = node_find(v, p->object & ~DISKFS_MEMORY);
    if (!n || n->base.memory < 0) return true;
    uint64_t asked = p->length < TRANSFER_BYTES ? p->length : TRANSFER_BYTES, length = asked;
    uint64_t size = (diskfs_memory_size(&n->base) + PAGE - 1) & ~(uint64_t)(PAGE - 1);
    if (p->offset == n->base.read_next || p->offset == 0) length = TRANSFER_BYTES;
    if (p->offset >= size) length = asked;
    else if (length > size - p->offset) length = size - p->offset;
    struct transfer *t = transfer_get(v, n, p->offset, length, false);
    if (!t) return false;
    t->asked = asked < length ? asked : length;
    n->base.read_next = p->offset + length;
    read_start(v, t);
    return true;
}

static int64_t serve_page_in(struct scheme *s, struct port_buffer *call) {
    const struct request *r = &call->request;
    struct volume *v = s->server;
    /* No transfer is longer; the kernel doesn't ask for more. */
    struct page_in p = {.object = r->object, .offset = r->args[0], .length = r->args[1]};
    if (!v->waiting_first && page_in(v, &p)) return 0;
    struct page_in *waiting = malloc(sizeof(*waiting));
    if (!waiting) {
        struct node *n = node_find(v, r->object & ~DISKFS_MEMORY);
        if (n && n->base.memory >= 0) sys_memory_control(n->base.memory, MEMORY_FAIL, p.offset, ENOMEM, p.length);
        return 0;
    }
    *waiting = p;
    if (v->waiting_first) v->waiting_last->next = waiting;
    else v->waiting_first = waiting;
    v->waiting_last = waiting;
    return 0;
}

/* --- dirty pages --- */
static void unreserve(struct node *n, uint64_t first, uint64_t end) {
    uint64_t blocks = range_remove(&n->reserved, first, end);
    if (blocks) ext4_unreserve(n->disk->fs, blocks);
}

/* Sets blocks aside for holes in [first, end). */
static int reserve(struct node *n, uint64_t first, uint64_t end) {
    struct ext4_extent e;
    int result;
    for (uint64_t at = first; at < end; at += e.count) {
        if ((result = ext4_map(n->disk, at, end - at, &e)) < 0) return result;
        if (e.state != EXT4_HOLE) continue;
        uint64_t missing = range_missing(&n->reserved, at, at + e.count);
        if (missing && (result = ext4_reserve(n->disk->fs, missing)) < 0) return result;
        if (missing && (result = range_add(&n->reserved, at, at + e.count)) < 0) {
            ext4_unreserve(n->disk->fs, missing);
            return result;
        }
    }
    return 0;
}

static uint64_t block_end(const struct volume *v, uint64_t bytes) {
    return (bytes + v->block_size - 1) >> v->block_bits;
}

static int64_t serve_reserve(struct scheme *s, struct port_buffer *call) {
    struct volume *v = s->server;
    struct request r = call->request;
    struct node *n = node_find(v, r.object & ~DISKFS_MEMORY);
    if (!n || n->base.memory < 0) return -ESTALE;
    if (v->base.fs.flags & FS_READ_ONLY) return -EROFS;
    uint64_t offset = r.args[0], length = r.args[1] < (1u << 30) ? r.args[1] : 1u << 30;
    uint64_t most = ext4_size_max(n->disk) & ~(uint64_t)(PAGE - 1); /* what lies beyond could never be written back */
    if (offset >= most) return -EFBIG;
    if (length > most - offset) length = most - offset;
    uint64_t more = (offset + length + GRANT_PAGES * PAGE - 1) & ~(uint64_t)(GRANT_PAGES * PAGE - 1);
    if (more > most) more = most;
    uint64_t first = offset >> v->block_bits;
    int e = reserve(n, first, block_end(v, more));
    if (!e) length = more - offset;
    else e = reserve(n, first, block_end(v, offset + length));
    if (e == -ENOSPC && length > PAGE) { /* perhaps a part of it */
        length = PAGE;
        e = reserve(n, first, block_end(v, offset + length));
    }
    if (e < 0) return volume_error(v, e);
    diskfs_granted_add(&n->base);
    call->reply.args[0] = offset;
    call->reply.args[1] = length;
    return 0;
}

/* Blocks for a hole at the start of [at, at + e->count). */
static int hole_fill(struct transfer *t, uint64_t at, struct ext4_extent *e, bool *ordered) {
    struct node *n = t->node;
    uint64_t end = at + e->count;
    unreserve(n, at, end);
    int result = ext4_allocate(n->disk, at, e->count, true, 0, e);
    if (result == -EOPNOTSUPP) {
        result = ext4_allocate(n->disk, at, end - at, false, t->size, e);
        if (!result) *ordered = true;
    }
    if (result < 0) return result;
    if (at + e->count < end) (void)reserve(n, at + e->count, end);
    return 0;
}

static void write_start(struct volume *v, struct transfer *t) {
    struct node *n = t->node;
    uint64_t end = t->offset + t->length < t->size ? t->offset + t->length : t->size;
    uint64_t at = t->offset >> v->block_bits;
    end = block_end(v, end);
    n->writes++;
    while (at < end && !t->error) {
        struct ext4_extent e;
        int result = ext4_map(n->disk, at, end - at, &e);
        bool ordered = false;
        if (result >= 0 && e.state == EXT4_HOLE) result = hole_fill(t, at, &e, &ordered);
        if (result < 0) {
            t->error = volume_error(v, result);
            break;
        }
        t->unwritten = t->unwritten || e.state == EXT4_UNWRITTEN;
        part_submit(v, t, at, e.physical, e.count, ordered);
        at += e.count;
    }
    disk_kick(&v->base.disk);
    transfer_part_done(v, t);
}

static void write_end(struct transfer *t) {
    struct node *n = t->node;
    struct volume *v = volume_of(n->base.node.fs);
    uint64_t reach = t->offset + t->length < t->size ? t->offset + t->length : t->size;
    int e = t->error;
    if (!e && t->unwritten) {
        uint64_t first = t->offset >> v->block_bits;
        e = ext4_written(n->disk, first, block_end(v, reach) - first, t->size);
    }
    if (!e && reach > n->disk->size) e = ext4_size_set(n->disk, reach);
    if (e < 0) volume_error(v, e);
    sys_memory_control(n->base.memory, MEMORY_WRITEBACK_END, t->offset, (uint64_t)-e, t->length);
}

/* The next run of dirty pages: false if there is none left, or no transfer for it. */
static bool write_next(struct volume *v, struct node *n) {
    uint64_t length;
    if (v->free_count <= TRANSFERS_READING) return false;
    long offset = sys_memory_control(n->base.memory, MEMORY_DIRTY_NEXT, n->cursor, (uintptr_t)&length, 0);
    if (offset < 0) {
        n->writing = false;
        return false;
    }
    if (length > TRANSFER_BYTES) length = TRANSFER_BYTES;
    n->cursor = (uint64_t)offset + length;
    struct transfer *t = transfer_get(v, n, (uint64_t)offset, length, true);
    sys_memory_control(n->base.memory, MEMORY_WRITEBACK_BEGIN, t->offset, 0, length);
    t->size = diskfs_memory_size(&n->base);
    uint8_t *bytes = v->base.disk.pool + t->buffer;
    long got = sys_read(n->base.memory, bytes, length, offset, 0, 0);
    if (got < 0) t->error = (int)got;
    got = got < 0 ? 0 : got;
    memset(bytes + got, 0, length - (size_t)got);
    write_start(v, t);
    return true;
}

/* All dirty pages, from now on. */
static void write_begin(struct volume *v, struct node *n) {
    if (n->base.memory < 0 || !n->base.granted) return;
    sys_memory_control(n->base.memory, MEMORY_REVOKE, 0, INT64_MAX & ~(uint64_t)(PAGE - 1), 0);
    n->cursor = 0;
    n->writing = true;
}

/* Nothing is dirty or can become so: it is not looked at any more. */
static void granted_check(struct volume *v, struct node *n) {
    uint64_t length;
    if (!n->base.granted || n->writing || n->transfers) return;
    sys_memory_control(n->base.memory, MEMORY_REVOKE, 0, INT64_MAX & ~(uint64_t)(PAGE - 1), 0);
    if (sys_memory_control(n->base.memory, MEMORY_DIRTY_NEXT, 0, (uintptr_t)&length, 0) >= 0) return;
    diskfs_granted_remove(&n->base);
    unreserve(n, 0, UINT64_MAX);
    diskfs_refresh(&n->base.node);
}

/* What follows from completed transfers, and new ones. Not inside the format library. */
static void transfers_end(struct volume *v) {
    struct transfer *t;
    bool more = true;
    while (more) {
        while ((t = v->done)) {
            v->done = t->next;
            if (t->write) write_end(t);
            else read_end(t);
            struct node *n = t->node;
            n->transfers--;
            t->next = v->free;
            v->free = t;
            v->free_count++;
            if (t->write) granted_check(v, n);
        }
        for (struct page_in *p; (p = v->waiting_first) && page_in(v, p);) {
            v->waiting_first = p->next;
            free(p);
        }
        for (struct node *n = granted_first(v); n; n = granted_next(n))
            while (n->writing && write_next(v, n)) {
            }
        more = v->done;
    }
}

static void wait_for(struct volume *v, struct node *n) {
    transfers_end(v);
    while (n->transfers || n->writing) {
        if (!v->done) (void)disk_wait(&v->base.disk, DEADLINE_NEVER);
        transfers_end(v);
    }
}

static int64_t serve_write_back(struct scheme *s, struct port_buffer *call) {
    struct volume *v = s->server;
    struct node *n = node_find(v, call->request.object & ~DISKFS_MEMORY);
    if (n) write_begin(v, n);
    transfers_end(v);
    return 0;
}

static void aged(struct diskfs *d) {
    struct volume *v = volume_of(&d->fs);
    for (struct node *n = granted_first(v); n; n = granted_next(n)) write_begin(v, n);
    transfers_end(v);
    for (struct node *n = granted_first(v), *next; n; n = next) {
        next = granted_next(n);
        granted_check(v, n);
    }
    bool writing = v->base.granted;
    if (ext4_dirty(v->ext4)) volume_error(v, ext4_sync(v->ext4));
    if (writing) diskfs_timer_start(&v->base);
}

static int sync_all(struct diskfs *d);

int stream_sync(struct fs_node *n, bool data_only) {
    struct volume *v = volume_of(n->fs);
    if (n == v->base.fs.root) return sync_all(&v->base);
    if (node_is(n, MODE_REGULAR) && node_of(n)->base.memory >= 0) {
        write_begin(v, node_of(n));
        wait_for(v, node_of(n));
        diskfs_refresh(n);
    }
    return volume_error(v, ext4_sync(v->ext4));
}

static bool is_writing(struct volume *v) {
    for (struct node *n = granted_first(v); n; n = granted_next(n))
        if (n->writing || n->transfers) return true;
    return false;
}

static int sync_all(struct diskfs *d) {
    struct volume *v = volume_of(&d->fs);
    for (struct node *n = granted_first(v); n; n = granted_next(n)) write_begin(v, n);
    for (transfers_end(v); is_writing(v); transfers_end(v))
        if (!v->done) (void)disk_wait(&v->base.disk, DEADLINE_NEVER);
    for (struct node *n = granted_first(v); n; n = granted_next(n)) diskfs_refresh(&n->base.node);
    return volume_error(v, ext4_sync(v->ext4));
}

/* --- for the class library --- */
int stream_resize(struct fs_node *n, int64_t size) {
    struct volume *v = volume_of(n->fs);
    struct node *node = node_of(n);
    if (v->base.fs.flags & FS_READ_ONLY) return -EROFS;
    if ((uint64_t)size > ext4_size_max(node->disk)) return -EFBIG;
    wait_for(v, node); /* nothing old may be read or written after it */
    int e =
        node->base.memory >= 0 ? (int)sys_memory_control(node->base.memory, MEMORY_RESIZE, (uint64_t)size, 0, 0) : 0;
    if (e) return e;
    unreserve(node, block_end(v, (uint64_t)size), UINT64_MAX);
    e = ext4_truncate(node->disk, (uint64_t)size);
    n->size = size;
    diskfs_timer_start(&v->base);
    return volume_error(v, e);
}

int stream_allocate(struct fs_node *n, int64_t offset, int64_t length) {
    struct volume *v = volume_of(n->fs);
    struct node *node = node_of(n);
    if (v->base.fs.flags & FS_READ_ONLY) return -EROFS;
    write_begin(v, node);
    wait_for(v, node);
    unreserve(node, 0, UINT64_MAX);
    diskfs_timer_start(&v->base);
    int e = ext4_fallocate(node->disk, (uint64_t)offset, (uint64_t)length, EXT4_KEEP_SIZE);
    return volume_error(v, e);
}

static bool busy(struct diskfs_node *base) {
    struct node *n = node_base(base);
    struct memory_info info;
    if (n->base.memory < 0) return false;
    if (n->transfers || n->base.granted) return true;
    long e = sys_memory_control(n->base.memory, MEMORY_INFO, (uintptr_t)&info, 0, 0);
    return e < 0 || info.mappings || info.dirty;
}

static void release(struct diskfs_node *base) {
    struct node *n = node_base(base);
    struct volume *v = volume_of(n->base.node.fs);
    if (n->base.memory >= 0) {
        n->writing = false;
        wait_for(v, n);
        diskfs_granted_remove(&n->base);
        sys_handle_close(n->base.memory);
    }
    unreserve(n, 0, UINT64_MAX);
    range_free(&n->reserved);
}

static void after(struct diskfs *d) { transfers_end(volume_of(&d->fs)); }

const struct diskfs_streams ext4_streams = {
    .requests = 256,
    .pool = DISKFS_PIECE + TRANSFERS * TRANSFER_BYTES,
    .page_in = serve_page_in,
    .reserve = serve_reserve,
    .write_back = serve_write_back,
    .sync = stream_sync,
    .sync_all = sync_all,
    .aged = aged,
    .after = after,
    .busy = busy,
    .release = release,
};
