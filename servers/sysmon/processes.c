// SPDX-License-Identifier: MIT
/* Processes, the schemes that they serve, and init's services (figures.h). */
#include "figures.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVICES "/scheme/service"
#define SCHEMES_MAX 512

/* With room for one more; null: there is no memory. */
static void *room_make(void *list, size_t *room, size_t count, size_t size) {
    if (count < *room) return list;
    size_t wanted = *room ? *room * 2 : 64;
    void *grown = realloc(list, wanted * size);
    if (grown) *room = wanted;
    return grown;
}

static struct process *find(struct process *list, size_t count, uint32_t pid) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (list[middle].state.pid == pid) return &list[middle];
        if (list[middle].state.pid < pid) low = middle + 1;
        else high = middle;
    }
    return nullptr;
}

struct process *process_find(const struct processes *p, uint32_t pid) { return find(p->list, p->count, pid); }

static void process_add(struct processes *p, const struct process_state *s, uint64_t elapsed_ns) {
    struct process *list = room_make(p->list, &p->room, p->count, sizeof(*list));
    if (!list) return;
    p->list = list;
    struct process *new = &p->list[p->count++];
    *new = (struct process){.state = *s, .cpu_ns = s->user_ns + s->system_ns};
    const struct process *old = find(p->before, p->before_count, s->pid);
    if (!elapsed_ns || !old || old->state.start_ns != s->start_ns) return;
    new->permille = (uint32_t)((new->cpu_ns - old->cpu_ns) * PERMILLE / elapsed_ns);
}

static void processes_read(struct processes *p, uint64_t elapsed_ns) {
    struct process_state s;
    for (long pid = 0; (pid = sys_process_info(0, PROCESS_NEXT, nullptr, 0, (uint64_t)pid)) > 0;) {
        if (sys_process_info((int32_t)pid, PROCESS_STATE, &s, sizeof(s), 0) < 0) continue;
        s.name[sizeof(s.name) - 1] = '\0';
        process_add(p, &s, elapsed_ns);
    }
    for (size_t i = 0; i < p->count; i++) { /* now that the list doesn't move any more */
        const char *slash = strrchr(p->list[i].state.name, '/');
        p->list[i].name = slash ? slash + 1 : p->list[i].state.name;
    }
}

static uint64_t calls_before(const struct processes *p, const struct scheme_info *s) {
    for (size_t i = 0; i < p->scheme_before_count; i++)
        if (strcmp(p->schemes_before[i].name, s->name) == 0) return p->schemes_before[i].calls;
    return s->calls;
}

static void schemes_read(struct processes *p, uint64_t elapsed_ns) {
    if (!p->schemes) p->schemes = calloc(SCHEMES_MAX, sizeof(*p->schemes));
    if (!p->schemes) return;
    long size = sys_system_info(SYSTEM_SCHEMES, p->schemes, SCHEMES_MAX * sizeof(*p->schemes));
    p->scheme_count = size < 0 ? 0 : (size_t)size / sizeof(*p->schemes);
    for (size_t i = 0; elapsed_ns && i < p->scheme_count; i++) {
        const struct scheme_info *s = &p->schemes[i];
        uint64_t old = calls_before(p, s);
        struct process *owner = process_find(p, s->pid);
        if (owner && s->calls > old)
            owner->calls += (uint32_t)((double)(s->calls - old) * 1e9 / (double)elapsed_ns + 0.5);
    }
}

static void service_read(struct processes *p, const char *name) {
    char path[300], line[200];
    struct service s = {};
    unsigned long long seconds = 0;
    snprintf(path, sizeof(path), SERVICES "/%s", name);
    FILE *file = fopen(path, "re");
    if (!file) return;
    bool read = fgets(line, sizeof(line), file) &&
                sscanf(line, "%47s %15s %u %u %llu %47s", s.name, s.state, &s.pid, &s.deaths, &seconds, s.device) == 6;
    fclose(file);
    struct service *list = room_make(p->services, &p->service_room, p->service_count, sizeof(s));
    if (list) p->services = list;
    if (!list || !read) return;
    s.seconds = seconds;
    p->services[p->service_count++] = s;
}

static void services_read(struct processes *p) {
    DIR *folder = opendir(SERVICES);
    p->service_count = 0;
    if (!folder) return;
    for (struct dirent *e; (e = readdir(folder));)
        if (e->d_name[0] != '.') service_read(p, e->d_name);
    closedir(folder);
}

static void swap(void *a, void *b, size_t size) {
    uint8_t kept[sizeof(void *)];
    memcpy(kept, a, size);
    memcpy(a, b, size);
    memcpy(b, kept, size);
}

void processes_look(struct processes *p, uint64_t elapsed_ns) {
    swap(&p->list, &p->before, sizeof(p->list));
    swap(&p->room, &p->before_room, sizeof(p->room));
    swap(&p->schemes, &p->schemes_before, sizeof(p->schemes));
    p->before_count = p->count;
    p->scheme_before_count = p->scheme_count;
    p->count = p->scheme_count = 0;
    processes_read(p, elapsed_ns);
    schemes_read(p, elapsed_ns);
    services_read(p);
}
