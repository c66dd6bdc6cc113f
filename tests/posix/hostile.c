// SPDX-License-Identifier: MIT
/* See hostile.h. */
#include "hostile.h"
#include <sys/sysinfo.h>

#define LEAK_MAX (2 << 20) /* caches of the kernel and of servers come and go */
#define WAIT_MS 10000

bool is_cathode(void) { return access("/proc/schemes", R_OK) == 0; }

static __thread uint64_t random_state;
void draw_seed(uint64_t seed) { random_state = seed * 0x9e3779b97f4a7c15ULL + 1; }
uint64_t draw(void) { /* xorshift64* */
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * 2685821657736338717ULL;
}

unsigned setting(const char *name, unsigned otherwise) {
    const char *text = getenv(name);
    return text ? (unsigned)strtoul(text, NULL, 0) : otherwise;
}

static void schemes_get(char *out, size_t room) {
    char line[256], name[64];
    unsigned rank, incarnation;
    FILE *f = fopen("/proc/schemes", "re");
    size_t used = 0;
    out[0] = 0;
    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "%63s %u %u", name, &rank, &incarnation) == 3 && used < room)
            used += (size_t)snprintf(out + used, room - used, "%s %u, ", name, incarnation);
    if (f) fclose(f);
}

void system_state_get(struct system_state *out) {
    struct sysinfo info;
    OK(sysinfo(&info));
    out->used = (uint64_t)(info.totalram - info.freeram) * info.mem_unit;
    out->tasks = info.procs;
    schemes_get(out->schemes, sizeof(out->schemes));
}

void system_state_check(const struct system_state *before) {
    struct system_state now;
    if (!is_cathode()) return;
    for (int waited = 0; waited < WAIT_MS; waited += 100, sleep_ms(100)) {
        system_state_get(&now);
        if (now.used < before->used + LEAK_MAX && now.tasks <= before->tasks) break;
    }
    if (strcmp(now.schemes, before->schemes))
        test_fail(__FILE__, __LINE__, "services before: %s and after: %s", before->schemes, now.schemes);
    if (now.tasks > before->tasks) test_fail(__FILE__, __LINE__, "%u tasks, before %u", now.tasks, before->tasks);
    printf("# %lld KiB more in use than before\n", (long long)(now.used - before->used) / 1024);
    fflush(stdout);
    CHECK(now.used < before->used + LEAK_MAX);
}
