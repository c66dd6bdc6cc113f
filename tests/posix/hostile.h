// SPDX-License-Identifier: MIT
/* What tests that do their worst share: random numbers from a seed, and what must be the same afterwards. */
#pragma once
#include "test.h"

/* Memory, tasks and services. */
struct system_state {
    uint64_t used; /* bytes of memory */
    unsigned tasks;
    char schemes[4096]; /* name and incarnation of each */
};

/* Not Linux, where these tests run as well but whose other processes come and go. */
bool is_cathode(void);
void system_state_get(struct system_state *out);
/* Ends the case if anything is missing; what is going away is waited for. */
void system_state_check(const struct system_state *before);
/* Random numbers that a seed determines. */
void draw_seed(uint64_t seed);
uint64_t draw(void);
static inline long draw_below(long n) { return (long)(draw() % (uint64_t)n); }
/* A number of the environment. */
unsigned setting(const char *name, unsigned otherwise);
