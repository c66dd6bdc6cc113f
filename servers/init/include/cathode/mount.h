// SPDX-License-Identifier: MIT
/* File systems on disks: what mount(2), umount(2) and sync(2) ask of the supervisor's scheme, `service:`. */
#pragma once
#include <abi/scheme.h>

#define MOUNT_SCHEME "service"
/* Schemes of file systems on disks begin so. */
#define MOUNT_SCHEME_PREFIX "fs."

enum mount_call {
    MOUNT_START = OP_USER, /* data: TYPE NUL absolute path of the mount point; handle: the disk's open file; args[0]
                            * enum mount_flags. Answers the scheme's name. ENODEV: no such type */
    MOUNT_END, /* data: path of the mount point: written and ended. args[0] 1: also if files are open, else EBUSY.
                * ENOENT: nothing of the kind is mounted there. Other errors: it has ended, but not all is written */
    MOUNT_NOTE, /* data: what is mounted now: source NUL place NUL type; args[0] enum mount_flags. Until MOUNT_END */
};
enum mount_flags { MOUNT_READ_ONLY = 1 };
#define MOUNT_TABLE "mounts" /* a file of the scheme: what /proc/mounts tells */
