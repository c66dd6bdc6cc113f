// SPDX-License-Identifier: MIT
/*
 * fcntl and flock locks of open files: who waits, who is woken, who would wait for ever.
 *
 * Owners: the process for F_SETLK, the open file for F_OFD_SETLK and flock.  A waiting request runs
 * again whenever a lock on its file goes; until then its fs_lock_wait is an edge of the graph in
 * which EDEADLK is found (POSIX locks only, as on Linux).
 */
#include <fs.h>
#include <stdlib.h>

enum { GETLK = 5, SETLK = 6, SETLKW = 7, OFD_GETLK = 36, OFD_SETLK = 37, OFD_SETLKW = 38 };
enum { WHENCE_SET = 0, WHENCE_END = 2 };

void fs_locks_drop(struct fs_node *n, uint64_t owner, bool flock) {
    if (lock_drop(flock ? &n->flocks : &n->locks, owner)) scheme_wake(&n->fs->scheme, &n->lock_queue);
}

static int range_read(struct fs_node *n, const struct fs_flock *f, struct fs_lock *out) {
    int64_t start = f->start, end;
    if (f->type < LOCK_SHARED || f->type > LOCK_NONE || (f->whence != WHENCE_SET && f->whence != WHENCE_END))
        return -EINVAL;
    if (f->whence == WHENCE_END) {
        fs_refresh(n);
        if (__builtin_add_overflow(n->size, start, &start)) return -EOVERFLOW;
    }
    if (f->length < 0) {
        if (__builtin_sub_overflow(start, 1, &end) || __builtin_add_overflow(start, f->length, &start)) return -EINVAL;
    } else if (f->length == 0) {
        end = INT64_MAX;
    } else if (__builtin_add_overflow(start, f->length - 1, &end)) {
        return -EOVERFLOW;
    }
    if (start < 0 || end < start) return -EINVAL;
    out->start = start;
    out->end = end;
    out->type = f->type;
    return 0;
}

static void range_write(const struct fs_lock *l, struct fs_flock *f) {
    f->type = l->type;
    f->whence = WHENCE_SET;
    f->start = l->start;
    f->length = l->end == INT64_MAX ? 0 : l->end - l->start + 1;
    f->pid = l->owner >> 32 ? -1 : (int32_t)l->pid; /* -1: held by an open file */
}

/* Would `owner`, waiting for what `holder` has, close a circle? */
static bool circle(struct fs *fs, uint64_t owner, uint64_t holder, uint32_t mark) {
    for (struct fs_lock_wait *w = fs->lock_waits; w; w = w->next) {
        if (w->want.owner != holder || w->mark == mark) continue;
        w->mark = mark;
        struct fs_lock *l = lock_conflict(w->node->locks, &w->want);
        if (l && (l->owner == owner || circle(fs, owner, l->owner, mark))) return true;
    }
    return false;
}

void fs_lock_cancel(struct fs *fs, uint32_t tag) {
    for (struct fs_lock_wait **p = &fs->lock_waits; *p; p = &(*p)->next) {
        struct fs_lock_wait *w = *p;
        if (w->tag == tag) {
            *p = w->next;
            free(w);
            return;
        }
    }
}

static int lock_wait(struct fs_call *c, struct fs_node *n, const struct fs_lock *want, const struct fs_lock *holder) {
    static uint32_t mark;
    struct fs *fs = c->fs;
    if (!(want->owner >> 32)) {
        if (circle(fs, want->owner, holder->owner, ++mark)) return -EDEADLK;
        struct fs_lock_wait *w = malloc(sizeof(*w));
        if (!w) return -ENOLCK;
        *w = (struct fs_lock_wait){.next = fs->lock_waits, .node = n, .want = *want, .tag = c->tag};
        fs->lock_waits = w;
    }
    c->wait = &n->lock_queue;
    return FS_WAIT;
}

static int lock_permit(struct fs_open *o, int16_t type, bool flock) {
    uint32_t mode = o->flags & FILE_ACCESS_MASK;
    if (o->flags & FILE_PATH) return -EBADF;
    if (flock) return 0;
    return (type == LOCK_SHARED && mode == FILE_WRITE_ONLY) || (type == LOCK_EXCLUSIVE && mode == FILE_READ_ONLY)
               ? -EBADF
               : 0;
}

int fs_lock(struct fs_call *c, struct fs_open *o, uint32_t command, bool flock, struct fs_flock *range) {
    struct fs_node *n = o->node;
    bool of_file = flock || command >= OFD_GETLK;
    struct fs_lock want = {.owner = of_file ? o->id : c->pid, .pid = c->pid};
    struct fs_lock **list = flock ? &n->flocks : &n->locks;
    if ((command < GETLK || command > SETLKW) && (command < OFD_GETLK || command > OFD_SETLKW)) return -EINVAL;
    int result = range_read(n, range, &want);
    if (result) return result;
    fs_lock_cancel(c->fs, c->tag); /* this request is running again */
    struct fs_lock *holder = want.type == LOCK_NONE ? nullptr : lock_conflict(*list, &want);
    if (command == GETLK || command == OFD_GETLK) {
        if (holder) range_write(holder, range);
        else range->type = LOCK_NONE;
        return 0;
    }
    if ((result = lock_permit(o, want.type, flock))) return result;
    if (holder) return command == SETLKW || command == OFD_SETLKW ? lock_wait(c, n, &want, holder) : -EAGAIN;
    result = lock_set(list, &want);
    if (result == 0) /* a lock went, or became a weaker one */
        scheme_wake(&c->fs->scheme, &n->lock_queue);
    return result;
}
