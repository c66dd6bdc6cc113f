// SPDX-License-Identifier: MIT
/*
 * The table that every system call of musl goes through (musl/overlay/arch/x86_64/syscall_arch.h).
 * rows.def says what is in it. A debug build notes each missing call once on standard error.
 */
#include "shim.h"
#include <stdatomic.h>

static long row_none(void) { return -ENOSYS; }

#ifdef CATHODE_TRACE_MISSING
static long missing(int number, const char *name, size_t length) {
    static _Atomic uint64_t noted[SYS_ROWS / 64];
    uint64_t bit = 1ULL << (number % 64);
    if (!(atomic_fetch_or(&noted[number / 64], bit) & bit)) {
        const struct io_vector v[] = {{"libposix: missing ", 18}, {(void *)name, length}, {"\n", 1}};
        sys_writev(STDERR_FILENO, v, 3, OFFSET_CURRENT, IO_NO_SIGNAL | IO_NONBLOCK, DEADLINE_NEVER);
    }
    return -ENOSYS;
}
#define ROW(name, parameters)
#define NONE(name)                                                                                                     \
    static long none_##name(void) { return missing(__NR_##name, #name, sizeof(#name) - 1); }
#include "rows.def"
#undef ROW
#undef NONE
#define NONE(name) [__NR_##name] = (sys_row)none_##name,
#else
#define NONE(name)
#endif

#define ROW(name, parameters) [__NR_##name] = (sys_row)row_##name,
#pragma clang diagnostic ignored "-Winitializer-overrides"
const sys_row __sys_table[SYS_ROWS] = {
    [0 ... SYS_ROWS - 1] = (sys_row)row_none,
#include "rows.def"
};

long posix_syscall(long number, long a, long b, long c, long d, long e, long f) {
    if ((unsigned long)number >= SYS_ROWS) {
        return -ENOSYS;
    }
    return ((long (*)(long, long, long, long, long, long))__sys_table[number])(a, b, c, d, e, f);
}
