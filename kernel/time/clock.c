// SPDX-License-Identifier: MIT
/*
 * Wall-clock time and the time page.  The page is written by a sequence protocol: odd while it
 * changes.  The monotonic clock itself is the arch's; only the wall clock's offset ever changes.
 */
#include <abi/system.h>
#include <kernel/clock.h>
#include <kernel/event.h>
#include <kernel/lib.h>
#include <kernel/lock.h>
#include <kernel/mm.h>

static struct frame *page_frame;
static struct time_page *page;
static struct spinlock clock_lock = SPINLOCK_INIT(RANK_TIMER);

void clock_init(void) {
    page_frame = frame_alloc_zeroed(FRAME_KERNEL);
    if (!page_frame) panic("no memory for the time page");
    page = frame_virt(page_frame);
}

void clock_publish(void) {
    struct clock_params p;
    arch_clock_params(&p);
    page->usable = p.usable;
    page->tsc_base = p.tsc_base;
    page->base_ns = p.base_ns;
    page->mult = p.mult;
    page->shift = p.shift;
}

struct frame *clock_time_page(void) { return page_frame; }

nsec_t clock_realtime(void) {
    return clock_now() + atomic_load_explicit(&page->realtime_offset_ns, memory_order_relaxed);
}

void clock_set_realtime(nsec_t ns) {
    spin_lock(&clock_lock);
    nsec_t offset = ns - clock_now();
    atomic_fetch_add_explicit(&page->sequence, 1, memory_order_acq_rel);
    atomic_store_explicit(&page->realtime_offset_ns, offset, memory_order_relaxed);
    atomic_fetch_add_explicit(&page->sequence, 1, memory_order_release);
    spin_unlock(&clock_lock);
    timer_objects_clock_set();
}
