// SPDX-License-Identifier: MIT
/* System registers, device registers and calls to the firmware (Arm ARM, C5.2; PSCI, DEN 0022). */
#pragma once
#include <stdint.h>

#define read_sysreg(name)                                                                                              \
    ({                                                                                                                 \
        uint64_t value_;                                                                                               \
        asm volatile("mrs %0, " #name : "=r"(value_)::"memory");                                                       \
        value_;                                                                                                        \
    })
#define write_sysreg(name, value) asm volatile("msr " #name ", %0\n\tisb" ::"r"((uint64_t)(value)) : "memory")

#define PSCI_SYSTEM_OFF 0x84000008u
#define PSCI_SYSTEM_RESET 0x84000009u

/* SMC calling convention 1.1; virt's firmware is reached by HVC. */
static inline void firmware_call(uint32_t function) {
    register uint64_t x0 asm("x0") = function;
    asm volatile("hvc #0" : "+r"(x0)::"x1", "x2", "x3", "memory");
}

static inline uint32_t mmio_read32(const volatile void *at) { return *(const volatile uint32_t *)at; }
static inline void mmio_write32(volatile void *at, uint32_t v) { *(volatile uint32_t *)at = v; }
