// SPDX-License-Identifier: MIT
/*
 * Starting a service with what its manifest allows and nothing else: a namespace without the other
 * names, its schemes, its hardware, the log; a root directory only if it may open `file:`.
 */
#include "init.h"
#include <errno.h>
#include <fcntl.h>
#include <service.h>
#include <string.h>
#include <unistd.h>

#define NAMES_MAX 2048
#define TRANSFERS_MAX 48
#define MODULES_MAX 8

/* --- schemes and namespaces --- */
int scheme_make(const char *name, uint32_t rank, uint32_t flags) {
    struct scheme_create_args args = {.rank = rank, .flags = flags};
    strncpy(args.name, name, sizeof(args.name) - 1);
    long scheme = sys_scheme_create(HANDLE_INIT_SYSTEM, &args);
    if (scheme < 0) return (int)scheme;
    long e = sys_namespace_control(HANDLE_NAMESPACE, NAMESPACE_BIND, (char *)name, strlen(name), (handle_t)scheme);
    if (e < 0) {
        sys_handle_close((handle_t)scheme);
        return (int)e;
    }
    return (int)scheme;
}

static int namespace_make(const struct manifest *m) {
    char names[NAMES_MAX];
    long ns = sys_namespace_control(HANDLE_NAMESPACE, NAMESPACE_CLONE, nullptr, 0, HANDLE_NONE);
    if (ns < 0) return (int)ns;
    long size = sys_namespace_control((handle_t)ns, NAMESPACE_LIST, names, sizeof(names), HANDLE_NONE);
    for (char *name = names; name < names + size; name += strlen(name) + 1) {
        if (!manifest_opens(m, name))
            sys_namespace_control((handle_t)ns, NAMESPACE_UNBIND, name, strlen(name), HANDLE_NONE);
    }
    return (int)ns;
}

/* --- the child's handles --- */
struct transfers {
    uint32_t count;
    struct handle_transfer list[TRANSFERS_MAX];
};

static void transfer(struct transfers *t, handle_t from, handle_t to, uint32_t rights, uint32_t flags) {
    t->list[t->count++] = (struct handle_transfer){from, to, rights, flags};
}

static void transfer_granted(struct transfers *t, uint32_t grants) {
    struct handle_info info;
    uint32_t log = RIGHT_WRITE | (grants & GRANT_LOG ? RIGHT_READ | RIGHT_WAIT : 0);
    transfer(t, HANDLE_INIT_LOG, HANDLE_INIT_LOG, log, 0);
    if (grants & GRANT_SYSTEM) transfer(t, HANDLE_INIT_SYSTEM, HANDLE_INIT_SYSTEM, RIGHTS_ALL, 0);
    for (int i = 0; (grants & GRANT_MODULES) && i < MODULES_MAX; i++) {
        handle_t module = HANDLE_INIT_MODULE + i;
        if (sys_handle_info(module, &info) >= 0) transfer(t, module, module, RIGHTS_ALL, 0);
    }
}

static void transfer_own(struct transfers *t, const struct service *s) {
    handle_t slot = SERVICE_SLOT(0);
    for (uint32_t i = 0; i < s->manifest.scheme_count; i++) transfer(t, s->schemes[i], slot++, RIGHTS_ALL, 0);
    for (uint32_t i = 0; i < s->manifest.hardware_count; i++) transfer(t, s->hardware[i], slot++, RIGHTS_ALL, 0);
}

static void transfer_root(struct transfers *t, int null) {
    transfer(t, HANDLE_ROOT, HANDLE_ROOT, RIGHTS_ALL, HANDLE_KEEP);
    transfer(t, HANDLE_CWD, HANDLE_CWD, RIGHTS_ALL, HANDLE_KEEP);
    for (handle_t fd = 0; null >= 0 && fd < 3; fd++) transfer(t, null, fd, RIGHTS_ALL, 0);
}

/* --- images --- */
static int strings_pack(char *out, size_t room, const char *const *strings, size_t *used) {
    int count = 0;
    for (; strings[count]; count++) {
        size_t size = strlen(strings[count]) + 1;
        if (size > room - *used) return -E2BIG;
        memcpy(out + *used, strings[count], size);
        *used += size;
    }
    return count;
}

static int spawn(handle_t image, const char *const *arguments, struct transfers *t, int32_t priority, uint32_t flags) {
    static const char *const environment[] = {"PATH=/usr/local/bin:/bin:/sbin:/usr/bin:/usr/sbin", nullptr};
    char strings[2048];
    size_t used = 0;
    int argc = strings_pack(strings, sizeof(strings), arguments, &used);
    int envc = argc < 0 ? argc : strings_pack(strings, sizeof(strings), environment, &used);
    if (envc < 0) return envc;
    struct spawn_args args = {
        .image = {.image = image,
                  .interpreter = HANDLE_NONE,
                  .argument_count = (uint32_t)argc,
                  .environment_count = (uint32_t)envc,
                  .strings = strings,
                  .strings_size = used,
                  .path = arguments[0],
                  .flags = flags},
        .handles = t->list,
        .handle_count = t->count,
        .flags = SPAWN_SESSION | SPAWN_MASK | SPAWN_DEFAULT | (priority >= 0 ? SPAWN_PRIORITY : 0),
        .signal_default = ~0ULL,
        .priority = priority >= 0 ? (uint32_t)priority : 0,
        .process = HANDLE_NONE,
    };
    return (int)sys_process_spawn(&args);
}

int image_spawn(handle_t image, const char *path, const struct handle_transfer *handles, uint32_t count) {
    struct transfers t = {.count = count};
    memcpy(t.list, handles, count * sizeof(*handles));
    return spawn(image, (const char *const[]){path, nullptr}, &t, -1, IMAGE_SERVICE);
}

int service_spawn(struct service *s) {
    const struct manifest *m = &s->manifest;
    struct transfers t = {};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int ns = namespace_make(m);
    int image = open(m->arguments[0], O_RDONLY | O_CLOEXEC);
    int e = image < 0 ? -errno : ns < 0 ? ns : 0;
    if (e == 0) {
        transfer_own(&t, s);
        transfer_granted(&t, m->grants);
        transfer(&t, ns, HANDLE_NAMESPACE, RIGHTS_ALL & ~RIGHT_CONTROL, HANDLE_KEEP);
        if (manifest_opens(m, "file")) transfer_root(&t, null);
        e = spawn(image, m->arguments, &t, m->priority, m->scheme_count ? IMAGE_SERVICE : 0);
    }
    if (image >= 0) close(image);
    if (ns >= 0) sys_handle_close(ns);
    if (null >= 0) close(null);
    if (e < 0) return e;
    s->pid = e;
    return 0;
}
