// SPDX-License-Identifier: MIT
/* What the monitor shows: the kernel's figures and init's services, looked at once a second. */
#pragma once
#ifndef CATHODE_USER_STUBS
#define CATHODE_USER_STUBS
#endif
#include <abi/counters.h>
#include <abi/errno.h>
#include <abi/process.h>
#include <abi/syscall.h>
#include <abi/system.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CPUS_MAX 64
#define HISTORY 1024 /* seconds */
#define PERMILLE 1000

enum rate { RATE_CALLS, RATE_SYSCALLS, RATE_SWITCHES, RATE_INTERRUPTS, RATE_FAULTS, RATE_COUNT };

/* --- figures.c --- */
struct figures {
    uint64_t time_ns; /* CLOCK_MONOTONIC, of the last look; 0: none yet */
    uint64_t elapsed_ns; /* since the one before; 0: there was none, and there are no rates */
    uint32_t cpu_count;
    struct cpu_info cpus[CPUS_MAX];
    uint32_t busy; /* permille, of all CPUs */
    struct memory_totals memory;
    uint64_t counters[COUNT_COUNT], load[5];
    uint32_t rates[RATE_COUNT]; /* per second */
    char version[64], host[80];
    /* The last seconds, in rings: `count` looks were kept so far. */
    uint32_t count;
    uint16_t cpu_history[CPUS_MAX][HISTORY]; /* permille */
    uint32_t rate_history[RATE_COUNT][HISTORY];
};
void figures_look(struct figures *f);
uint64_t figures_used(const struct figures *f); /* bytes of memory that are neither free nor cache */
static inline uint32_t history_at(const struct figures *f, uint32_t age) { return (f->count - 1 - age) % HISTORY; }

/* --- processes.c --- */
struct process {
    struct process_state state;
    const char *name; /* within state: the last component */
    uint64_t cpu_ns;
    uint32_t permille; /* of one CPU */
    uint32_t calls; /* of its schemes, per second */
    bool listed; /* for tree.c */
};
struct service {
    char name[48], state[16], device[48];
    uint32_t pid, deaths; /* pid 0: it doesn't run */
    uint64_t seconds; /* that it has run */
};
struct processes { /* zero is none */
    struct process *list, *before; /* by pid */
    size_t count, before_count, room, before_room;
    struct service *services; /* in init's order */
    size_t service_count, service_room;
    struct scheme_info *schemes, *schemes_before;
    size_t scheme_count, scheme_before_count;
};
void processes_look(struct processes *p, uint64_t elapsed_ns);
struct process *process_find(const struct processes *p, uint32_t pid);
