// SPDX-License-Identifier: MIT
/*
 * The kernel log: a ring of text lines "<severity>[seconds.micros] message\n", severities as in
 * RFC 5424 §6.2.1, addressed by the number of bytes ever written before them. Echoed, without the
 * severity, to the console up to the console level.
 */
#include <arch/time.h>
#include <kernel/lib.h>
#include <kernel/lock.h>
#include <kernel/log.h>
#include <stdarg.h>

#define LOG_SIZE (64u * 1024)
#define LOG_LINE 512

static struct spinlock log_lock = SPINLOCK_INIT(RANK_LOG);
/* protected by log_lock */
static char log_ring[LOG_SIZE];
static uint64_t log_written, log_oldest; /* log_oldest is the start of a line */
static _Atomic uint32_t console_level = LOG_INFO;

void log_set_console_level(enum log_level level) { atomic_store(&console_level, level); }

static void ring_append(const char *text, size_t n) REQUIRES(log_lock) {
    while (log_written + n - log_oldest > LOG_SIZE) /* drop whole lines */
        while (log_ring[log_oldest++ % LOG_SIZE] != '\n');
    for (size_t i = 0; i < n; i++) log_ring[log_written++ % LOG_SIZE] = text[i];
}

void klog(enum log_level level, const char *format, ...) {
    static const char severity[] = {'3', '4', '6', '7'};
    char line[LOG_LINE];
    uint64_t us = (uint64_t)arch_clock_now() / 1000;
    size_t head = print_format(line, sizeof(line), "<%c>[%5u.%06u] ", severity[level], (unsigned)(us / 1000000),
                               (unsigned)(us % 1000000));
    va_list args;
    va_start(args, format);
    size_t room = sizeof(line) - head - 1;
    size_t n = head + min(print_vformat(line + head, room, format, args), room - 1);
    va_end(args);
    line[n++] = '\n';
    spin_lock(&log_lock);
    ring_append(line, n);
    if (level <= atomic_load_explicit(&console_level, memory_order_relaxed)) arch_console_write(line + 3, n - 3);
    spin_unlock(&log_lock);
}

size_t log_read(uint64_t *at, char *buf, size_t size) {
    size_t n = 0;
    spin_lock(&log_lock);
    if (*at < log_oldest) *at = log_oldest;
    for (; n < size && *at < log_written; n++) buf[n] = log_ring[(*at)++ % LOG_SIZE];
    spin_unlock(&log_lock);
    return n;
}

uint64_t log_start(void) { return __atomic_load_n(&log_oldest, __ATOMIC_RELAXED); }
