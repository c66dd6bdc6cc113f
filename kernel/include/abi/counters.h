// SPDX-License-Identifier: MIT
/* Event counters, kept per CPU and summed on reading: system_info(SYSTEM_COUNTERS). */
#pragma once

enum counter {
    COUNT_SYSCALL,
    COUNT_CR3, /* CR3 loads */
    COUNT_IPI,
    COUNT_TLB_FLUSH, /* local flush operations, single page or whole */
    COUNT_LOCK, /* spinlocks taken */
    COUNT_SWITCH, /* context switches */
    COUNT_CALL, /* scheme calls committed */
    COUNT_FAULT, /* page faults taken */
    COUNT_IRQ,
    COUNT_STEAL, /* threads taken from another CPU's queue */
    COUNT_IDLE_WAIT, /* times a CPU idled while two threads waited elsewhere above 20 ms */
    COUNT_IRQ_OFF_MAX, /* longest interrupts-off stretch in TSC ticks (a maximum, not a sum) */
    COUNT_COUNT
};
