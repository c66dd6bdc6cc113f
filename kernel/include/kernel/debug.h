// SPDX-License-Identifier: MIT
/* Assertions are for our own bugs, never for user or device input.  Compiled out in release. */
#pragma once
#include <kernel/types.h>

NORETURN void panic(const char *format, ...) PRINTF_LIKE(1, 2);

/* Registers a byte of a device that a panic writes 0 to, instead of the last one: 0 or -ENOMEM. */
int panic_zero(paddr_t register_);

extern uintptr_t __stack_chk_guard; /* the compiler's name; set once at boot */

#if CATHODE_DEBUG
#define ASSERT(c) ((c) ? (void)0 : panic("%s:%d: assertion failed: %s", __FILE__, __LINE__, #c))
#else
#define ASSERT(c) ((void)0)
#endif
