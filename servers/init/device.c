// SPDX-License-Identifier: MIT
/*
 * Devices: the PCI server reports functions, each gets an instance of the driver whose manifest
 * matches, and drivers report the units that they found, which become links in /dev.
 *
 * Units are named when all drivers of the start are ready, in the order of the functions: which of two
 * disks is `vda` is no question of who was faster. A driver that is late gets its name set aside.
 */
#include "init.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FUNCTIONS_MAX 64
#define NODES_MAX 52
#define UNITS_MAX 32
#define UNIT_EXPECTED UINT32_MAX /* of a driver that wasn't ready when names were given */
#define PARTITIONS_MAX 128
#define LETTERS 26
#define OPEN_NS SECOND_NS /* of a unit that its driver has just told of */
#define SETTLE_NS (20 * SECOND_NS) /* then nobody waits any longer */
#define DEATHS_FORGIVEN 3 /* at its start, before a driver isn't waited for */

static struct driver {
    char name[SERVICE_NAME_MAX];
    const struct manifest *manifest;
} drivers[MANIFESTS_MAX];
static unsigned driver_count;

static struct function functions[FUNCTIONS_MAX]; /* name[0] 0: free */

static struct node {
    const struct service *service; /* null: free */
    uint32_t unit; /* or UNIT_EXPECTED */
    bool cd;
    unsigned number; /* from 1 on; 0: not yet named */
    bool untold; /* its users could not be given its file: again with the driver's next instance */
    bool partitions[PARTITIONS_MAX + 1]; /* 0: the unit */
} nodes[NODES_MAX];
static bool settled;

void driver_add(const char *name, const struct manifest *m) {
    struct driver *d = &drivers[driver_count++];
    strcpy(d->name, name);
    d->manifest = m;
}

/* --- functions --- */
static struct function *function_named(const char *name) {
    for (unsigned i = 0; i < FUNCTIONS_MAX; i++)
        if (strcmp(functions[i].name, name) == 0) return &functions[i];
    return nullptr;
}

/* Who knows its ids comes before who knows its class. */
static void driver_start(struct function *f) {
    for (unsigned i = 0; i < 2 * driver_count; i++) {
        struct driver *d = &drivers[i % driver_count];
        uint32_t class_code = i < driver_count ? MANIFEST_NO_CLASS : f->class_code;
        if (!manifest_matches(d->manifest, f->vendor, f->device, class_code)) continue;
        service_add_driver(d->name, d->manifest, f);
        return;
    }
}

void drivers_start(void) {
    for (unsigned i = 0; i < FUNCTIONS_MAX; i++)
        if (functions[i].name[0] && !functions[i].driver) driver_start(&functions[i]);
}

/* A PCI server that was restarted reports again what is known: those files were reopened. */
static void function_found(const struct service_message *m, handle_t file) {
    struct function *f = function_named(m->name) ? nullptr : function_named("");
    if (file == HANDLE_NONE) return;
    if (!f || !m->name[0]) {
        sys_handle_close(file);
        return;
    }
    *f = (struct function){.vendor = m->vendor, .device = m->device, .class_code = m->class_code, .file = file};
    memcpy(f->name, m->name, sizeof(f->name));
    driver_start(f);
}

static void unit_gone(const struct service *s, uint32_t unit);

static void function_gone(const char *name) {
    struct function *f = name[0] ? function_named(name) : nullptr;
    if (!f) return;
    struct service *s = f->driver;
    sys_handle_close(f->file);
    *f = (struct function){};
    if (!s) return;
    for (uint32_t unit = 0; unit < UNITS_MAX; unit++) unit_gone(s, unit);
    unit_gone(s, UNIT_EXPECTED);
    service_remove(s);
}

static void tell(const struct service *s, const struct service_message *m, handle_t h) {
    struct io_vector v = {(void *)m, sizeof(*m)};
    struct channel_message message = {
        .vectors = &v, .vector_count = 1, .handles = &h, .handle_count = h != HANDLE_NONE, .to = HANDLE_NONE};
    if (s->channel != HANDLE_NONE) sys_channel_send(s->channel, &message, 0);
}

void device_tell(const struct service *s, const struct service_message *m) { tell(s, m, HANDLE_NONE); }

void device_driver_ended(const struct service *s) {
    struct service_message m = {.kind = SERVICE_HOLDER_GONE};
    memcpy(m.name, s->function->name, sizeof(m.name));
    for (unsigned i = 0; i < service_count; i++)
        if (services[i].state == SERVICE_RUNNING && services[i].manifest->grants & GRANT_HARDWARE)
            device_tell(&services[i], &m);
}

/* --- nodes in /dev --- */
static struct node *node_of(const struct service *s, uint32_t unit) {
    for (unsigned i = 0; i < NODES_MAX; i++)
        if (nodes[i].service == s && nodes[i].unit == unit) return &nodes[i];
    return nullptr;
}

static struct node *node_make(const struct service *s, uint32_t unit) {
    for (unsigned i = 0; i < NODES_MAX; i++) {
        if (nodes[i].service) continue;
        nodes[i] = (struct node){.service = s, .unit = unit};
        return &nodes[i];
    }
    return nullptr;
}

static const char *prefix_of(const struct node *n) { return n->cd ? "sr*" : n->service->manifest->nodes; }

static void node_name_make(char name[16], const struct node *n) {
    const char *prefix = prefix_of(n);
    int stem = (int)strcspn(prefix, "*");
    if (prefix[stem]) snprintf(name, 16, "%.*s%u", stem, prefix, n->number - 1);
    else snprintf(name, 16, "%s%c", prefix, 'a' + (int)n->number - 1);
}

static void node_path(char path[64], const struct node *n, unsigned partition) {
    char name[16];
    node_name_make(name, n);
    int length = snprintf(path, 64, "%s/%s", dev_folder(), name);
    if (partition) snprintf(path + length, 64 - (size_t)length, "%u", partition);
}

static void link_make(const struct node *n, unsigned partition) {
    char path[64], target[96];
    const char *scheme = n->service->scheme_names[0];
    node_path(path, n, partition);
    if (partition) snprintf(target, sizeof(target), "/scheme/%s/%up%u", scheme, n->unit, partition);
    else snprintf(target, sizeof(target), "/scheme/%s/%u", scheme, n->unit);
    if (symlink(target, path) < 0 && errno != EEXIST) service_log("init: cannot make %s: %s", path, strerror(errno));
}

/* --- units and their users --- */
static bool uses(const struct service *s, const struct node *n) {
    const char *prefix = prefix_of(n);
    size_t stem = strcspn(prefix, "*");
    const char *wanted = s->manifest->uses;
    return s->state != SERVICE_REMOVED && wanted && strlen(wanted) == stem && memcmp(wanted, prefix, stem) == 0;
}

/* The unit's open file, or -errno: init waits for no driver that hangs, nor for one that has just died. */
static handle_t unit_open(const struct node *n) {
    char name[MANIFEST_NAME_MAX + 16];
    int length = snprintf(name, sizeof(name), "%s:%u", n->service->scheme_names[0], n->unit);
    struct call_args args = {
        .request = {.op = OP_OPEN, .args = {FILE_READ_WRITE}, .length = (uint32_t)length},
        .in = name,
        .carry = HANDLE_NONE,
        .handle_flags = HANDLE_IN_UPPER,
        .deadline = time_ns() + OPEN_NS,
    };
    long e = sys_call(HANDLE_NAMESPACE, &args);
    return e < 0 ? (handle_t)e : args.reply.handle;
}

static void unit_give(const struct service *s, struct node *n) {
    struct service_message m = {.kind = SERVICE_UNIT, .unit = n->number - 1};
    handle_t h = unit_open(n);
    node_name_make(m.name, n);
    n->untold = h < 0;
    if (h < 0) {
        service_log("init: cannot open %s for %s: %s", m.name, s->name, strerror(-h));
        return;
    }
    tell(s, &m, h);
    sys_handle_close(h);
}

static void node_give(struct node *n) {
    for (unsigned i = 0; i < service_count; i++)
        if (uses(&services[i], n) && services[i].state == SERVICE_RUNNING) unit_give(&services[i], n);
}

void units_tell(const struct service *s) {
    for (unsigned i = 0; i < NODES_MAX; i++)
        if (nodes[i].number && nodes[i].unit != UNIT_EXPECTED && uses(s, &nodes[i])) unit_give(s, &nodes[i]);
    if (settled) device_tell(s, &(struct service_message){.kind = SERVICE_UNITS_SETTLED});
}

/* The first number that no unit with this prefix has. */
static void node_name(struct node *n) {
    const char *prefix = prefix_of(n);
    bool taken[NODES_MAX] = {};
    unsigned most = strchr(prefix, '*') ? NODES_MAX : LETTERS;
    for (unsigned i = 0; i < NODES_MAX; i++) {
        const struct node *other = &nodes[i];
        if (other->service && other->number && strcmp(prefix_of(other), prefix) == 0) taken[other->number - 1] = true;
    }
    for (unsigned i = 0; i < most && !n->number; i++)
        if (!taken[i]) n->number = i + 1;
    if (!n->number || n->unit == UNIT_EXPECTED) return;
    for (unsigned i = 0; i <= PARTITIONS_MAX; i++)
        if (n->partitions[i]) link_make(n, i);
    node_give(n);
}

static void node_add(const struct service *s, uint32_t unit, uint32_t partition, uint32_t kind) {
    bool cd = kind == SERVICE_UNIT_CD;
    if (!s->manifest->nodes || unit >= UNITS_MAX || partition > PARTITIONS_MAX) return;
    struct node *n = node_of(s, unit);
    if (!n && !cd && (n = node_of(s, UNIT_EXPECTED))) {
        n->unit = unit;
        n->untold = true;
    }
    if (!n && (n = node_make(s, unit))) n->cd = cd;
    if (n && (n->untold || (kind == SERVICE_UNIT_STREAM && n->number))) node_give(n);
    if (!n || n->partitions[partition]) return;
    n->partitions[partition] = true;
    if (n->number) link_make(n, partition);
    else if (settled) node_name(n);
}

static void unit_gone(const struct service *s, uint32_t unit) {
    struct node *n = node_of(s, unit);
    char path[64];
    for (unsigned i = 0; n && n->number && i <= PARTITIONS_MAX; i++) {
        if (!n->partitions[i]) continue;
        node_path(path, n, i);
        unlink(path);
    }
    if (n && n->number && unit != UNIT_EXPECTED) {
        struct service_message m = {.kind = SERVICE_UNIT_GONE, .unit = n->number - 1};
        node_name_make(m.name, n);
        for (unsigned i = 0; i < service_count; i++)
            if (uses(&services[i], n)) device_tell(&services[i], &m);
    }
    if (n) *n = (struct node){};
}

bool node_find(bool (*is_wanted)(const char *path, const char *name), char path[64]) {
    for (unsigned i = 0; i < service_count; i++)
        for (uint32_t unit = 0; unit < UNITS_MAX; unit++) {
            const struct node *n = node_of(&services[i], unit);
            for (unsigned j = 0; n && j <= PARTITIONS_MAX; j++) {
                if (!n->partitions[j]) continue;
                node_path(path, n, j);
                if (is_wanted(path, strrchr(path, '/') + 1)) return true;
            }
        }
    return false;
}

void nodes_link(void) {
    for (unsigned i = 0; i < NODES_MAX; i++)
        for (unsigned j = 0; nodes[i].number && j <= PARTITIONS_MAX; j++)
            if (nodes[i].partitions[j]) link_make(&nodes[i], j);
}

/* --- settling --- */
static bool is_awaited(const struct service *s) {
    bool device = s->function || s->manifest->grants & GRANT_HARDWARE;
    return device && !s->ready && s->deaths < DEATHS_FORGIVEN &&
           (s->state == SERVICE_RUNNING || s->state == SERVICE_WAITING);
}

bool devices_ready(void) {
    for (unsigned i = 0; i < service_count; i++)
        if (is_awaited(&services[i])) return false;
    return true;
}

/* Names for all units of the driver, and one set aside if it is late and has told of none yet. */
static void units_name(const struct service *s) {
    bool expected = s->manifest->nodes && is_awaited(s);
    for (uint32_t unit = 0; unit < UNITS_MAX; unit++) {
        struct node *n = node_of(s, unit);
        if (n) node_name(n);
        expected &= !n;
    }
    struct node *n = expected ? node_make(s, UNIT_EXPECTED) : nullptr;
    if (n) node_name(n);
}

bool devices_settled(void) {
    static int64_t end;
    if (settled) return true;
    if (!end) end = time_ns() + SETTLE_NS;
    if (!devices_ready()) {
        if (time_ns() < end) return false;
        service_log("init: a driver isn't ready; going on without it");
    }
    settled = true;
    for (unsigned i = 0; i < service_count; i++) units_name(&services[i]);
    for (unsigned i = 0; i < service_count; i++)
        if (services[i].manifest->uses && services[i].state == SERVICE_RUNNING)
            device_tell(&services[i], &(struct service_message){.kind = SERVICE_UNITS_SETTLED});
    return true;
}

/* --- messages --- */
static void message_take(struct service *s, const struct service_message *m, handle_t *h) {
    bool finder = s->manifest->grants & GRANT_HARDWARE;
    switch (m->kind) {
    case SERVICE_READY:
        s->ready = true;
        if (s->mount_point) mount_news(s);
        break;
    case SERVICE_FAILED:
        s->failure = (int)m->unit;
        if (s->mount_point) mount_news(s);
        break;
    case SERVICE_KEEP:
        if (m->unit >= SERVICE_KEPT_MAX) break;
        if (s->kept[m->unit] != HANDLE_NONE) sys_handle_close(s->kept[m->unit]);
        s->kept[m->unit] = *h;
        *h = HANDLE_NONE;
        break;
    case SERVICE_FUNCTION:
        if (!finder) break;
        function_found(m, *h);
        *h = HANDLE_NONE;
        break;
    case SERVICE_FUNCTION_GONE:
        if (finder) function_gone(m->name);
        break;
    case SERVICE_POWER_BUTTON:
        if (s->manifest->grants & GRANT_POWER) power_down(POWER_OFF);
        break;
    case SERVICE_NODE: node_add(s, m->unit, m->partition, m->class_code); break;
    case SERVICE_NODE_GONE: unit_gone(s, m->unit); break;
    default: break;
    }
}

void device_news(struct service *s) {
    for (;;) {
        struct service_message m = {};
        handle_t h = HANDLE_NONE;
        struct io_vector v = {&m, sizeof(m)};
        struct channel_message message = {.vectors = &v,
                                          .vector_count = 1,
                                          .handles = &h,
                                          .handle_count = 1,
                                          .handle_flags = HANDLE_IN_UPPER,
                                          .to = HANDLE_NONE};
        long size = sys_channel_receive(s->channel, &message, 0);
        if (size <= 0) return;
        if (message.handle_count == 0) h = HANDLE_NONE;
        m.name[sizeof(m.name) - 1] = 0;
        if (size == sizeof(m)) message_take(s, &m, &h);
        if (h != HANDLE_NONE) sys_handle_close(h);
    }
}
