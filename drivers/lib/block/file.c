// SPDX-License-Identifier: MIT
/*
 * The scheme's files: `0`, `0p1` … and `stats`. An id says which disk and partition it is about, so that the
 * next instance knows the open files of this one (REOPEN); its upper part tells opens apart.
 */
#include "private.h"
#include <flat.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define ID_STATS 0xffff
#define ID_UNIT_SHIFT 8
#define MAJOR 259 /* Linux: block extended major */
#define NAME_SIZE 16

struct open_file *file_find(struct block_server *b, uint64_t id) {
    struct open_file **at = &b->private->files;
    for (; *at; at = &(*at)->next) {
        struct open_file *f = *at;
        if (f->id != id) continue;
        *at = f->next; /* the next look finds it first */
        f->next = b->private->files;
        b->private->files = f;
        return f->inert ? nullptr : f;
    }
    return nullptr;
}

static struct block_state *device_of(struct block_server *b, unsigned unit) {
    return unit < BLOCK_DEVICES_MAX ? b->private->devices[unit] : nullptr;
}

/* --- names --- */
static bool digits(const uint8_t **at, const uint8_t *end, unsigned *out) {
    const uint8_t *start = *at;
    for (*out = 0; *at < end && **at >= '0' && **at <= '9' && *at - start < 3; ++*at) *out = *out * 10 + (**at - '0');
    return *at > start && (*start != '0' || *at == start + 1);
}

/* unit << 8 | partition, ID_STATS, or -ENOENT. */
static int name_parse(struct block_server *b, const struct port_buffer *call, const uint8_t *name, size_t length) {
    const uint8_t *at = name, *end = name + length;
    unsigned unit, partition = 0;
    if (length == 5 && memcmp(name, "stats", 5) == 0) return ID_STATS;
    if (!digits(&at, end, &unit)) return -ENOENT;
    if (at < end && (*at++ != 'p' || !digits(&at, end, &partition) || partition == 0)) return -ENOENT;
    if (at != end || partition > PARTITIONS_MAX) return -ENOENT;
    struct block_state *d = device_of(b, unit);
    return d && (partition == 0 || d->volumes[partition].sectors) ? (int)(unit << ID_UNIT_SHIFT | partition) : -ENOENT;
}

/* What must be the same for an open file to live on with the next instance. */
static uint64_t generation(struct block_server *b, int what) {
    struct block_state *d = device_of(b, (unsigned)what >> ID_UNIT_SHIFT);
    if (what == ID_STATS || !d) return 0;
    const struct volume *v = &d->volumes[what & 0xff];
    return v->start * 0x9e3779b97f4a7c15ul ^ v->sectors;
}

/* O_PATH names a disk, which everybody may: it is no way to its data, whatever else the flags say. */
static struct open_file *file_add(struct block_server *b, uint64_t id, int what, uint64_t flags) {
    struct open_file *f = calloc(1, sizeof(*f));
    if (!f) return nullptr;
    f->id = id;
    f->inert = what == ID_STATS || flags & FILE_PATH;
    f->state = device_of(b, (unsigned)what >> ID_UNIT_SHIFT);
    f->partition = (unsigned)what & 0xff;
    f->writable = !f->inert && (flags & FILE_ACCESS_MASK) != FILE_READ_ONLY;
    f->next = b->private->files;
    b->private->files = f;
    return f;
}

static bool is_privileged(struct scheme *s, const struct port_buffer *call) {
    const struct credentials *c = scheme_credentials(s, call->request.credentials);
    return c && (c->privileges & PRIVILEGE_ROOT);
}

static int64_t block_open(struct scheme *s, struct port_buffer *call) {
    struct block_server *b = server_of(s);
    uint64_t flags = call->request.args[0];
    bool named = flags & FILE_PATH;
    if (flat_is_root(call)) return flat_open(call);
    int what = call->request.object ? -ENOTDIR : name_parse(b, call, call->data, call->request.length);
    if (what < 0) return what;
    if (!named && what == ID_STATS && (flags & FILE_ACCESS_MASK) != FILE_READ_ONLY) return -EACCES;
    if (!named && what != ID_STATS && !is_privileged(s, call)) return -EACCES;
    uint64_t id = ++b->private->next_id << 16 | (unsigned)what;
    if (!file_add(b, id, what, flags)) return -ENOMEM;
    reply_file(call, id, FILE_KIND_SEEKABLE | FILE_KIND_WATCHABLE | (what == ID_STATS ? 0 : FILE_KIND_BLOCKS));
    call->reply.args[1] = generation(b, what);
    return 0;
}

static int64_t block_reopen(struct scheme *s, struct port_buffer *call) {
    struct block_server *b = server_of(s);
    int what = (int)(call->request.object & 0xffff);
    if (call->request.object == 0) return 0;
    struct block_state *d = device_of(b, (unsigned)what >> ID_UNIT_SHIFT);
    if (what != ID_STATS && (!d || !d->volumes[what & 0xff].sectors || generation(b, what) != call->request.args[0]))
        return -ESTALE;
    for (struct open_file *f = b->private->files; f; f = f->next)
        if (f->id == call->request.object) return 0;
    struct open_file *f = file_add(b, call->request.object, what, call->request.args[1]);
    if (!f) return -ENOMEM;
    f->reopened = true;
    return 0;
}

static int64_t block_close(struct scheme *s, struct port_buffer *call) {
    struct block_server *b = server_of(s);
    file_find(b, call->request.object);
    struct open_file *f = b->private->files;
    if (!f || f->id != call->request.object) return 0;
    b->private->files = f->next;
    if (f->session) session_close(b, f->session);
    free(f);
    return 0;
}

/* --- what they tell --- */
static int64_t answer(struct port_buffer *call, const void *data, size_t size) {
    memcpy(call->data, data, size);
    call->reply.length = (uint32_t)size;
    return 0;
}

static int64_t block_stat(struct scheme *s, struct port_buffer *call) {
    struct block_server *b = server_of(s);
    if (flat_is_root(call)) return flat_stat(call);
    int what = call->request.object ? (int)(call->request.object & 0xffff)
                                    : name_parse(b, call, call->data, call->request.length);
    if (what < 0) return what;
    struct file_attributes a = {.inode = (uint64_t)what + 2, .links = 1, .mode = S_IFREG | 0444, .block_size = 4096};
    struct block_state *d = what == ID_STATS ? nullptr : device_of(b, (unsigned)what >> ID_UNIT_SHIFT);
    if (what != ID_STATS) {
        a.mode = S_IFBLK | 0600;
        a.rdev = makedev(MAJOR, (unsigned)what);
        if (d) a.size = (int64_t)(d->volumes[what & 0xff].sectors * d->device->sector_size);
        a.blocks = a.size / 512;
    }
    return answer(call, &a, sizeof(a));
}

static int64_t list_read(struct block_server *b, struct port_buffer *call) {
    static char names[BLOCK_DEVICES_MAX * 8 + PARTITIONS_MAX][NAME_SIZE];
    const char *list[sizeof(names) / NAME_SIZE];
    size_t count = 0;
    strcpy(names[count++], "stats");
    for (unsigned unit = 0; unit < BLOCK_DEVICES_MAX; unit++) {
        const struct block_state *d = b->private->devices[unit];
        for (unsigned p = 0; d && p <= PARTITIONS_MAX && count < sizeof(names) / NAME_SIZE; p++) {
            if (p > 0 && !d->volumes[p].sectors) continue;
            snprintf(names[count++], NAME_SIZE, p ? "%up%u" : "%u", unit, p);
        }
    }
    for (size_t i = 0; i < count; i++) list[i] = names[i];
    return flat_read(call, list, count);
}

static size_t stats_make(struct block_server *b, char *out, size_t room) {
    size_t used = 0;
    for (unsigned i = 0; i < BLOCK_DEVICES_MAX; i++) {
        const struct block_state *d = b->private->devices[i];
        if (!d || room - used < 400) continue;
        const struct block_stats *t = &d->stats;
        used += (size_t)snprintf(out + used, room - used,
                                 "disk %u\nreads %lu\nwrites %lu\nflushes %lu\nother %lu\nerrors %lu\nbytes_read %lu\n"
                                 "bytes_written %lu\nbytes_copied %lu\nbatches %lu\ndepth_max %u\n",
                                 i, t->reads, t->writes, t->flushes, t->others, t->errors, t->bytes_read,
                                 t->bytes_written, t->bytes_copied, t->kicks, t->depth_max);
    }
    return used;
}

static int64_t stats_read(struct block_server *b, struct port_buffer *call) {
    static char text[8192];
    return reply_text(call, text, stats_make(b, text, sizeof(text)));
}

static int64_t block_read(struct scheme *s, struct port_buffer *call) {
    if (flat_is_root(call)) return list_read(server_of(s), call);
    if ((call->request.object & 0xffff) == ID_STATS) return stats_read(server_of(s), call);
    return direct_read(s, call);
}

static int64_t block_watch(struct scheme *s, struct port_buffer *call) {
    /* The kernel may ask the next instance before it has reopened the file. */
    const struct open_file *f = file_find(server_of(s), call->request.object);
    bool restarted = (call->request.object & 0xffff) != ID_STATS && (!f || (f->reopened && !f->session));
    uint64_t ready = EVENT_IN | EVENT_OUT | (restarted ? DISK_RESTARTED : 0);
    return (int64_t)(call->request.args[0] & ready);
}

static int64_t block_set(struct scheme *s, struct port_buffer *call) {
    return call->request.args[1] & ~(uint64_t)SET_SIZE ? -EPERM : 0; /* O_TRUNC does nothing to a block device */
}

/* --- ioctls --- */
static int64_t table_reread(struct block_server *b, struct open_file *f) {
    if (!f->writable) return -EACCES;
    for (const struct open_file *o = b->private->files; o; o = o->next)
        if (o->state == f->state && o->partition > 0 && !o->inert) return -EBUSY;
    service_tell(&(struct service_message){.kind = SERVICE_NODE_GONE, .unit = f->state->unit}, HANDLE_NONE);
    partitions_read(b, f->state);
    return 0;
}

static int64_t control_range(struct scheme *s, struct port_buffer *call, uint32_t op) {
    uint64_t range[2];
    if (call->request.length < sizeof(range)) return -EINVAL;
    memcpy(range, call->data, sizeof(range));
    return direct_range(s, call, op, range[0], range[1]);
}

static int64_t answer_int(struct port_buffer *call, unsigned value) { return answer(call, &value, sizeof(value)); }

static int64_t block_control(struct scheme *s, struct port_buffer *call) {
    struct open_file *f = file_find(server_of(s), call->request.object);
    if (!f) return -ENOTTY;
    const struct block_device *d = f->state->device;
    uint64_t value;
    switch ((uint32_t)call->request.args[0]) {
    case BLKGETSIZE64: value = file_size(f); return answer(call, &value, sizeof(value));
    case BLKGETSIZE: value = file_size(f) / 512; return answer(call, &value, sizeof(value));
    case BLKSSZGET: return answer_int(call, d->sector_size);
    case BLKPBSZGET:
    case BLKIOMIN: return answer_int(call, d->physical_sector_size ?: d->sector_size);
    case BLKIOOPT: return answer_int(call, 0);
    case (uint32_t)BLKBSZGET: value = 4096; return answer(call, &value, sizeof(value));
    case BLKROGET: return answer_int(call, d->flags & DISK_READ_ONLY);
    case BLKFLSBUF: return direct_sync(s, call);
    case BLKRRPART: return f->partition ? -EINVAL : table_reread(server_of(s), f);
    case BLKDISCARD: return control_range(s, call, DISK_DISCARD);
    case BLKZEROOUT: return control_range(s, call, DISK_WRITE_ZEROES);
    default: return -ENOTTY;
    }
}

static int64_t info_answer(const struct open_file *f, struct port_buffer *call) {
    const struct block_device *d = f->state->device;
    const struct volume *v = file_volume(f);
    struct disk_info i = {
        .size = file_size(f),
        .start = v->start * d->sector_size,
        .sector_size = d->sector_size,
        .physical_sector_size = d->physical_sector_size ?: d->sector_size,
        .transfer_max = d->transfer_max,
        .depth = d->depth,
        .flags = d->flags | (v->partition ? DISK_PARTITION : 0),
        .partition = f->partition,
    };
    if (v->partition) {
        memcpy(i.uuid, v->partition->uuid, sizeof(i.uuid));
        memcpy(i.type, v->partition->type, sizeof(i.type));
        memcpy(i.label, v->partition->name, sizeof(i.label));
        i.mbr_type = v->partition->mbr_type;
    }
    memcpy(i.model, d->model, sizeof(i.model));
    memcpy(i.serial, d->serial, sizeof(i.serial));
    return answer(call, &i, sizeof(i));
}

static int64_t block_user(struct scheme *s, struct port_buffer *call) {
    struct block_server *b = server_of(s);
    struct open_file *f = file_find(b, call->request.object);
    if (!f) return -ENOTTY;
    switch (call->request.op) {
    case DISK_INFO: return info_answer(f, call);
    case DISK_MEMORY: return session_memory(s, f, call);
    case DISK_START: return session_start(b, f, call);
    default: return -ENOSYS;
    }
}

const struct scheme_ops block_scheme_ops = {
    .handler =
        {
            [OP_OPEN] = block_open,
            [OP_REOPEN] = block_reopen,
            [OP_CLOSE] = block_close,
            [OP_READ] = block_read,
            [OP_WRITE] = direct_write,
            [OP_SYNC] = direct_sync,
            [OP_STAT] = block_stat,
            [OP_SET_ATTRIBUTES] = block_set,
            [OP_CONTROL] = block_control,
            [OP_WATCH] = block_watch,
        },
    .user = block_user,
};
