// SPDX-License-Identifier: MIT
/* Clocks, timers, sleeping, random numbers. */
#include <kernel/clock.h>
#include <kernel/event.h>
#include <kernel/syscall.h>

#include "../process/process_impl.h"

#define RANDOM_CHUNK 256

long sys_clock_get(uint32_t clock, int64_t *out) {
    int64_t now;
    switch (clock) {
    case CLOCK_WALL: now = clock_realtime(); break;
    case CLOCK_MONO:
    case CLOCK_BOOT: now = clock_now(); break;
    case CLOCK_PROCESS_CPU: now = (int64_t)process_cpu_time(process_current()); break;
    case CLOCK_THREAD_CPU: now = (int64_t)thread_run_ns(thread_current()); break;
    default: return -EINVAL;
    }
    return copy_to_user((uaddr_t)out, &now, sizeof(now));
}

long sys_random(void *buffer, size_t size, uint32_t flags) {
    uint8_t chunk[RANDOM_CHUNK];
    size_t done = 0;
    if (flags) return -EINVAL;
    size = min(size, (size_t)INT32_MAX);
    while (done < size) {
        size_t n = min(size - done, sizeof(chunk));
        random_fill(chunk, n);
        int e = copy_to_user((uaddr_t)buffer + done, chunk, n);
        if (e) return done ? (long)done : e;
        done += n;
        if (done % PAGE_SIZE == 0) preempt_point();
    }
    return (long)done;
}

long sys_thread_yield(void) {
    thread_yield();
    return 0;
}

long sys_thread_sleep(int64_t deadline) {
    while (clock_now() < deadline) {
        thread_block_prepare(nullptr, true);
        if (thread_block(deadline) == -EINTR) return -ERESTARTNOHAND;
    }
    return 0;
}

static struct object *cpu_timer_create(uint32_t clock, uint32_t id) {
    struct object *o = err_ptr(-EINVAL);
    if (clock == CLOCK_THREAD_CPU) {
        struct thread *t = user_thread_find(id ? id : thread_current()->tid);
        if (is_err(t)) return o;
        if (t->process == process_current()) o = timer_object_create(clock, nullptr, t);
        thread_put(t);
    } else {
        struct process *p = process_find(id ? id : process_current()->pid);
        if (!p) return o;
        o = timer_object_create(clock, p, nullptr);
        object_put(&p->object);
    }
    return o;
}

long sys_timer_create(uint32_t clock, uint32_t flags, uint32_t id) {
    bool cpu = clock == CLOCK_PROCESS_CPU || clock == CLOCK_THREAD_CPU;
    if (!cpu && clock != CLOCK_WALL && clock != CLOCK_MONO && clock != CLOCK_BOOT) return -EINVAL;
    struct object *o = cpu ? cpu_timer_create(clock, id) : timer_object_create(clock, nullptr, nullptr);
    if (is_err(o)) return ptr_err(o);
    const uint32_t rights = RIGHT_READ | RIGHT_WRITE | RIGHT_WAIT | RIGHT_DUPLICATE | RIGHT_TRANSFER;
    return o ? object_install(o, rights, flags) : -ENOMEM;
}

long sys_timer_set(struct object *o, int64_t deadline, int64_t period, uint32_t flags, int64_t *old) {
    if (period < 0 || flags & ~(uint32_t)TIMER_RELATIVE) return -EINVAL;
    nsec_t before[2];
    timer_object_set(o, deadline, period, flags & TIMER_RELATIVE, before);
    return old ? copy_to_user((uaddr_t)old, before, sizeof(before)) : 0;
}

long sys_timer_signal(handle_t h, int32_t signal, uint32_t tid, uint64_t value) {
    struct object *o;
    int e = handle_lookup(h, OBJECT_TIMER, RIGHT_WRITE, &o, nullptr);
    if (e) return e;
    e = timer_object_signal(o, signal, tid, value, h);
    object_put(o);
    return e;
}
