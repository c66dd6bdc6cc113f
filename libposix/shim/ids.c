// SPDX-License-Identifier: MIT
/*
 * User and group ids. A process has one immutable credentials record; changing ids means asking the
 * kernel for another, which checks it against the rules. What the POSIX calls mean by their
 * arguments is decided here.
 */
#include "shim.h"
#include <linux/capability.h>

static long credentials_get(struct credentials *out) {
    long error = sys_process_info(0, PROCESS_CREDENTIALS, out, sizeof(*out), 0);
    return error < 0 ? error : 0;
}

static long credentials_set(const struct credentials *in) {
    long error = sys_process_set(0, PROCESS_CREDENTIALS, in, sizeof(*in), 0);
    return error < 0 ? error : 0;
}

#define ID_GETTER(call, field)                                                                                         \
    long row_##call(void) {                                                                                            \
        struct credentials c;                                                                                          \
        long error = credentials_get(&c);                                                                              \
        return error < 0 ? error : (long)c.field;                                                                      \
    }
ID_GETTER(getuid, uid)
ID_GETTER(geteuid, euid)
ID_GETTER(getgid, gid)
ID_GETTER(getegid, egid)

long row_getresuid(uid_t *real, uid_t *effective, uid_t *saved) {
    struct credentials c;
    long error = credentials_get(&c);
    if (error == 0) {
        *real = c.uid;
        *effective = c.euid;
        *saved = c.suid;
    }
    return error;
}

long row_getresgid(gid_t *real, gid_t *effective, gid_t *saved) {
    struct credentials c;
    long error = credentials_get(&c);
    if (error == 0) {
        *real = c.gid;
        *effective = c.egid;
        *saved = c.sgid;
    }
    return error;
}

/* -1 leaves an id as it is; the file system's id follows the effective one. */
long row_setresuid(uid_t real, uid_t effective, uid_t saved) {
    struct credentials c;
    long error = credentials_get(&c);
    if (error < 0) {
        return error;
    }
    c.uid = real == (uid_t)-1 ? c.uid : real;
    c.euid = effective == (uid_t)-1 ? c.euid : effective;
    c.suid = saved == (uid_t)-1 ? c.suid : saved;
    c.fsuid = c.euid;
    return credentials_set(&c);
}

long row_setresgid(gid_t real, gid_t effective, gid_t saved) {
    struct credentials c;
    long error = credentials_get(&c);
    if (error < 0) {
        return error;
    }
    c.gid = real == (gid_t)-1 ? c.gid : real;
    c.egid = effective == (gid_t)-1 ? c.egid : effective;
    c.sgid = saved == (gid_t)-1 ? c.sgid : saved;
    c.fsgid = c.egid;
    return credentials_set(&c);
}

/* A privileged caller gives all three up, another only changes the effective one. */
long row_setuid(uid_t uid) {
    struct credentials c;
    long error = credentials_get(&c);
    if (error < 0) {
        return error;
    }
    return c.privileges & PRIVILEGE_ROOT ? row_setresuid(uid, uid, uid) : row_setresuid((uid_t)-1, uid, (uid_t)-1);
}

long row_setgid(gid_t gid) {
    struct credentials c;
    long error = credentials_get(&c);
    if (error < 0) {
        return error;
    }
    return c.privileges & PRIVILEGE_ROOT ? row_setresgid(gid, gid, gid) : row_setresgid((gid_t)-1, gid, (gid_t)-1);
}

/* The saved id becomes the new effective one if the real id is set, or the effective one differs
 * from the old real id. */
long row_setreuid(uid_t real, uid_t effective) {
    struct credentials c;
    long error = credentials_get(&c);
    if (error < 0) {
        return error;
    }
    bool save = real != (uid_t)-1 || (effective != (uid_t)-1 && effective != c.uid);
    uid_t now = effective == (uid_t)-1 ? c.euid : effective;
    return row_setresuid(real, effective, save ? now : (uid_t)-1);
}

long row_setregid(gid_t real, gid_t effective) {
    struct credentials c;
    long error = credentials_get(&c);
    if (error < 0) {
        return error;
    }
    bool save = real != (gid_t)-1 || (effective != (gid_t)-1 && effective != c.gid);
    gid_t now = effective == (gid_t)-1 ? c.egid : effective;
    return row_setresgid(real, effective, save ? now : (gid_t)-1);
}

/* These answer the old id, whether or not the new one was allowed. */
long row_setfsuid(uid_t uid) {
    struct credentials c;
    long error = credentials_get(&c);
    if (error < 0) {
        return error;
    }
    uint32_t old = c.fsuid;
    c.fsuid = uid;
    credentials_set(&c);
    return (long)old;
}

long row_setfsgid(gid_t gid) {
    struct credentials c;
    long error = credentials_get(&c);
    if (error < 0) {
        return error;
    }
    uint32_t old = c.fsgid;
    c.fsgid = gid;
    credentials_set(&c);
    return (long)old;
}

long row_getgroups(int count, gid_t *groups) {
    struct credentials c;
    long error = credentials_get(&c);
    if (error < 0) {
        return error;
    }
    if (count < 0 || (count > 0 && (uint32_t)count < c.group_count)) {
        return -EINVAL;
    }
    for (uint32_t i = 0; count > 0 && i < c.group_count; i++) {
        groups[i] = c.groups[i];
    }
    return (long)c.group_count;
}

long row_setgroups(size_t count, const gid_t *groups) {
    struct credentials c;
    if (count > GROUPS_MAX) {
        return -EINVAL;
    }
    long error = credentials_get(&c);
    if (error < 0) {
        return error;
    }
    if (!(c.privileges & PRIVILEGE_ROOT)) {
        return -EPERM; /* even if nothing changes */
    }
    c.group_count = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        c.groups[i] = groups[i];
    }
    return credentials_set(&c);
}

/* --- capabilities: privilege is one bit, so one has all of them or none ------------------------- */

#define CAPABILITIES ((1ULL << (CAP_LAST_CAP + 1)) - 1)

/* Words of data in this version; 0: unknown, and the header tells ours. */
static int capability_words(cap_user_header_t header) {
    switch (header->version) {
    case _LINUX_CAPABILITY_VERSION_1: return 1;
    case _LINUX_CAPABILITY_VERSION_2:
    case _LINUX_CAPABILITY_VERSION_3: return 2;
    default: header->version = _LINUX_CAPABILITY_VERSION_3; return 0;
    }
}

static uint64_t capabilities_permitted(const struct credentials *c) {
    bool returnable = c->euid != 0 && (c->uid == 0 || c->suid == 0);
    return c->privileges & PRIVILEGE_ROOT || returnable ? CAPABILITIES : 0;
}

static uint64_t capabilities_effective(const struct credentials *c) {
    return c->privileges & PRIVILEGE_ROOT ? CAPABILITIES : 0;
}

long row_capget(cap_user_header_t header, cap_user_data_t data) {
    struct credentials c;
    int words = capability_words(header);
    if (!words) {
        return data ? -EINVAL : 0;
    }
    if (header->pid < 0) {
        return -EINVAL;
    }
    long error = sys_process_info(header->pid, PROCESS_CREDENTIALS, &c, sizeof(c), 0);
    if (error < 0 || !data) {
        return error < 0 ? error : 0;
    }
    uint64_t effective = capabilities_effective(&c), permitted = capabilities_permitted(&c);
    for (int i = 0; i < words; i++, effective >>= 32, permitted >>= 32) {
        data[i].effective = (uint32_t)effective;
        data[i].permitted = (uint32_t)permitted;
        data[i].inheritable = 0;
    }
    return 0;
}

/* What can be had: all as it is, or nothing at all while the effective id is 0. */
long row_capset(cap_user_header_t header, cap_user_data_t data) {
    struct credentials c;
    uint64_t effective = 0, permitted = 0, inheritable = 0;
    int words = capability_words(header);
    if (!words) {
        return -EINVAL;
    }
    long error = credentials_get(&c);
    if (error < 0) {
        return error;
    }
    if (header->pid && header->pid != process_pid()) {
        return -EPERM;
    }
    for (int i = 0; i < words; i++) {
        effective |= (uint64_t)data[i].effective << 32 * i;
        permitted |= (uint64_t)data[i].permitted << 32 * i;
        inheritable |= (uint64_t)data[i].inheritable << 32 * i;
    }
    effective &= CAPABILITIES;
    permitted &= CAPABILITIES;
    if (effective == capabilities_effective(&c) && permitted == capabilities_permitted(&c) && !inheritable) {
        return 0;
    }
    if (effective || permitted || inheritable || c.euid != 0) {
        return -EPERM;
    }
    c.privileges = 0;
    return credentials_set(&c);
}
