// SPDX-License-Identifier: MIT
/* Device registers in memory: one access of the given width each, little-endian, in program order. */
#pragma once
#include <stdint.h>

#define MMIO_ACCESS(bits)                                                                                              \
    static inline uint##bits##_t mmio_read##bits(const volatile void *at) {                                            \
        return *(const volatile uint##bits##_t *)at;                                                                   \
    }                                                                                                                  \
    static inline void mmio_write##bits(volatile void *at, uint##bits##_t value) {                                     \
        *(volatile uint##bits##_t *)at = value;                                                                        \
    }
MMIO_ACCESS(8)
MMIO_ACCESS(16)
MMIO_ACCESS(32)
#undef MMIO_ACCESS
