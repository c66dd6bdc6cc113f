// SPDX-License-Identifier: MIT
/*
 * Bytes of regular files: the kernel's page cache on one side, the format on the other, one piece at a time.
 *
 * Pages become dirty inside grants, for which the format has set room aside. Write-back takes back all grants first, so
 * that who writes again asks again: what has none and isn't dirty needs no look.
 */
#include <diskfs.h>
#include <string.h>

#define GRANT_BYTES (32 * DISKFS_PAGE) /* given at once if there is room */
#define ALL_PAGES (INT64_MAX & ~(uint64_t)(DISKFS_PAGE - 1))

static uint8_t piece[DISKFS_PIECE];

uint64_t diskfs_memory_size(const struct diskfs_node *n) {
    struct memory_info info;
    long e = sys_memory_control(n->memory, MEMORY_INFO, (uintptr_t)&info, 0, 0);
    return e < 0 ? (uint64_t)n->node.size : info.size;
}

static uint64_t page_round(uint64_t bytes) { return (bytes + DISKFS_PAGE - 1) & ~(uint64_t)(DISKFS_PAGE - 1); }

static struct diskfs_node *node_of(struct scheme *s, const struct port_buffer *call) {
    struct diskfs_node *n = diskfs_node_find(s->server, call->request.object & ~DISKFS_MEMORY);
    return n && n->memory >= 0 ? n : nullptr;
}

/* --- reading --- */
static int64_t serve_page_in(struct scheme *s, struct port_buffer *call) {
    struct diskfs *d = s->server;
    struct diskfs_node *n = node_of(s, call);
    if (!n) return 0;
    uint64_t offset = call->request.args[0], asked = call->request.args[1], size = page_round(diskfs_memory_size(n));
    if (asked > DISKFS_PIECE) asked = DISKFS_PIECE;
    bool ahead = (offset == n->read_next || offset == 0) && offset < size;
    uint64_t length = ahead ? DISKFS_PIECE : asked;
    if (ahead && length > size - offset) length = size - offset;
    int64_t got = d->ops->read(n, piece, length, offset);
    if (got < 0) {
        diskfs_error(d, (int)got);
        sys_memory_control(n->memory, MEMORY_FAIL, offset, (uint64_t)-got, asked);
        return 0;
    }
    memset(piece + got, 0, length - (size_t)got);
    n->read_next = offset + length;
    sys_memory_control(n->memory, MEMORY_SUPPLY, offset, (uintptr_t)piece, length);
    return 0;
}

/* --- dirty pages --- */
void diskfs_granted_add(struct diskfs_node *n) {
    struct diskfs *d = diskfs_of(n->node.fs);
    if (!n->granted) {
        n->granted = true;
        n->granted_next = d->granted;
        d->granted = n;
    }
    diskfs_timer_start(d);
}

void diskfs_granted_remove(struct diskfs_node *n) {
    struct diskfs_node **p = &diskfs_of(n->node.fs)->granted;
    if (!n->granted) return;
    while (*p != n) p = &(*p)->granted_next;
    *p = n->granted_next;
    n->granted = false;
}

static int sync_all(struct diskfs *d);

/* What is set aside for others, and they don't need, comes back when they are written. */
static int reserve(struct diskfs_node *n, uint64_t end) {
    struct diskfs *d = diskfs_of(n->node.fs);
    int e = d->ops->reserve(n, end);
    if (e != -ENOSPC || !d->granted) return e;
    (void)sync_all(d);
    return d->ops->reserve(n, end);
}

static int64_t serve_reserve(struct scheme *s, struct port_buffer *call) {
    struct diskfs *d = s->server;
    struct diskfs_node *n = node_of(s, call);
    if (!n) return -ESTALE;
    if (d->fs.flags & FS_READ_ONLY) return -EROFS;
    uint64_t offset = call->request.args[0], length = call->request.args[1];
    if (length > 1u << 30) length = 1u << 30;
    if (offset > INT64_MAX - length - GRANT_BYTES) return -EFBIG;
    uint64_t more = (offset + length + GRANT_BYTES - 1) / GRANT_BYTES * GRANT_BYTES;
    int e = d->ops->reserve(n, more);
    if (!e) length = more - offset;
    else e = reserve(n, offset + length);
    if (e && length > DISKFS_PAGE) { /* perhaps a part of it */
        length = DISKFS_PAGE;
        e = d->ops->reserve(n, offset + length);
    }
    if (e) return diskfs_error(d, e);
    diskfs_granted_add(n);
    call->reply.args[0] = offset;
    call->reply.args[1] = length;
    return 0;
}

/* One run of dirty pages. */
static int run_write(struct diskfs_node *n, uint64_t offset, uint64_t length, uint64_t size) {
    struct diskfs *d = diskfs_of(n->node.fs);
    sys_memory_control(n->memory, MEMORY_WRITEBACK_BEGIN, offset, 0, length);
    uint64_t bytes = offset >= size ? 0 : length < size - offset ? length : size - offset;
    int64_t got = sys_read(n->memory, piece, bytes, (int64_t)offset, 0, 0);
    int64_t wrote = got > 0 ? d->ops->write(n, piece, (size_t)got, offset, size) : got;
    int e = wrote < 0 ? (int)wrote : 0;
    sys_memory_control(n->memory, MEMORY_WRITEBACK_END, offset, (uint64_t)-e, length);
    return diskfs_error(d, e);
}

static int write_back(struct diskfs_node *n) {
    uint64_t length, cursor = 0;
    long offset;
    int e = 0;
    if (n->memory < 0 || !n->granted) return 0;
    sys_memory_control(n->memory, MEMORY_REVOKE, 0, ALL_PAGES, 0);
    diskfs_of(n->node.fs)->ops->unreserve(n); /* nobody else takes it meanwhile */
    while ((offset = sys_memory_control(n->memory, MEMORY_DIRTY_NEXT, cursor, (uintptr_t)&length, 0)) >= 0) {
        if (length > DISKFS_PIECE) length = DISKFS_PIECE;
        int failure = run_write(n, (uint64_t)offset, length, diskfs_memory_size(n));
        e = e ?: failure;
        cursor = (uint64_t)offset + length;
    }
    /* What could not be written is tried again. */
    if (sys_memory_control(n->memory, MEMORY_DIRTY_NEXT, 0, (uintptr_t)&length, 0) < 0) diskfs_granted_remove(n);
    else diskfs_timer_start(diskfs_of(n->node.fs));
    diskfs_refresh(&n->node);
    return e;
}

static int64_t serve_write_back(struct scheme *s, struct port_buffer *call) {
    struct diskfs_node *n = node_of(s, call);
    if (n) (void)write_back(n);
    return 0;
}

static int format_sync(struct diskfs *d) { return d->ops->sync ? diskfs_error(d, d->ops->sync(d)) : 0; }

static int sync_all(struct diskfs *d) {
    int e = 0;
    for (struct diskfs_node *n = d->granted, *next; n; n = next) {
        next = n->granted_next;
        int written = write_back(n);
        e = e ?: written;
    }
    int failure = d->ops->dirty && d->ops->dirty(d) ? format_sync(d) : 0;
    return e ?: failure;
}

int diskfs_sync(struct fs_node *n, bool data_only) {
    struct diskfs *d = diskfs_of(n->fs);
    int e = n == d->fs.root ? sync_all(d) : node_is(n, MODE_REGULAR) ? write_back(diskfs_node_of(n)) : 0;
    int failure = format_sync(d);
    return e ?: failure;
}

/* --- for the class library --- */
void diskfs_refresh(struct fs_node *n) {
    struct diskfs_node *node = diskfs_node_of(n);
    struct memory_info info;
    if (node->memory < 0 || sys_memory_control(node->memory, MEMORY_INFO, (uintptr_t)&info, 0, 0) < 0) return;
    bool changed = false;
    n->size = (int64_t)info.size;
    if (info.mtime_ns && info.mtime_ns != n->mtime) {
        n->mtime = info.mtime_ns;
        if (n->ctime < n->mtime) n->ctime = n->mtime;
        fs_notify_modified(n);
        changed = true;
    }
    if (info.atime_ns > n->atime && (n->atime <= n->mtime || n->atime <= n->ctime)) {
        n->atime = info.atime_ns;
        changed = true;
    }
    if (changed && n->fs->ops->changed) n->fs->ops->changed(n);
}

void diskfs_closed(struct fs_open *o) {
    if ((o->flags & FILE_ACCESS_MASK) != FILE_READ_ONLY) diskfs_refresh(o->node);
}

void diskfs_times_set(struct fs_node *n) {
    if (diskfs_node_of(n)->memory >= 0) sys_memory_control(diskfs_node_of(n)->memory, MEMORY_CLEAR_TIMES, 0, 0, 0);
    n->fs->ops->changed(n);
}

int diskfs_stream(struct fs_node *n, bool write, handle_t *out) {
    struct diskfs_node *node = diskfs_node_of(n);
    if (node->memory < 0) {
        long memory = sys_memory_create_paged(n->fs->scheme.port, DISKFS_MEMORY | n->inode, (size_t)n->size);
        if (memory < 0) return (int)memory;
        node->memory = (handle_t)memory;
    }
    *out = node->memory;
    return 0;
}

int diskfs_resize(struct fs_node *n, int64_t size) {
    struct diskfs *d = diskfs_of(n->fs);
    struct diskfs_node *node = diskfs_node_of(n);
    if (d->fs.flags & FS_READ_ONLY) return -EROFS;
    int e = reserve(node, (uint64_t)size);
    if (e) return diskfs_error(d, e);
    if (node->memory >= 0) { /* what is granted beyond has no room any more */
        sys_memory_control(node->memory, MEMORY_REVOKE, 0, ALL_PAGES, 0);
        e = (int)sys_memory_control(node->memory, MEMORY_RESIZE, (uint64_t)size, 0, 0);
    }
    d->ops->unreserve(node);
    if (!e) e = d->ops->resize(node, (uint64_t)size);
    if (!e) n->size = size;
    diskfs_timer_start(d);
    return diskfs_error(d, e);
}

static bool busy(struct diskfs_node *n) {
    struct memory_info info;
    if (n->memory < 0) return false;
    if (n->granted) return true;
    long e = sys_memory_control(n->memory, MEMORY_INFO, (uintptr_t)&info, 0, 0);
    return e < 0 || info.mappings || info.dirty;
}

static void release(struct diskfs_node *n) {
    if (n->memory < 0) return;
    const struct diskfs_ops *ops = diskfs_of(n->node.fs)->ops;
    diskfs_granted_remove(n);
    if (ops->unreserve) ops->unreserve(n);
    sys_handle_close(n->memory);
    n->memory = HANDLE_NONE;
}

static void aged(struct diskfs *d) { (void)sync_all(d); }

const struct diskfs_streams diskfs_streams = {
    .requests = 16,
    .pool = DISKFS_PIECE,
    .page_in = serve_page_in,
    .reserve = serve_reserve,
    .write_back = serve_write_back,
    .sync = diskfs_sync,
    .sync_all = sync_all,
    .aged = aged,
    .busy = busy,
    .release = release,
};
