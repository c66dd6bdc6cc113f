// SPDX-License-Identifier: MIT
/*
 * init: the first process.  Brings up the root file system from the boot module, starts and
 * restarts the services that /lib/services describes, reaps orphans, shuts down.  It holds the
 * handles to all schemes, so that a service that died gets its scheme back and waiting callers
 * don't notice.
 */
#pragma once
#ifndef CATHODE_USER_STUBS
#define CATHODE_USER_STUBS
#endif
#include <abi/syscall.h>
#include <manifest.h>
#include <stdbool.h>
#include <sys/types.h>

#define SERVICES_MAX 32
#define SERVICE_NAME_MAX 32
#define SECOND_NS 1000000000LL

enum service_state {
    SERVICE_STOPPED, /* not started, or ended for good */
    SERVICE_RUNNING,
    SERVICE_WAITING, /* to be started at start_ns */
    SERVICE_QUARANTINED, /* died too often */
};
struct service {
    char name[SERVICE_NAME_MAX];
    struct manifest manifest;
    handle_t schemes[MANIFEST_SCHEMES];
    handle_t hardware[MANIFEST_HARDWARE];
    enum service_state state;
    pid_t pid;
    unsigned deaths; /* in a row */
    int64_t start_ns; /* when it was, or is to be, started */
};

extern struct service services[SERVICES_MAX];
extern unsigned service_count;
extern char command_line[2048]; /* the kernel's */

int64_t time_ns(void);

/* --- root.c --- */
/* Starts ramfs out of boot module 0 and opens its root: HANDLE_ROOT, HANDLE_CWD. 0 or -errno. */
[[nodiscard]] int root_start(void);
/* What the archives don't hold: device nodes, links in /dev, the host's name. */
void root_populate(void);
bool root_is_process(pid_t pid); /* of the root file system's server */

/* --- service.c --- */
/* Reads /lib/services, makes and binds all schemes, then starts everything. */
void services_start(void);
/* A child has ended. */
void service_ended(pid_t pid, int status);
/* Starts what is due; the time of the next start, or DEADLINE_NEVER. */
int64_t services_restart_due(void);
/* That process is a service with a scheme. */
bool service_is_server(pid_t pid);

/* --- spawn.c --- */
/* A scheme made and bound in init's own namespace: its handle, or -errno. */
[[nodiscard]] int scheme_make(const char *name, uint32_t rank, uint32_t flags);
/* 0, or -errno; s->pid. */
[[nodiscard]] int service_spawn(struct service *s);
/* The same for a program in a memory object, with these handles only: pid or -errno. */
[[nodiscard]] int image_spawn(handle_t image, const char *path, const struct handle_transfer *handles, uint32_t count);

/* --- power.c --- */
enum power { POWER_ON, POWER_OFF, POWER_REBOOT, POWER_HALT };
/* Ends all processes, then all services, then the machine. */
[[noreturn]] void power_down(enum power how);
