// SPDX-License-Identifier: MIT
/*
 * Data race detector by watchpoints (the method of DataCollider, Erickson et al., OSDI 2010). The
 * compiler calls a function before each plain access. Most calls only look whether another CPU
 * watches that address; one in SAMPLE sets a watchpoint itself, waits a little, and sees whether
 * somebody came by. Two accesses at the same time, one of them a write, neither of them atomic: a
 * race, whatever locks were held. It knows no locks and gives no false alarms.
 *
 * Atomic and volatile accesses aren't instrumented: they are marked as meant. Intended races of plain
 * accesses are in functions marked RACE_INTENDED.
 */
#include <arch/cpu.h>
#include <kernel/debug.h>
#include <kernel/sanitizer.h>

#define SLOTS 64
#define SAMPLE 2000
#define DELAY 300 /* pauses; under emulation each lets other CPUs run */
#define HIT (1ULL << 63)
#define WRITE (1ULL << 62)
#define SIZE_SHIFT 56
#define ADDRESS_BITS 48

/* 0 free; WRITE, size and address while watched; HIT, WRITE and the other's code address when hit. */
static _Atomic uint64_t slots[SLOTS];
static bool started;
static struct [[gnu::aligned(64)]] {
    uint32_t countdown;
    bool inside;
} local[CPU_MAX];

static uint64_t code_of(bool write, void *caller) { return (write ? WRITE : 0) | ((uintptr_t)caller & 0xffffffff); }

static uint64_t watch_of(uintptr_t address, size_t size, bool write) {
    return (write ? WRITE : 0) | (uint64_t)size << SIZE_SHIFT | (address & ((1ULL << ADDRESS_BITS) - 1));
}

static _Atomic uint64_t *slot_of(uintptr_t address) { return &slots[address / 8 % SLOTS]; }

NORETURN static void report(uintptr_t address, size_t size, bool write, void *caller, uint64_t other) {
    started = false;
    panic("race: %s of %lu bytes at %p by %p, and %s by %p", write ? "write" : "read", size, (void *)address, caller,
          other & WRITE ? "write" : "read", (void *)(0xffffffff00000000 | (other & 0xffffffff)));
}

/* Does another CPU watch what we are about to touch? Then tell it, by taking its watchpoint. */
static void look(uintptr_t address, size_t size, bool write, void *caller) {
    _Atomic uint64_t *slot = slot_of(address);
    uint64_t watched = atomic_load_explicit(slot, memory_order_relaxed);
    if (likely(watched == 0) || (watched & HIT) || !(write || (watched & WRITE))) return;
    uint64_t start = watched & ((1ULL << ADDRESS_BITS) - 1);
    uint64_t ours = address & ((1ULL << ADDRESS_BITS) - 1);
    if (ours < start + (watched >> SIZE_SHIFT & 0x3f) && start < ours + size)
        atomic_compare_exchange_strong(slot, &watched, HIT | code_of(write, caller));
}

static void watch(uintptr_t address, size_t size, bool write, void *caller) {
    _Atomic uint64_t *slot = slot_of(address);
    uint64_t free = 0;
    if (!atomic_compare_exchange_strong(slot, &free, watch_of(address, size, write))) return;
    for (int i = 0; i < DELAY; i++) cpu_pause();
    uint64_t found = atomic_exchange(slot, 0);
    if (found & HIT) report(address, size, write, caller, found);
}

static inline void access(uintptr_t address, size_t size, bool write, void *caller) {
    if (!started) return;
    uint32_t cpu = cpu_current()->id;
    if (local[cpu].inside) return;
    local[cpu].inside = true;
    look(address, size, write, caller);
    if (unlikely(local[cpu].countdown-- == 0)) {
        /* Not always the same ones: the low bits of the address and the caller vary enough. */
        local[cpu].countdown = SAMPLE + ((uintptr_t)caller ^ address >> 4) % SAMPLE;
        watch(address, size, write, caller);
    }
    local[cpu].inside = false;
}

void race_start(void) { started = true; }

/* --- what the compiler calls -------------------------------------------------------------------- */

#define ACCESS(size)                                                                                                   \
    void __tsan_read##size(uintptr_t address);                                                                         \
    void __tsan_read##size(uintptr_t address) { access(address, size, false, __builtin_return_address(0)); }           \
    void __tsan_write##size(uintptr_t address);                                                                        \
    void __tsan_write##size(uintptr_t address) { access(address, size, true, __builtin_return_address(0)); }           \
    void __tsan_unaligned_read##size(uintptr_t address) __attribute__((alias("__tsan_read" #size)));                   \
    void __tsan_unaligned_write##size(uintptr_t address) __attribute__((alias("__tsan_write" #size)));                 \
    void __tsan_read_write##size(uintptr_t address) __attribute__((alias("__tsan_write" #size)));                      \
    void __tsan_unaligned_read_write##size(uintptr_t address) __attribute__((alias("__tsan_write" #size)));            \
    void __tsan_volatile_read##size(uintptr_t address);                                                                \
    void __tsan_volatile_read##size(uintptr_t) {}                                                                      \
    void __tsan_volatile_write##size(uintptr_t address);                                                               \
    void __tsan_volatile_write##size(uintptr_t) {}                                                                     \
    void __tsan_unaligned_volatile_read##size(uintptr_t address) __attribute__((alias("__tsan_volatile_read" #size))); \
    void __tsan_unaligned_volatile_write##size(uintptr_t address) __attribute__((alias("__tsan_volatile_"              \
                                                                                       "write" #size)));
ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)

void __tsan_init(void);
void __tsan_init(void) {}
