// SPDX-License-Identifier: MIT
/*
 * The root on a disk: `root=` on the kernel's command line names it by its path in /dev, by UUID= or by LABEL=.
 *
 * The boot module then holds what reaches the disk and stays, as initfs: the drivers are started again from it, and
 * nothing that init does later waits for the disk that they serve.  When the devices are ready, an instance of ext4
 * gets the scheme file:, if need be after e2fsck.  What the boot module has below /overlay is copied to the disk; then
 * its services are started.
 */
#include "init.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define OVERLAY INITFS "/overlay"
#define READ_NS (10 * SECOND_NS)
#define E2FSCK_UNCORRECTED 4 /* its statuses from here on: it could not mend all */
#define SUPER_AT 1024 /* ext4: offset of the superblock */

struct super { /* part of ext4's superblock (Linux: Documentation/filesystems/ext4/super.rst) */
    uint8_t before[0x38];
    uint16_t magic, state; /* state 2: errors were found */
    uint8_t between[0x2c];
    uint8_t uuid[16];
    char label[16];
};
#define SUPER_MAGIC 0xef53
#define SUPER_ERRORS 2

static enum { ROOT_WANTED, ROOT_CHECKED, ROOT_MOUNTED, ROOT_COPIED, ROOT_READY } state;
static char disk_path[64]; /* in /dev */
static bool checked, read_only;
static struct service *server;
static pid_t helper;

static const char *root_spec(size_t *length) {
    static const char name[] = "root=";
    for (const char *at = command_line; (at = strstr(at, name)); at++) {
        if (at != command_line && at[-1] != ' ') continue;
        at += sizeof(name) - 1;
        *length = strcspn(at, " ");
        return at;
    }
    return nullptr;
}

bool root_on_disk(void) {
    size_t length;
    return root_spec(&length);
}

bool root_ready(void) { return state == ROOT_READY || !root_on_disk(); }

[[noreturn]] static void give_up(const char *why) {
    service_log("init: no root file system: %s", why);
    boot_failed();
}

/* --- which one --- */
static bool super_read(const char *path, struct super *s) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    long n = sys_read((handle_t)fd, s, sizeof(*s), SUPER_AT, 0, time_ns() + READ_NS);
    close(fd);
    return n == sizeof(*s) && s->magic == SUPER_MAGIC;
}

static bool uuid_is(const uint8_t uuid[16], const char *text, size_t length) {
    char own[37];
    char *at = own;
    for (int i = 0; i < 16; i++) at += sprintf(at, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", uuid[i]);
    return length == sizeof(own) - 1 && strncasecmp(own, text, length) == 0;
}

static bool is_wanted(const char *path, const char *name) {
    static const char uuid[] = "UUID=", label[] = "LABEL=", dev[] = "/dev/";
    struct super s;
    size_t length;
    const char *spec = root_spec(&length);
    if (strncmp(spec, dev, sizeof(dev) - 1) == 0) {
        spec += sizeof(dev) - 1;
        return strlen(name) == length - (sizeof(dev) - 1) && strncmp(name, spec, strlen(name)) == 0;
    }
    if (!super_read(path, &s)) return false;
    if (strncmp(spec, uuid, sizeof(uuid) - 1) == 0)
        return uuid_is(s.uuid, spec + sizeof(uuid) - 1, length - (sizeof(uuid) - 1));
    length -= sizeof(label) - 1;
    return strncmp(spec, label, sizeof(label) - 1) == 0 && length == strnlen(s.label, sizeof(s.label)) &&
           memcmp(spec + sizeof(label) - 1, s.label, length) == 0;
}

/* --- the steps --- */
static void helper_start(const char *const *arguments) {
    helper = program_spawn(arguments);
    if (helper < 0) service_log("init: cannot start %s: %s", arguments[0], strerror(-helper));
}

static void check(void) {
    checked = true;
    state = ROOT_CHECKED;
    service_log("init: checking %s", disk_path);
    helper_start((const char *const[]){INITFS "/sbin/e2fsck", "-p", disk_path, nullptr});
    if (helper < 0) disk_root_child(helper, 0xff00);
}

static void mount_root(void) {
    int disk = open(disk_path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    if (disk < 0) give_up(strerror(errno));
    state = ROOT_MOUNTED;
    server = service_add_root(disk, read_only);
    if (!server) give_up("ext4 cannot be started");
}

static void find(void) {
    struct super s;
    if (!node_find(is_wanted, disk_path)) {
        if (devices_ready()) give_up("no disk is what root= says");
        return; /* one may come yet */
    }
    bool errors = super_read(disk_path, &s) && s.state & SUPER_ERRORS;
    if (errors) check();
    else mount_root();
}

/* The loop goes on while it is copied: the disk's driver may need it. */
static void go_over(void) {
    int e = root_open("file");
    if (e) give_up(strerror(-e));
    mount_table_add(disk_path + sizeof("/scheme") - 1, "/", "ext4", read_only);
    state = ROOT_COPIED;
    helper = 0;
    if (access(OVERLAY, F_OK) == 0)
        helper_start((const char *const[]){"/bin/sh", "-c", "cp -a " OVERLAY "/. / && rm -r " OVERLAY, nullptr});
    if (helper <= 0) disk_root_child(helper, 0);
}

void disk_root_step(void) {
    if (root_ready()) return;
    if (state == ROOT_WANTED && devices_settled()) {
        find();
    } else if (state == ROOT_MOUNTED && server->state == SERVICE_RUNNING && server->ready) {
        go_over();
    } else if (state == ROOT_MOUNTED && server->state != SERVICE_RUNNING) {
        int failure = server->failure ?: EIO;
        service_remove(server);
        if (failure != EUCLEAN || checked) give_up(strerror(failure));
        check();
    }
}

bool disk_root_child(pid_t pid, int status) {
    if (root_ready() || pid != helper) return false;
    bool good = WIFEXITED(status) && WEXITSTATUS(status) < E2FSCK_UNCORRECTED;
    helper = 0;
    if (state == ROOT_CHECKED) {
        read_only = !good;
        if (read_only) service_log("init: %s is damaged: read-only; e2fsck it", disk_path);
        mount_root();
    } else if (state == ROOT_COPIED) {
        if (status) service_log("init: not all of the overlay could be copied");
        state = ROOT_READY;
        services_read();
    }
    return true;
}
