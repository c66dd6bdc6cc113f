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
#define DRIVER_USERS 60000 /* user of the service in place n: this + n */
#define CHANNEL_BYTES 16384

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
    if (grants & GRANT_HARDWARE) transfer(t, HANDLE_INIT_HARDWARE, HANDLE_INIT_HARDWARE, RIGHTS_ALL, 0);
    if (grants & GRANT_SYSTEM) transfer(t, HANDLE_INIT_SYSTEM, HANDLE_INIT_SYSTEM, RIGHTS_ALL, 0);
    for (int i = 0; (grants & GRANT_MODULES) && i < MODULES_MAX; i++) {
        handle_t module = HANDLE_INIT_MODULE + i;
        if (sys_handle_info(module, &info) >= 0) transfer(t, module, module, RIGHTS_ALL, 0);
    }
}

static void transfer_own(struct transfers *t, const struct service *s) {
    handle_t slot = SERVICE_SLOT(0);
    for (uint32_t i = 0; i < s->manifest->scheme_count; i++) transfer(t, s->schemes[i], slot++, RIGHTS_ALL, 0);
    for (uint32_t i = 0; i < s->manifest->hardware_count; i++) transfer(t, s->hardware[i], slot++, RIGHTS_ALL, 0);
    if (s->function) transfer(t, s->function->file, slot++, RIGHTS_ALL, 0);
    if (s->disk != HANDLE_NONE) transfer(t, s->disk, slot++, RIGHTS_ALL, 0);
    for (int i = 0; i < SERVICE_KEPT_MAX; i++)
        if (s->kept[i] != HANDLE_NONE) transfer(t, s->kept[i], SERVICE_KEPT + i, RIGHTS_ALL, 0);
}

/* For those that have something to tell: s->channel is our end, the result theirs (HANDLE_NONE: no need), or -errno. */
static handle_t channel_make(struct service *s) {
    handle_t ends[2];
    if (!s->function && !s->mount_point && !s->manifest->uses && !s->manifest->nodes &&
        !(s->manifest->grants & GRANT_HARDWARE))
        return HANDLE_NONE;
    long e = sys_channel_create(CHANNEL_MESSAGES | HANDLE_IN_UPPER << 16, CHANNEL_BYTES, ends);
    if (e < 0) return (handle_t)e;
    s->channel = ends[0];
    return ends[1];
}

static void transfer_root(struct transfers *t, handle_t fds) {
    int null = dev_null();
    transfer(t, HANDLE_ROOT, HANDLE_ROOT, RIGHTS_ALL, HANDLE_KEEP);
    transfer(t, HANDLE_CWD, HANDLE_CWD, RIGHTS_ALL, HANDLE_KEEP);
    for (handle_t fd = 0; null >= 0 && fd < fds; fd++) transfer(t, null, fd, RIGHTS_ALL, 0);
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

/* A program on the disk is copied: what runs from it must start again while the disk's driver is away. */
static int program_copy(int fd) {
    static char buffer[65536];
    off_t size = lseek(fd, 0, SEEK_END);
    long memory = size < 0 ? -errno : sys_memory_create((size_t)size, 0, HANDLE_NONE, 0);
    long at = memory < 0
                  ? memory
                  : sys_vm_map(0, ((size_t)size + 4095) & ~4095UL, VM_READ | VM_WRITE | VM_SHARED, (handle_t)memory, 0);
    ssize_t n = at < 0 ? at : 1;
    for (off_t done = 0; n > 0 && done < size; done += n) {
        n = pread(fd, buffer, sizeof(buffer), done);
        if (n > size - done) n = size - done;
        if (n > 0) memcpy((char *)at + done, buffer, (size_t)n);
    }
    if (at >= 0) sys_vm_unmap((uintptr_t)at, ((size_t)size + 4095) & ~4095UL);
    if (n > 0) return (int)memory;
    if (memory >= 0) sys_handle_close((handle_t)memory);
    return memory < 0 ? (int)memory : -EIO;
}

/* The caller's if *keeps. */
static int image_of(struct service *s, bool *keeps) {
    char path[PROGRAM_PATH_MAX];
    bool copied = service_on_disk(s->manifest);
    *keeps = !copied;
    if (s->image != HANDLE_NONE) return s->image;
    int fd = open(service_program(s->manifest, path), O_RDONLY | O_CLOEXEC);
    if (fd < 0 || !copied) return fd < 0 ? -errno : fd;
    int image = program_copy(fd);
    close(fd);
    if (image >= 0) s->image = image;
    return image;
}

/* user 0: init's own. */
static int spawn(handle_t image, const char *const *arguments, struct transfers *t, int32_t priority, uint32_t flags,
                 uint32_t user) {
    static const char *const environment[] = {"PATH=/usr/local/bin:/bin:/sbin:/usr/bin:/usr/sbin", nullptr};
    char strings[6144]; /* a mount point, a manifest's words and the environment */
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
        .flags =
            SPAWN_SESSION | SPAWN_MASK | SPAWN_DEFAULT | (priority >= 0 ? SPAWN_PRIORITY : 0) | (user ? SPAWN_USER : 0),
        .signal_default = ~0ULL,
        .priority = priority >= 0 ? (uint32_t)priority : 0,
        .process = HANDLE_NONE,
        .user = user,
    };
    return (int)sys_process_spawn(&args);
}

int image_spawn(handle_t image, const char *path, const struct handle_transfer *handles, uint32_t count) {
    struct transfers t = {.count = count};
    memcpy(t.list, handles, count * sizeof(*handles));
    return spawn(image, (const char *const[]){path, nullptr}, &t, -1, IMAGE_SERVICE, 0);
}

int program_spawn(const char *const *arguments) {
    struct transfers t = {};
    int image = open(arguments[0], O_RDONLY | O_CLOEXEC);
    transfer(&t, HANDLE_NAMESPACE, HANDLE_NAMESPACE, RIGHTS_ALL & ~RIGHT_CONTROL, HANDLE_KEEP);
    transfer_root(&t, 1);
    for (handle_t fd = 1; fd < 3; fd++) transfer(&t, HANDLE_INIT_LOG, fd, RIGHT_WRITE, 0);
    int pid = image < 0 ? -errno : spawn(image, arguments, &t, -1, 0, 0);
    if (image >= 0) close(image);
    return pid;
}

int service_spawn(struct service *s) {
    const struct manifest *m = s->manifest;
    struct transfers t = {};
    bool keeps;
    int ns = m->opens_all ? HANDLE_NAMESPACE : namespace_make(m); /* all: what is mounted later, too */
    int image = image_of(s, &keeps);
    int e = image < 0 ? image : ns < 0 ? ns : 0;
    handle_t theirs = e ? HANDLE_NONE : channel_make(s);
    if (theirs < HANDLE_NONE) e = theirs;
    if (e == 0) {
        if (theirs != HANDLE_NONE) transfer(&t, theirs, SERVICE_SUPERVISOR, RIGHTS_ALL, 0);
        transfer_own(&t, s);
        transfer_granted(&t, m->grants);
        transfer(&t, ns, HANDLE_NAMESPACE, RIGHTS_ALL & ~RIGHT_CONTROL, HANDLE_KEEP);
        if (manifest_opens(m, "file")) transfer_root(&t, 3);
        const char *arguments[MANIFEST_ARGUMENTS + 1];
        memcpy(arguments, m->arguments, sizeof(arguments));
        if (s->mount_point) {
            arguments[m->argument_count] = s->mount_point;
            arguments[m->argument_count + 1] = s->read_only ? "ro" : nullptr;
            arguments[m->argument_count + 2] = nullptr;
        }
        e = spawn(image, arguments, &t, m->priority, m->scheme_count ? IMAGE_SERVICE : 0,
                  s->function || s->mount_point ? DRIVER_USERS + (uint32_t)(s - services) : 0);
    }
    if (theirs >= 0) sys_handle_close(theirs);
    if (e < 0 && s->channel != HANDLE_NONE) {
        sys_handle_close(s->channel);
        s->channel = HANDLE_NONE;
    }
    if (image >= 0 && keeps) close(image);
    if (ns >= 0 && !m->opens_all) sys_handle_close(ns);
    if (e < 0) return e;
    s->pid = e;
    return 0;
}
