// SPDX-License-Identifier: MIT
/* Futexes: see kernel/sched/futex.c. */
#include <kernel/event.h>
#include <kernel/syscall.h>

static long restarted(long result) { return result == -EINTR ? -ERESTART : result; }

static bool misaligned(const uint32_t *address) { return (uintptr_t)address % sizeof(uint32_t); }

long sys_futex_wait(uint32_t *address, uint32_t expected, uint32_t flags, int64_t deadline) {
    if (misaligned(address) || flags & ~(uint32_t)FUTEX_SHARED) return -EINVAL;
    long result = futex_wait((uaddr_t)address, expected, flags, deadline);
    return result == -EINTR && deadline != DEADLINE_NEVER ? -ERESTARTNOHAND : restarted(result);
}

long sys_futex_wake(uint32_t *address, uint32_t count, uint32_t flags) {
    if (misaligned(address) || flags & ~(uint32_t)FUTEX_SHARED) return -EINVAL;
    return futex_wake((uaddr_t)address, count, flags);
}

long sys_futex_requeue(uint32_t *address, uint32_t expected, uint32_t wake, uint32_t move, uint32_t *to,
                       uint32_t flags) {
    if (misaligned(address) || misaligned(to) || flags & ~(uint32_t)FUTEX_SHARED) return -EINVAL;
    return futex_requeue((uaddr_t)address, expected, wake, move, (uaddr_t)to, flags);
}

long sys_futex_pi(uint32_t *address, uint32_t op, uint32_t flags, int64_t deadline) {
    if (misaligned(address) || flags & ~(uint32_t)FUTEX_SHARED || op > 2) return -EINVAL;
    return restarted(futex_pi((uaddr_t)address, op, flags, deadline));
}
