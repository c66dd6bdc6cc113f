// SPDX-License-Identifier: MIT
/* Handles: object types, rights, ranges, well-known numbers. */
#pragma once
#include <abi/types.h>

enum object_type {
    OBJECT_ANY, /* for lookups */
    OBJECT_FILE,
    OBJECT_MEMORY,
    OBJECT_CHANNEL,
    OBJECT_EVENT,
    OBJECT_TIMER,
    OBJECT_SCHEME,
    OBJECT_PORT, /* a server thread's end of a scheme */
    OBJECT_NAMESPACE,
    OBJECT_PROCESS,
    OBJECT_IRQ,
    OBJECT_IOPORT,
    OBJECT_HARDWARE, /* mints mmio memory, irq and ioport objects */
    OBJECT_LOG, /* kernel log: read from any position, write adds a record */
    OBJECT_SYSTEM, /* authority over power, clock, processes of others, schemes */
    OBJECT_TERMINAL, /* a session, as a tty server holds it */
    OBJECT_SIGNALS, /* the signals of a mask that whoever reads it has pending */
};

enum handle_rights {
    RIGHT_READ = 1 << 0,
    RIGHT_WRITE = 1 << 1,
    RIGHT_MAP_EXEC = 1 << 2,
    RIGHT_DUPLICATE = 1 << 3,
    RIGHT_TRANSFER = 1 << 4, /* may be carried by calls and channels, and given to a spawned process */
    RIGHT_CONTROL = 1 << 5, /* change the object itself: resize, bind, mint, set */
    RIGHT_SERVE = 1 << 6, /* attach to a scheme */
    RIGHT_WAIT = 1 << 7, /* wait for it, watch it */
    RIGHTS_ALL = 0xffff,
    RIGHTS_SAME = 0xffff, /* handle_duplicate: keep what h has */
};

/* 0 … HANDLE_UPPER-1 are POSIX descriptors. The upper range is kept by fork; exec drops it but for
 * slots marked HANDLE_KEEP. */
#define HANDLE_UPPER (1 << 20)
#define HANDLE_UPPER_END (HANDLE_UPPER + (1 << 16))
/* Well-known slots of every POSIX process, all HANDLE_KEEP. */
#define HANDLE_NAMESPACE (HANDLE_UPPER + 0)
#define HANDLE_ROOT (HANDLE_UPPER + 1) /* file: root directory */
#define HANDLE_CWD (HANDLE_UPPER + 2) /* file: working directory */
#define HANDLE_TTY (HANDLE_UPPER + 3) /* file: controlling terminal, if any */
/* Given to init only, beside HANDLE_NAMESPACE. */
#define HANDLE_INIT_LOG (HANDLE_UPPER + 8)
#define HANDLE_INIT_HARDWARE (HANDLE_UPPER + 9)
#define HANDLE_INIT_SYSTEM (HANDLE_UPPER + 10)
#define HANDLE_INIT_MODULE (HANDLE_UPPER + 16) /* + n: memory object of boot module n */
#define HANDLE_FREE (HANDLE_UPPER + 64) /* first upper slot given out on request */

enum handle_flags {
    HANDLE_CLOEXEC = 1,
    HANDLE_KEEP = 2, /* upper range: survives exec */
    HANDLE_IN_UPPER = 4, /* give a slot of the upper range */
    HANDLE_AT = 8, /* handle_duplicate: exactly slot `at`, replacing what is there */
    HANDLE_PRIVILEGED = 16, /* of HANDLE_NAMESPACE and HANDLE_ROOT, told only: a privileged process has set it */
};

struct handle_info {
    uint32_t type; /* enum object_type */
    uint32_t rights;
    uint32_t flags; /* CLOEXEC, KEEP, PRIVILEGED */
    uint32_t status; /* file: FILE_* status and access flags; channel: likewise */
    uint64_t object; /* file: server's object id; memory: size; process: pid; channel: bytes readable;
                      * log: oldest position that can be read; timer: overruns told with its last signal;
                      * scheme: references to it (handles, names in namespaces, files, servers at work) */
    uint64_t scheme; /* file: an id that is the same for files of one scheme; channel: uid | gid << 32 of its maker */
    int64_t offset; /* file: offset; channel: pid of its maker */
    uint32_t plane; /* file: enum file_plane | FILE_KIND_* << 8 | its channel's flags << 16; channel: CHANNEL_* flags;
                     * timer: its clock */
    uint32_t incarnation; /* file: its server's; channel: a number of this end, which both ends of a pipe have */
};
