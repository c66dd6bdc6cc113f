// SPDX-License-Identifier: MIT
/*
 * Attributes that a file's server has left with the file's stream, so that fstat needs no call.  Of
 * what the object knows better (size, pages, times) the object's count; the server takes them away
 * before it changes any of the others.
 */
#include <abi/scheme.h>
#include "memory_impl.h"

#define NS_PER_SECOND 1000000000LL

int memory_attributes_set(struct memory *m, uaddr_t from) {
    struct file_attributes *new = from ? kmalloc(sizeof(*new)) : nullptr;
    if (from && !new) return -ENOMEM;
    int e = from ? copy_from_user(new, from, sizeof(*new)) : 0;
    if (!e) {
        spin_lock(&m->lock);
        struct file_attributes *old = m->attributes;
        m->attributes = new;
        spin_unlock(&m->lock);
        new = old;
    }
    if (new) kfree(new);
    return e;
}

static nsec_t time_get(const int64_t t[2]) { return t[0] * NS_PER_SECOND + t[1]; }
static void time_set(int64_t t[2], nsec_t ns) {
    t[0] = ns / NS_PER_SECOND;
    t[1] = ns % NS_PER_SECOND;
}

bool memory_attributes_get(struct memory *m, struct file_attributes *out) {
    spin_lock(&m->lock);
    bool known = m->attributes;
    if (known) {
        *out = *m->attributes;
        out->size = (int64_t)memory_size(m);
        if (!m->pager) out->blocks = (int64_t)m->pages * (PAGE_SIZE / 512);
    }
    nsec_t mtime = m->mtime, atime = m->atime;
    spin_unlock(&m->lock);
    if (!known) return false;
    if (mtime) time_set(&out->mtime_s, mtime);
    if (mtime > time_get(&out->ctime_s)) time_set(&out->ctime_s, mtime);
    nsec_t had = time_get(&out->atime_s); /* relatime: older than the last change */
    if (atime > had && (had <= time_get(&out->mtime_s) || had <= time_get(&out->ctime_s)))
        time_set(&out->atime_s, atime);
    return true;
}
