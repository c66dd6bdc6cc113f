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

#define BOOT_FAILED_CODE 0x11 /* what test machines exit with */

char command_line[2048];

int64_t time_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND_NS + t.tv_nsec;
}

void boot_failed(void) {
    for (;;) sys_system_control(HANDLE_INIT_SYSTEM, SYSTEM_POWER_OFF, BOOT_FAILED_CODE, 0);
}

static void on_signal(int signal) {} /* they are read from a signal object; ignored ones would be lost */

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
        if (!disk_root_child(pid, status)) service_ended(pid, status);
    }
}

static handle_t signal_object;

static void signals_take(void) {
    struct signal_record r;
    while (sys_read(signal_object, &r, sizeof(r), OFFSET_CURRENT, IO_NONBLOCK, 0) == sizeof(r)) {
        enum power how = power_of((int)r.signal);
        if (how != POWER_ON) power_down(how);
    }
    children_reap();
}

int main(void) {
    sigset_t signals;
    signals_block(&signals);
    sys_system_info(SYSTEM_COMMAND_LINE, command_line, sizeof(command_line) - 1);
    int e = root_start();
    if (e) {
        service_log("init: no root file system: %s", strerror(-e));
        boot_failed();
    }
    uint64_t mask;
    memcpy(&mask, &signals, sizeof(mask));
    signal_object = (handle_t)sys_signal_open(HANDLE_NONE, mask, HANDLE_IN_UPPER);
    e = control_init();
    if (!e) e = signal_object < 0 ? signal_object : control_watch(signal_object, KEY_SIGNALS);
    if (e) service_log("init: cannot watch services: %s", strerror(-e));
    services_read();
    control_serve(signals_take);
}
