// SPDX-License-Identifier: MIT
/*
 * The rules about ids: the only place in the kernel that compares them.
 *
 * Pure functions on credentials records.  Privilege is a bit of the record; it appears and goes only
 * by credentials_change(), the POSIX rules for set*id, never by looking at a user id elsewhere.
 */
#include "cred.h"

#include <abi/errno.h>
#include <abi/scheme.h>

static bool id_among(uint32_t id, uint32_t a, uint32_t b, uint32_t c) { return id == a || id == b || id == c; }

bool credentials_privileged(const struct credentials *c) { return c->privileges & PRIVILEGE_ROOT; }

/* POSIX.1-2017 kill(): real or effective id of the sender, real or saved id of the receiver. */
bool credentials_may_signal(const struct credentials *from, const struct credentials *to) {
    return credentials_privileged(from) || from->uid == to->uid || from->uid == to->suid || from->euid == to->uid ||
           from->euid == to->suid;
}

/* Memory maps, environment, handles: all ids of the other are the caller's own. */
bool credentials_may_inspect(const struct credentials *from, const struct credentials *to) {
    return credentials_privileged(from) ||
           (!credentials_privileged(to) && from->uid == to->uid && from->uid == to->euid && from->uid == to->suid &&
            from->gid == to->gid && from->gid == to->egid && from->gid == to->sgid);
}

/* setpriority, prlimit, affinity of others. */
bool credentials_may_manage(const struct credentials *from, const struct credentials *to) {
    return credentials_privileged(from) || from->euid == to->uid || from->euid == to->euid;
}

static bool groups_equal(const struct credentials *a, const struct credentials *b) {
    return a->group_count == b->group_count &&
           !__builtin_memcmp(a->groups, b->groups, a->group_count * sizeof(a->groups[0]));
}

bool credentials_equal(const struct credentials *a, const struct credentials *b) {
    return a->uid == b->uid && a->euid == b->euid && a->suid == b->suid && a->fsuid == b->fsuid && a->gid == b->gid &&
           a->egid == b->egid && a->sgid == b->sgid && a->fsgid == b->fsgid && a->privileges == b->privileges &&
           groups_equal(a, b);
}

/*
 * What `old` becomes if its process asks for `wish`: POSIX set*id and setgroups in one.  Without
 * privilege each id may become the real, effective or saved one.  Privilege goes when the effective
 * user id leaves 0, comes back when it returns there, and may be given up while it is 0.
 */
int credentials_change(const struct credentials *old, const struct credentials *wish, struct credentials *out) {
    if (wish->group_count > GROUPS_MAX) return -EINVAL;
    if (!credentials_privileged(old)) {
        bool uids = id_among(wish->uid, old->uid, old->euid, old->suid) &&
                    id_among(wish->euid, old->uid, old->euid, old->suid) &&
                    id_among(wish->suid, old->uid, old->euid, old->suid) &&
                    (wish->fsuid == old->fsuid || wish->fsuid == wish->euid ||
                     id_among(wish->fsuid, old->uid, old->euid, old->suid));
        bool gids = id_among(wish->gid, old->gid, old->egid, old->sgid) &&
                    id_among(wish->egid, old->gid, old->egid, old->sgid) &&
                    id_among(wish->sgid, old->gid, old->egid, old->sgid) &&
                    (wish->fsgid == old->fsgid || wish->fsgid == wish->egid ||
                     id_among(wish->fsgid, old->gid, old->egid, old->sgid));
        if (!uids || !gids || !groups_equal(old, wish)) return -EPERM;
    }
    *out = *wish;
    if (out->euid != 0) out->privileges = 0;
    else out->privileges = old->euid == 0 ? old->privileges & wish->privileges : PRIVILEGE_ROOT;
    return 0;
}

/* POSIX.1-2017 exec: the effective ids are the file's if it is set-id, and are saved. */
bool credentials_exec(const struct credentials *old, uint32_t uid, uint32_t gid, struct credentials *out) {
    *out = *old;
    if (uid != SETID_NONE) {
        out->euid = uid;
        out->privileges = uid == 0 ? PRIVILEGE_ROOT : 0;
    }
    if (gid != SETID_NONE) out->egid = gid;
    out->suid = out->fsuid = out->euid;
    out->sgid = out->fsgid = out->egid;
    return out->uid != out->euid || out->gid != out->egid || out->privileges & ~old->privileges;
}
