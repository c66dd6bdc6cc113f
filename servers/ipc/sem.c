// SPDX-License-Identifier: MIT
/*
 * Semaphores.  An operation that has to wait is parked on its set and tried again after every change;
 * while it waits it is counted at the semaphore that it waits for (request.args[2]).  What SEM_UNDO
 * takes back is kept per process and set; the process is watched for its exit.
 */
#include "ipc.h"
#include <sys/sem.h>

#define SEMAPHORES_MAX 32000 /* of a set */
#define OPERATIONS_MAX 500
#define VALUE_MAX 32767
#define WAITS_FOR 2 /* request.args: index + 1 of the semaphore, and if it is to become zero: */
#define WAITS_FOR_ZERO (1ULL << 32)

struct semaphore {
    uint16_t value, increase_waiters, zero_waiters;
    pid_t pid;
};
struct undo {
    struct undo *next; /* of the set */
    uint32_t pid;
    int16_t adjust[];
};
struct set {
    struct ipc_object object;
    uint32_t count;
    time_t otime, ctime;
    struct undo *undos;
    struct scheme_queue waiters;
    struct semaphore sems[];
};
struct watched { /* a process with undos */
    struct watched *next;
    uint32_t pid;
    handle_t process;
};
static struct watched *watched_first;

/* --- sets --- */
static struct ipc_object *set_make(struct port_buffer *call, int *error) {
    uint64_t count = call->request.args[2];
    *error = count == 0 || count > SEMAPHORES_MAX ? -EINVAL : 0;
    struct set *s = *error ? nullptr : calloc(1, sizeof(*s) + count * sizeof(s->sems[0]));
    if (!s) {
        if (!*error) *error = -ENOMEM;
        return nullptr;
    }
    s->count = (uint32_t)count;
    s->ctime = time(nullptr);
    return &s->object;
}

static bool set_fits(const struct ipc_object *o, uint64_t count) { return count <= ((const struct set *)o)->count; }

int64_t sem_get(struct port_buffer *call) { return ipc_get(call, set_make, set_fits); }

int64_t sem_count(struct port_buffer *call) {
    struct set *s;
    int e = ipc_find(IPC_SEM, call->request.args[0], &s);
    return e ? e : (int64_t)s->count;
}

static void set_free(struct set *s) {
    ipc_forget(IPC_SEM, &s->object);
    scheme_wake(&scheme, &s->waiters); /* EIDRM */
    for (struct undo *u; (u = s->undos);) {
        s->undos = u->next;
        free(u);
    }
    free(s);
}

static void set_changed(struct set *s) { scheme_wake(&scheme, &s->waiters); }

/* --- undo --- */
static bool watch_process(uint32_t pid) {
    for (struct watched *w = watched_first; w; w = w->next)
        if (w->pid == pid) return true;
    struct watched *w = malloc(sizeof(*w));
    long h = w ? sys_process_open((int32_t)pid, 0) : -ENOMEM;
    if (h < 0) {
        free(w);
        return false;
    }
    if (scheme_event_add(&scheme, (handle_t)h, EVENT_EXIT, pid) < 0) {
        sys_handle_close((handle_t)h);
        free(w);
        return false;
    }
    *w = (struct watched){watched_first, pid, (handle_t)h};
    watched_first = w;
    return true;
}

/* The process's undos in this set; made if it has none. */
static struct undo *undo_get(struct set *s, uint32_t pid) {
    for (struct undo *u = s->undos; u; u = u->next)
        if (u->pid == pid) return u;
    struct undo *u = calloc(1, sizeof(*u) + s->count * sizeof(u->adjust[0]));
    if (!u || !watch_process(pid)) {
        free(u);
        return nullptr;
    }
    u->pid = pid;
    u->next = s->undos;
    s->undos = u;
    return u;
}

static void undo_apply(struct set *s, const struct undo *u) {
    for (uint32_t i = 0; i < s->count; i++) {
        int value = s->sems[i].value + u->adjust[i];
        if (u->adjust[i] == 0) continue;
        s->sems[i].value = (uint16_t)(value < 0 ? 0 : value > VALUE_MAX ? VALUE_MAX : value);
        s->sems[i].pid = (pid_t)u->pid;
    }
    s->otime = time(nullptr);
    set_changed(s);
}

static void set_process_exit(struct set *s, uint32_t pid) {
    for (struct undo **at = &s->undos; *at; at = &(*at)->next) {
        struct undo *u = *at;
        if (u->pid != pid) continue;
        *at = u->next;
        undo_apply(s, u);
        free(u);
        return;
    }
}

void sem_process_exit(uint32_t pid) {
    struct ipc_table *t = &tables[IPC_SEM];
    struct watched **at = &watched_first;
    while (*at && (*at)->pid != pid) at = &(*at)->next;
    struct watched *w = *at;
    if (!w) return;
    *at = w->next;
    (void)!scheme_event_delete(&scheme, w->process);
    sys_handle_close(w->process);
    free(w);
    for (uint32_t i = 0; i < t->end; i++)
        if (t->objects[i]) set_process_exit((struct set *)t->objects[i], pid);
}

/* SETVAL, SETALL: nobody takes back what was done before. */
static void undo_forget(struct set *s, uint32_t index) {
    for (struct undo *u = s->undos; u; u = u->next) u->adjust[index] = 0;
}

/* --- operations --- */
/* Not waiting any more, or not yet. */
static void stop_waiting(struct set *s, struct request *r) {
    uint64_t waits = r->args[WAITS_FOR];
    uint32_t index = (uint32_t)waits - 1;
    r->args[WAITS_FOR] = 0;
    if (!waits || index >= s->count) return;
    if (waits & WAITS_FOR_ZERO) s->sems[index].zero_waiters--;
    else s->sems[index].increase_waiters--;
}

void sem_cancel(struct port_buffer *call) {
    struct set *s;
    if (ipc_find(IPC_SEM, call->request.args[0], &s) == 0) stop_waiting(s, &call->request);
}

/* 0 or -errno, before anything is changed. */
static int operations_check(const struct set *s, const struct sembuf *ops, size_t count,
                            const struct credentials *who) {
    uint32_t want = MAY_READ;
    for (size_t i = 0; i < count; i++) {
        if (ops[i].sem_num >= s->count) return -EFBIG;
        if (ops[i].sem_op != 0) want = MAY_WRITE;
    }
    return ipc_permit(&s->object, who, want);
}

static void operation_back(struct set *s, struct undo *u, const struct sembuf *op) {
    s->sems[op->sem_num].value = (uint16_t)(s->sems[op->sem_num].value - op->sem_op);
    if (u && op->sem_flg & SEM_UNDO) u->adjust[op->sem_num] = (int16_t)(u->adjust[op->sem_num] + op->sem_op);
}

/* One of them: 0, -ERANGE, or -EAGAIN if it would have to wait. */
static int operation_try(struct set *s, struct undo *u, const struct sembuf *op) {
    struct semaphore *sem = &s->sems[op->sem_num];
    int value = sem->value + op->sem_op;
    if (op->sem_op == 0) return sem->value == 0 ? 0 : -EAGAIN;
    if (value < 0) return -EAGAIN;
    if (value > VALUE_MAX) return -ERANGE;
    if (op->sem_flg & SEM_UNDO) {
        int adjust = u->adjust[op->sem_num] - op->sem_op;
        if (adjust < -VALUE_MAX - 1 || adjust > VALUE_MAX) return -ERANGE;
        u->adjust[op->sem_num] = (int16_t)adjust;
    }
    sem->value = (uint16_t)value;
    return 0;
}

/* All or none; *at: the one that failed. */
static int operations_try(struct set *s, struct undo *u, const struct sembuf *ops, size_t count, size_t *at) {
    int e = 0;
    size_t done = 0;
    while (done < count && !(e = operation_try(s, u, &ops[done]))) done++;
    *at = done;
    while (e && done-- > 0) operation_back(s, u, &ops[done]);
    return e;
}

static int64_t wait_for(struct set *s, struct port_buffer *call, const struct sembuf *op) {
    if (op->sem_flg & IPC_NOWAIT) return -EAGAIN;
    call->request.args[WAITS_FOR] = (op->sem_num + 1u) | (op->sem_op == 0 ? WAITS_FOR_ZERO : 0);
    int64_t parked = scheme_park(&scheme, call, &s->waiters);
    if (parked != PARK) return parked;
    if (op->sem_op == 0) s->sems[op->sem_num].zero_waiters++;
    else s->sems[op->sem_num].increase_waiters++;
    return PARK;
}

int64_t sem_operate(struct port_buffer *call) {
    struct request *r = &call->request;
    struct sembuf ops[OPERATIONS_MAX];
    size_t count = r->length / sizeof(ops[0]), at;
    struct undo *u = nullptr;
    struct set *s;
    int e = ipc_find(IPC_SEM, r->args[0], &s);
    if (e) return scheme_again(&scheme) ? -EIDRM : e;
    if (scheme_again(&scheme)) stop_waiting(s, r);
    if (count == 0 || r->length % sizeof(ops[0])) return -EINVAL;
    if (count > OPERATIONS_MAX) return -E2BIG;
    memcpy(ops, call->data, r->length);
    e = operations_check(s, ops, count, caller(call));
    if (e) return e;
    for (size_t i = 0; i < count && !u; i++)
        if (ops[i].sem_flg & SEM_UNDO && !(u = undo_get(s, r->pid))) return -ENOSPC;
    e = operations_try(s, u, ops, count, &at);
    if (e) return e == -EAGAIN ? wait_for(s, call, &ops[at]) : e;
    bool changed = false;
    for (size_t i = 0; i < count; i++) {
        s->sems[ops[i].sem_num].pid = (pid_t)r->pid;
        changed |= ops[i].sem_op != 0;
    }
    s->otime = time(nullptr);
    if (changed) set_changed(s);
    return 0;
}

/* --- control --- */
static int64_t answer(struct port_buffer *call, const void *data, size_t size, int64_t result) {
    memcpy(call->data, data, size);
    call->reply.length = (uint32_t)size;
    return result;
}

static int64_t set_stat(const struct set *s, struct port_buffer *call, int64_t result) {
    struct semid_ds ds = {.sem_perm = s->object.perm,
                          .sem_otime = s->otime,
                          .sem_ctime = s->ctime,
                          .sem_nsems = (unsigned short)s->count};
    return answer(call, &ds, sizeof(ds), result);
}

static int64_t sem_information(struct port_buffer *call, bool limits) {
    struct ipc_table *t = &tables[IPC_SEM];
    struct seminfo info = {
        .semmni = OBJECTS_MAX,
        .semmns = OBJECTS_MAX * SEMAPHORES_MAX,
        .semmsl = SEMAPHORES_MAX,
        .semopm = OPERATIONS_MAX,
        .semvmx = VALUE_MAX,
        .semaem = VALUE_MAX,
    };
    for (uint32_t i = 0; !limits && i < t->end; i++) {
        if (!t->objects[i]) continue;
        info.semusz++;
        info.semaem += (int)((struct set *)t->objects[i])->count;
    }
    return answer(call, &info, sizeof(info), t->end > 0 ? t->end - 1 : 0);
}

static int64_t set_value(struct set *s, struct port_buffer *call, uint32_t index) {
    int value;
    if (call->request.length < sizeof(value)) return -EINVAL;
    memcpy(&value, call->data, sizeof(value));
    if (value < 0 || value > VALUE_MAX) return -ERANGE;
    s->sems[index].value = (uint16_t)value;
    s->sems[index].pid = (pid_t)call->request.pid;
    undo_forget(s, index);
    s->ctime = time(nullptr);
    set_changed(s);
    return 0;
}

static int64_t set_all(struct set *s, struct port_buffer *call) {
    const uint16_t *values = (const uint16_t *)call->data;
    if (call->request.length < s->count * sizeof(values[0])) return -EINVAL;
    for (uint32_t i = 0; i < s->count; i++)
        if (values[i] > VALUE_MAX) return -ERANGE;
    for (uint32_t i = 0; i < s->count; i++) {
        s->sems[i].value = values[i];
        s->sems[i].pid = (pid_t)call->request.pid;
        undo_forget(s, i);
    }
    s->ctime = time(nullptr);
    set_changed(s);
    return 0;
}

static int64_t get_all(const struct set *s, struct port_buffer *call) {
    uint16_t *values = (uint16_t *)call->data;
    for (uint32_t i = 0; i < s->count; i++) values[i] = s->sems[i].value;
    call->reply.length = (uint32_t)(s->count * sizeof(values[0]));
    return 0;
}

static int64_t control_one(struct set *s, struct port_buffer *call, int command) {
    uint64_t index = call->request.args[3];
    if (index >= s->count) return -EINVAL;
    const struct semaphore *sem = &s->sems[index];
    switch (command) {
    case GETVAL: return sem->value;
    case GETPID: return sem->pid;
    case GETNCNT: return sem->increase_waiters;
    case GETZCNT: return sem->zero_waiters;
    default: return set_value(s, call, (uint32_t)index);
    }
}

static int64_t change(struct set *s, struct port_buffer *call, int command) {
    struct semid_ds ds;
    int e = ipc_may_change(&s->object, caller(call));
    if (e) return e;
    if (command == IPC_RMID) {
        set_free(s);
        return 0;
    }
    if (call->request.length < sizeof(ds)) return -EINVAL;
    memcpy(&ds, call->data, sizeof(ds));
    ipc_set(&s->object, &ds.sem_perm);
    s->ctime = time(nullptr);
    return 0;
}

int64_t sem_control(struct port_buffer *call) {
    const struct request *r = &call->request;
    int command = (int)r->args[2];
    struct set *s;
    if (command == IPC_INFO || command == SEM_INFO) return sem_information(call, command == IPC_INFO);
    bool by_index = command == SEM_STAT || command == SEM_STAT_ANY;
    if (by_index) {
        s = r->args[1] < OBJECTS_MAX ? (struct set *)tables[IPC_SEM].objects[r->args[1]] : nullptr;
        if (!s) return -EINVAL;
    } else if (ipc_find(IPC_SEM, r->args[1], &s)) {
        return -EINVAL;
    }
    if (command == IPC_SET || command == IPC_RMID) return change(s, call, command);
    uint32_t want = command == SETVAL || command == SETALL ? MAY_WRITE : command == SEM_STAT_ANY ? 0 : MAY_READ;
    int e = ipc_permit(&s->object, caller(call), want);
    if (e) return e;
    switch (command) {
    case IPC_STAT:
    case SEM_STAT:
    case SEM_STAT_ANY: return set_stat(s, call, by_index ? ipc_id(&s->object) : 0);
    case GETALL: return get_all(s, call);
    case SETALL: return set_all(s, call);
    case GETVAL:
    case GETPID:
    case GETNCNT:
    case GETZCNT:
    case SETVAL: return control_one(s, call, command);
    default: return -EINVAL;
    }
}
