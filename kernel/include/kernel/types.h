// SPDX-License-Identifier: MIT
/*
 * Basic types and attributes used by every kernel file.  Kinds of address are separate types by
 * convention: only the user-copy routines take a uaddr_t, only the arch takes a paddr_t.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdatomic.h>
#include <abi/types.h>
#include <abi/errno.h>

typedef uint64_t paddr_t; /* physical address */
typedef uintptr_t vaddr_t; /* kernel virtual address, or a user address being mapped */
typedef uintptr_t uaddr_t; /* raw user address: untrusted */
typedef int64_t nsec_t; /* nanoseconds, CLOCK_MONOTONIC unless said; DEADLINE_NEVER = forever */

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096UL
#define PAGE_MASK (PAGE_SIZE - 1)
#define CPU_MAX 64

#define MUST_CHECK [[nodiscard]]
#define NORETURN [[noreturn]]
#define SLOW_PATH                                                                                                      \
    __attribute__((preserve_most))  /* saves its caller's registers: calls of it cost the fast path nothing */
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define BOOT_CODE __attribute__((section(".boot.text"))) /* freed once init runs */
#define BOOT_DATA __attribute__((section(".boot.data")))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
/* A relaxed look at an atomic of which only the comparison matters: the compiler may compare it in memory. */
#if CATHODE_RACE
#define atomic_peek(type, p) atomic_load_explicit(p, memory_order_relaxed)
#else
#define atomic_peek(type, p) (*(type *)(p))
#endif
#define container_of(p, type, member) ((type *)((char *)(p) - offsetof(type, member)))
#define array_size(a) (sizeof(a) / sizeof((a)[0]))
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))

static inline uint64_t align_up(uint64_t v, uint64_t a) { return (v + a - 1) & ~(a - 1); }
static inline uint64_t align_down(uint64_t v, uint64_t a) { return v & ~(a - 1); }

/* Pointers and small negative errors in one word, for internal functions that return an object. */
static inline void *err_ptr(long e) { return (void *)e; }
static inline bool is_err(const void *p) { return (uintptr_t)p >= (uintptr_t)-4095L; }
static inline int ptr_err(const void *p) { return (int)(intptr_t)p; }
