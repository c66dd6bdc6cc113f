// SPDX-License-Identifier: MIT
/*
 * System V IPC and POSIX message queues, over the scheme ipc: (cathode/ipc.h). Its root is opened once
 * and kept in the upper range: exec drops the handle together with the variable that knows it, fork
 * copies both.
 */
#include "shim.h"
#include <cathode/ipc.h>
#include <mqueue.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

static _Atomic handle_t root_known = HANDLE_NONE;

static long ipc_root(void) {
    handle_t none = HANDLE_NONE, root = atomic_load(&root_known);
    if (root != HANDLE_NONE) {
        return root;
    }
    struct call_args call;
    call_prepare(&call, OP_OPEN, O_RDONLY, 0, 0);
    call.request.flags = REQUEST_IDEMPOTENT;
    call.handle_flags = HANDLE_IN_UPPER;
    call.in = "ipc:";
    call.request.length = 4;
    long error = call_send(HANDLE_NAMESPACE, &call);
    if (error < 0) {
        return -ENOSYS;
    }
    if (!atomic_compare_exchange_strong(&root_known, &none, call.reply.handle)) {
        sys_handle_close(call.reply.handle); /* another thread was faster */
        return none;
    }
    return call.reply.handle;
}

static long ipc_send(struct call_args *call) {
    long root = ipc_root();
    return root < 0 ? root : call_send((handle_t)root, call);
}

static long ipc_get(enum ipc_kind kind, key_t key, size_t size, int flags) {
    struct call_args call;
    call_prepare(&call, IPC_GET, kind, (uint64_t)(int64_t)key, size);
    call.request.args[3] = (uint64_t)flags;
    return ipc_send(&call);
}

/* A control operation whose structure, if it has one, has `size` bytes. */
static long ipc_control(enum ipc_kind kind, int id, int command, int index, void *data, size_t in, size_t out) {
    struct call_args call;
    call_prepare(&call, IPC_CONTROL, kind, (uint64_t)(int64_t)id, (uint64_t)command);
    call.request.args[3] = (uint64_t)(int64_t)index;
    if ((in || out) && !data) {
        return -EFAULT;
    }
    call.in = data;
    call.request.length = (uint32_t)in;
    call.out = data;
    call.out_size = (uint32_t)out;
    return ipc_send(&call);
}

/* --- shared memory ------------------------------------------------------------------------------ */

long row_shmget(key_t key, size_t size, int flags) { return ipc_get(IPC_SHM, key, size, flags); }

long row_shmat(int id, const void *address, int flags) {
    struct call_args call;
    uintptr_t at = (uintptr_t)address;
    unsigned vm = VM_READ | VM_SHARED | (flags & SHM_RDONLY ? 0u : VM_WRITE) | (flags & SHM_EXEC ? VM_EXEC : 0u);
    if (flags & SHM_RND) {
        at &= ~(PAGE_BYTES - 1);
    }
    if (at & (PAGE_BYTES - 1) || (!at && (address || flags & SHM_REMAP))) {
        return -EINVAL;
    }
    if (at) {
        vm |= VM_FIXED | (flags & SHM_REMAP ? 0u : VM_NOREPLACE);
    }
    call_prepare(&call, IPC_SHM_ATTACH, (uint64_t)(int64_t)id, (uint64_t)flags, 0);
    call.handle_flags = HANDLE_IN_UPPER;
    long error = ipc_send(&call);
    if (error < 0) {
        return error;
    }
    size_t size = (call.reply.args[0] + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
    long result = sys_vm_map(at, size, vm, call.reply.handle, 0);
    sys_handle_close(call.reply.handle);
    return result == -EEXIST ? -EINVAL : result;
}

/* The segment that begins at this address. */
long row_shmdt(const void *address) {
    struct call_args call;
    struct map_info map;
    long size = sys_process_info(0, PROCESS_MAPS, &map, sizeof(map), (uint64_t)address);
    if (size < (long)sizeof(map) || map.start != (uintptr_t)address || map.offset != 0 || !map.object ||
        !(map.flags & VM_SHARED)) {
        return -EINVAL;
    }
    call_prepare(&call, IPC_SHM_DETACH, map.object, 0, 0);
    long error = ipc_send(&call);
    if (error == 0) {
        error = sys_vm_unmap(map.start, map.end - map.start);
    }
    if (error < 0) {
        return error;
    }
    call.request.args[1] = 1;
    ipc_send(&call);
    return 0;
}

long row_shmctl(int id, int command, void *data) {
    static const uint8_t outputs[] = {
        [IPC_STAT] = sizeof(struct shmid_ds),     [IPC_INFO] = sizeof(struct shminfo),
        [SHM_STAT] = sizeof(struct shmid_ds),     [SHM_INFO] = sizeof(struct shm_info),
        [SHM_STAT_ANY] = sizeof(struct shmid_ds),
    };
    size_t in = command == IPC_SET ? sizeof(struct shmid_ds) : 0;
    size_t out = (unsigned)command < sizeof(outputs) ? outputs[command] : 0;
    return ipc_control(IPC_SHM, id, command, 0, data, in, out);
}

/* --- semaphores --------------------------------------------------------------------------------- */

long row_semget(key_t key, int count, int flags) {
    return count < 0 ? -EINVAL : ipc_get(IPC_SEM, key, (size_t)count, flags);
}

long row_semtimedop(int id, const struct sembuf *operations, size_t count, const struct timespec *timeout) {
    struct call_args call;
    int64_t deadline = deadline_after(timeout);
    if (deadline < 0) {
        return deadline;
    }
    if (count == 0 || count > 500) {
        return count ? -E2BIG : -EINVAL;
    }
    call_prepare(&call, IPC_SEM_OPERATE, (uint64_t)(int64_t)id, 0, 0);
    call.request.flags = REQUEST_NO_RESTART;
    call.in = operations;
    call.request.length = (uint32_t)(count * sizeof(*operations));
    call.deadline = deadline;
    long result = ipc_send(&call);
    return result == -ETIMEDOUT ? -EAGAIN : result;
}

long row_semop(int id, const struct sembuf *operations, size_t count) {
    return row_semtimedop(id, operations, count, nullptr);
}

long row_semctl(int id, int index, int command, unsigned long argument) {
    int value = (int)argument;
    struct call_args call;
    switch (command) {
    case SETVAL: return ipc_control(IPC_SEM, id, command, index, &value, sizeof(value), 0);
    case GETALL:
    case SETALL: {
        call_prepare(&call, IPC_SEM_COUNT, (uint64_t)(int64_t)id, 0, 0);
        long count = ipc_send(&call);
        size_t size = count < 0 ? 0 : (size_t)count * sizeof(unsigned short);
        return count < 0 ? count
                         : ipc_control(IPC_SEM, id, command, index, (void *)argument, command == SETALL ? size : 0,
                                       command == GETALL ? size : 0);
    }
    case IPC_SET: return ipc_control(IPC_SEM, id, command, index, (void *)argument, sizeof(struct semid_ds), 0);
    case IPC_STAT:
    case SEM_STAT:
    case SEM_STAT_ANY: return ipc_control(IPC_SEM, id, command, index, (void *)argument, 0, sizeof(struct semid_ds));
    case IPC_INFO:
    case SEM_INFO: return ipc_control(IPC_SEM, id, command, index, (void *)argument, 0, sizeof(struct seminfo));
    default: return ipc_control(IPC_SEM, id, command, index, nullptr, 0, 0);
    }
}

/* --- messages ----------------------------------------------------------------------------------- */

#define TEXT_MAX 8192

long row_msgget(key_t key, int flags) { return ipc_get(IPC_MSG, key, 0, flags); }

long row_msgsnd(int id, const void *message, size_t size, int flags) {
    struct call_args call;
    if (size > TEXT_MAX) {
        return -EINVAL;
    }
    call_prepare(&call, IPC_MSG_SEND, (uint64_t)(int64_t)id, (uint64_t)flags, 0);
    call.request.flags = REQUEST_NO_RESTART;
    call.in = message;
    call.request.length = (uint32_t)(sizeof(long) + size);
    return ipc_send(&call);
}

long row_msgrcv(int id, void *message, size_t size, long type, int flags) {
    struct call_args call;
    if (size > SSIZE_MAX) {
        return -EINVAL;
    }
    size_t room = size < TEXT_MAX ? size : TEXT_MAX;
    call_prepare(&call, IPC_MSG_RECEIVE, (uint64_t)(int64_t)id, (uint64_t)flags, (uint64_t)type);
    call.request.flags = REQUEST_NO_RESTART;
    call.request.args[3] = room;
    call.out = message;
    call.out_size = (uint32_t)(sizeof(long) + room);
    return ipc_send(&call);
}

long row_msgctl(int id, int command, void *data) {
    static const uint8_t outputs[] = {
        [IPC_STAT] = sizeof(struct msqid_ds),     [IPC_INFO] = sizeof(struct msginfo),
        [MSG_STAT] = sizeof(struct msqid_ds),     [MSG_INFO] = sizeof(struct msginfo),
        [MSG_STAT_ANY] = sizeof(struct msqid_ds),
    };
    size_t in = command == IPC_SET ? sizeof(struct msqid_ds) : 0;
    size_t out = (unsigned)command < sizeof(outputs) ? outputs[command] : 0;
    return ipc_control(IPC_MSG, id, command, 0, data, in, out);
}

/* --- POSIX message queues ------------------------------------------------------------------------- */

/* The name as a path of the scheme: its length, or -errno. */
static long mq_path(char path[PATH_MAX], const char *name) {
    size_t length = strlen(name);
    if (length > NAME_MAX) {
        return -ENAMETOOLONG;
    }
    memcpy(path, "mq/", 3);
    memcpy(path + 3, name, length);
    return (long)length + 3;
}

long row_mq_open(const char *name, int flags, mode_t mode, const struct mq_attr *attributes) {
    char path[PATH_MAX];
    struct call_args call;
    long length = mq_path(path, name), root = ipc_root();
    if (length < 0 || root < 0) {
        return length < 0 ? length : root;
    }
    if (flags & O_CREAT && attributes &&
        (attributes->mq_maxmsg <= 0 || attributes->mq_msgsize <= 0 || attributes->mq_maxmsg > INT32_MAX ||
         attributes->mq_msgsize > INT32_MAX)) {
        return -EINVAL;
    }
    call_prepare(&call, OP_OPEN, (uint64_t)(flags & (O_ACCMODE | O_CREAT | O_EXCL | O_NONBLOCK)),
                 flags & O_CREAT ? umask_apply(mode & 0777) : 0, 0);
    call.handle_flags = HANDLE_CLOEXEC; /* as everywhere */
    call.in = path;
    call.request.length = (uint32_t)length;
    if (flags & O_CREAT && attributes) {
        call.request.args[3] = (uint64_t)attributes->mq_maxmsg | (uint64_t)attributes->mq_msgsize << 32;
    }
    long error = call_send((handle_t)root, &call);
    return error < 0 ? error : call.reply.handle;
}

long row_mq_unlink(const char *name) {
    char path[PATH_MAX];
    struct call_args call;
    long length = mq_path(path, name);
    if (length < 0) {
        return length;
    }
    call_prepare(&call, OP_REMOVE, 0, 0, 0);
    call.in = path;
    call.request.length = (uint32_t)length;
    return ipc_send(&call);
}

/* 0 if it is a queue that may be used so. */
static long mq_check(int queue, bool write) {
    struct handle_info info;
    long error = is_fd(queue) ? sys_handle_info(queue, &info) : -EBADF;
    if (error < 0) {
        return error;
    }
    bool is_queue = info.type == OBJECT_FILE && PLANE_OF(info) == PLANE_CHANNEL && info.plane >> 16 & CHANNEL_PRIORITY;
    return is_queue && info.rights & (write ? RIGHT_WRITE : RIGHT_READ) ? 0 : -EBADF;
}

static int64_t deadline_wall(const struct timespec *until) {
    struct timespec now;
    int64_t ns;
    row_clock_gettime(CLOCK_REALTIME, &now);
    if (__builtin_mul_overflow(until->tv_sec - now.tv_sec, NS_PER_SECOND, &ns)) {
        return until->tv_sec < now.tv_sec ? 1 : DEADLINE_NEVER;
    }
    ns += until->tv_nsec - now.tv_nsec + clock_monotonic();
    return ns > 0 ? ns : 1; /* 0 would mean "do not wait" */
}

/* At a wall-clock time; looked at only by who has to wait. -EAGAIN: it would have to, and may not. */
static long mq_wait(int queue, struct channel_message *m, const struct timespec *until, bool send) {
    int64_t deadline = DEADLINE_NEVER;
    if (until) {
        deadline = timespec_valid(until) ? deadline_wall(until) : 0;
    }
    long result = send ? sys_channel_send(queue, m, deadline) : sys_channel_receive(queue, m, deadline);
    if (result != -EAGAIN || !until || timespec_valid(until)) {
        return result;
    }
    struct handle_info info;
    sys_handle_info(queue, &info);
    return info.status & FILE_NONBLOCK ? -EAGAIN : -EINVAL;
}

long row_mq_timedsend(int queue, const char *text, size_t size, unsigned priority, const struct timespec *until) {
    long error = mq_check(queue, true);
    if (error < 0 || priority >= MQ_PRIO_MAX) {
        return error < 0 ? error : -EINVAL;
    }
    struct io_vector v = {(void *)text, size};
    struct channel_message m = {.vectors = &v, .vector_count = 1, .priority = priority};
    long result = mq_wait(queue, &m, until, true);
    return result < 0 ? result : 0;
}

long row_mq_timedreceive(int queue, char *text, size_t size, unsigned *priority, const struct timespec *until) {
    long error = mq_check(queue, false);
    if (error < 0) {
        return error;
    }
    struct io_vector v = {text, size};
    struct channel_message m = {.vectors = &v, .vector_count = 1};
    long result = mq_wait(queue, &m, until, false);
    if (result >= 0 && priority) {
        *priority = m.priority;
    }
    return result;
}

long row_mq_getsetattr(int queue, const struct mq_attr *new, struct mq_attr *old) {
    struct handle_info info;
    struct call_args call;
    uint64_t now[3];
    long error = is_fd(queue) ? sys_handle_info(queue, &info) : -EBADF;
    if (error < 0 || (mq_check(queue, false) < 0 && mq_check(queue, true) < 0)) {
        return -EBADF;
    }
    if (new && new->mq_flags & ~(long)O_NONBLOCK) {
        return -EINVAL;
    }
    if (old) {
        call_prepare(&call, MQ_ATTRIBUTES, 0, 0, 0);
        call.out = now;
        call.out_size = sizeof(now);
        error = call_send(queue, &call);
        if (error < 0) {
            return error;
        }
        *old = (struct mq_attr){.mq_flags = info.status & FILE_NONBLOCK,
                                .mq_maxmsg = (long)now[0],
                                .mq_msgsize = (long)now[1],
                                .mq_curmsgs = (long)now[2]};
    }
    return new ? sys_handle_set(queue, 1, FILE_NONBLOCK, (uint32_t)new->mq_flags) : 0;
}

/* SIGEV_THREAD: sigev_signo is a socket that the thread waits on (notify_socket). */
long row_mq_notify(int queue, const struct sigevent *event) {
    struct call_args call;
    if (mq_check(queue, false) < 0 && mq_check(queue, true) < 0) {
        return -EBADF;
    }
    int how = event ? event->sigev_notify : -1;
    call_prepare(&call, MQ_NOTIFY, (uint64_t)(int64_t)how, event ? (uint64_t)event->sigev_signo : 0,
                 event ? (uint64_t)event->sigev_value.sival_ptr : 0);
    if (how == SIGEV_THREAD) {
        call.carry = event->sigev_signo;
    }
    return call_send(queue, &call);
}
