// SPDX-License-Identifier: MIT
/*
 * The scheme's files: `0`, the card; `stats`, text; `capture`, all frames from its opening on as pcap. The lower part
 * of an id says what it is, so that the next instance knows the open files of this one (REOPEN).
 */
#include "private.h"
#include <flat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define KIND_BITS 2
#define KIND_MASK 3u

static const char *const names[] = {[FILE_CARD - 1] = "0", [FILE_STATS - 1] = "stats", [FILE_CAPTURE - 1] = "capture"};
#define NAMES (sizeof(names) / sizeof(names[0]))

static struct net_file *file_find(struct net_device *d, uint64_t id) {
    for (struct net_file *f = d->private->files; f; f = f->next)
        if (f->id == id) return f;
    return nullptr;
}

/* What the request is about: enum file_kind_of, or -errno. */
static int what_of(const struct port_buffer *call) {
    if (call->request.object) return (int)(call->request.object & KIND_MASK);
    for (unsigned i = 0; i < NAMES; i++)
        if (strlen(names[i]) == call->request.length && memcmp(names[i], call->data, call->request.length) == 0)
            return (int)i + 1;
    return -ENOENT;
}

/* What must be the same for an open file to live on with the next instance. */
static uint64_t generation(const struct net_device *d) {
    uint64_t address = 0;
    memcpy(&address, d->info.address, sizeof(d->info.address));
    return address;
}

static struct net_file *file_add(struct net_device *d, uint64_t id, int what, uint64_t flags) {
    struct net_file *f = calloc(1, sizeof(*f));
    if (!f) return nullptr;
    f->id = id;
    f->what = (enum file_kind_of)what;
    f->inert = flags & FILE_PATH;
    if (what == FILE_CAPTURE && !f->inert) {
        f->capture = capture_create(d);
        if (!f->capture) {
            free(f);
            return nullptr;
        }
    }
    f->next = d->private->files;
    d->private->files = f;
    return f;
}

static bool is_privileged(struct scheme *s, const struct port_buffer *call) {
    const struct credentials *c = scheme_credentials(s, call->request.credentials);
    return c && (c->privileges & PRIVILEGE_ROOT);
}

static int64_t net_open(struct scheme *s, struct port_buffer *call) {
    struct net_device *d = device_of(s);
    uint64_t flags = call->request.args[0];
    if (flat_is_root(call)) return flat_open(call);
    int what = call->request.object ? -ENOTDIR : what_of(call);
    if (what < 0) return what;
    if (!(flags & FILE_PATH)) {
        if (what != FILE_CARD && (flags & FILE_ACCESS_MASK) != FILE_READ_ONLY) return -EACCES;
        if (what != FILE_STATS && !is_privileged(s, call)) return -EACCES;
    }
    uint64_t id = ++d->private->next_id << KIND_BITS | (unsigned)what;
    if (!file_add(d, id, what, flags)) return -ENOMEM;
    reply_file(call, id, FILE_KIND_WATCHABLE | (what == FILE_STATS ? FILE_KIND_SEEKABLE : 0));
    call->reply.args[1] = generation(d);
    return 0;
}

/* A capture goes on with a header in its midst: it ends instead. */
static int64_t net_reopen(struct scheme *s, struct port_buffer *call) {
    struct net_device *d = device_of(s);
    int what = (int)(call->request.object & KIND_MASK);
    if (call->request.object == 0) return 0;
    if (what == FILE_CAPTURE || call->request.args[0] != generation(d)) return -ESTALE;
    if (file_find(d, call->request.object)) return 0;
    struct net_file *f = file_add(d, call->request.object, what, call->request.args[1]);
    if (!f) return -ENOMEM;
    f->reopened = true;
    return 0;
}

static int64_t net_close(struct scheme *s, struct port_buffer *call) {
    struct net_device *d = device_of(s);
    for (struct net_file **at = &d->private->files; *at; at = &(*at)->next) {
        struct net_file *f = *at;
        if (f->id != call->request.object) continue;
        *at = f->next;
        if (session_of(d)->file == f) session_end(d);
        if (f->capture) capture_destroy(d, f->capture);
        free(f);
        return 0;
    }
    return 0;
}

/* --- what they tell --- */
static int64_t answer(struct port_buffer *call, const void *data, size_t size) {
    memcpy(call->data, data, size);
    call->reply.length = (uint32_t)size;
    return 0;
}

static int64_t net_stat(struct scheme *s, struct port_buffer *call) {
    if (flat_is_root(call)) return flat_stat(call);
    int what = what_of(call);
    if (what < 0) return what;
    struct file_attributes a = {.inode = (uint64_t)what + 1, .links = 1, .mode = S_IFREG | 0444, .block_size = 4096};
    if (what == FILE_CARD) a.mode = S_IFCHR | 0600;
    if (what == FILE_CAPTURE) a.mode = S_IFREG | 0400;
    return answer(call, &a, sizeof(a));
}

static int64_t stats_read(struct net_device *d, struct port_buffer *call) {
    const struct net_statistics *t = &d->statistics;
    char text[1024];
    int length = snprintf(text, sizeof(text),
                          "link %u\nreceived_frames %lu\nreceived_bytes %lu\nsent_frames %lu\nsent_bytes %lu\n"
                          "receive_errors %lu\nreceive_dropped %lu\nsend_errors %lu\nbytes_copied %lu\n"
                          "interrupts %lu\ndoorbells %lu\nposts %lu\nresets %lu\nlink_changes %lu\n",
                          d->link, t->received_frames, t->received_bytes, t->sent_frames, t->sent_bytes,
                          t->receive_errors, t->receive_dropped, t->send_errors, t->bytes_copied, t->interrupts,
                          t->doorbells, t->posts, t->resets, t->link_changes);
    return reply_text(call, text, (size_t)length);
}

static int64_t net_read(struct scheme *s, struct port_buffer *call) {
    struct net_device *d = device_of(s);
    if (flat_is_root(call)) return flat_read(call, names, NAMES);
    struct net_file *f = file_find(d, call->request.object);
    if (!f || f->inert) return -EBADF;
    switch (f->what) {
    case FILE_STATS: return stats_read(d, call);
    case FILE_CAPTURE: return capture_read(s, f->capture, call);
    default: return -EINVAL;
    }
}

static int64_t net_watch(struct scheme *s, struct port_buffer *call) {
    struct net_device *d = device_of(s);
    const struct net_file *f = file_find(d, call->request.object);
    if (f && f->capture) return capture_watch(f->capture, f->id, (uint32_t)call->request.args[0]);
    /* The kernel may ask the next instance before it has reopened the file. */
    bool card = (call->request.object & KIND_MASK) == FILE_CARD;
    bool restarted = card && (!f || (f->reopened && session_of(d)->file != f));
    return (int64_t)(call->request.args[0] & (EVENT_IN | EVENT_OUT | (restarted ? NET_RESTARTED : 0)));
}

/* --- the session's calls --- */
void net_filtered(struct net_device *d) {
    d->filter_busy = false;
    scheme_wake(&d->scheme, &d->private->filter_waiters);
}

/* Answered when the device knows. */
static int64_t net_filter_set(struct net_device *d, const struct net_file *f, struct port_buffer *call) {
    if (scheme_again(&d->scheme) && d->running)
        return d->filter_busy ? scheme_park(&d->scheme, call, &d->private->filter_waiters) : 0;
    uint32_t count = call->request.length / sizeof(d->addresses[0]);
    if (session_of(d)->file != f || !d->running) return -EINVAL;
    if (call->request.length % sizeof(d->addresses[0]) || count > NET_ADDRESSES_MAX ||
        call->request.args[0] & ~(uint64_t)(NET_PROMISCUOUS | NET_ALL_MULTICAST))
        return -EINVAL;
    memcpy(d->addresses, call->data, call->request.length);
    d->address_count = count;
    d->filter = (uint32_t)call->request.args[0];
    d->filter_busy = true;
    d->ops->filter(d);
    return d->filter_busy ? scheme_park(&d->scheme, call, &d->private->filter_waiters) : 0;
}

static int64_t ring_hang(struct net_device *d, const struct net_file *f) {
    if (session_of(d)->file != f || !d->running) return -EINVAL;
    if (!d->ops->hang) return -EOPNOTSUPP;
    d->ops->hang(d);
    return 0;
}

static int64_t net_user(struct scheme *s, struct port_buffer *call) {
    struct net_device *d = device_of(s);
    const struct net_file *f = file_find(d, call->request.object);
    if (!f || f->inert || f->what != FILE_CARD) return -ENOTTY;
    switch (call->request.op) {
    case NET_INFO: return answer(call, &d->info, sizeof(d->info));
    case NET_STATISTICS: return answer(call, &d->statistics, sizeof(d->statistics));
    case NET_POOL: return session_pool(d, f, call);
    case NET_RINGS: return session_rings(d, f, call);
    case NET_START: return session_start(d, f, call);
    case NET_STOP:
        if (session_of(d)->file == f) session_end(d);
        return 0;
    case NET_FILTER: return net_filter_set(d, f, call);
    case NET_RESET_RING: return ring_hang(d, f);
    default: return -ENOSYS;
    }
}

const struct scheme_ops net_scheme_ops = {
    .handler =
        {
            [OP_OPEN] = net_open,
            [OP_REOPEN] = net_reopen,
            [OP_CLOSE] = net_close,
            [OP_READ] = net_read,
            [OP_STAT] = net_stat,
            [OP_WATCH] = net_watch,
        },
    .user = net_user,
};
