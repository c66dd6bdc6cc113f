// SPDX-License-Identifier: MIT
/*
 * init, process 1.  Its signals: SIGUSR2 powers off, SIGTERM reboots, SIGUSR1 halts (as busybox's
 * poweroff, reboot and halt send them); SIGINT reboots, too.
 */
#include "init.h"
#include <errno.h>
#include <service.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define LOG_LEVEL_WARNINGS 1
#define BOOT_FAILED_CODE 0x11 /* what test machines exit with */

char command_line[2048];

int64_t time_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND_NS + t.tv_nsec;
}

static void on_signal(int signal) {} /* they are taken by sigtimedwait; ignored ones would be lost */

static void signals_block(sigset_t *set) {
    static const int taken[] = {SIGCHLD, SIGUSR1, SIGUSR2, SIGTERM, SIGINT};
    sigemptyset(set);
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
        sigaddset(set, taken[i]);
        signal(taken[i], on_signal);
    }
    sigprocmask(SIG_BLOCK, set, nullptr);
}

static enum power power_of(int signal) {
    switch (signal) {
    case SIGUSR2: return POWER_OFF;
    case SIGTERM:
    case SIGINT: return POWER_REBOOT;
    case SIGUSR1: return POWER_HALT;
    default: return POWER_ON;
    }
}

/* Own children and orphans. */
static void children_reap(void) {
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (root_is_process(pid)) {
            service_log("init: the root file system's server is gone (status %#x)", status);
            power_down(POWER_REBOOT);
        }
        service_ended(pid, status);
    }
}

static int wait_signal(const sigset_t *set, int64_t deadline) {
    if (deadline == DEADLINE_NEVER) return sigtimedwait(set, nullptr, nullptr);
    int64_t left = deadline - time_ns();
    struct timespec timeout = {.tv_sec = left / SECOND_NS, .tv_nsec = left % SECOND_NS};
    return left > 0 ? sigtimedwait(set, nullptr, &timeout) : 0;
}

int main(void) {
    sigset_t signals;
    signals_block(&signals);
    sys_system_info(SYSTEM_COMMAND_LINE, command_line, sizeof(command_line) - 1);
    int e = root_start();
    if (e) {
        service_log("init: no root file system: %s", strerror(-e));
        sys_system_control(HANDLE_INIT_SYSTEM, SYSTEM_POWER_OFF, BOOT_FAILED_CODE, 0);
    }
    root_populate();
    services_start();
    /* The console is the terminal's now: only what is wrong shows up between its lines. */
    if (!strstr(command_line, "verbose"))
        sys_system_control(HANDLE_INIT_SYSTEM, SYSTEM_LOG_LEVEL, LOG_LEVEL_WARNINGS, 0);
    for (;;) {
        enum power how = power_of(wait_signal(&signals, services_restart_due()));
        if (how != POWER_ON) power_down(how);
        children_reap();
    }
}
