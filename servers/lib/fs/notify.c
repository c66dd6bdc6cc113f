// SPDX-License-Identifier: MIT
/*
 * inotify: who watches a node hears what happens to it and, of a directory, to its entries.
 *
 * An inotify descriptor is an open file of fs->notify_node with a queue of events; it has no plane, because
 * reads give whole events and equal ones are joined.  A watch holds its node as an opener does: the
 * node is gone (DELETE_SELF, IGNORED) when it has no name and nobody but its watches has it.
 * Bytes go to streams without us: while a file that somebody hears of is open for writing, we look every LOOK_NS.
 * A file doesn't know its names: while there is any instance, opens remember by which they came (struct fs_via).
 */
#include <fs.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EVENTS_MAX 16384
#define WATCHES_MAX 8192 /* per instance */
#define INSTANCES_MAX 128 /* per user */
#define LOOK_NS 100000000LL
enum { /* flags of inotify_add_watch, and of events */
       ONLY_DIRECTORY = 0x01000000,
       DONT_FOLLOW = 0x02000000,
       EXCLUDE_UNLINKED = 0x04000000,
       MASK_CREATE = 0x10000000,
       MASK_ADD = 0x20000000,
       IS_DIRECTORY = 0x40000000,
       ONE_SHOT = (int32_t)0x80000000,
       QUEUE_OVERFLOW = 0x4000,
       IGNORED = 0x8000,
};

struct event_record { /* struct inotify_event */
    int32_t watch;
    uint32_t mask, cookie, length; /* of the name with its padding of NULs */
};
struct notify_event {
    struct notify_event *next;
    struct event_record record;
    char name[];
};
struct fs_notify_watch {
    struct fs_notify_watch *node_next, *next;
    struct fs_node *node;
    struct fs_notify *notify;
    int32_t id;
    uint32_t mask;
};
struct fs_notify { /* one instance */
    struct fs_open *open;
    struct fs_notify_watch *watches;
    struct notify_event *first, *last;
    uint32_t event_count, watch_count, uid;
    int32_t bytes, last_id;
    struct scheme_queue readers;
};

/* --- the queue ----------------------------------------------------------------------------------- */
static size_t event_size(const struct notify_event *e) { return sizeof(e->record) + e->record.length; }

static void event_add(struct fs_notify *f, int32_t watch, uint32_t mask, uint32_t cookie, struct fs_name name) {
    bool full = f->event_count >= EVENTS_MAX;
    if (full && f->last->record.mask == QUEUE_OVERFLOW) return;
    if (full) name.length = 0;
    size_t length = name.length ? (name.length + sizeof(struct event_record)) & ~(sizeof(struct event_record) - 1) : 0;
    struct notify_event *e = calloc(1, sizeof(*e) + length), *last = f->last;
    if (!e) return;
    e->record = (struct event_record){watch, mask, cookie, (uint32_t)length};
    if (full) e->record = (struct event_record){-1, QUEUE_OVERFLOW, 0, 0};
    if (name.length) memcpy(e->name, name.text, name.length);
    if (last && event_size(last) == event_size(e) && memcmp(&last->record, &e->record, event_size(e)) == 0) {
        free(e);
        return;
    }
    if (last) last->next = e;
    else f->first = e;
    f->last = e;
    f->event_count++;
    f->bytes += (int32_t)event_size(e);
    struct scheme *s = &f->open->node->fs->scheme;
    scheme_wake(s, &f->readers);
    watch_post(s, &f->open->watch, f->open->id, EVENT_IN);
}

static void event_drop(struct fs_notify *f) {
    struct notify_event *e = f->first;
    f->first = e->next;
    if (!f->first) f->last = nullptr;
    f->event_count--;
    f->bytes -= (int32_t)event_size(e);
    free(e);
}

int64_t fs_notify_read(struct fs_call *c, struct fs_open *o, void *out, size_t size, bool nonblock) {
    struct fs_notify *f = o->notify;
    size_t used = 0;
    c->wait = &f->readers;
    if (!f->first) return nonblock ? -EAGAIN : FS_WAIT;
    for (; f->first && size - used >= event_size(f->first); event_drop(f)) {
        memcpy((char *)out + used, &f->first->record, event_size(f->first));
        used += event_size(f->first);
    }
    return used ? (int64_t)used : -EINVAL;
}

uint32_t fs_notify_ready(const struct fs_open *o) { return o->notify->first ? EVENT_IN : 0; }

int32_t fs_notify_bytes(const struct fs_open *o) { return o->notify->bytes; }

/* --- watches ------------------------------------------------------------------------------------- */
static void watch_remove(struct fs_notify_watch *w) {
    struct fs_node *n = w->node;
    struct fs_notify_watch **p = &n->watches;
    while (*p != w) p = &(*p)->node_next;
    *p = w->node_next;
    for (p = &w->notify->watches; *p != w;) p = &(*p)->next;
    *p = w->next;
    w->notify->watch_count--;
    free(w);
    fs_node_put(n);
}

static void watch_end(struct fs_notify_watch *w) {
    event_add(w->notify, w->id, IGNORED, 0, (struct fs_name){});
    watch_remove(w);
}

/* What of a watch's event is left when it excludes files without a name. */
static bool is_excluded(const struct fs_notify_watch *w, const struct fs_node *child) {
    return child && w->mask & EXCLUDE_UNLINKED && !child->links;
}

/* `child`: whose name it is, if it may have lost it. */
static void post(struct fs_node *n, uint32_t mask, uint32_t cookie, struct fs_name name, const struct fs_node *child) {
    fs_node_get(n); /* the last watch may go */
    for (struct fs_notify_watch *w = n->watches, *next; w; w = next) {
        next = w->node_next;
        if (!(w->mask & mask & NOTIFY_ALL) || is_excluded(w, child)) continue;
        event_add(w->notify, w->id, mask, cookie, name);
        if (w->mask & (uint32_t)ONE_SHOT) watch_end(w);
    }
    fs_node_put(n);
}

static uint32_t kind_of(const struct fs_node *n) { return node_is(n, MODE_DIRECTORY) ? IS_DIRECTORY : 0; }

void fs_notify_entry(struct fs_node *dir, struct fs_name name, const struct fs_node *n, uint32_t mask,
                     uint32_t cookie) {
    if (dir->watches) post(dir, mask | kind_of(n), cookie, name, nullptr);
}

void fs_notify_self(struct fs_node *n, uint32_t mask) {
    uint32_t kind = mask & NOTIFY_MOVE_SELF ? 0 : kind_of(n);
    if (n->watches) post(n, mask | kind, 0, (struct fs_name){}, nullptr);
}

void fs_notify_slow(struct fs_node *n, struct fs_node *dir, struct fs_name name, uint32_t mask) {
    bool directory = node_is(n, MODE_DIRECTORY);
    if (directory) dir = n->links && n->parent != n && n->fs->ops->name(n, &name) == 0 ? n->parent : nullptr;
    fs_node_get(n);
    if (dir && dir->watches) post(dir, mask | kind_of(n), 0, name, n);
    fs_notify_self(n, mask);
    fs_node_put(n);
}

void fs_notify_open(struct fs_open *o, uint32_t mask) {
    struct fs_name none = {};
    fs_notify(o->node, o->via ? o->via->dir : nullptr, o->via ? o->via->name : none, mask);
}

void fs_notify_modified(struct fs_node *n) {
    if (!n->fs->notify_count) return;
    fs_notify_self(n, NOTIFY_MODIFY);
    for (struct fs_open *o = n->opens; o; o = o->next)
        if (o->via && (o->flags & FILE_ACCESS_MASK) != FILE_READ_ONLY && o->via->dir->watches)
            post(o->via->dir, NOTIFY_MODIFY, 0, o->via->name, n);
}

/* Only its watches hold it, and it has no name. */
void fs_notify_gone(struct fs_node *n) {
    uint32_t watches = 0;
    for (struct fs_notify_watch *w = n->watches; w; w = w->node_next) watches++;
    if (n->links || n->refs != watches) return;
    fs_node_get(n);
    post(n, NOTIFY_DELETE_SELF, 0, (struct fs_name){}, nullptr);
    while (n->watches) watch_end(n->watches);
    fs_node_put(n);
}

/* --- writes that nobody tells us about ------------------------------------------------------------ */

static bool wants_modify(const struct fs_node *n) {
    for (struct fs_notify_watch *w = n->watches; w; w = w->node_next)
        if (w->mask & NOTIFY_MODIFY) return true;
    return false;
}

/* May it write behind our back to what somebody wants to hear of? */
static bool is_looked_at(const struct fs_open *o) {
    if (!node_is(o->node, MODE_REGULAR) || (o->flags & FILE_ACCESS_MASK) == FILE_READ_ONLY) return false;
    return wants_modify(o->node) || (o->via && wants_modify(o->via->dir));
}

static void look_at(struct fs *fs, bool again) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    fs->scheme.deadline = again ? t.tv_sec * 1000000000LL + t.tv_nsec + LOOK_NS : DEADLINE_NEVER;
}

void fs_notify_look(struct scheme *s) {
    struct fs *fs = s->server;
    bool again = false;
    for (uint32_t i = 0; i < fs->opens.capacity && fs->notify_count; i++) {
        struct fs_open *o = fs->opens.slots[i].object;
        if (!o || !is_looked_at(o)) continue;
        again = true;
        fs->ops->refresh(o->node);
    }
    look_at(fs, again);
}

void fs_notify_opened(struct fs_open *o) {
    struct fs *fs = o->node->fs;
    fs_notify_open(o, NOTIFY_OPEN);
    if (fs->ops->refresh && fs->scheme.deadline == DEADLINE_NEVER && is_looked_at(o)) look_at(fs, true);
}

/* --- watches again --------------------------------------------------------------------------------- */
static struct fs_notify_watch *watch_find(struct fs_notify *f, const struct fs_node *n, int32_t id) {
    struct fs_notify_watch *w = f->watches;
    while (w && (n ? w->node != n : w->id != id)) w = w->next;
    return w;
}

int64_t fs_notify_add(struct fs_call *c, struct fs_open *o, struct fs_node *start, struct fs_name path, uint32_t mask) {
    struct fs_notify *f = o->notify;
    struct fs_walk w;
    if (!mask || (mask & MASK_ADD && mask & MASK_CREATE)) return -EINVAL;
    int result = fs_walk(c, start, path, mask & DONT_FOLLOW ? 0 : WALK_FOLLOW, &w);
    if (result) return result;
    if (mask & ONLY_DIRECTORY && !node_is(w.node, MODE_DIRECTORY)) return -ENOTDIR;
    if ((result = fs_permit(c, w.node, MAY_READ))) return result;
    uint32_t kept = mask & (NOTIFY_ALL | EXCLUDE_UNLINKED | (uint32_t)ONE_SHOT);
    struct fs_notify_watch *watch = watch_find(f, w.node, 0);
    if (watch && mask & MASK_CREATE) return -EEXIST;
    fs_refresh(w.node); /* what was written before is no news */
    if (c->fs->ops->refresh && mask & NOTIFY_MODIFY) look_at(c->fs, true);
    if (watch) {
        watch->mask = kept | (mask & MASK_ADD ? watch->mask : 0);
        return watch->id;
    }
    if (f->watch_count >= WATCHES_MAX || f->last_id == INT32_MAX) return -ENOSPC;
    if (!(watch = malloc(sizeof(*watch)))) return -ENOMEM;
    *watch = (struct fs_notify_watch){.node_next = w.node->watches,
                                      .next = f->watches,
                                      .node = w.node,
                                      .notify = f,
                                      .id = ++f->last_id,
                                      .mask = kept};
    fs_node_get(w.node);
    w.node->watches = f->watches = watch;
    f->watch_count++;
    return watch->id;
}

int fs_notify_remove(struct fs_open *o, int32_t id) {
    struct fs_notify_watch *w = watch_find(o->notify, nullptr, id);
    if (!w) return -EINVAL;
    watch_end(w);
    return 0;
}

/* --- instances, and the names of opens ----------------------------------------------------------- */
int fs_notify_init(struct fs_open *o, uint32_t uid) {
    uint32_t count = 0;
    for (const struct fs_open *other = o->node->opens; other; other = other->next)
        count += other->notify && other->notify->uid == uid;
    if (count >= INSTANCES_MAX) return -EMFILE;
    if (!(o->notify = calloc(1, sizeof(*o->notify)))) return -ENOMEM;
    o->notify->open = o;
    o->notify->uid = uid;
    o->node->fs->notify_count++;
    return 0;
}

void fs_notify_fini(struct fs_open *o) {
    struct fs_notify *f = o->notify;
    while (f->watches) watch_remove(f->watches);
    while (f->first) event_drop(f);
    free(f);
    o->notify = nullptr;
    o->node->fs->notify_count--;
}

void fs_via_set(struct fs_open *o, struct fs_node *dir, struct fs_name name) {
    struct fs_via *v = malloc(sizeof(*v) + name.length), *old = o->via;
    if (!v) return; /* then its directory hears less */
    memcpy(v->text, name.text, name.length);
    v->dir = dir;
    v->name = fs_name(v->text, name.length);
    fs_node_get(dir);
    o->via = v;
    fs_via_drop(old);
}

void fs_via_drop(struct fs_via *v) {
    if (!v) return;
    fs_node_put(v->dir);
    free(v);
}

void fs_via_move(struct fs_node *n, struct fs_node *from, struct fs_name old, struct fs_node *to, struct fs_name new) {
    for (struct fs_open *o = n->opens; o; o = o->next)
        if (o->via && o->via->dir == from && name_is(old, o->via->text, o->via->name.length)) fs_via_set(o, to, new);
}
