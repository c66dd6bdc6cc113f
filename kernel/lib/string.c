// SPDX-License-Identifier: MIT
/*
 * Memory and string functions. The compiler calls the first four by itself. Copies and fills use
 * the string instructions in 8-byte units: the fewest instructions, and fast on all hardware.
 */
#include <asm/string.h>
#include <kernel/lib.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n) {
    asm_copy(to, from, n);
    return to;
}

void *memmove(void *to, const void *from, size_t n) {
    if ((uintptr_t)to - (uintptr_t)from >= n) asm_copy(to, from, n);
    else asm_copy_backward(to, from, n);
    return to;
}

void *memset(void *to, int c, size_t n) {
    asm_fill(to, c, n);
    return to;
}

int memcmp(const void *a, const void *b, size_t n) {
    const unsigned char *x = a, *y = b;
    for (; n >= 8 && *(const uint64_t *)x == *(const uint64_t *)y; n -= 8, x += 8, y += 8);
    for (; n; n--, x++, y++)
        if (*x != *y) return *x - *y;
    return 0;
}

size_t strnlen(const char *s, size_t max) {
    size_t n = 0;
    while (n < max && s[n]) n++;
    return n;
}

size_t strlen(const char *s) { return strnlen(s, SIZE_MAX); }

int strncmp(const char *a, const char *b, size_t n) {
    for (; n; n--, a++, b++)
        if (*a != *b || !*a) return (unsigned char)*a - (unsigned char)*b;
    return 0;
}

int strcmp(const char *a, const char *b) { return strncmp(a, b, SIZE_MAX); }
