// SPDX-License-Identifier: MIT
/* The end of a kernel that found itself broken: says why and where, for every CPU, and stops. */
#include <arch/cpu.h>
#include <arch/mmu.h>
#include <kernel/debug.h>
#include <kernel/lib.h>
#include <kernel/log.h>
#include <kernel/mm.h>
#include <kernel/trace_ring.h>
#include <stdarg.h>

uintptr_t __stack_chk_guard = 0x595e9fbd94fda766; /* replaced at boot by a random value */
NORETURN void __stack_chk_fail(void);

void __stack_chk_fail(void) { panic("a kernel stack frame was overwritten"); }

static void panic_line(const char *line) { arch_console_write(line, strlen(line)); }

static uint8_t *_Atomic zeroed; /* a device's register, or null */

int panic_zero(paddr_t register_) {
    uint8_t *at = vmap_device(register_, 1, PTE_UNCACHED);
    if (!at) return -ENOMEM;
    uint8_t *old = atomic_exchange(&zeroed, at);
    if (old) vunmap(old);
    return 0;
}

void panic(const char *format, ...) {
    static _Atomic uint32_t panicking;
    if (atomic_exchange(&panicking, 1)) arch_halt(); /* another CPU is at it, or the panic itself failed */
    volatile uint8_t *device = atomic_load(&zeroed);
    if (device) *device = 0;
    arch_panic_begin();
    char line[512];
    size_t head = print_format(line, sizeof(line), "\npanic: CPU %u: ", cpu_current()->id);
    va_list args;
    va_start(args, format);
    print_vformat(line + head, sizeof(line) - head - 1, format, args);
    va_end(args);
    panic_line(line);
    panic_line("\n");
    arch_backtrace(panic_line);
    panic_line("what the CPUs did last:\n");
    for (uint32_t cpu = 0; cpu < cpu_online(); cpu++) trace_print(cpu, 8, panic_line);
    arch_panic_stop();
}
