// SPDX-License-Identifier: MIT
/*
 * The scheme `service:` and the loop of init. A file for each service: reading tells its state in one
 * line, a privileged process writes `start`, `stop` or `restart` (/bin/service does both).
 */
#include "init.h"
#include <cathode/mount.h>
#include <errno.h>
#include <flat.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define CONTROL_RANK 250
#define CONTROL_NAME "service"
#define TABLE_ID 0x10000

static struct scheme scheme;
static void (*on_signal)(void);

static bool is_privileged(struct scheme *s, const struct port_buffer *call) {
    const struct credentials *c = scheme_credentials(s, call->request.credentials);
    return c && (c->privileges & PRIVILEGE_ROOT);
}

static struct service *service_named(const struct port_buffer *call) {
    for (unsigned i = 0; i < service_count; i++) {
        struct service *s = &services[i];
        if (s->state != SERVICE_REMOVED && strlen(s->name) == call->request.length &&
            memcmp(s->name, call->data, call->request.length) == 0)
            return s;
    }
    return nullptr;
}

static struct service *service_of(const struct port_buffer *call) {
    uint64_t id = call->request.object - 1;
    return id < service_count ? &services[id] : nullptr;
}

/* The table of mounts, which isn't listed among the services. */
static bool is_table(const struct port_buffer *call) {
    static const char name[] = MOUNT_TABLE;
    if (call->request.object) return call->request.object == TABLE_ID;
    return call->request.length == sizeof(name) - 1 && memcmp(call->data, name, sizeof(name) - 1) == 0;
}

static int64_t control_open(struct scheme *s, struct port_buffer *call) {
    if (flat_is_root(call)) return flat_open(call);
    struct service *found = service_named(call);
    if (is_table(call)) return reply_file(call, TABLE_ID, FILE_KIND_SEEKABLE);
    if (!found) return -ENOENT;
    if ((call->request.args[0] & FILE_ACCESS_MASK) != FILE_READ_ONLY && !is_privileged(s, call)) return -EACCES;
    return reply_file(call, (uint64_t)(found - services) + 1, FILE_KIND_SEEKABLE);
}

static int64_t control_stat(struct scheme *s, struct port_buffer *call) {
    if (flat_is_root(call)) return flat_stat(call);
    const struct service *found = call->request.object ? service_of(call) : service_named(call);
    bool table = is_table(call);
    if (!found && !table) return -ENOENT;
    struct file_attributes a = {.inode = table ? TABLE_ID : (uint64_t)(found - services) + 2,
                                .links = 1,
                                .mode = S_IFREG | (table ? 0444 : 0644),
                                .block_size = 4096};
    memcpy(call->data, &a, sizeof(a));
    call->reply.length = sizeof(a);
    return 0;
}

static int line_make(const struct service *s, char *out, size_t room) {
    static const char *const states[] = {[SERVICE_STOPPED] = "stopped",
                                         [SERVICE_RUNNING] = "running",
                                         [SERVICE_WAITING] = "waiting",
                                         [SERVICE_QUARANTINED] = "quarantined",
                                         [SERVICE_REMOVED] = "removed"};
    bool running = s->state == SERVICE_RUNNING;
    return snprintf(out, room, "%-20s %-11s %6d %6u %8lld %s\n", s->name, states[s->state], running ? s->pid : 0,
                    s->deaths, running ? (long long)((time_ns() - s->start_ns) / SECOND_NS) : 0,
                    s->function ? s->function->name : "-");
}

static int64_t control_read(struct scheme *s, struct port_buffer *call) {
    const char *names[SERVICES_MAX];
    size_t count = 0;
    char line[160];
    if (flat_is_root(call)) {
        for (unsigned i = 0; i < service_count; i++)
            if (services[i].state != SERVICE_REMOVED) names[count++] = services[i].name;
        return flat_read(call, names, count);
    }
    if (is_table(call)) return mount_table_read(call);
    const struct service *found = service_of(call);
    if (!found) return -EIO;
    return reply_text(call, line, (size_t)line_make(found, line, sizeof(line)));
}

static int64_t control_write(struct scheme *s, struct port_buffer *call) {
    static const char *const words[] = {"start", "stop", "restart"};
    struct service *found = service_of(call);
    size_t length = call->request.length;
    if (!found) return -EIO;
    if (length > 0 && call->data[length - 1] == '\n') length--;
    for (unsigned i = 0; i < 3; i++) {
        if (strlen(words[i]) != length || memcmp(words[i], call->data, length) != 0) continue;
        int e = service_control(found, i != 0, i != 1);
        s->deadline = services_restart_due();
        return e ? e : (int64_t)call->request.length;
    }
    return -EINVAL;
}

static int64_t control_set(struct scheme *s, struct port_buffer *call) {
    return call->request.args[1] & ~(uint64_t)SET_SIZE ? -EPERM : 0; /* `>` truncates */
}

static void control_event(struct scheme *s, uint64_t key, uint32_t mask) {
    if (key == KEY_SIGNALS) on_signal();
    else device_news(&services[key]);
    s->deadline = services_restart_due();
}

static void control_timeout(struct scheme *s) { s->deadline = services_restart_due(); }

static int64_t control_user(struct scheme *s, struct port_buffer *call) {
    if (!is_privileged(s, call)) return -EPERM;
    switch (call->request.op) {
    case MOUNT_START: return mount_start(s, call);
    case MOUNT_END: return mount_end(s, call);
    case MOUNT_NOTE: return mount_note(call);
    default: return -ENOSYS;
    }
}

static const struct scheme_ops control_ops = {
    .handler =
        {
            [OP_OPEN] = control_open,
            [OP_READ] = control_read,
            [OP_WRITE] = control_write,
            [OP_STAT] = control_stat,
            [OP_SET_ATTRIBUTES] = control_set,
        },
    .user = control_user,
    .event = control_event,
    .timeout = control_timeout,
};

int control_init(void) {
    int h = scheme_make(CONTROL_NAME, CONTROL_RANK, 0);
    return h < 0 ? h : scheme_init(&scheme, h, &control_ops, nullptr);
}

void control_wake(struct scheme_queue *q) { scheme_wake(&scheme, q); }

int control_watch(handle_t h, uint64_t key) { return scheme_event_add(&scheme, h, EVENT_IN, key); }

void control_serve(void (*signal)(void)) {
    on_signal = signal;
    scheme.deadline = services_restart_due();
    int e = scheme_serve(&scheme);
    service_log("init: " CONTROL_NAME ": error %d", -e);
    power_down(POWER_REBOOT);
}
