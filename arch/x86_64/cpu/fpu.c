// SPDX-License-Identifier: MIT
/*
 * The extended register state (SDM vol. 1 ch. 13): x87, SSE, AVX, AVX-512, in the standard format of
 * XSAVE. Saved and loaded eagerly at each switch between user threads.
 */
#include <asm/arch.h>
#include <asm/regs.h>
#include <kernel/debug.h>
#include <kernel/lib.h>
#include <kernel/thread.h>

#define XCR0_STATES 0xe7 /* x87 SSE AVX opmask ZMM_Hi256 Hi16_ZMM: no PKRU, no AMX */
#define MXCSR_INITIAL 0x1f80
#define FCW_INITIAL 0x37f

size_t fpu_size;
uint64_t fpu_mask;
/* All zero but the two control words: XSTATE_BV = x87 | SSE. The largest area with XCR0_STATES. */
static _Alignas(64) struct {
    uint16_t fcw, fsw;
    uint8_t ftw, reserved;
    uint16_t fop;
    uint64_t fip, fdp;
    uint32_t mxcsr, mxcsr_mask;
    uint8_t registers[480];
    uint64_t xstate_bv;
    uint8_t header_rest[56];
} initial = {.fcw = FCW_INITIAL, .mxcsr = MXCSR_INITIAL, .xstate_bv = 3};
static_assert(sizeof(initial) == 576);

void fpu_init_cpu(void) {
    struct cpuid states = read_cpuid(0xd, 0);
    fpu_mask = states.a & XCR0_STATES;
    asm volatile("xsetbv" ::"c"(0), "a"((uint32_t)fpu_mask), "d"(0));
    fpu_size = align_up(read_cpuid(0xd, 0).b, 64);
    if (fpu_size > XSAVE_AREA_MAX) panic("the XSAVE area has %lu bytes", fpu_size);
    fpu_load_initial();
}

void fpu_save(void *area) { asm volatile("xsave64 (%0)" ::"r"(area), "a"((uint32_t)fpu_mask), "d"(0) : "memory"); }
static void fpu_restore(const void *area) {
    asm volatile("xrstor64 (%0)" ::"r"(area), "a"((uint32_t)fpu_mask), "d"(0) : "memory");
}
void fpu_load_initial(void) { fpu_restore(&initial); }

void fpu_legacy_set(const void *area) {
    typeof(initial) *own = (void *)thread_current()->arch.registers;
    fpu_save(own);
    uint32_t mask = own->mxcsr_mask;
    memcpy(own, area, offsetof(typeof(initial), registers) + 416); /* up to what is not the processor's */
    own->mxcsr_mask = mask;
    own->mxcsr &= mask ? mask : 0xffbf; /* SDM vol. 1 §11.6.6; another bit would fault */
    own->xstate_bv |= 3;
    fpu_restore(own);
}

void arch_thread_init(struct thread *t) {
    t->arch = (struct arch_thread){.registers = t->stack - fpu_size};
    memcpy((void *)t->arch.registers, &initial, sizeof(initial));
}

void arch_thread_reset(struct thread *t) {
    t->arch.fs_base = t->arch.gs_base = 0;
    if (t != thread_current()) {
        memcpy((void *)t->arch.registers, &initial, sizeof(initial));
        return;
    }
    fpu_load_initial();
    user_fs_base_set(0);
    user_gs_base_swap(0);
}
