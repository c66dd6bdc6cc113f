// SPDX-License-Identifier: MIT
/*
 * musl's system call layer on Cathode. Each __syscallN becomes a call through the row of
 * __sys_table (libposix/shim/table.c) for that number: with a constant number, which is nearly
 * always, this is one indirect call with the arguments already in their registers.
 *
 * Rows have the natural C prototype of their call; long, int and pointer arguments travel in the
 * same registers in the System V ABI, so one cast per arity suffices.
 */
#define __SYSCALL_LL_E(x) (x)
#define __SYSCALL_LL_O(x) (x)

#define __SYS_ROWS 512

typedef void (*__sys_row_t)(void);
extern hidden const __sys_row_t __sys_table[__SYS_ROWS];

/* Numbers outside the table end in its last row, which always answers -ENOSYS. */
static __inline __sys_row_t __sys_row(long n) {
    return __sys_table[(unsigned long)n < __SYS_ROWS ? n : __SYS_ROWS - 1];
}

static __inline long __syscall0(long n) { return ((long (*)(void))__sys_row(n))(); }

static __inline long __syscall1(long n, long a) { return ((long (*)(long))__sys_row(n))(a); }

static __inline long __syscall2(long n, long a, long b) { return ((long (*)(long, long))__sys_row(n))(a, b); }

static __inline long __syscall3(long n, long a, long b, long c) {
    return ((long (*)(long, long, long))__sys_row(n))(a, b, c);
}

static __inline long __syscall4(long n, long a, long b, long c, long d) {
    return ((long (*)(long, long, long, long))__sys_row(n))(a, b, c, d);
}

static __inline long __syscall5(long n, long a, long b, long c, long d, long e) {
    return ((long (*)(long, long, long, long, long))__sys_row(n))(a, b, c, d, e);
}

static __inline long __syscall6(long n, long a, long b, long c, long d, long e, long f) {
    return ((long (*)(long, long, long, long, long, long))__sys_row(n))(a, b, c, d, e, f);
}

#define IPC_64 0
