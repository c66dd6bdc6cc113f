// SPDX-License-Identifier: MIT
/*
 * Levelled kernel log: a ring of records kept in memory, echoed to the early console up to the
 * console level.  klog() may be called in any context; its lock has the last rank.
 */
#pragma once
#include <kernel/types.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void klog(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);
void log_set_console_level(enum log_level level); /* echo to the console up to this level */
/* Copies whole log text from byte position *at on into buf; advances *at. Returns bytes copied. */
size_t log_read(uint64_t *at, char *buf, size_t size);
/* Number of bytes ever logged; log_read() waits are built on it with the log's event source. */
uint64_t log_start(void); /* position of the oldest byte still there */

/* kernel/lib/print.c: printf subset d i u x X p s c %, widths, 0 and - flags, l/z lengths, .* for s */
size_t print_format(char *buf, size_t size, const char *format, ...) PRINTF_LIKE(3, 4);
size_t print_vformat(char *buf, size_t size, const char *format, __builtin_va_list args);
/* For backtraces: gives line() a return address with its function's name, as one line. */
void symbol_print(uintptr_t address, void (*line)(const char *));
