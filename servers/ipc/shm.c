// SPDX-License-Identifier: MIT
/*
 * Shared memory: a segment is a memory object; its mappings, which the kernel counts, are what is
 * attached.  So fork, exec and exit need no word here.  A segment that was removed keeps its id while
 * it is mapped (as on Linux); the sweep finds when it isn't any more.
 */
#include "ipc.h"
#include <sys/shm.h>

#define SIZE_MAX_BYTES (1ULL << 40)
#define SWEEP_NS 1000000000LL

struct segment {
    struct ipc_object object;
    handle_t memory;
    uint64_t memory_id;
    size_t size;
    bool removed;
    time_t atime, dtime, ctime;
    pid_t cpid, lpid;
};

static uint32_t removed_count;

static struct memory_info memory_of(const struct segment *s) {
    struct memory_info info = {};
    sys_memory_control(s->memory, MEMORY_INFO, (uint64_t)&info, 0, 0);
    return info;
}

static struct ipc_object *segment_make(struct port_buffer *call, int *error) {
    uint64_t size = call->request.args[2];
    *error = size == 0 || size > SIZE_MAX_BYTES ? -EINVAL : 0;
    struct segment *s = *error ? nullptr : calloc(1, sizeof(*s));
    if (!s) {
        if (!*error) *error = -ENOMEM;
        return nullptr;
    }
    long memory = sys_memory_create((size + 4095) & ~4095UL, HANDLE_IN_UPPER << 16, HANDLE_NONE, 0);
    if (memory < 0) {
        *error = -ENOMEM;
        free(s);
        return nullptr;
    }
    s->memory = (handle_t)memory;
    s->size = size;
    s->ctime = time(nullptr);
    s->cpid = (pid_t)call->request.pid;
    s->memory_id = memory_of(s).id;
    return &s->object;
}

static bool segment_fits(const struct ipc_object *o, uint64_t size) {
    return size <= ((const struct segment *)o)->size;
}

int64_t shm_get(struct port_buffer *call) { return ipc_get(call, segment_make, segment_fits); }

static void segment_free(struct segment *s) {
    ipc_forget(IPC_SHM, &s->object);
    removed_count -= s->removed;
    sys_handle_close(s->memory);
    free(s);
}

void shm_sweep(void) {
    struct ipc_table *t = &tables[IPC_SHM];
    for (uint32_t i = 0; removed_count > 0 && i < t->end; i++) {
        struct segment *s = (struct segment *)t->objects[i];
        if (s && s->removed && memory_of(s).mappings == 0) segment_free(s);
    }
    if (removed_count > 0 && scheme.deadline == DEADLINE_NEVER) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        scheme.deadline = now.tv_sec * 1000000000LL + now.tv_nsec + SWEEP_NS;
    }
}

static int64_t segment_remove(struct segment *s) {
    if (s->removed) return 0;
    s->removed = true;
    removed_count++;
    s->object.perm.__ipc_perm_key = IPC_PRIVATE;
    s->object.perm.mode |= SHM_DEST;
    shm_sweep();
    return 0;
}

static int64_t answer(struct port_buffer *call, const void *data, size_t size, int64_t result) {
    memcpy(call->data, data, size);
    call->reply.length = (uint32_t)size;
    return result;
}

static int64_t segment_stat(const struct segment *s, struct port_buffer *call, int64_t result) {
    struct shmid_ds ds = {
        .shm_perm = s->object.perm,
        .shm_segsz = s->size,
        .shm_atime = s->atime,
        .shm_dtime = s->dtime,
        .shm_ctime = s->ctime,
        .shm_cpid = s->cpid,
        .shm_lpid = s->lpid,
        .shm_nattch = memory_of(s).mappings,
    };
    return answer(call, &ds, sizeof(ds), result);
}

static int64_t shm_information(struct port_buffer *call, bool limits) {
    struct ipc_table *t = &tables[IPC_SHM];
    struct shm_info now = {};
    struct shminfo most = {.shmmax = SIZE_MAX_BYTES, .shmmin = 1, .shmmni = OBJECTS_MAX, .shmseg = OBJECTS_MAX};
    most.shmall = SIZE_MAX_BYTES / 4096;
    int64_t last = t->end > 0 ? t->end - 1 : 0;
    if (limits) return answer(call, &most, sizeof(most), last);
    for (uint32_t i = 0; i < t->end; i++) {
        if (!t->objects[i]) continue;
        now.__used_ids++;
        now.shm_tot += (((struct segment *)t->objects[i])->size + 4095) / 4096;
        now.shm_rss += memory_of((struct segment *)t->objects[i]).pages;
    }
    return answer(call, &now, sizeof(now), last);
}

int64_t shm_control(struct port_buffer *call) {
    const struct request *r = &call->request;
    const struct credentials *who = caller(call);
    int command = (int)r->args[2];
    struct shmid_ds ds;
    struct segment *s;
    if (command == IPC_INFO || command == SHM_INFO) return shm_information(call, command == IPC_INFO);
    bool by_index = command == SHM_STAT || command == SHM_STAT_ANY;
    if (by_index) {
        s = r->args[1] < OBJECTS_MAX ? (struct segment *)tables[IPC_SHM].objects[r->args[1]] : nullptr;
        if (!s) return -EINVAL;
    } else if (ipc_find(IPC_SHM, r->args[1], &s)) {
        return -EINVAL;
    }
    int e = 0;
    switch (command) {
    case IPC_STAT:
    case SHM_STAT:
    case SHM_STAT_ANY:
        e = command == SHM_STAT_ANY ? 0 : ipc_permit(&s->object, who, MAY_READ);
        return e ? e : segment_stat(s, call, by_index ? ipc_id(&s->object) : 0);
    case IPC_SET:
        if (r->length < sizeof(ds)) return -EINVAL;
        memcpy(&ds, call->data, sizeof(ds));
        e = ipc_may_change(&s->object, who);
        if (e) return e;
        ipc_set(&s->object, &ds.shm_perm);
        s->ctime = time(nullptr);
        return 0;
    case IPC_RMID: e = ipc_may_change(&s->object, who); return e ? e : segment_remove(s);
    case SHM_LOCK:
    case SHM_UNLOCK: return ipc_may_change(&s->object, who); /* nothing is ever paged out */
    default: return -EINVAL;
    }
}

int64_t shm_attach(struct port_buffer *call) {
    const struct request *r = &call->request;
    bool read_only = r->args[1] & SHM_RDONLY;
    struct segment *s;
    int e = ipc_find(IPC_SHM, r->args[0], &s);
    if (!e) e = ipc_permit(&s->object, caller(call), read_only ? MAY_READ : MAY_READ | MAY_WRITE);
    if (e) return e;
    uint32_t rights = RIGHT_READ | RIGHT_TRANSFER | RIGHT_MAP_EXEC | (read_only ? 0u : RIGHT_WRITE);
    long h = sys_handle_duplicate(s->memory, 0, HANDLE_IN_UPPER, rights);
    if (h < 0) return h;
    s->atime = time(nullptr);
    s->lpid = (pid_t)r->pid;
    call->reply.flags = REPLY_HANDLE | REPLY_MOVE;
    call->reply.handle = (handle_t)h;
    call->reply.args[0] = s->size;
    return 0;
}

int64_t shm_detach(struct port_buffer *call) {
    struct ipc_table *t = &tables[IPC_SHM];
    for (uint32_t i = 0; i < t->end; i++) {
        struct segment *s = (struct segment *)t->objects[i];
        if (!s || s->memory_id != call->request.args[0]) continue;
        if (call->request.args[1] == 0) return 0;
        s->dtime = time(nullptr);
        s->lpid = (pid_t)call->request.pid;
        shm_sweep();
        return 0;
    }
    return call->request.args[1] == 0 ? -EINVAL : 0;
}
