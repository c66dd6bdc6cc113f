// SPDX-License-Identifier: MIT
/*
 * Services: read from /lib/services, started, watched.
 *
 *   STOPPED → RUNNING → (death) → WAITING → RUNNING → …
 *                          └→ QUARANTINED: a server that died DEATHS_MAX times in a row
 *
 * In a row: none of the instances lived for STABLE_NS.  The first restart is immediate, the delay
 * then doubles.  Programs without a scheme (sessions) are never given up; they just come again.
 */
#include "init.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOG_LEVEL_WARNINGS 1
#define FOLDER "/lib/services"
#define STABLE_NS (60 * SECOND_NS)
#define DELAY_FIRST_NS (SECOND_NS / 10)
#define DELAY_MAX_NS (10 * SECOND_NS)
#define DEATHS_MAX 10

static struct {
    char name[SERVICE_NAME_MAX];
    bool waits; /* for the scheme that it needs */
    struct manifest manifest;
} known[MANIFESTS_MAX];
static unsigned known_count, early_count; /* early: of the boot module, if the root is on a disk */

struct service services[SERVICES_MAX];
unsigned service_count;

/* --- reading --- */
static bool manifest_read(struct manifest *m, const char *name) {
    char path[sizeof(FOLDER) + SERVICE_NAME_MAX], text[MANIFEST_TEXT];
    unsigned line;
    strcpy(path, FOLDER "/");
    strcat(path, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text));
    if (fd >= 0) close(fd);
    if (length < 0) {
        service_log("init: %s: %s", path, strerror(errno));
        return false;
    }
    if (manifest_parse(m, text, (size_t)length, &line) != 0) {
        service_log("init: %s:%u: not a valid manifest", path, line);
        return false;
    }
    return true;
}

/* A place in the table: one that was given up, or a new one. */
static struct service *service_new(const char *name, const struct manifest *m) {
    struct service *s = nullptr;
    for (unsigned i = 0; i < service_count && !s; i++)
        if (services[i].state == SERVICE_REMOVED) s = &services[i];
    if (!s && service_count == SERVICES_MAX) {
        service_log("init: %s: too many services", name);
        return nullptr;
    }
    if (!s) s = &services[service_count++];
    *s = (struct service){.manifest = m,
                          .channel = HANDLE_NONE,
                          .kept = {HANDLE_NONE, HANDLE_NONE},
                          .disk = HANDLE_NONE,
                          .image = HANDLE_NONE};
    strncpy(s->name, name, sizeof(s->name) - 1);
    for (uint32_t i = 0; i < m->scheme_count; i++) strcpy(s->scheme_names[i], m->schemes[i].name);
    return s;
}

/* --- schemes, hardware, mounts: once; they outlive the instances --- */
static bool schemes_make(struct service *s) {
    for (uint32_t i = 0; i < s->manifest->scheme_count; i++) {
        const struct manifest_scheme *scheme = &s->manifest->schemes[i];
        s->schemes[i] = scheme_make(s->scheme_names[i], scheme->rank, scheme->setid || s->root ? SCHEME_SETID : 0);
        if (s->schemes[i] < 0) {
            service_log("init: %s: scheme %s: error %d", s->name, s->scheme_names[i], -s->schemes[i]);
            return false;
        }
    }
    return true;
}

static void schemes_withdraw(struct service *s) {
    for (uint32_t i = 0; i < s->manifest->scheme_count; i++) {
        char *name = s->scheme_names[i];
        sys_namespace_control(HANDLE_NAMESPACE, NAMESPACE_UNBIND, name, strlen(name), HANDLE_NONE);
        sys_handle_close(s->schemes[i]);
    }
}

static bool hardware_make(struct service *s) {
    static const uint32_t kinds[] = {
        [MANIFEST_PORTS] = HARDWARE_PORTS, [MANIFEST_ISA_IRQ] = HARDWARE_ISA_IRQ, [MANIFEST_MMIO] = HARDWARE_MMIO};
    for (uint32_t i = 0; i < s->manifest->hardware_count; i++) {
        const struct manifest_hardware *h = &s->manifest->hardware[i];
        long made = sys_hardware_create(HANDLE_INIT_HARDWARE, kinds[h->kind], h->start, h->length, MMIO_UNCACHED);
        s->hardware[i] = (handle_t)made;
        if (made < 0) {
            service_log("init: %s: hardware at %#llx: error %d", s->name, (unsigned long long)h->start, (int)-made);
            return false;
        }
    }
    return true;
}

static bool dev_there; /* /dev has a server of its own, which runs */

static bool is_below_dev(const char *path) { return root_on_disk() && strncmp(path, "/dev/", 5) == 0; }

/* OP_MOUNT: the path, NUL, where walks go on instead. */
void service_mount(const struct service *s) {
    char data[256] = {};
    const char *path = s->manifest->mount;
    handle_t place = HANDLE_ROOT;
    if (is_below_dev(path)) { /* in the file system that is mounted there */
        if (!dev_there) return; /* dev_started() will do it */
        path += sizeof("/dev") - 1;
        place = open(dev_folder(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    }
    size_t length = strlen(path);
    if (length + sizeof("/scheme/") + MANIFEST_NAME_MAX + 1 > sizeof(data)) return;
    strcpy(data, path);
    strcpy(data + length + 1, "/scheme/");
    strcat(data + length + 1, s->scheme_names[0]);
    struct call_args args = {
        .request = {.op = OP_MOUNT, .length = (uint32_t)(length + 1 + strlen(data + length + 1))},
        .in = data,
        .carry = HANDLE_NONE,
        .deadline = DEADLINE_NEVER,
    };
    long e = sys_call(place, &args);
    if (e < 0) service_log("init: %s: cannot mount on %s: error %d", s->name, s->manifest->mount, (int)-e);
    else mount_table_add(s->scheme_names[0], s->manifest->mount, s->scheme_names[0], false);
    if (place >= 0) close(place);
}

/* --- running --- */

/* The server of /dev has begun, empty. */
static void dev_started(void) {
    dev_there = true;
    dev_populate();
    nodes_link();
    for (unsigned i = 0; i < service_count; i++) {
        const char *path = services[i].state == SERVICE_REMOVED ? nullptr : services[i].manifest->mount;
        if (path && is_below_dev(path)) service_mount(&services[i]);
    }
}

static void service_start(struct service *s) {
    int e = service_spawn(s);
    if (!e && s->channel != HANDLE_NONE) {
        e = control_watch(s->channel, (uint64_t)(s - services));
        if (e) { /* nobody would hear it */
            kill(s->pid, SIGKILL);
            sys_handle_close(s->channel);
            s->channel = HANDLE_NONE;
        }
    }
    s->start_ns = time_ns();
    s->state = e ? SERVICE_STOPPED : SERVICE_RUNNING;
    if (e) service_log("init: cannot start %s: %s", s->name, strerror(-e));
    else if (s->manifest->mount && strcmp(s->manifest->mount, "/dev") == 0) dev_started();
    else if (s->manifest->uses) units_tell(s);
}

static void schemes_number(struct service *s, unsigned number) {
    for (uint32_t i = 0; i < s->manifest->scheme_count; i++) {
        char *star = strchr(s->scheme_names[i], '*');
        snprintf(star, sizeof(s->scheme_names[i]) - (size_t)(star - s->scheme_names[i]), "%u", number);
    }
}

static bool name_taken(const char *name) {
    for (unsigned i = 0; i < service_count; i++)
        if (services[i].state != SERVICE_REMOVED && strcmp(services[i].name, name) == 0) return true;
    return false;
}

struct service *service_add_root(handle_t disk, bool read_only) {
    const struct manifest *m = nullptr;
    for (unsigned i = 0; i < known_count; i++)
        if (strcmp(known[i].name, "ext4") == 0 && known[i].manifest.disks) m = &known[i].manifest;
    struct service *s = m ? service_new("root", m) : nullptr;
    if (s) {
        s->root = true;
        s->disk = disk;
        s->read_only = read_only;
        strcpy(s->scheme_names[0], "file");
        if (schemes_make(s) && (s->mount_point = strdup("/"))) {
            service_start(s);
            return s;
        }
        service_remove(s);
    } else {
        sys_handle_close(disk);
    }
    return nullptr;
}

static bool is_provided(const char *scheme) {
    for (unsigned i = 0; i < service_count; i++)
        for (uint32_t j = 0; services[i].state != SERVICE_REMOVED && j < services[i].manifest->scheme_count; j++)
            if (strcmp(services[i].scheme_names[j], scheme) == 0) return true;
    return false;
}

static bool schemes_taken(const struct manifest *m, unsigned number) {
    char name[MANIFEST_NAME_MAX + 12];
    for (uint32_t i = 0; i < m->scheme_count; i++) {
        const char *stem = m->schemes[i].name;
        snprintf(name, sizeof(name), "%.*s%u", (int)strcspn(stem, "*"), stem, number);
        if (is_provided(name)) return true;
    }
    return false;
}

/* NAME.0, or the next number that is free, of its schemes' names too: drivers may share those (display0, display1). */
static struct service *service_new_instance(const char *name, const struct manifest *m) {
    char full[SERVICE_NAME_MAX + 12];
    unsigned number = 0;
    do snprintf(full, sizeof(full), "%s.%u", name, number);
    while ((name_taken(full) || schemes_taken(m, number)) && ++number < 100);
    struct service *s = number > 99 ? nullptr : service_new(full, m);
    if (s) schemes_number(s, number);
    return s;
}

struct service *service_add_mount(const char *name, const struct manifest *m, handle_t disk, const char *mount_point,
                                  bool read_only) {
    struct service *s = service_new_instance(name, m);
    if (!s) return nullptr;
    s->mount_point = strdup(mount_point);
    if (!s->mount_point || !schemes_make(s)) {
        free(s->mount_point);
        s->mount_point = nullptr;
        s->state = SERVICE_REMOVED;
        return nullptr;
    }
    s->disk = disk;
    s->read_only = read_only;
    service_start(s);
    return s;
}

static bool is_known(const char *name) {
    for (unsigned i = 0; i < known_count; i++)
        if (strcmp(known[i].name, name) == 0) return true;
    return false;
}

static void service_add(const char *name, const struct manifest *m) {
    struct service *s = service_new(name, m);
    if (!s) return;
    if (schemes_make(s) && hardware_make(s)) s->state = SERVICE_WAITING;
    if (m->mount) service_mount(s);
    s->held = m->scheme_count == 0 && m->opens_all;
}

static void needers_add(void) {
    for (unsigned i = 0; i < known_count; i++) {
        if (!known[i].waits || !is_provided(known[i].manifest.needs)) continue;
        known[i].waits = false;
        service_add(known[i].name, &known[i].manifest);
        needers_add(); /* those that need this one */
        return;
    }
}

void service_add_driver(const char *name, const struct manifest *m, struct function *f) {
    struct service *s = service_new_instance(name, m);
    if (!s) return;
    s->function = f;
    f->driver = s;
    if (schemes_make(s) && hardware_make(s)) s->state = SERVICE_WAITING;
    needers_add();
}

static void root_there(void) {
    hostname_set();
    /* The console is the terminal's now: only what is wrong shows up between its lines. */
    if (!strstr(command_line, "verbose"))
        sys_system_control(HANDLE_INIT_SYSTEM, SYSTEM_LOG_LEVEL, LOG_LEVEL_WARNINGS, 0);
}

void services_read(void) {
    DIR *folder = opendir(FOLDER);
    struct dirent *entry;
    for (unsigned i = 0; i < service_count; i++) /* those that are there, in another root */
        if (services[i].state != SERVICE_REMOVED && services[i].manifest->mount) service_mount(&services[i]);
    while (folder && known_count < MANIFESTS_MAX && (entry = readdir(folder))) {
        struct manifest *m = &known[known_count].manifest;
        const char *name = entry->d_name;
        if (name[0] == '.' || strlen(name) >= SERVICE_NAME_MAX || is_known(name)) continue;
        if (!manifest_read(m, name) || !manifest_wanted(m, command_line)) continue;
        strcpy(known[known_count].name, name);
        known[known_count++].waits = m->needs;
        if (m->needs) continue;
        if (m->match_count > 0) driver_add(name, m);
        else if (m->disks) mount_add(name, m);
        else service_add(name, m);
    }
    if (folder) closedir(folder);
    else service_log("init: " FOLDER ": %s", strerror(errno));
    drivers_start();
    needers_add();
    if (root_ready()) root_there();
    else early_count = known_count;
}

bool service_on_disk(const struct manifest *m) {
    return root_on_disk() && (const char *)m >= (const char *)&known[early_count];
}

const char *service_program(const struct manifest *m, char path[PROGRAM_PATH_MAX]) {
    bool early = root_on_disk() && !service_on_disk(m);
    snprintf(path, PROGRAM_PATH_MAX, "%s%s", early ? INITFS : "", m->arguments[0]);
    return path;
}

int64_t services_restart_due(void) {
    int64_t next = DEADLINE_NEVER, now = time_ns();
    disk_root_step();
    bool settled = devices_settled() && root_ready();
    if (!settled) next = now + SECOND_NS / 4;
    for (unsigned i = 0; i < service_count; i++) {
        struct service *s = &services[i];
        if (s->state != SERVICE_WAITING || (s->held && !settled)) continue;
        if (s->start_ns <= now) service_start(s);
        else if (s->start_ns < next) next = s->start_ns;
    }
    return next;
}

static struct service *service_of(pid_t pid) {
    for (unsigned i = 0; i < service_count; i++) {
        if (services[i].state == SERVICE_RUNNING && services[i].pid == pid) return &services[i];
    }
    return nullptr;
}

bool service_is_server(pid_t pid) {
    const struct service *s = service_of(pid);
    return root_is_process(pid) || (s && s->manifest->scheme_count > 0);
}

/* Its callers, present and future, get errors instead of waiting forever. */
static void service_quarantine(struct service *s) {
    s->state = SERVICE_QUARANTINED;
    service_log("init: %s died %u times in a row: no more", s->name, s->deaths);
    schemes_withdraw(s);
}

void service_remove(struct service *s) {
    if (s->state == SERVICE_RUNNING) kill(s->pid, SIGKILL);
    if (s->state != SERVICE_QUARANTINED) schemes_withdraw(s);
    if (s->channel != HANDLE_NONE) sys_handle_close(s->channel);
    for (int i = 0; i < SERVICE_KEPT_MAX; i++)
        if (s->kept[i] != HANDLE_NONE) sys_handle_close(s->kept[i]);
    if (s->disk != HANDLE_NONE) sys_handle_close(s->disk);
    if (s->image != HANDLE_NONE) sys_handle_close(s->image);
    free(s->mount_point);
    s->channel = s->kept[0] = s->kept[1] = s->disk = s->image = HANDLE_NONE;
    s->mount_point = nullptr;
    s->state = SERVICE_REMOVED;
    s->function = nullptr;
    control_wake(&s->waiting); /* before its place is another's */
}

/* It may have been replaced on the disk. */
static void image_drop(struct service *s) {
    if (s->image != HANDLE_NONE) sys_handle_close(s->image);
    s->image = HANDLE_NONE;
}

int service_control(struct service *s, bool end, bool start) {
    if (s->state == SERVICE_QUARANTINED) return -EIO;
    s->stop = end && !start;
    if (end && s->state == SERVICE_RUNNING) {
        s->deaths = 0; /* it is no fault of its own */
        s->again = start;
        if (start) image_drop(s);
        return kill(s->pid, SIGTERM) < 0 ? -errno : 0;
    }
    if (start && s->state != SERVICE_RUNNING) {
        s->state = SERVICE_WAITING;
        s->start_ns = 0;
        s->deaths = 0;
        image_drop(s);
    } else if (s->stop) {
        s->state = SERVICE_STOPPED;
    }
    return 0;
}

static int64_t restart_delay(const struct service *s) {
    int64_t delay = DELAY_FIRST_NS;
    if (s->deaths <= 1) return s->manifest->scheme_count > 0 ? 0 : DELAY_FIRST_NS;
    for (unsigned i = 2; i < s->deaths && delay < DELAY_MAX_NS; i++) delay *= 2;
    return delay < DELAY_MAX_NS ? delay : DELAY_MAX_NS;
}

static void log_death(const struct service *s, int status) {
    if (WIFSIGNALED(status)) service_log("init: %s (%d) ended by signal %d", s->name, s->pid, WTERMSIG(status));
    else if (WEXITSTATUS(status) != 0 || s->manifest->scheme_count > 0)
        service_log("init: %s (%d) ended with status %d", s->name, s->pid, WEXITSTATUS(status));
}

/*
 * A file system's server. What it had in memory is gone: what was open there gives errors for good. One that was at
 * work and crashed is followed by another at the same place, with schemes of its own under the same names.
 */
static void mount_ended(struct service *s, int status) {
    bool again = WIFSIGNALED(status) && s->ready && ++s->deaths < DEATHS_MAX;
    s->failure = WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
    s->ready = false;
    s->state = SERVICE_QUARANTINED;
    schemes_withdraw(s);
    if (again && schemes_make(s)) {
        s->state = SERVICE_WAITING;
        s->start_ns = time_ns() + restart_delay(s);
    }
    mount_news(s);
}

void service_ended(pid_t pid, int status) {
    struct service *s = service_of(pid);
    if (!s) return;
    int64_t now = time_ns();
    log_death(s, status);
    if (s->channel != HANDLE_NONE) {
        device_news(s); /* its last words */
        sys_handle_close(s->channel);
        s->channel = HANDLE_NONE;
    }
    if (s->function) device_driver_ended(s);
    if (s->root && root_ready()) {
        service_log("init: the root file system's server is gone");
        power_down(POWER_REBOOT);
    }
    if (s->mount_point) {
        mount_ended(s, status);
        return;
    }
    bool asked = s->stop || s->again;
    s->state = s->again ? SERVICE_WAITING : SERVICE_STOPPED;
    s->again = false;
    if (asked) return;
    s->deaths = now - s->start_ns >= STABLE_NS ? 1 : s->deaths + 1;
    if (s->manifest->restart == RESTART_NEVER) return;
    if (s->manifest->restart == RESTART_ONCE && s->deaths > 1) return;
    if (s->deaths >= DEATHS_MAX && s->manifest->scheme_count > 0) {
        service_quarantine(s);
        return;
    }
    if (s->manifest->scheme_count == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        s->deaths = 1; /* the end of a session */
    s->state = SERVICE_WAITING;
    s->start_ns = now + restart_delay(s);
}
