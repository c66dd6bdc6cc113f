// SPDX-License-Identifier: MIT
/*
 * File systems on disks: mount(2) brings the disk's open file and the path, an instance of the type's manifest gets
 * both and nothing else. It says that it is ready, or ends with an errno as its status. It ends as well when it is
 * unmounted; then its scheme, and what was open there, is gone.
 */
#include "init.h"
#include <cathode/mount.h>
#include <errno.h>
#include <string.h>

#define TYPES_MAX 8
#define PATH_LIMIT 4096

static struct {
    char name[SERVICE_NAME_MAX];
    const struct manifest *manifest;
} types[TYPES_MAX];
static unsigned type_count;

void mount_add(const char *name, const struct manifest *m) {
    if (type_count == TYPES_MAX) return;
    strcpy(types[type_count].name, name);
    types[type_count++].manifest = m;
}

void mount_news(struct service *s) { control_wake(&s->waiting); }

static struct service *mounted_at(const char *path) {
    for (unsigned i = 0; i < service_count; i++) {
        struct service *s = &services[i];
        if (s->state != SERVICE_REMOVED && s->mount_point && strcmp(s->mount_point, path) == 0) return s;
    }
    return nullptr;
}

/* The service of a request that waited: args[1] is its place. */
static struct service *service_again(struct port_buffer *call) { return &services[call->request.args[1]]; }

static int64_t mount_wait(struct scheme *s, struct port_buffer *call, struct service *service) {
    call->request.args[1] = (uint64_t)(service - services);
    return scheme_park(s, call, &service->waiting);
}

/* Ready, or it isn't going to be. */
static int64_t mount_started(struct scheme *s, struct port_buffer *call, struct service *service) {
    if (service->state == SERVICE_RUNNING && !service->ready) return mount_wait(s, call, service);
    if (service->state != SERVICE_RUNNING) {
        int failure = service->failure ?: EIO;
        if (service->state != SERVICE_REMOVED) service_remove(service);
        return -failure;
    }
    size_t length = strlen(service->scheme_names[0]);
    memcpy(call->data, service->scheme_names[0], length);
    call->reply.length = (uint32_t)length;
    return 0;
}

/* Words of the request: TYPE, NUL, path. */
static bool words_take(const struct port_buffer *call, char type[SERVICE_NAME_MAX], char path[PATH_LIMIT]) {
    const char *text = (const char *)call->data, *end = memchr(text, 0, call->request.length);
    size_t length = end ? (size_t)(end - text) : 0, rest = end ? call->request.length - length - 1 : 0;
    if (!length || length >= SERVICE_NAME_MAX || !rest || rest >= PATH_LIMIT || end[1] != '/') return false;
    memcpy(type, text, length + 1);
    memcpy(path, end + 1, rest);
    path[rest] = 0;
    return strlen(path) == rest;
}

int64_t mount_start(struct scheme *s, struct port_buffer *call) {
    char type[SERVICE_NAME_MAX], path[PATH_LIMIT];
    if (scheme_again(s)) return mount_started(s, call, service_again(call));
    if (!words_take(call, type, path)) return -EINVAL;
    for (unsigned i = 0; i < type_count; i++) {
        if (strcmp(types[i].name, type) != 0) continue;
        if (!(call->request.flags & REQUEST_HANDLE)) return -EINVAL;
        struct service *there = mounted_at(path);
        if (there && there->state == SERVICE_RUNNING) return -EBUSY;
        if (there) service_remove(there); /* it has died */
        bool read_only = call->request.args[0] & MOUNT_READ_ONLY;
        handle_t disk = request_take_handle(call);
        struct service *service = service_add_mount(type, types[i].manifest, disk, path, read_only);
        if (service) return mount_started(s, call, service);
        sys_handle_close(disk);
        return -ENOMEM;
    }
    return -ENODEV;
}

int64_t mount_note(const struct port_buffer *call) {
    char text[3 * PATH_LIMIT];
    const char *words[3];
    size_t length = call->request.length, at = 0;
    if (length >= sizeof(text)) return -EINVAL;
    memcpy(text, call->data, length);
    text[length] = 0;
    for (int i = 0; i < 3; i++) {
        if (at > length) return -EINVAL;
        words[i] = text + at;
        at += strlen(words[i]) + 1;
    }
    mount_table_add(words[0], words[1], words[2], call->request.args[0] & MOUNT_READ_ONLY);
    return 0;
}

int64_t mount_end(struct scheme *s, struct port_buffer *call) {
    struct service *service;
    char path[PATH_LIMIT];
    if (scheme_again(s)) {
        service = service_again(call);
        if (service->state == SERVICE_REMOVED) return -ENOENT;
        if (service->state == SERVICE_RUNNING)
            return service->failure ? -service->failure : mount_wait(s, call, service);
    } else {
        size_t length = call->request.length;
        if (!length || length >= PATH_LIMIT) return -EINVAL;
        memcpy(path, call->data, length);
        path[length] = 0;
        service = mounted_at(path);
        if (!service) mount_table_remove(path);
        if (!service) return -ENOENT;
        if (service->state == SERVICE_RUNNING) {
            struct service_message m = {.kind = SERVICE_UNMOUNT, .unit = call->request.args[0] != 0};
            struct io_vector v = {&m, sizeof(m)};
            struct channel_message message = {.vectors = &v, .vector_count = 1, .to = HANDLE_NONE};
            service->failure = 0;
            long e = sys_channel_send(service->channel, &message, 0);
            return e < 0 ? e : mount_wait(s, call, service);
        }
    }
    int failure = service->failure;
    mount_table_remove(service->mount_point);
    service_remove(service);
    return -failure;
}
