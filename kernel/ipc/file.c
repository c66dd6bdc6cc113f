// SPDX-License-Identifier: MIT
/*
 * Files: made from a server's answer to OPEN, closed by a one-way message when the last handle goes.
 * Reading and writing is io.c.
 *
 * A file whose server was restarted is reopened (OP_REOPEN) at its first use under the new
 * incarnation.  Readiness of files without a plane: WATCH asks the server and arms; NOTIFY posts.
 */
#include <kernel/clock.h>
#include <kernel/file.h>
#include <kernel/mm.h>
#include <kernel/process.h>
#include <kernel/sanitizer.h>
#include "ipc.h"

static void close_sent(struct note *n) { object_put(&container_of(n, struct file, close_note)->object); }
static void detach_sent(struct note *n) { object_put(&container_of(n, struct file, detach_note)->object); }

/* The object behind the plane: the file has a handle to it until its own last one goes, and a
 * reference until it is destroyed, for readers that are still at work then. */
static struct object *file_plane(struct file *f) {
    return f->plane == PLANE_MEMORY ? memory_object(f->memory) : f->plane == PLANE_CHANNEL ? f->channel : nullptr;
}

static void file_last_handle(struct object *o) {
    struct file *f = object_as(file, o);
    if (file_plane(f)) object_handle_put(file_plane(f)); /* a channel's peer sees the end now */
    if (f->incarnation != scheme_incarnation(f->scheme)) return; /* of a server that is gone: the id may be another's */
    /* A file with locks is one that others may wait for. */
    if (f->close_late && !f->detach && scheme_close_late(f->scheme, f->id, f->incarnation)) return;
    f->close_note.request = (struct request){.op = OP_CLOSE, .object = f->id, .args = {f->generation}};
    f->close_note.sent = close_sent;
    object_get(o);
    scheme_note(f->scheme, &f->close_note, 0);
}

static void file_destroy(struct object *o) {
    struct file *f = object_as(file, o);
    scheme_file_remove(f->scheme, f);
    if (file_plane(f)) object_put(file_plane(f));
    if (f->cred) cred_put(f->cred);
    object_put(&f->scheme->object);
    kfree(f);
}

/* The server tells its readiness. */
static bool file_is_watched(const struct file *f) { return f->plane == PLANE_NONE && f->kind & FILE_KIND_WATCHABLE; }

RACE_INTENDED static uint32_t file_poll(struct object *o) {
    struct file *f = object_as(file, o);
    if (f->plane == PLANE_CHANNEL) return f->channel->ops->poll(f->channel);
    if (file_is_watched(f)) return f->ready;
    return EVENT_IN | EVENT_OUT;
}

/* Asks the server; it sends NOTIFY once if none of mask is ready now. */
static int file_arm(struct object *o, uint32_t mask) {
    struct file *f = object_as(file, o);
    if (!file_is_watched(f)) return (int)file_poll(o);
    int e = file_current(f);
    long ready = e ? e : scheme_call_simple(f->scheme, OP_WATCH, f->id, mask, 0, 0, nullptr, DEADLINE_NEVER);
    f->ready = ready < 0 ? EVENT_ERROR : (uint32_t)ready;
    return ready == -EINTR ? -EINTR : (int)f->ready;
}

const struct object_ops file_ops = {
    .type = OBJECT_FILE,
    .name = "file",
    .status_at = offsetof(struct file, status),
    .on_last_handle = file_last_handle,
    .destroy = file_destroy,
    .poll = file_poll,
    .arm = file_arm,
};

struct file *file_prepare(struct scheme *s) {
    struct file *f = kmalloc(sizeof(*f));
    if (!f) return nullptr;
    __builtin_memset(f, 0, offsetof(struct file, close_note));
    object_init(&f->object, &file_ops);
    list_init(&f->close_note.link);
    list_init(&f->detach_note.link);
    f->detach_note.sent = detach_sent;
    mutex_init(&f->offset_lock, RANK_FILE);
    object_get(&s->object);
    f->scheme = s;
    f->cred = cred_get(process_current());
    return f;
}

int file_open_reply(struct file *f, const struct reply *r, uint32_t incarnation, struct object *plane,
                    uint32_t status) {
    f->id = r->args[0];
    f->detach_note.request = (struct request){.op = OP_DETACH, .object = f->id};
    f->generation = r->args[1];
    f->kind = (uint8_t)r->args[3];
    f->status = status & ~(uint32_t)(FILE_CREATE | FILE_EXCLUSIVE | FILE_NOCTTY | FILE_TRUNCATE | FILE_CLOEXEC);
    f->incarnation = incarnation;
    bool memory = r->args[2] == PLANE_MEMORY, channel = r->args[2] == PLANE_CHANNEL;
    const struct object_ops *wanted = memory ? &memory_ops : channel ? &channel_ops : nullptr;
    if (r->args[2] > PLANE_FULL || (plane ? plane->ops : nullptr) != wanted) {
        if (plane) object_handle_put(plane);
        return -EIO; /* the server talks nonsense; it gets its CLOSE */
    }
    f->plane = (uint8_t)r->args[2];
    if (memory) f->memory = memory_of(plane);
    if (channel) channel_charge(f->channel = plane, process_current()->space->quota);
    if (plane) object_get(plane);
    scheme_file_add(f->scheme, f);
    return 0;
}

uint32_t file_rights(const struct file *f) {
    uint32_t rights = RIGHT_DUPLICATE | RIGHT_TRANSFER | RIGHT_WAIT | RIGHT_CONTROL;
    unsigned access = f->status & FILE_ACCESS_MASK;
    if (f->status & FILE_PATH) return rights;
    if (access != FILE_WRITE_ONLY) rights |= RIGHT_READ | (f->kind & FILE_KIND_NOEXEC ? 0 : RIGHT_MAP_EXEC);
    if (access != FILE_READ_ONLY) rights |= RIGHT_WRITE;
    return rights;
}

/* Reopens f if its server was restarted since: 0, -ESTALE if that cannot be. */
int file_current(struct file *f) {
    if (likely(f->incarnation == scheme_incarnation(f->scheme))) return 0;
    uint32_t now = scheme_incarnation(f->scheme); /* or an older one than will answer: then it is asked once more */
    long e = scheme_call_simple(f->scheme, OP_REOPEN, f->id, f->generation, f->status, 0, nullptr, DEADLINE_NEVER);
    if (e == 0) f->incarnation = now;
    return e == -EINTR ? -EINTR : e < 0 ? -ESTALE : 0;
}

void file_dropped(struct object *o) {
    if (o->ops != &file_ops) return;
    struct file *f = object_as(file, o);
    if (likely(!f->detach) || f->incarnation != scheme_incarnation(f->scheme)) return;
    object_get(o);
    /* While the last process's message is on its way this one waits: it must not be lost. */
    for (int tries = 0; !scheme_note(f->scheme, &f->detach_note, process_current()->pid); tries++) {
        if (tries == 1000) {
            object_put(o);
            return;
        }
        thread_block_prepare(f, false);
        thread_block(clock_now() + 1000000);
    }
}

int object_memory(struct object *o, struct memory **out) {
    struct file *f = o->ops == &file_ops ? object_as(file, o) : nullptr;
    if (f && f->plane != PLANE_MEMORY) return -ENODEV;
    if (!f && o->ops != &memory_ops) return -ENODEV;
    *out = f ? f->memory : memory_of(o);
    object_get(memory_object(*out));
    return 0;
}

/* --- files of a scheme by id: those whose readiness the server tells --------------------------------- */

void scheme_file_add(struct scheme *s, struct file *f) {
    f->listed = true;
    atomic_fetch_add_explicit(&s->files, 1, memory_order_relaxed);
    if (!file_is_watched(f)) return;
    spin_lock(&s->lock);
    f->node.key = f->id;
    tree_insert(&s->by_id, &f->node);
    spin_unlock(&s->lock);
}

void scheme_file_remove(struct scheme *s, struct file *f) {
    if (!f->listed) return;
    atomic_fetch_sub_explicit(&s->files, 1, memory_order_relaxed);
    if (!file_is_watched(f)) return;
    spin_lock(&s->lock);
    tree_remove(&s->by_id, &f->node);
    spin_unlock(&s->lock);
}

void scheme_files_notify(struct scheme *s, uint64_t id, uint32_t mask) {
    spin_lock(&s->lock);
    for (struct tree_node *n = tree_find_ge(&s->by_id, id); n && n->key == id; n = tree_next(n)) {
        struct file *f = container_of(n, struct file, node);
        f->ready = mask;
        object_notify(&f->object, mask);
    }
    spin_unlock(&s->lock);
}

/* Whoever watches files of a server that died looks again: the file is reopened or in error. */
void scheme_files_lost(struct scheme *s) {
    spin_lock(&s->lock);
    for (struct tree_node *n = tree_first(&s->by_id); n; n = tree_next(n)) {
        struct file *f = container_of(n, struct file, node);
        object_notify(&f->object, f->ready = EVENT_ERROR);
    }
    spin_unlock(&s->lock);
}
