// SPDX-License-Identifier: MIT
/*
 * Privileged registers and instructions of x86-64, one inline function each.
 * Intel SDM vol. 2 (instructions), vol. 4 (MSRs), vol. 3 §2.5 (control registers).
 */
#pragma once
#include <stdint.h>

#define MSR_APIC_BASE 0x1b
#define MSR_PAT 0x277
#define MSR_EFER 0xc0000080
#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_CSTAR 0xc0000083
#define MSR_FMASK 0xc0000084
#define MSR_GS_BASE 0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102

#define EFER_SCE 0x1
#define EFER_NXE 0x800

#define CR0_MP 0x2
#define CR0_EM 0x4
#define CR0_TS 0x8
#define CR0_NE 0x20
#define CR0_WP 0x10000
#define CR4_PGE 0x80
#define CR4_MCE 0x40
#define CR4_OSFXSR 0x200
#define CR4_OSXMMEXCPT 0x400
#define CR4_UMIP 0x800
#define CR4_FSGSBASE 0x10000
#define CR4_OSXSAVE 0x40000
#define CR4_SMEP 0x100000
#define CR4_SMAP 0x200000

#define RFLAGS_TF 0x100
#define RFLAGS_IF 0x200
#define RFLAGS_DF 0x400
#define RFLAGS_NT 0x4000
#define RFLAGS_AC 0x40000
#define RFLAGS_USER 0x240dd5 /* CF PF AF ZF SF TF DF OF AC ID: what user code may set */

static inline uint64_t read_msr(uint32_t msr) {
    uint32_t low, high;
    asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (uint64_t)high << 32 | low;
}
static inline void write_msr(uint32_t msr, uint64_t value) {
    asm volatile("wrmsr" ::"c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

#define CONTROL_REGISTER(name)                                                                                         \
    static inline uint64_t read_##name(void) {                                                                         \
        uint64_t v;                                                                                                    \
        asm volatile("mov %%" #name ", %0" : "=r"(v));                                                                 \
        return v;                                                                                                      \
    }                                                                                                                  \
    static inline void write_##name(uint64_t v) { asm volatile("mov %0, %%" #name ::"r"(v) : "memory"); }
CONTROL_REGISTER(cr0)
CONTROL_REGISTER(cr2)
CONTROL_REGISTER(cr3)
CONTROL_REGISTER(cr4)
#undef CONTROL_REGISTER

struct cpuid {
    uint32_t a, b, c, d;
};
static inline struct cpuid read_cpuid(uint32_t leaf, uint32_t subleaf) {
    struct cpuid r;
    asm volatile("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "a"(leaf), "c"(subleaf));
    return r;
}

static inline uint8_t in8(uint16_t port) {
    uint8_t v;
    asm volatile("inb %w1, %b0" : "=a"(v) : "Nd"(port));
    return v;
}
static inline uint16_t in16(uint16_t port) {
    uint16_t v;
    asm volatile("inw %w1, %w0" : "=a"(v) : "Nd"(port));
    return v;
}
static inline uint32_t in32(uint16_t port) {
    uint32_t v;
    asm volatile("inl %w1, %0" : "=a"(v) : "Nd"(port));
    return v;
}
static inline void out8(uint16_t port, uint8_t v) { asm volatile("outb %b0, %w1" ::"a"(v), "Nd"(port)); }
static inline void out16(uint16_t port, uint16_t v) { asm volatile("outw %w0, %w1" ::"a"(v), "Nd"(port)); }
static inline void out32(uint16_t port, uint32_t v) { asm volatile("outl %0, %w1" ::"a"(v), "Nd"(port)); }

static inline uint32_t mmio_read32(const volatile void *at) { return *(const volatile uint32_t *)at; }
static inline void mmio_write32(volatile void *at, uint32_t v) { *(volatile uint32_t *)at = v; }
