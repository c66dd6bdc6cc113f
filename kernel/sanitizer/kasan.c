// SPDX-License-Identifier: MIT
/*
 * Address sanitizer: the compiler calls __asan_loadN or __asan_storeN before each access; a shadow
 * byte for each 8 bytes of RAM says whether it may be made: 0 all of them, 1-7 only so many, from 0x80
 * on none, and why (Serebryany et al., AddressSanitizer, USENIX ATC 2012). Only the physmap is
 * watched: the slabs, page frames. Stacks have guard pages and canaries, the image its W^X.
 *
 * The shadow comes in chunks of 4 MiB, each for 32 MiB of RAM, found through a table. What is poisoned
 * begins at a multiple of 8 and lies within one: a run of frames is aligned to its size.
 */
#include <arch/mmu.h>
#include <kernel/debug.h>
#include <kernel/lib.h>
#include <kernel/mm.h>
#include <kernel/sanitizer.h>

#define CHUNK_SHIFT 25
#define CHUNK_ORDER 10 /* 2^25 / 8 bytes */
#define CHUNKS 2048 /* 64 GiB of RAM */

static uint8_t *chunks[CHUNKS];
static bool off;

static uint8_t *shadow_of(uintptr_t address) {
    paddr_t pa = address - PHYSMAP;
    if (address < PHYSMAP || pa >> CHUNK_SHIFT >= CHUNKS || !chunks[pa >> CHUNK_SHIFT]) return nullptr;
    return &chunks[pa >> CHUNK_SHIFT][(pa & ((1UL << CHUNK_SHIFT) - 1)) / 8];
}

static const char *reason_of(uint8_t shadow) {
    switch (shadow) {
    case KASAN_FREED: return "use after free";
    case KASAN_FREE_FRAME: return "use of a free page";
    default: return "out of bounds";
    }
}

NORETURN static void report(uintptr_t address, size_t size, bool write, void *caller, uint8_t shadow) {
    off = true;
    panic("kasan: %s: %s of %lu bytes at %p by %p", reason_of(shadow), write ? "write" : "read", size, (void *)address,
          caller);
}

static inline void check(uintptr_t address, size_t size, bool write, void *caller) {
    if (off || size == 0) return;
    for (uintptr_t at = address & ~7UL; at < address + size; at += 8) {
        const uint8_t *shadow = shadow_of(at);
        if (!shadow || *shadow == 0) continue;
        uintptr_t end = min(address + size, at + 8);
        if (*shadow >= 8 || end - at > *shadow) report(address, size, write, caller, *shadow);
    }
}

void kasan_poison(const void *p, size_t n, enum kasan_reason reason) {
    uint8_t *shadow = shadow_of((uintptr_t)p);
    if (shadow) memset(shadow, reason, (n + 7) / 8);
}

void kasan_unpoison(const void *p, size_t n) {
    uint8_t *shadow = shadow_of((uintptr_t)p);
    if (!shadow) return;
    memset(shadow, 0, n / 8);
    if (n % 8) shadow[n / 8] = n % 8;
}

void kasan_init(void) {
    uint64_t limit = 0;
    for (paddr_t pa = 0; pa >> CHUNK_SHIFT < CHUNKS; pa += 1UL << CHUNK_SHIFT)
        if (frame_of(pa)) limit = (pa >> CHUNK_SHIFT) + 1;
    for (uint64_t i = 0; i < limit; i++) {
        struct frame *f = frame_of(i << CHUNK_SHIFT) ? frame_alloc_run(CHUNK_ORDER, FRAME_KERNEL, 0) : nullptr;
        if (!f) continue; /* a hole, or not enough memory: this part isn't watched */
        memset(frame_virt(f), 0, PAGE_SIZE << CHUNK_ORDER);
        chunks[i] = frame_virt(f);
    }
}

/* --- what the compiler calls -------------------------------------------------------------------- */

#define ACCESS(size)                                                                                                   \
    void __asan_load##size##_noabort(uintptr_t address);                                                               \
    void __asan_load##size##_noabort(uintptr_t address) { check(address, size, false, __builtin_return_address(0)); }  \
    void __asan_store##size##_noabort(uintptr_t address);                                                              \
    void __asan_store##size##_noabort(uintptr_t address) { check(address, size, true, __builtin_return_address(0)); }
ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)

void __asan_loadN_noabort(uintptr_t address, size_t size);
void __asan_loadN_noabort(uintptr_t address, size_t size) { check(address, size, false, __builtin_return_address(0)); }
void __asan_storeN_noabort(uintptr_t address, size_t size);
void __asan_storeN_noabort(uintptr_t address, size_t size) { check(address, size, true, __builtin_return_address(0)); }

void *__asan_memcpy(void *to, const void *from, size_t n);
void *__asan_memcpy(void *to, const void *from, size_t n) {
    check((uintptr_t)from, n, false, __builtin_return_address(0));
    check((uintptr_t)to, n, true, __builtin_return_address(0));
    return memcpy(to, from, n);
}
void *__asan_memmove(void *to, const void *from, size_t n);
void *__asan_memmove(void *to, const void *from, size_t n) {
    check((uintptr_t)from, n, false, __builtin_return_address(0));
    check((uintptr_t)to, n, true, __builtin_return_address(0));
    return memmove(to, from, n);
}
void *__asan_memset(void *to, int c, size_t n);
void *__asan_memset(void *to, int c, size_t n) {
    check((uintptr_t)to, n, true, __builtin_return_address(0));
    return memset(to, c, n);
}

void __asan_handle_no_return(void);
void __asan_handle_no_return(void) {} /* stacks have no shadow */
