// SPDX-License-Identifier: MIT
/* Access to user memory, inline; see copy.c. */
#pragma once
#include <asm/mmu.h>

#define MAY_FAULT(table, instruction, resume)                                                                          \
    ".pushsection ." table ", \"a\"\n\t.quad " instruction ", " resume "\n\t.popsection\n\t"

static inline bool copy_words(void *to, const void *from, size_t words) {
    asm goto("stac\n"
             "1: rep movsq\n\t"
             "clac\n\t" MAY_FAULT("fault_table", "1b", "%l[fault]")
             : "+D"(to), "+S"(from), "+c"(words)
             :
             : "memory"
             : fault);
    return true;
fault:
    return false;
}

/*
 * As copy_from_user() and copy_to_user(), for a few 64-bit words: false for -EFAULT.  What lies between
 * user space and the kernel's half faults, or is not canonical.
 */
MUST_CHECK static inline bool copy_words_from_user(void *to, uaddr_t from, size_t words) {
    return likely((int64_t)from >= 0) && copy_words(to, (const void *)from, words);
}
MUST_CHECK static inline bool copy_words_to_user(uaddr_t to, const void *from, size_t words) {
    return likely((int64_t)to >= 0) && copy_words((void *)to, from, words);
}
