// SPDX-License-Identifier: MIT
/*
 * Hooks of the sanitizer builds (presets kasan and race); nothing in all others. The runtimes are in
 * kernel/sanitizer/, the compiler's flags in cmake/flags.cmake.
 */
#pragma once
#include <kernel/bootinfo.h>
#include <kernel/types.h>

enum kasan_reason { KASAN_REDZONE = 0xf1, KASAN_FREED = 0xf2, KASAN_FREE_FRAME = 0xf3 };

#if CATHODE_KASAN
void kasan_init(void); /* after frame_init(): from here on memory is watched */
/* p in the physmap, 8-byte aligned. Unpoison: the first n bytes are good, a rest of 8 is not. */
void kasan_poison(const void *p, size_t n, enum kasan_reason reason);
void kasan_unpoison(const void *p, size_t n);
#else
static inline void kasan_init(void) {}
static inline void kasan_poison(const void *, size_t, enum kasan_reason) {}
static inline void kasan_unpoison(const void *, size_t) {}
#endif

#if CATHODE_RACE
void race_start(void); /* once all CPUs run */
#else
static inline void race_start(void) {}
#endif

/* Functions that read what others write on purpose, and say why. */
#define RACE_INTENDED __attribute__((no_sanitize("thread")))

#if CATHODE_KASAN || CATHODE_RACE
void planted_run(const struct bootinfo *boot); /* `plant=NAME`: a bug that must be found */
#else
static inline void planted_run(const struct bootinfo *) {}
#endif
