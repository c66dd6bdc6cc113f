// SPDX-License-Identifier: MIT
/*
 * The call: what a client sends to a scheme and what its server answers.
 *
 * A server thread owns a port with a wired buffer of PORT_BUFFER_SIZE bytes, mapped in its address
 * space: struct port_buffer. port_reply_wait() answers the request named by reply.tag (0: none) with
 * `reply` and reply.length bytes of `data`, and returns when `request` holds the next one, its
 * request.length bytes of data in `data`.
 */
#pragma once
#include <abi/file.h>
#include <abi/handle.h>
#include <abi/types.h>

#define CALL_DATA_MAX 65536
#define CALL_ANSWER_SMALL 256 /* room up to here costs a call nothing; for more, the buffer is pinned */

struct request {
    uint16_t op; /* enum scheme_op */
    uint16_t flags; /* enum request_flags */
    uint32_t tag; /* names this request to port_* calls; 0 for one-way messages */
    uint64_t object; /* server's id of the file called on; 0 = the scheme itself */
    uint64_t credentials; /* id of the caller's credentials (credentials_info) */
    uint32_t pid;
    uint32_t length; /* bytes of data sent along */
    uint64_t args[4]; /* as the op says */
};
struct reply {
    int64_t result; /* ≥ 0, or -errno */
    uint32_t tag;
    handle_t handle; /* REPLY_HANDLE: server's handle; the client finds its own number here */
    uint32_t flags; /* enum reply_flags */
    uint32_t length; /* bytes of data answered; cut to what the caller has room for */
    uint64_t args[4];
    uint64_t reserved;
};
_Static_assert(sizeof(struct request) == 64 && sizeof(struct reply) == 64, "one message is 64 bytes");

enum request_flags {
    REQUEST_HANDLE = 1, /* a handle came along: its number, in the server's upper range, in args[3] */
    REQUEST_OWN_FILE = 2, /* the carried handle was a file of this scheme: args[3] is its object id */
    REQUEST_IDEMPOTENT = 4, /* libposix may retry after ENOLINK */
    REQUEST_NO_RESTART = 16, /* a handled signal ends it with EINTR, SA_RESTART or not */
    REQUEST_ROOT_IS_OURS = 8, /* path ops: args[2] is the object id of the process's root directory */
    REQUEST_RENEWED = 0x8000, /* the kernel's own */
};

#define PORT_CLOSES 32
struct port_buffer {
    struct request request;
    struct reply reply;
    uint64_t closed[PORT_CLOSES]; /* PORT_CLOSED: objects that were closed before the request was made, */
    uint32_t closed_count; /* so many */
    uint8_t reserved[4096 - 128 - 8 * PORT_CLOSES - 4];
    uint8_t data[CALL_DATA_MAX];
};
#define PORT_BUFFER_SIZE sizeof(struct port_buffer)

/*
 * Operations.  "data" is the request's, "answers" the reply's data.  Path ops walk `data` (a path
 * without NUL, ≤ 4095 bytes) from directory `object` and may answer REDIRECT or UP.  Their args[0]
 * has FILE_NOFOLLOW if a final symbolic link is meant itself, args[2] the root's object id
 * (REQUEST_ROOT_IS_OURS), where `..` stops.
 */
enum scheme_op {
    /* files; object = the file */
    OP_READ = 1, /* args[0] offset, args[1] size, args[2] enum io_flags; answers bytes; reply.args[0] = next offset */
    OP_WRITE, /* args[0] offset (or -1 append), args[2] flags; data; result bytes; reply.args[0] = next offset */
    OP_STAT, /* answers struct file_attributes; with data: path op, args[0] flags */
    OP_SET_ATTRIBUTES, /* data: struct file_attributes, then path (may be empty); args[1] = which fields (SET_*) */
    OP_SYNC, /* args[0] 1 = data only */
    OP_CONTROL, /* ioctl: args[0] request number, args[1] argument value, args[2] room; data in, answers out */
    OP_LOCK, /* struct flock in data and answer; args[0] F_* command; args[1] 1 = BSD flock */
    OP_WATCH, /* args[0] EVENT_* mask; result: mask ready now; arms one NOTIFY if none of it is, or with EVENT_EDGE */
    OP_MAP, /* mmap of a file without plane: args[0] prot; reply.handle: memory object, args[0] its offset */
    OP_ALLOCATE, /* fallocate: args[0] mode, args[1] offset, args[2] length */
    OP_STATFS, /* answers struct filesystem_info */
    OP_RESERVE, /* from the kernel: args[0] offset, args[1] length; reply.args[0], args[1]: range granted */
    OP_CHANNEL_INFO, /* socket-like: args[0] 0 local, 1 peer address; answers the address */
    OP_EXECUTE, /* from the kernel, of a FILE_KIND_SETID: reply.args[0], args[1] effective ids, or SETID_NONE */

    /* paths; object = the directory to start at (0: scheme root) */
    OP_OPEN = 32, /* args[0] FILE_* flags; args[1] creation mode (umask applied), OPEN_*; see REPLY_FILE */
    OP_MAKE_NODE, /* args[0] flags, args[1] mode with S_IFMT (directory, fifo, device, socket), args[3] device */
    OP_REMOVE, /* args[1] 1 = directory (rmdir), 0 = not a directory (unlink) */
    OP_LINK, /* data: old path NUL new path; args[1] length of the old path; handle: new path's directory */
    OP_RENAME, /* as LINK; args[0] RENAME_* flags */
    OP_SYMLINK, /* data: path NUL target; args[1] length of the path */
    OP_READLINK, /* answers the target; empty path: object itself */
    OP_ACCESS, /* args[1] R_OK | W_OK | X_OK; args[0] ACCESS_EFFECTIVE */
    OP_XATTR, /* args[0] flags, args[1] 0 get 1 set 2 list 3 remove, args[3] room; data path NUL name NUL value */
    OP_MOUNT, /* data: path; handle: directory file of another scheme put there; args[1] 1 = unmount */
    OP_PATH, /* answers the absolute path of directory `object` within this scheme (getcwd) */
    OP_NOTIFY, /* inotify: args[1] IN_* mask; handle: the OPEN_NOTIFY file. Without: ends the watch args[1] of it */

    /* one-way: tag 0, never answered */
    OP_CLOSE = 64, /* last handle to the file is gone */
    OP_DETACH, /* process `pid` dropped a handle to a file marked REPLY_WATCH_DETACH */
    OP_CANCEL, /* args[0] = tag: the caller was interrupted or its deadline passed */
    OP_PAGE_IN, /* object's memory: args[0] offset, args[1] length wanted */
    OP_WRITEBACK, /* args[0] = pages that should be written soon */
    OP_MEMORY_LOW, /* to every scheme: caches should shrink; at most once a second */

    /* after a restart */
    OP_REOPEN = 96, /* object, args[0] generation, args[1] flags: result 0 or -ESTALE */

    OP_USER = 256, /* from here on: a scheme's own operations */
};

enum attribute_set { SET_MODE = 1, SET_UID = 2, SET_GID = 4, SET_SIZE = 8, SET_ATIME = 16, SET_MTIME = 32 };
#define ACCESS_EFFECTIVE 0x200 /* AT_EACCESS */
#define OPEN_NOTIFY (1u << 30) /* an inotify descriptor of this scheme, whatever the path */
#define OPEN_FOR_CHILD (1u << 31) /* spawn: closing it is not the caller's close, which would drop its record locks */

struct file_attributes { /* struct stat of x86-64, then what it lacks */
    uint64_t device, inode, links;
    uint32_t mode, uid, gid, pad;
    uint64_t rdev;
    int64_t size, block_size, blocks;
    int64_t atime_s, atime_ns, mtime_s, mtime_ns, ctime_s, ctime_ns;
    int64_t reserved[3];
};
_Static_assert(sizeof(struct file_attributes) == 144, "struct stat on x86-64");

struct filesystem_info { /* struct statfs of x86-64 */
    uint64_t type, block_size, blocks, blocks_free, blocks_available, files, files_free;
    int32_t id[2];
    uint64_t name_max, fragment_size, flags, spare[4];
};
_Static_assert(sizeof(struct filesystem_info) == 120, "struct statfs on x86-64");

/* What a client hands to call(): the request's op, flags, args and length are used, the rest is
 * filled in by the kernel. The reply comes back in `reply`. */
struct call_args {
    struct request request;
    const void *in; /* request.length bytes */
    void *out; /* room for reply data */
    uint32_t out_size;
    handle_t carry; /* HANDLE_NONE or a handle with RIGHT_TRANSFER */
    uint32_t handle_flags; /* for the handle that comes back: CLOEXEC, IN_UPPER */
    uint32_t reserved;
    int64_t deadline;
    struct reply reply;
};

/* Result of port_reply_wait. */
enum port_flags { PORT_NO_WAIT = 1, PORT_REPLY_ONLY = 2 }; /* -EAGAIN: nothing to take; REPLY_ONLY takes nothing */
enum port_result {
    PORT_REQUEST = 0,
    PORT_EVENT = 1, /* the port's bound event object is ready */
    PORT_CLOSED = 3, /* a request, and files closed before it; only where REPLY_CLOSE_LATE is used */
};

struct caller_info {
    uint32_t pid, tid, group, session;
    uint64_t credentials;
    uint32_t terminal_state; /* bit 0: SIGTTOU blocked or ignored, bit 1: SIGTTIN, bit 2: group orphaned */
    uint32_t reserved;
};

struct scheme_create_args {
    char name[32]; /* without colon */
    uint32_t rank, flags; /* enum scheme_flags */
};
enum scheme_flags { SCHEME_SETID = 1 /* its files may change the ids of those who execute them */ };
#define SETID_NONE UINT32_MAX
enum namespace_op { NAMESPACE_BIND, NAMESPACE_UNBIND, NAMESPACE_CLONE, NAMESPACE_LIST };
