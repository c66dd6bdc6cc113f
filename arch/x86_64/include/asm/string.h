// SPDX-License-Identifier: MIT
/* String instructions for kernel/lib/string.c. The direction flag is clear in the kernel. */
#pragma once
#include <stddef.h>
#include <stdint.h>

static inline void asm_copy(void *to, const void *from, size_t n) {
    size_t words = n / 8, tail = n % 8;
    asm volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words)::"memory");
    if (__builtin_constant_p(tail == 0) && tail == 0) return;
    asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(tail)::"memory");
}

static inline void asm_copy_backward(void *to, const void *from, size_t n) {
    void *last = (char *)to + n - 1;
    const void *from_last = (const char *)from + n - 1;
    asm volatile("std; rep movsb; cld" : "+D"(last), "+S"(from_last), "+c"(n)::"memory", "cc");
}

static inline void asm_fill(void *to, int c, size_t n) {
    size_t words = n / 8, tail = n % 8;
    uint64_t value = (unsigned char)c * 0x0101010101010101ULL;
    asm volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(value) : "memory");
    asm volatile("rep stosb" : "+D"(to), "+c"(tail) : "a"(value) : "memory");
}
