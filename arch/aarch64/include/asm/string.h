// SPDX-License-Identifier: MIT
/*
 * Copies and fills for kernel/lib/string.c. In assembler: of such loops in C the compiler makes calls
 * of the very functions that they implement.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

static inline void asm_copy(void *to, const void *from, size_t n) {
    size_t words = n / 8, tail = n % 8;
    uint64_t v;
    asm volatile("cbz %[words], 2f\n"
                 "1: ldr %[v], [%[from]], #8\n\t"
                 "str %[v], [%[to]], #8\n\t"
                 "subs %[words], %[words], #1\n\t"
                 "b.ne 1b\n"
                 "2: cbz %[tail], 4f\n"
                 "3: ldrb %w[v], [%[from]], #1\n\t"
                 "strb %w[v], [%[to]], #1\n\t"
                 "subs %[tail], %[tail], #1\n\t"
                 "b.ne 3b\n"
                 "4:"
                 : [to] "+r"(to), [from] "+r"(from), [words] "+r"(words), [tail] "+r"(tail), [v] "=&r"(v)::"memory",
                   "cc");
}

static inline void asm_copy_backward(void *to, const void *from, size_t n) {
    uint64_t v;
    asm volatile("cbz %[n], 2f\n"
                 "1: sub %[n], %[n], #1\n\t"
                 "ldrb %w[v], [%[from], %[n]]\n\t"
                 "strb %w[v], [%[to], %[n]]\n\t"
                 "cbnz %[n], 1b\n"
                 "2:"
                 : [n] "+r"(n), [v] "=&r"(v)
                 : [to] "r"(to), [from] "r"(from)
                 : "memory");
}

static inline void asm_fill(void *to, int c, size_t n) {
    size_t words = n / 8, tail = n % 8;
    uint64_t value = (unsigned char)c * 0x0101010101010101ULL;
    asm volatile("cbz %[words], 2f\n"
                 "1: str %[value], [%[to]], #8\n\t"
                 "subs %[words], %[words], #1\n\t"
                 "b.ne 1b\n"
                 "2: cbz %[tail], 4f\n"
                 "3: strb %w[value], [%[to]], #1\n\t"
                 "subs %[tail], %[tail], #1\n\t"
                 "b.ne 3b\n"
                 "4:"
                 : [to] "+r"(to), [words] "+r"(words), [tail] "+r"(tail)
                 : [value] "r"(value)
                 : "memory", "cc");
}
