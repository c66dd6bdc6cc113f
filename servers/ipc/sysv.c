// SPDX-License-Identifier: MIT
/* What the three kinds of System V IPC have in common: keys, ids, permissions. */
#include "ipc.h"

struct ipc_table tables[IPC_KINDS];

static bool is_privileged(const struct credentials *who) { return who && who->privileges & PRIVILEGE_ROOT; }

int ipc_permit(const struct ipc_object *o, const struct credentials *who, uint32_t want) {
    const struct ipc_perm *p = &o->perm;
    if (!who) return -EACCES;
    if (is_privileged(who)) return 0;
    unsigned shift = who->euid == p->uid || who->euid == p->cuid       ? 6
                     : in_group(who, p->gid) || in_group(who, p->cgid) ? 3
                                                                       : 0;
    return (p->mode >> shift & want) == want ? 0 : -EACCES;
}

int ipc_id(const struct ipc_object *o) { return o->perm.__ipc_perm_seq * OBJECTS_MAX + (int)o->index; }

int ipc_find(enum ipc_kind kind, uint64_t id, void *out) {
    struct ipc_object *o = (int64_t)id < 0 || id > INT32_MAX ? nullptr : tables[kind].objects[id % OBJECTS_MAX];
    if (!o || ipc_id(o) != (int)id) return -EINVAL;
    *(struct ipc_object **)out = o;
    return 0;
}

static struct ipc_object *find_key(const struct ipc_table *t, key_t key) {
    for (uint32_t i = 0; key != IPC_PRIVATE && i < t->end; i++)
        if (t->objects[i] && t->objects[i]->perm.__ipc_perm_key == key) return t->objects[i];
    return nullptr;
}

static int64_t get_old(const struct ipc_object *o, struct port_buffer *call,
                       bool (*fits)(const struct ipc_object *, uint64_t)) {
    uint32_t flags = (uint32_t)call->request.args[3];
    if ((flags & (IPC_CREAT | IPC_EXCL)) == (IPC_CREAT | IPC_EXCL)) return -EEXIST;
    if (!fits(o, call->request.args[2])) return -EINVAL;
    uint32_t want = (flags >> 6 | flags >> 3 | flags) & 7;
    int e = ipc_permit(o, caller(call), want & (MAY_READ | MAY_WRITE));
    return e ? e : ipc_id(o);
}

int64_t ipc_get(struct port_buffer *call, struct ipc_object *(*make)(struct port_buffer *, int *),
                bool (*fits)(const struct ipc_object *, uint64_t)) {
    struct ipc_table *t = &tables[call->request.args[0]];
    key_t key = (key_t)call->request.args[1];
    uint32_t flags = (uint32_t)call->request.args[3], index = 0;
    const struct credentials *who = caller(call);
    const struct ipc_object *old = find_key(t, key);
    if (old) return get_old(old, call, fits);
    if (key != IPC_PRIVATE && !(flags & IPC_CREAT)) return -ENOENT;
    while (index < OBJECTS_MAX && t->objects[index]) index++;
    if (index == OBJECTS_MAX) return -ENOSPC;
    int error = who ? 0 : -EACCES;
    struct ipc_object *o = error ? nullptr : make(call, &error);
    if (!o) return error;
    o->index = index;
    o->perm = (struct ipc_perm){
        .__ipc_perm_key = key,
        .uid = who->euid,
        .gid = who->egid,
        .cuid = who->euid,
        .cgid = who->egid,
        .mode = flags & 0777,
        .__ipc_perm_seq = t->uses[index],
    };
    t->objects[index] = o;
    if (index >= t->end) t->end = index + 1;
    return ipc_id(o);
}

void ipc_forget(enum ipc_kind kind, struct ipc_object *o) {
    struct ipc_table *t = &tables[kind];
    t->objects[o->index] = nullptr;
    t->uses[o->index] = (uint16_t)((t->uses[o->index] + 1) & 0x7fff);
    while (t->end > 0 && !t->objects[t->end - 1]) t->end--;
}

int ipc_may_change(const struct ipc_object *o, const struct credentials *who) {
    return is_privileged(who) || (who && (who->euid == o->perm.uid || who->euid == o->perm.cuid)) ? 0 : -EPERM;
}

void ipc_set(struct ipc_object *o, const struct ipc_perm *new) {
    o->perm.uid = new->uid;
    o->perm.gid = new->gid;
    o->perm.mode = (o->perm.mode & ~0777u) | (new->mode & 0777);
}
