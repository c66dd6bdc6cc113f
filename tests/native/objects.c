// SPDX-License-Identifier: MIT
/* See objects.h. The server of the scheme is the caller itself: its file is never called. */
#include "objects.h"
#include <sys/mman.h>

static char *pages(void) {
    char *p = mmap(nullptr, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(p != MAP_FAILED);
    return p;
}

void objects_make(struct objects *o) {
    handle_t *h = o->of_type, ends[2];
    uintptr_t buffer;
    for (int i = 0; i <= OBJECT_SIGNALS; i++) h[i] = HANDLE_NONE;
    char *p = pages();
    o->page = p + PAGE;
    o->unmapped = p + 2 * PAGE;
    o->read_only = p + 4 * PAGE;
    o->no_access = p + 6 * PAGE;
    OK(munmap(p + 2 * PAGE, PAGE));
    OK(mprotect(p + 4 * PAGE, PAGE, PROT_READ));
    OK(mprotect(p + 6 * PAGE, PAGE, PROT_NONE));
    strcpy(o->page, "native");
    h[OBJECT_FILE] = (handle_t)OK(open("file", O_RDWR | O_CREAT, 0644));
    OK(unlink("file"));
    h[OBJECT_MEMORY] = (handle_t)GOOD(sys_memory_create(PAGE, 0, HANDLE_NONE, 0));
    GOOD(sys_channel_create(0, PAGE, ends));
    h[OBJECT_CHANNEL] = ends[0];
    h[OBJECT_EVENT] = (handle_t)GOOD(sys_event_create(1, 0));
    GOOD(sys_event_control(h[OBJECT_EVENT], EVENT_ADD, ends[0], &(struct event){.mask = EVENT_OUT}));
    h[OBJECT_TIMER] = (handle_t)GOOD(sys_timer_create(CLOCK_MONOTONIC, 0, 0));
    h[OBJECT_SCHEME] = scheme_new("native", 40);
    h[OBJECT_PORT] = (handle_t)GOOD(sys_scheme_attach(h[OBJECT_SCHEME], HANDLE_NONE, &buffer));
    h[OBJECT_NAMESPACE] =
        (handle_t)GOOD(sys_namespace_control(HANDLE_NAMESPACE, NAMESPACE_CLONE, nullptr, 0, HANDLE_NONE));
    h[OBJECT_PROCESS] = (handle_t)GOOD(sys_process_open(getpid(), 0));
    h[OBJECT_SIGNALS] = (handle_t)GOOD(sys_signal_open(HANDLE_NONE, 0, 0));
    h[OBJECT_SYSTEM] = HANDLE_INIT_SYSTEM;
    o->zombie = (pid_t)OK(fork());
    if (o->zombie == 0) _exit(0);
    siginfo_t info;
    OK(waitid(P_PID, (id_t)o->zombie, &info, WEXITED | WNOWAIT));
}
