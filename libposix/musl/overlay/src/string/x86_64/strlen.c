// SPDX-License-Identifier: MIT
/* strlen by aligned blocks of 16 bytes, which never reach into a page that the string is not on. */
#include <stdint.h>
#include <string.h>

typedef char block __attribute__((vector_size(16), may_alias));

/* Bit i: byte i of the block is 0. */
static inline unsigned zeros(const block *b)
{
    return (unsigned)__builtin_ia32_pmovmskb128(*b == (block){0});
}

size_t strlen(const char *s)
{
    unsigned skip = (uintptr_t)s % sizeof(block);
    const block *b = (const block *)(s - skip);
    unsigned found = zeros(b) >> skip;
    if (found) {
        return (size_t)__builtin_ctz(found);
    }
    while (!(found = zeros(++b))) {
    }
    return (size_t)((const char *)b - s) + (size_t)__builtin_ctz(found);
}
