// SPDX-License-Identifier: MIT
/* The root file system: its server comes out of the boot module, as there is no other file yet. */
#include "init.h"
#include <cpio.h>
#include <errno.h>
#include <fcntl.h>
#include <service.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define ROOT_SERVER "lib/servers/ramfs"
#define ROOT_RANK 20
#define MODULES_MAX 8

static pid_t root_pid;

bool root_is_process(pid_t pid) { return pid == root_pid; }

static const uint8_t *module_map(size_t *size) {
    struct handle_info info;
    if (sys_handle_info(HANDLE_INIT_MODULE, &info) < 0) return nullptr;
    *size = info.object; /* memory objects: bytes */
    long at = sys_vm_map(0, (info.object + 4095) & ~4095UL, VM_READ | VM_SHARED, HANDLE_INIT_MODULE, 0);
    return at < 0 ? nullptr : (const uint8_t *)at;
}

/* A copy in a memory object of its own: the module's pages become files. */
static int image_copy(const uint8_t *bytes, size_t size) {
    size_t length = (size + 4095) & ~4095UL;
    long memory = sys_memory_create(size, 0, HANDLE_NONE, 0);
    if (memory < 0) return (int)memory;
    long at = sys_vm_map(0, length, VM_READ | VM_WRITE | VM_SHARED, (handle_t)memory, 0);
    if (at < 0) {
        sys_handle_close((handle_t)memory);
        return (int)at;
    }
    memcpy((void *)at, bytes, size);
    sys_vm_unmap((uintptr_t)at, length);
    return (int)memory;
}

static int root_image(void) {
    struct cpio_entry entry;
    size_t size;
    const uint8_t *module = module_map(&size);
    if (!module) return -ENOMEM;
    int image = cpio_find(module, size, ROOT_SERVER, &entry) ? image_copy(module + entry.data, entry.size) : -ENOENT;
    sys_vm_unmap((uintptr_t)module, (size + 4095) & ~4095UL);
    return image;
}

int root_open(const char *scheme) {
    char name[MANIFEST_NAME_MAX + 3];
    int length = snprintf(name, sizeof(name), "%s:/", scheme);
    struct call_args args = {
        .request = {.op = OP_OPEN, .args = {FILE_READ_ONLY | FILE_DIRECTORY}, .length = (uint32_t)length},
        .in = name,
        .carry = HANDLE_NONE,
        .handle_flags = HANDLE_IN_UPPER,
        .deadline = DEADLINE_NEVER,
    };
    long e = sys_call(HANDLE_NAMESPACE, &args);
    if (e >= 0) e = sys_handle_duplicate(args.reply.handle, HANDLE_ROOT, HANDLE_AT | HANDLE_KEEP, RIGHTS_SAME);
    if (e >= 0) e = sys_handle_duplicate(args.reply.handle, HANDLE_CWD, HANDLE_AT | HANDLE_KEEP, RIGHTS_SAME);
    return e < 0 ? (int)e : (int)sys_handle_close(args.reply.handle);
}

int root_start(void) {
    struct handle_transfer handles[2 + MODULES_MAX] = {
        {HANDLE_INIT_LOG, HANDLE_INIT_LOG, RIGHT_WRITE, 0},
    };
    uint32_t count = 1;
    const char *name = root_on_disk() ? "initfs" : "file";
    int scheme = scheme_make(name, ROOT_RANK, SCHEME_SETID);
    if (scheme < 0) return scheme;
    handles[count++] = (struct handle_transfer){scheme, SERVICE_SCHEME, RIGHTS_ALL, 0};
    for (int i = 0; i < MODULES_MAX; i++) {
        handle_t module = HANDLE_INIT_MODULE + i;
        struct handle_info info;
        if (sys_handle_info(module, &info) < 0) break;
        handles[count++] = (struct handle_transfer){module, module, RIGHTS_ALL, 0};
    }
    int image = root_image();
    if (image < 0) return image;
    int pid = image_spawn(image, "/" ROOT_SERVER, handles, count);
    sys_handle_close(image);
    if (pid < 0) return pid;
    root_pid = pid;
    int e = root_open(name);
    if (!e && !root_on_disk()) {
        mount_table_add("ramfs", "/", "ramfs", false);
        dev_populate();
    }
    return e;
}

/* --- what is in it --- */
const char *dev_folder(void) { return root_on_disk() ? "/scheme/dev" : "/dev"; }

/* The path of NAME in it. */
static const char *dev_path(char path[64], const char *name) {
    snprintf(path, 64, "%s/%s", dev_folder(), name);
    return path;
}

static void nodes_make(void) {
    static const struct {
        const char *name;
        mode_t mode;
        unsigned major, minor;
    } nodes[] = {
        {"null", 0666, 1, 3},   {"zero", 0666, 1, 5},    {"full", 0666, 1, 7},
        {"random", 0666, 1, 8}, {"urandom", 0666, 1, 9}, {"tty", 0666, 5, 0},
    };
    char path[64];
    for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
        dev_path(path, nodes[i].name);
        if (mknod(path, S_IFCHR | nodes[i].mode, makedev(nodes[i].major, nodes[i].minor)) < 0 && errno != EEXIST)
            service_log("init: cannot make %s: %s", path, strerror(errno));
    }
}

static void links_make(void) {
    static const struct {
        const char *name, *target;
    } links[] = {
        {"console", "/scheme/tty/0"},  {"ttyS0", "/scheme/tty/0"},
        {"rtc0", "/scheme/rtc/0"},     {"rtc", "rtc0"},
        {"ptmx", "pts/ptmx"},          {"fd", "/proc/self/fd"},
        {"stdin", "/proc/self/fd/0"},  {"stdout", "/proc/self/fd/1"},
        {"stderr", "/proc/self/fd/2"}, {"tty1", "/scheme/console/1"},
        {"tty2", "/scheme/console/2"}, {"tty3", "/scheme/console/3"},
        {"tty4", "/scheme/console/4"}, {"tty5", "/scheme/console/5"},
        {"tty6", "/scheme/console/6"},
    };
    char path[64];
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        dev_path(path, links[i].name);
        if (symlink(links[i].target, path) < 0 && errno != EEXIST)
            service_log("init: cannot make %s: %s", path, strerror(errno));
    }
}

static int null = -1;

int dev_null(void) { return null; }

void dev_populate(void) {
    char path[64];
    umask(0);
    (void)!mkdir(dev_folder(), 0755);
    (void)!mkdir(dev_path(path, "shm"), 01777);
    (void)!mkdir(dev_path(path, "pts"), 0755);
    nodes_make();
    links_make();
    umask(022);
    if (null < 0) null = open(dev_path(path, "null"), O_RDWR | O_CLOEXEC);
}

void hostname_set(void) {
    char name[65];
    int fd = open("/etc/hostname", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    ssize_t length = read(fd, name, sizeof(name) - 1);
    close(fd);
    name[length < 0 ? 0 : length] = 0;
    name[strcspn(name, "\r\n")] = 0;
    if (name[0]) sys_system_control(HANDLE_INIT_SYSTEM, SYSTEM_SET_HOSTNAME, (uintptr_t)name, strlen(name));
}
