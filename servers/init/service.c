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
#include <service.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FOLDER "/lib/services"
#define STABLE_NS (60 * SECOND_NS)
#define DELAY_FIRST_NS (SECOND_NS / 10)
#define DELAY_MAX_NS (10 * SECOND_NS)
#define DEATHS_MAX 10

struct service services[SERVICES_MAX];
unsigned service_count;

/* --- reading --- */
static bool manifest_read(struct service *s, const char *name) {
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
    if (manifest_parse(&s->manifest, text, (size_t)length, &line) != 0) {
        service_log("init: %s:%u: not a valid manifest", path, line);
        return false;
    }
    strcpy(s->name, name);
    return true;
}

static void manifests_read(void) {
    DIR *folder = opendir(FOLDER);
    struct dirent *entry;
    while (folder && service_count < SERVICES_MAX && (entry = readdir(folder))) {
        struct service *s = &services[service_count];
        if (entry->d_name[0] == '.' || strlen(entry->d_name) >= SERVICE_NAME_MAX) continue;
        if (manifest_read(s, entry->d_name) && manifest_wanted(&s->manifest, command_line)) service_count++;
    }
    if (folder) closedir(folder);
    else service_log("init: " FOLDER ": %s", strerror(errno));
}

/* --- schemes, hardware, mounts: once; they outlive the instances --- */
static bool schemes_make(struct service *s) {
    for (uint32_t i = 0; i < s->manifest.scheme_count; i++) {
        const struct manifest_scheme *scheme = &s->manifest.schemes[i];
        s->schemes[i] = scheme_make(scheme->name, scheme->rank, scheme->setid ? SCHEME_SETID : 0);
        if (s->schemes[i] < 0) {
            service_log("init: %s: scheme %s: error %d", s->name, scheme->name, -s->schemes[i]);
            return false;
        }
    }
    return true;
}

static bool hardware_make(struct service *s) {
    static const uint32_t kinds[] = {
        [MANIFEST_PORTS] = HARDWARE_PORTS, [MANIFEST_ISA_IRQ] = HARDWARE_ISA_IRQ, [MANIFEST_MMIO] = HARDWARE_MMIO};
    for (uint32_t i = 0; i < s->manifest.hardware_count; i++) {
        const struct manifest_hardware *h = &s->manifest.hardware[i];
        long made = sys_hardware_create(HANDLE_INIT_HARDWARE, kinds[h->kind], h->start, h->length, MMIO_UNCACHED);
        s->hardware[i] = (handle_t)made;
        if (made < 0) {
            service_log("init: %s: hardware at %#llx: error %d", s->name, (unsigned long long)h->start, (int)-made);
            return false;
        }
    }
    return true;
}

/* OP_MOUNT: the path, NUL, where walks go on instead. */
static void mount_make(const struct service *s) {
    char data[256] = {};
    const char *path = s->manifest.mount;
    size_t length = strlen(path);
    if (length + sizeof("/scheme/") + MANIFEST_NAME_MAX + 1 > sizeof(data)) return;
    strcpy(data, path);
    strcpy(data + length + 1, "/scheme/");
    strcat(data + length + 1, s->manifest.schemes[0].name);
    struct call_args args = {
        .request = {.op = OP_MOUNT, .length = (uint32_t)(length + 1 + strlen(data + length + 1))},
        .in = data,
        .carry = HANDLE_NONE,
        .deadline = DEADLINE_NEVER,
    };
    long e = sys_call(HANDLE_ROOT, &args);
    if (e < 0) service_log("init: %s: cannot mount on %s: error %d", s->name, path, (int)-e);
}

/* --- running --- */
static void service_start(struct service *s) {
    int e = service_spawn(s);
    s->start_ns = time_ns();
    s->state = e ? SERVICE_STOPPED : SERVICE_RUNNING;
    if (e) service_log("init: cannot start %s: %s", s->name, strerror(-e));
}

void services_start(void) {
    manifests_read();
    for (unsigned i = 0; i < service_count; i++) {
        struct service *s = &services[i];
        if (schemes_make(s) && hardware_make(s)) s->state = SERVICE_WAITING;
        if (s->manifest.mount) mount_make(s);
    }
    services_restart_due();
}

int64_t services_restart_due(void) {
    int64_t next = DEADLINE_NEVER, now = time_ns();
    for (unsigned i = 0; i < service_count; i++) {
        struct service *s = &services[i];
        if (s->state == SERVICE_WAITING && s->start_ns <= now) service_start(s);
        else if (s->state == SERVICE_WAITING && s->start_ns < next) next = s->start_ns;
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
    return root_is_process(pid) || (s && s->manifest.scheme_count > 0);
}

/* Its callers, present and future, get errors instead of waiting forever. */
static void service_quarantine(struct service *s) {
    s->state = SERVICE_QUARANTINED;
    service_log("init: %s died %u times in a row: no more", s->name, s->deaths);
    for (uint32_t i = 0; i < s->manifest.scheme_count; i++) {
        const char *name = s->manifest.schemes[i].name;
        sys_namespace_control(HANDLE_NAMESPACE, NAMESPACE_UNBIND, (char *)name, strlen(name), HANDLE_NONE);
        sys_handle_close(s->schemes[i]);
    }
}

static int64_t restart_delay(const struct service *s) {
    int64_t delay = DELAY_FIRST_NS;
    if (s->deaths <= 1) return s->manifest.scheme_count > 0 ? 0 : DELAY_FIRST_NS;
    for (unsigned i = 2; i < s->deaths && delay < DELAY_MAX_NS; i++) delay *= 2;
    return delay < DELAY_MAX_NS ? delay : DELAY_MAX_NS;
}

static void log_death(const struct service *s, int status) {
    if (WIFSIGNALED(status)) service_log("init: %s (%d) ended by signal %d", s->name, s->pid, WTERMSIG(status));
    else if (WEXITSTATUS(status) != 0 || s->manifest.scheme_count > 0)
        service_log("init: %s (%d) ended with status %d", s->name, s->pid, WEXITSTATUS(status));
}

void service_ended(pid_t pid, int status) {
    struct service *s = service_of(pid);
    if (!s) return;
    int64_t now = time_ns();
    log_death(s, status);
    s->state = SERVICE_STOPPED;
    s->deaths = now - s->start_ns >= STABLE_NS ? 1 : s->deaths + 1;
    if (s->manifest.restart == RESTART_NEVER) return;
    if (s->manifest.restart == RESTART_ONCE && s->deaths > 1) return;
    if (s->deaths >= DEATHS_MAX && s->manifest.scheme_count > 0) {
        service_quarantine(s);
        return;
    }
    if (s->manifest.scheme_count == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        s->deaths = 1; /* the end of a session */
    s->state = SERVICE_WAITING;
    s->start_ns = now + restart_delay(s);
}
