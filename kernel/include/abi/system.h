// SPDX-License-Identifier: MIT
/* System-wide information and control, clocks, hardware objects. */
#pragma once
#include <abi/types.h>

/*
 * The time page: read-only in every address space at TIME_PAGE. A reader repeats while `sequence` is
 * odd or changed. CLOCK_MONOTONIC ns = base_ns + ((rdtsc - tsc_base) * mult >> shift) if usable;
 * CLOCK_REALTIME = that + realtime_offset_ns.
 */
#define TIME_PAGE 0x7fffffffe000UL
struct time_page {
    _Atomic uint32_t sequence;
    uint32_t usable; /* 0: call clock_get */
    uint64_t tsc_base, base_ns, mult;
    uint32_t shift, reserved;
    _Atomic int64_t realtime_offset_ns;
};

enum clock { CLOCK_WALL, CLOCK_MONO, CLOCK_PROCESS_CPU, CLOCK_THREAD_CPU, CLOCK_BOOT = 7 };

enum system_topic { /* system_info(topic, buffer, size) → bytes */
                    SYSTEM_MEMORY, /* struct memory_totals */
                    SYSTEM_COUNTERS, /* uint64_t[]: enum counter, summed over CPUs */
                    SYSTEM_CPUS, /* struct cpu_info[] */
                    SYSTEM_LOAD, /* uint64_t[3] load × 65536, then processes running, total */
                    SYSTEM_VERSION, /* text */
                    SYSTEM_COMMAND_LINE, /* text */
                    SYSTEM_FRAMEBUFFER, /* struct framebuffer_info */
                    SYSTEM_ACPI_ROOT, /* uint64_t physical address of the RSDP */
                    SYSTEM_HOSTNAME, /* text */
                    SYSTEM_TRACE, /* struct trace_record[]: CPU by CPU, oldest first; for privileged processes */
                    SYSTEM_SCHEMES, /* struct scheme_info[] */
                    SYSTEM_DOMAINNAME, /* text */
};
struct memory_totals {
    uint64_t total, free, cache, kernel, private_pages, shared; /* bytes */
};
struct cpu_info {
    uint32_t id, online;
    uint64_t idle_ns, busy_ns, switches;
};
struct framebuffer_info {
    uint64_t address;
    uint32_t pitch, width, height; /* bytes per line, pixels, pixels */
    uint8_t bits, red_shift, red_bits, green_shift, green_bits, blue_shift, blue_bits, pad;
};
struct scheme_info {
    char name[32];
    uint32_t rank, incarnation, servers, pid; /* pid of the last that attached */
    uint64_t calls;
    uint32_t queued, files;
};
enum ring_event { /* a, b */
                  TR_SWITCH, /* tid of the next thread */
                  TR_WAKE, /* tid, its CPU, made ready to run: debug checks only */
                  TR_CALL, /* operation, tid of the server's thread that takes it: likewise */
                  TR_INTERRUPT, /* vector */
                  TR_FAULT, /* address, what page faults tell */
                  TR_SIGNAL, /* number, pid */
                  TR_START, /* pid, tid: a thread */
                  TR_EXEC, /* pid */
                  TR_END, /* pid, wait status: a process */
                  TR_COUNT
};
#define TR_NAMES {"switch", "wake", "call", "interrupt", "fault", "signal", "start", "exec", "end"}
struct trace_record {
    uint64_t time_ns; /* as CLOCK_MONO */
    uint32_t tid; /* that ran */
    uint16_t event, cpu;
    uint64_t a, b;
};

enum system_op { /* system_control(h, op, a, b): h is a SYSTEM handle with RIGHT_CONTROL */
                 SYSTEM_POWER_OFF, /* a: exit code for test devices */
                 SYSTEM_REBOOT,
                 SYSTEM_HALT,
                 SYSTEM_CLOCK_SET, /* a: CLOCK_REALTIME in ns */
                 SYSTEM_LOG_LEVEL, /* a: highest level echoed to the console */
                 SYSTEM_SET_HOSTNAME, /* a: text, b: length */
                 SYSTEM_CONSOLE_RELEASE, /* a driver owns the console from now on */
                 SYSTEM_FAIL_ALLOCATION, /* debug: the a-th allocation from now fails in process b (0: caller) */
                 SYSTEM_CLOCK_ADJUST, /* a: ns to add to CLOCK_REALTIME */
                 SYSTEM_DUMP_OBJECTS, /* debug: every object with its counts, to the log */
                 SYSTEM_SET_DOMAINNAME, /* as SYSTEM_SET_HOSTNAME */
};

enum hardware_kind { /* hardware_create(root, kind, a, b, c) → handle, upper range */
                     HARDWARE_MMIO, /* a physical start, b length, c enum mmio_cache: memory object */
                     HARDWARE_IRQ, /* a GSI, b IRQ_LEVEL | IRQ_LOW */
                     HARDWARE_ISA_IRQ, /* a ISA line */
                     HARDWARE_MSI, /* c: struct msi_message * filled in */
                     HARDWARE_PORTS, /* a first port, b count */
                     HARDWARE_DMA, /* a length: contiguous, wired memory object below 4 GiB if b = 1 */
};
enum mmio_cache { MMIO_UNCACHED, MMIO_WRITE_COMBINING, MMIO_CACHED };
struct msi_message {
    uint64_t address;
    uint32_t data, vector;
};
