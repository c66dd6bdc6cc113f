// SPDX-License-Identifier: MIT
/* Start, events, the end; the disk as struct blkdev. */
#include <diskfs.h>
#include <service.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define UNMOUNT_TRIES 5
#define UNMOUNT_AGAIN_NS 20000000
#define AGE_NS 5000000000ll /* of what is not written yet */

enum { KEY_DISK = 1, KEY_SUPERVISOR, KEY_TIMER };

static volatile sig_atomic_t terminated;
static handle_t loop_event;
static unsigned unmount_tries; /* left */

static void on_terminate(int signal) {
    terminated = 1;
    sys_event_post(loop_event, 1);
}

int diskfs_error(struct diskfs *d, int error) {
    if (error != -EUCLEAN || d->fs.flags & FS_READ_ONLY) return error;
    service_log("%s: %s: damaged, read-only", d->ops->name, diskfs_place(d));
    d->fs.flags |= FS_READ_ONLY;
    return error;
}

void diskfs_timer_start(struct diskfs *d) {
    if (d->timer_set) return;
    d->timer_set = true;
    sys_timer_set(d->timer, AGE_NS, 0, TIMER_RELATIVE, nullptr);
}

/* --- the disk --- */
static struct diskfs *of_device(struct blkdev *b) {
    return (struct diskfs *)((char *)b - offsetof(struct diskfs, device));
}

/* Sectors of the disk may be larger than ours; formats take whole blocks, which are larger still. */
static bool fits(const struct diskfs *d, uint64_t sector, uint32_t sectors) {
    uint32_t mask = d->disk.info.sector_size / BLKDEV_SECTOR - 1;
    return !((sector | sectors) & mask);
}

static int device_read(struct blkdev *b, uint64_t sector, void *out, uint32_t sectors) {
    struct diskfs *d = of_device(b);
    if (!fits(d, sector, sectors)) return -EOPNOTSUPP;
    return disk_read(&d->disk, sector * BLKDEV_SECTOR, out, (size_t)sectors * BLKDEV_SECTOR, 0, DISKFS_PIECE);
}

static int device_write(struct blkdev *b, uint64_t sector, const void *in, uint32_t sectors) {
    struct diskfs *d = of_device(b);
    if (!fits(d, sector, sectors)) return -EOPNOTSUPP;
    return disk_write(&d->disk, sector * BLKDEV_SECTOR, in, (size_t)sectors * BLKDEV_SECTOR, 0, DISKFS_PIECE);
}

static int device_flush(struct blkdev *b) { return disk_flush(&of_device(b)->disk); }

static int disk_take(struct diskfs *d, handle_t file) {
    int e = disk_open(&d->disk, file, d->ops->streams->requests, d->ops->streams->pool);
    if (e) return e;
    d->device = (struct blkdev){.read = device_read,
                                .write = device_write,
                                .flush = device_flush,
                                .sectors = d->disk.info.size / BLKDEV_SECTOR,
                                .read_only = d->disk.info.flags & DISK_READ_ONLY};
    return 0;
}

/* --- the end --- */
static int unmount(struct diskfs *d) {
    int e = d->ops->streams->sync_all(d);
    for (uint32_t i = 0; i < DISKFS_BUCKETS; i++)
        for (struct diskfs_node *n = d->buckets[i], *next; n; n = next) {
            next = n->hash_next;
            d->ops->node_free(n);
        }
    int closed = d->ops->close(d);
    disk_close(&d->disk);
    return e ?: closed;
}

[[noreturn]] static void finish(struct diskfs *d) {
    int e = unmount(d);
    if (e) service_log("%s: %s: unmounted with error %d", d->ops->name, diskfs_place(d), -e);
    exit(-e);
}

static void tell(uint32_t kind, int error) {
    struct service_message m = {.kind = kind, .unit = (uint32_t)error};
    service_tell(&m, HANDLE_NONE);
}

static bool is_busy(struct diskfs *d) {
    if (d->fs.opens.count) return true;
    for (uint32_t i = 0; i < DISKFS_BUCKETS; i++)
        for (struct diskfs_node *n = d->buckets[i]; n; n = n->hash_next) {
            struct memory_info info;
            if (n->node.mount) return true;
            if (n->memory >= 0 && sys_memory_control(n->memory, MEMORY_INFO, (uintptr_t)&info, 0, 0) == 0 &&
                info.mappings)
                return true;
        }
    return false;
}

/* The timer, which is the age's, is taken for it. */
static void unmount_soon(struct diskfs *d) {
    d->timer_set = true;
    sys_timer_set(d->timer, UNMOUNT_AGAIN_NS, 0, TIMER_RELATIVE, nullptr);
}

static void supervisor_asks(struct diskfs *d) {
    struct service_message m;
    while (service_hear(&m, nullptr)) {
        if (m.kind != SERVICE_UNMOUNT) continue;
        if (m.unit || !is_busy(d)) finish(d);
        unmount_tries = UNMOUNT_TRIES;
        unmount_soon(d);
    }
}

/* The news that files were closed may be on their way. */
static void unmount_again(struct diskfs *d) {
    if (!is_busy(d)) finish(d);
    if (--unmount_tries) return unmount_soon(d);
    tell(SERVICE_FAILED, EBUSY);
    diskfs_timer_start(d);
}

/* --- the loop --- */
static void timer_passed(struct diskfs *d) {
    uint64_t times;
    sys_read(d->timer, &times, sizeof(times), OFFSET_CURRENT, 0, 0);
    d->timer_set = false;
    if (unmount_tries) unmount_again(d);
    else d->ops->streams->aged(d);
}

static void after(struct diskfs *d) {
    if (d->ops->streams->after) d->ops->streams->after(d);
}

static void on_event(struct scheme *s, uint64_t key, uint32_t mask) {
    struct diskfs *d = s->server;
    d->polling = key == KEY_DISK;
    if (key == KEY_DISK) disk_poll(&d->disk);
    else if (key == KEY_SUPERVISOR) supervisor_asks(d);
    else timer_passed(d);
    d->polling = false;
    after(d);
}

static void on_posted(struct scheme *s) {
    if (terminated) finish(s->server);
    after(s->server);
}

static int64_t serve_memory_low(struct scheme *s, struct port_buffer *call) {
    diskfs_nodes_drop(s->server, 64);
    return 0;
}

/* fsync of an open file, and the kernel's for one that is mapped. */
static int64_t serve_sync(struct scheme *s, struct port_buffer *call) {
    struct diskfs *d = s->server;
    if (!(call->request.object & DISKFS_MEMORY)) return fs_scheme_ops.handler[OP_SYNC](s, call);
    struct diskfs_node *n = diskfs_node_find(d, call->request.object & ~DISKFS_MEMORY);
    return n ? d->ops->streams->sync(&n->node, true) : 0;
}

/* Closes are wanted at once: a volume with open files isn't unmounted. */
static int64_t serve_open(struct scheme *s, struct port_buffer *call) {
    int64_t result = fs_scheme_ops.handler[OP_OPEN](s, call);
    call->reply.flags &= ~(uint32_t)REPLY_CLOSE_LATE;
    return result;
}

static int serve(struct diskfs *d) {
    static struct scheme_ops ops;
    ops = fs_scheme_ops;
    ops.handler[OP_PAGE_IN] = d->ops->streams->page_in;
    ops.handler[OP_RESERVE] = d->ops->streams->reserve;
    ops.handler[OP_WRITEBACK] = d->ops->streams->write_back;
    ops.handler[OP_MEMORY_LOW] = serve_memory_low;
    ops.handler[OP_SYNC] = serve_sync;
    ops.handler[OP_OPEN] = serve_open;
    ops.event = on_event;
    ops.posted = on_posted;
    int e = scheme_init(&d->fs.scheme, SERVICE_SCHEME, &ops, &d->fs);
    if (e) return e;
    d->timer = (handle_t)sys_timer_create(CLOCK_MONO, HANDLE_IN_UPPER, 0);
    if (d->timer < 0) return d->timer;
    if ((e = scheme_event_add(&d->fs.scheme, d->disk.event, EVENT_IN, KEY_DISK))) return e;
    if ((e = scheme_event_add(&d->fs.scheme, SERVICE_SUPERVISOR, EVENT_IN, KEY_SUPERVISOR))) return e;
    if ((e = scheme_event_add(&d->fs.scheme, d->timer, EVENT_IN, KEY_TIMER))) return e;
    loop_event = d->fs.scheme.event;
    struct sigaction action = {.sa_handler = on_terminate};
    sigaction(SIGTERM, &action, nullptr);
    tell(SERVICE_READY, 0);
    return scheme_serve(&d->fs.scheme);
}

int diskfs_main(int argc, char **argv, struct diskfs *d, const struct diskfs_ops *ops) {
    struct diskfs_node *root;
    if (argc < 2) return EINVAL;
    const char *mount_point = strcmp(argv[1], "/") == 0 ? nullptr : argv[1];
    bool read_only = argc > 2 && strcmp(argv[2], "ro") == 0;
    d->ops = ops;
    int e = fs_init(&d->fs, ops->fs, mount_point);
    if (!e) e = disk_take(d, SERVICE_SLOT(1));
    if (!e) e = ops->open(d, d->device.read_only || read_only, &root);
    if (!e && !node_is(&root->node, MODE_DIRECTORY)) e = -EUCLEAN;
    if (!e && mount_point && !read_only && d->fs.flags & FS_READ_ONLY) { /* mount(8) asks again for less */
        ops->close(d);
        return d->device.read_only ? EACCES : EROFS;
    }
    if (!e) {
        root->node.parent = d->fs.root = &root->node;
        fs_node_get(&root->node);
        e = serve(d);
    }
    service_log("%s: %s: error %d", ops->name, argv[1], -e);
    return -e;
}
