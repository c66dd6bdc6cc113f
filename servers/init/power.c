// SPDX-License-Identifier: MIT
/*
 * The end: ordinary processes are asked to stop and then made to, then the services, those that are called by none
 * first (descending rank), then the machine. A file system writes its caches when it is asked: a sync() of init's own
 * could wait for one that hangs for ever.
 */
#include "init.h"
#include <errno.h>
#include <service.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TERM_PATIENCE_NS (3 * SECOND_NS)
#define KILL_PATIENCE_NS SECOND_NS
#define WRITE_PATIENCE_NS (60 * SECOND_NS)
#define OFF_PATIENCE_NS (5 * SECOND_NS)
#define RANKS 256
#define POWER_OFF_CODE 0x10 /* what test machines exit with */

static bool is_alive(pid_t pid) {
    struct process_state state;
    return sys_process_info(pid, PROCESS_STATE, &state, sizeof(state), 0) >= 0 && state.state != 'Z';
}

static void reap(void) { while (waitpid(-1, nullptr, WNOHANG) > 0); }

/* The number of processes that `signal` was sent to (0: just count them). */
static unsigned processes_signal(int signal) {
    unsigned count = 0;
    for (long pid = 1; (pid = sys_process_info(0, PROCESS_NEXT, nullptr, 0, (uint64_t)pid)) > 0;) {
        if (service_is_server((pid_t)pid) || !is_alive((pid_t)pid)) continue;
        count++;
        if (signal) {
            kill((pid_t)pid, signal);
            kill((pid_t)pid, SIGCONT);
        }
    }
    return count;
}

/* Waits until `done` says so, at most that long; a child's end wakes it. */
static bool wait_until(bool (*done)(void *), void *context, int64_t patience_ns) {
    int64_t end = time_ns() + patience_ns;
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    for (;;) {
        reap();
        if (done(context)) return true;
        if (time_ns() >= end) return false;
        sigtimedwait(&child, nullptr, &(struct timespec){.tv_nsec = SECOND_NS / 20});
    }
}

static bool processes_gone(void *context) { return processes_signal(0) == 0; }

static void processes_end(void) {
    if (processes_signal(SIGTERM) > 0 && !wait_until(processes_gone, nullptr, TERM_PATIENCE_NS)) {
        processes_signal(SIGKILL);
        wait_until(processes_gone, nullptr, KILL_PATIENCE_NS);
    }
}

static bool service_gone(void *context) {
    const struct service *s = context;
    return !is_alive(s->pid);
}

static void service_end(struct service *s) {
    kill(s->pid, SIGTERM);
    if (!wait_until(service_gone, s, s->mount_point ? WRITE_PATIENCE_NS : KILL_PATIENCE_NS)) kill(s->pid, SIGKILL);
    s->state = SERVICE_STOPPED;
}

/* Those that know the hardware stay: they silence devices whose drivers end, and one switches off. */
static void services_end(void) {
    for (int rank = RANKS - 1; rank >= 0; rank--) {
        for (unsigned i = 0; i < service_count; i++) {
            struct service *s = &services[i];
            if (s->state == SERVICE_RUNNING && s->manifest->scheme_count > 0 &&
                !(s->manifest->grants & GRANT_HARDWARE) && s->manifest->schemes[0].rank == (uint32_t)rank)
                service_end(s);
        }
    }
}

/* By the firmware's method. Comes back if there is none that works. */
static void firmware_power_off(void) {
    for (unsigned i = 0; i < service_count; i++) {
        struct service *s = &services[i];
        if (s->state != SERVICE_RUNNING || !(s->manifest->grants & GRANT_POWER)) continue;
        device_tell(s, &(struct service_message){.kind = SERVICE_POWER_OFF});
        wait_until(service_gone, s, OFF_PATIENCE_NS);
    }
}

void power_down(enum power how) {
    static const char *const words[] = {"", "powering off", "rebooting", "halting"};
    service_log("init: %s", words[how]);
    processes_end();
    services_end();
    if (how == POWER_OFF) firmware_power_off();
    switch (how) {
    case POWER_REBOOT: sys_system_control(HANDLE_INIT_SYSTEM, SYSTEM_REBOOT, 0, 0); break;
    case POWER_HALT: sys_system_control(HANDLE_INIT_SYSTEM, SYSTEM_HALT, 0, 0); break;
    default: sys_system_control(HANDLE_INIT_SYSTEM, SYSTEM_POWER_OFF, POWER_OFF_CODE, 0);
    }
    for (;;) pause();
}
