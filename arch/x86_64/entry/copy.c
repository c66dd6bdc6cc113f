// SPDX-License-Identifier: MIT
/*
 * Access to user memory. Each instruction that may fault has an entry in a fault table: trap.c
 * resolves the fault, or resumes at the label (also after a #GP: XRSTOR checks what it loads).
 * SMAP is open (STAC) only around these instructions.
 */
#include <asm/arch.h>
#include <asm/user.h>
#include <kernel/lock.h>

/* false: not all could be copied. The fault handler clears AC when it resumes at the label. */
#define DEFINE_COPY(name, table)                                                                                       \
    static inline bool name(void *to, const void *from, size_t n) {                                                    \
        size_t words = n / 8, tail = n % 8;                                                                            \
        asm goto("stac\n"                                                                                              \
                 "1: rep movsq\n\t"                                                                                    \
                 "mov %[tail], %%rcx\n"                                                                                \
                 "2: rep movsb\n\t"                                                                                    \
                 "clac\n\t" MAY_FAULT(table, "1b", "%l[fault]") MAY_FAULT(table, "2b", "%l[fault]")                    \
                 : "+D"(to), "+S"(from), "+c"(words)                                                                   \
                 : [tail] "r"(tail)                                                                                    \
                 : "memory"                                                                                            \
                 : fault);                                                                                             \
        return true;                                                                                                   \
    fault:                                                                                                             \
        return false;                                                                                                  \
    }
DEFINE_COPY(copy_or_fault, "fault_table")
DEFINE_COPY(copy_or_fail, "fault_table_nofault")

static bool is_user_range(uaddr_t at, size_t n) { return n <= USER_END && at <= USER_END - n; }

int copy_from_user(void *to, uaddr_t from, size_t n) {
    lock_check_none();
    return is_user_range(from, n) && copy_or_fault(to, (const void *)from, n) ? 0 : -EFAULT;
}

int copy_to_user(uaddr_t to, const void *from, size_t n) {
    lock_check_none();
    return is_user_range(to, n) && copy_or_fault((void *)to, from, n) ? 0 : -EFAULT;
}

int copy_from_user_nofault(void *to, uaddr_t from, size_t n) {
    return is_user_range(from, n) && copy_or_fail(to, (const void *)from, n) ? 0 : -EFAULT;
}

int copy_to_user_nofault(uaddr_t to, const void *from, size_t n) {
    return is_user_range(to, n) && copy_or_fail((void *)to, from, n) ? 0 : -EFAULT;
}

int clear_user(uaddr_t to, size_t n) {
    lock_check_none();
    if (!is_user_range(to, n)) return -EFAULT;
    size_t words = n / 8, tail = n % 8;
    asm goto("stac\n"
             "1: rep stosq\n\t"
             "mov %[tail], %%rcx\n"
             "2: rep stosb\n\t"
             "clac\n\t" MAY_FAULT("fault_table", "1b", "%l[fault]") MAY_FAULT("fault_table", "2b", "%l[fault]")
             : "+D"(to), "+c"(words)
             : "a"(0), [tail] "r"(tail)
             : "memory"
             : fault);
    return 0;
fault:
    return -EFAULT;
}

static inline bool load8(uint8_t *out, uaddr_t from) {
    uint8_t v;
    asm goto("stac\n"
             "1: mov (%1), %0\n\t"
             "clac\n\t" MAY_FAULT("fault_table", "1b", "%l[fault]")
             : "=q"(v)
             : "r"(from)
             : "memory"
             : fault);
    *out = v;
    return true;
fault:
    return false;
}

static inline bool load64(uint64_t *out, uaddr_t from) {
    uint64_t v;
    asm goto("stac\n"
             "1: mov (%1), %0\n\t"
             "clac\n\t" MAY_FAULT("fault_table", "1b", "%l[fault]")
             : "=r"(v)
             : "r"(from)
             : "memory"
             : fault);
    *out = v;
    return true;
fault:
    return false;
}

/* By 8 bytes where these don't cross into another page, which need not be there. */
int user_strncpy(char *to, uaddr_t from, size_t size) {
    lock_check_none();
    for (size_t n = 0; n < size;) {
        uaddr_t at = from + n;
        uint64_t word;
        if (at >= USER_END || at < from) return -EFAULT;
        if (size - n >= 8 && at % PAGE_SIZE <= PAGE_SIZE - 8) {
            if (!load64(&word, at)) return -EFAULT;
            __builtin_memcpy(to + n, &word, 8);
            uint64_t zeros = (word - 0x0101010101010101) & ~word & 0x8080808080808080;
            if (zeros) return (int)(n + (size_t)__builtin_ctzll(zeros) / 8);
            n += 8;
        } else {
            if (!load8((uint8_t *)to + n, at)) return -EFAULT;
            if (!to[n]) return (int)n;
            n++;
        }
    }
    return -ENAMETOOLONG;
}

int user_load32_nofault(uint32_t *out, uaddr_t from) {
    uint32_t v;
    if (!is_user_range(from, 4)) return -EFAULT;
    asm goto("stac\n"
             "1: mov (%1), %0\n\t"
             "clac\n\t" MAY_FAULT("fault_table_nofault", "1b", "%l[fault]")
             : "=r"(v)
             : "r"(from)
             : "memory"
             : fault);
    *out = v;
    return 0;
fault:
    return -EFAULT;
}

int user_cmpxchg32_nofault(uaddr_t at, uint32_t *expected, uint32_t desired) {
    uint32_t old = *expected;
    if (!is_user_range(at, 4)) return -EFAULT;
    asm goto("stac\n"
             "1: lock cmpxchg %2, (%1)\n\t"
             "clac\n\t" MAY_FAULT("fault_table_nofault", "1b", "%l[fault]")
             : "+a"(old)
             : "r"(at), "r"(desired)
             : "memory", "cc"
             : fault);
    *expected = old;
    return 0;
fault:
    return -EFAULT;
}

/* Extended registers straight to and from a signal frame: no detour through a kernel copy. */
int user_fpu_save(uaddr_t to) {
    lock_check_none();
    if (!is_user_range(to, fpu_size)) return -EFAULT;
    asm goto("stac\n"
             "1: xsave64 (%0)\n\t"
             "clac\n\t" MAY_FAULT("fault_table", "1b", "%l[fault]")
             :
             : "r"(to), "a"((uint32_t)fpu_mask), "d"(0)
             : "memory"
             : fault);
    return 0;
fault:
    return -EFAULT;
}

int user_fpu_restore(uaddr_t from, bool extended) {
    lock_check_none();
    if (!is_user_range(from, fpu_size)) return -EFAULT;
    if (extended)
        asm goto("stac\n"
                 "1: xrstor64 (%0)\n\t"
                 "clac\n\t" MAY_FAULT("fault_table", "1b", "%l[fault]")
                 :
                 : "r"(from), "a"((uint32_t)fpu_mask), "d"(0)
                 : "memory"
                 : fault);
    else
        asm goto("stac\n"
                 "1: fxrstor64 (%0)\n\t"
                 "clac\n\t" MAY_FAULT("fault_table", "1b", "%l[fault]")
                 :
                 : "r"(from)
                 : "memory"
                 : fault);
    return 0;
fault:
    return -EFAULT;
}
