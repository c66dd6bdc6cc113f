// SPDX-License-Identifier: MIT
/* Signals. */
#include <kernel/syscall.h>

#include "../process/process_impl.h"

/* A siginfo of the program, or null. */
static int info_copy(struct signal_info *to, const struct signal_info **info) {
    if (!*info) return 0;
    int e = copy_from_user(to, (uaddr_t)*info, sizeof(*to));
    *info = to;
    return e;
}

long sys_signal_send(int32_t pid, int32_t signal, const struct signal_info *info) {
    struct signal_info copy;
    int e = info_copy(&copy, &info);
    return e ? e : signal_kill(pid, signal, info);
}

long sys_signal_send_thread(int32_t tid, int32_t signal, const struct signal_info *info) {
    struct signal_info copy;
    int e = info_copy(&copy, &info);
    return e ? e : signal_kill_thread(tid, signal, info);
}

long sys_signal_action(int32_t signal, const struct signal_action *action, struct signal_action *old) {
    struct signal_action new, before;
    int e = action ? copy_from_user(&new, (uaddr_t)action, sizeof(new)) : 0;
    if (!e) e = signal_change_action(signal, action ? &new : nullptr, &before);
    return e || !old ? e : copy_to_user((uaddr_t)old, &before, sizeof(before));
}

long sys_signal_mask(uint32_t how, const uint64_t *set, uint64_t *old) {
    struct thread *t = thread_current();
    uint64_t mask = signal_mask_raw(t), before = mask, change = 0;
    int e = set ? copy_from_user(&change, (uaddr_t)set, sizeof(change)) : 0;
    if (e || (set && how > SIGNAL_SETMASK)) return e ? e : -EINVAL;
    if (set) {
        mask = how == SIGNAL_SETMASK ? change : how == SIGNAL_BLOCK ? mask | change : mask & ~change;
        signal_mask_set(t, mask);
    }
    return old ? copy_to_user((uaddr_t)old, &before, sizeof(before)) : 0;
}

long sys_signal_check(void) {
    atomic_fetch_or(&thread_current()->work, WORK_SIGNAL);
    return 0;
}

long sys_signal_suspend(uint64_t mask) { return signal_suspend(mask); }

long sys_signal_wait(uint64_t set, struct signal_info *out, int64_t deadline) {
    struct signal_info info;
    long signal = signal_wait_for(set, &info, deadline);
    if (signal > 0 && out && copy_to_user((uaddr_t)out, &info, sizeof(info))) return -EFAULT;
    return signal;
}

long sys_signal_stack(const struct stack_info *stack, struct stack_info *old) {
    struct stack_info new, before;
    int e = stack ? copy_from_user(&new, (uaddr_t)stack, sizeof(new)) : 0;
    if (!e) e = signal_change_stack(stack ? &new : nullptr, &before);
    return e || !old ? e : copy_to_user((uaddr_t)old, &before, sizeof(before));
}

long sys_signal_return(void) {
    struct thread *t = thread_current();
    struct trapframe *f = arch_frame(t);
    uint64_t mask;
    if (arch_signal_pop(f, &mask)) signal_send_fault(SIGSEGV, SI_KERNEL, 0);
    else signal_mask_set(t, mask);
    return (long)frame_result(f);
}
