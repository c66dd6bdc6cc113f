// SPDX-License-Identifier: MIT
/* Files: status flags (Linux O_* values), planes, read/write flags. */
#pragma once
#include <abi/types.h>

enum file_status { /* values of O_* on x86-64 Linux */
                   FILE_READ_ONLY = 0,
                   FILE_WRITE_ONLY = 1,
                   FILE_READ_WRITE = 2,
                   FILE_ACCESS_MASK = 3,
                   FILE_CREATE = 0100,
                   FILE_EXCLUSIVE = 0200,
                   FILE_NOCTTY = 0400,
                   FILE_TRUNCATE = 01000,
                   FILE_APPEND = 02000,
                   FILE_NONBLOCK = 04000,
                   FILE_DSYNC = 010000,
                   FILE_DIRECTORY = 0200000,
                   FILE_NOFOLLOW = 0400000,
                   FILE_CLOEXEC = 02000000,
                   FILE_NOATIME = 01000000,
                   FILE_SYNC = 04010000,
                   FILE_PATH = 010000000,
                   FILE_TMPFILE = 020200000,
                   FILE_SOCKET = 0100000000, /* none of O_*: a socket's node, to prove that its name may be used */
};
#define FILE_SETTABLE (FILE_APPEND | FILE_NONBLOCK | FILE_NOATIME) /* by handle_set */

enum file_plane { PLANE_NONE, PLANE_MEMORY, PLANE_CHANNEL, PLANE_NULL, PLANE_ZERO, PLANE_RANDOM, PLANE_FULL };

/* What a server says of a file it opens, in reply.flags. */
enum reply_flags {
    REPLY_FILE = 1, /* OPEN: args[0] object id, args[1] generation, args[2] plane, args[3] FILE_KIND_* */
    REPLY_HANDLE = 2, /* reply.handle (of the server, which keeps it) goes to the caller, or is the plane */
    REPLY_REDIRECT = 4, /* path ops: continue at the path in the data */
    REPLY_UP = 8, /* path ops: `..` left this scheme's root; the rest of the path is in the data */
    REPLY_WATCH_DETACH = 16, /* LOCK, OPEN: send DETACH when a process drops a handle to this file */
    REPLY_CUT = 64, /* set by the kernel: there was more data than room */
    REPLY_MOVE = 128, /* with HANDLE: the server keeps it not: it is closed there */
    REPLY_BUSY = 32, /* not an answer: a cancelled call goes on, the caller waits another second */
    REPLY_CLOSE_LATE = 256, /* OPEN: its CLOSE may come with the next request, or a little later */
};
enum file_kind {
    FILE_KIND_SEEKABLE = 1, /* the kernel keeps an offset */
    FILE_KIND_DIRECTORY = 2, /* read needs READ_DIRECTORY, the offset is a cookie */
    FILE_KIND_TTY = 4,
    FILE_KIND_SETID = 8, /* exec asks the server for ids: OP_EXECUTE (the scheme needs SCHEME_SETID) */
    FILE_KIND_NOEXEC = 16,
    FILE_KIND_BLOCKS = 64, /* seekable; reads and writes are whole, and done again if the server dies with them */
    FILE_KIND_WATCHABLE = 32, /* server answers WATCH; without it the file is always ready */
    FILE_KIND_INTERNET = 128, /* an internet socket: libposix asks, since its channel looks like a unix socket's */
};

#define OFFSET_CURRENT (-1LL) /* read and write: the file's own offset */
enum io_flags {
    IO_DIRECTORY = 1, /* read directory entries */
    IO_NONBLOCK = 2, /* this once */
    IO_PEEK = 4, /* what came along is given all the same: handles of its own */
    IO_WAIT_ALL = 8,
    IO_NO_SIGNAL = 16, /* no SIGPIPE */
};
struct io_vector { /* struct iovec */
    void *base;
    size_t length;
};
#define IO_VECTOR_MAX 1024
