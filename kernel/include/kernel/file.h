// SPDX-License-Identifier: MIT
/* Files: what open returns. kernel/ipc/file.c */
#pragma once
#include <kernel/channel.h>
#include <kernel/memory.h>
#include <kernel/scheme.h>

struct channel_end;
struct cred;
struct file {
    struct object object;
    struct scheme *scheme; /* reference */
    uint64_t id, generation;
    uint32_t incarnation;
    _Atomic uint32_t status; /* FILE_* */
    uint8_t plane, kind;
    union {
        struct memory *memory; /* PLANE_MEMORY: reference and handle */
        struct object *channel; /* PLANE_CHANNEL: channel end, reference and handle */
    };
    struct mutex offset_lock; /* only taken where kind has SEEKABLE */
    int64_t offset;
    uint64_t error_seen; /* write-back errors already returned by fsync */
    struct cred *cred; /* at open: reference */
    _Atomic uint32_t ready; /* planeless: mask known ready (WATCH/NOTIFY) */
    bool detach, close_late; /* REPLY_WATCH_DETACH, REPLY_CLOSE_LATE */
    struct tree_node node; /* scheme->by_id */
    bool listed;
    bool counted; /* by channel_collect_cycles, under its lock */
    struct note close_note, detach_note; /* last: set when they are needed */
};
extern const struct object_ops file_ops;
struct file *file_prepare(struct scheme *s); /* before the server is asked; null: no memory */
/* Makes f what the answer to OPEN of a server's incarnation says. Consumes `plane` (a handle reference, or null).
 * -EIO: nonsense */
MUST_CHECK int file_open_reply(struct file *f, const struct reply *r, uint32_t incarnation, struct object *plane,
                               uint32_t status);
uint32_t file_rights(const struct file *f); /* of a handle to it, by its access mode */
/* Reopens f at its server if that was restarted since the last use: 0, -ESTALE, -EINTR. */
MUST_CHECK int file_current(struct file *f);
/* The memory plane of a file or a memory object itself, with a reference: for mmap and exec. -ENODEV if none. */
MUST_CHECK int object_memory(struct object *o, struct memory **out);
/* read/write on any readable object; v describes user memory. offset OFFSET_CURRENT = own. Bytes or -errno. */
struct io_request {
    struct io_vector *vectors; /* kernel copy */
    size_t count;
    int64_t offset;
    uint32_t flags;
    nsec_t deadline;
};
MUST_CHECK long object_read(struct object *o, struct io_request *r);
MUST_CHECK long object_write(struct object *o, struct io_request *r);
/* A vector copied from user memory; its lengths together fit a result. */
struct vectors {
    struct io_vector few[8], *v; /* v: few, or allocated */
};
MUST_CHECK int vectors_copy(struct vectors *out, uaddr_t from, size_t count); /* vectors_free also if it fails */
void vectors_free(struct vectors *v);
