// SPDX-License-Identifier: MIT
/* Clocks, the time page, and the kernel's random pool. kernel/time/, kernel/lib/random.c */
#pragma once
#include <arch/time.h>
#include <kernel/types.h>

static inline nsec_t clock_now(void) { return arch_clock_now(); }
nsec_t clock_realtime(void);
void clock_set_realtime(nsec_t ns);
void clock_init(void); /* the time page */
void clock_publish(void); /* tells it, once all CPUs run, how to read the clock */
struct frame *clock_time_page(void);

void random_init(void);
void random_add(uint64_t sample); /* interrupt timing */
void random_fill(void *out, size_t size);
uint64_t random_u64(void);
void chacha20_block(const uint32_t key[8], uint32_t counter, const uint32_t nonce[3], uint32_t out[16]);
