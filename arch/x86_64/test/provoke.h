// SPDX-License-Identifier: MIT
/* Provoked faults: each does one thing in kernel mode and tells what exception it met, if any. */
#pragma once
#include <asm/arch.h>
#include <asm/regs.h>

#define NO_FAULT 1000
#define PF_VECTOR 14
enum { PF_PRESENT = 1, PF_WRITE = 2, PF_FETCH = 16 };

#define PROVOKE(name, instruction)                                                                                     \
    [[gnu::noinline]] static struct fault_expected name(const volatile void *at) {                                     \
        struct fault_expected e = {.vector = NO_FAULT};                                                                \
        uint64_t scratch;                                                                                              \
        fault_expected = &e;                                                                                           \
        asm volatile("lea 1f(%%rip), %[scratch]\n\t"                                                                   \
                     "mov %[scratch], %[resume]\n\t" instruction "\n"                                                  \
                     "1: clac"                                                                                         \
                     : [scratch] "=&r"(scratch), [resume] "=m"(e.resume)                                               \
                     : [at] "r"(at)                                                                                    \
                     : "memory", "cc");                                                                                \
        fault_expected = nullptr;                                                                                      \
        return e;                                                                                                      \
    }

/* A user page of the running CPU, in a page table of the test's own. */
struct test_space {
    struct pagetable pt;
    paddr_t page;
};
#define TEST_PAGE 0x400000UL /* the page; the next one is never there */
bool test_space_enter(struct test_space *s, uint64_t pte_flags);
void test_space_leave(struct test_space *s);
