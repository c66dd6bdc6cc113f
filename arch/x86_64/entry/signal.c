// SPDX-License-Identifier: MIT
/*
 * Signal frames in the layout of x86-64 Linux (struct rt_sigframe), so that libc's ucontext_t, ports
 * and debuggers agree. On the user stack, from low addresses: return address, ucontext, siginfo, then
 * the XSAVE area aligned to 64 bytes. All that comes back is checked: it is user data.
 */
#include <abi/signal.h>
#include <asm/arch.h>
#include <asm/regs.h>
#include <kernel/lib.h>
#include <kernel/thread.h>

#define UC_FLAGS          7 /* UC_FP_XSTATE, UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS */
#define FP_XSTATE_MAGIC1  0x46505853
#define FP_XSTATE_MAGIC2  0x46505845
#define RED_ZONE          128 /* System V ABI, AMD64 supplement §3.2.2 */
#define XSAVE_LEGACY_SIZE 512

struct signal_context { /* struct sigcontext */
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip;
    uint64_t rflags;
    uint16_t cs, gs, fs, ss;
    uint64_t error, vector, old_mask, cr2, fp_state, reserved[8];
};
struct user_context { /* struct ucontext */
    uint64_t flags, link;
    struct stack_info stack;
    struct signal_context registers;
    uint64_t mask;
};
struct signal_frame { /* struct rt_sigframe */
    uint64_t return_address;
    struct user_context context;
    struct signal_info info;
};
static_assert(sizeof(struct signal_context) == 256 && sizeof(struct user_context) == 304);
static_assert(sizeof(struct signal_frame) == 440);

struct xsave_area {
    uint8_t legacy[24];
    uint32_t mxcsr;
    uint8_t registers[436];
    struct { /* struct _fpx_sw_bytes */
        uint32_t magic, extended_size;
        uint64_t features;
        uint32_t size, reserved[7];
    } software;
    uint64_t xstate_bv, header_rest[7];
};
static_assert(sizeof(struct xsave_area) == 576 && offsetof(struct xsave_area, software) == 464);

static int fp_push(uaddr_t to) {
    struct xsave_area *area = fpu_area(thread_current()->stack);
    const uint32_t magic2 = FP_XSTATE_MAGIC2;
    fpu_save(area);
    area->software = (typeof(area->software)){
        .magic = FP_XSTATE_MAGIC1,
        .extended_size = (uint32_t)fpu_size + sizeof(magic2),
        .features = fpu_mask,
        .size = (uint32_t)fpu_size,
    };
    int error = copy_to_user(to, area, fpu_size);
    return error ? error : copy_to_user(to + fpu_size, &magic2, sizeof(magic2));
}

static int fp_pop(uaddr_t from) {
    /* Not straight into the thread's area: a copy may sleep, and a switch saves there. */
    _Alignas(64) uint8_t buffer[XSAVE_AREA_MAX];
    struct xsave_area *area = (struct xsave_area *)buffer;
    if (!from) {
        fpu_load_initial();
        return 0;
    }
    int error = copy_from_user(area, from, XSAVE_LEGACY_SIZE);
    if (error)
        return error;
    bool extended = area->software.magic == FP_XSTATE_MAGIC1 && area->software.size == fpu_size;
    memset(buffer + XSAVE_LEGACY_SIZE, 0, fpu_size - XSAVE_LEGACY_SIZE);
    area->xstate_bv = 3; /* x87, SSE */
    if (extended)
        error = copy_from_user(buffer + XSAVE_LEGACY_SIZE, from + XSAVE_LEGACY_SIZE,
                               fpu_size - XSAVE_LEGACY_SIZE);
    if (error)
        return error;
    area->mxcsr &= mxcsr_mask; /* XRSTOR faults on any bit that doesn't exist */
    area->xstate_bv &= fpu_mask;
    memset(area->header_rest, 0, sizeof(area->header_rest));
    fpu_restore(area);
    return 0;
}

static void registers_get(struct signal_context *c, const struct trapframe *f) {
    *c = (struct signal_context){
        .r8 = f->r8, .r9 = f->r9, .r10 = f->r10, .r11 = f->r11, .r12 = f->r12, .r13 = f->r13,
        .r14 = f->r14, .r15 = f->r15, .rdi = f->rdi, .rsi = f->rsi, .rbp = f->rbp, .rbx = f->rbx,
        .rdx = f->rdx, .rax = f->rax, .rcx = f->rcx, .rsp = f->rsp, .rip = f->rip,
        .rflags = f->rflags, .cs = USER_CS, .ss = USER_SS,
    };
}

static void registers_put(struct trapframe *f, const struct signal_context *c) {
    *f = (struct trapframe){
        .r8 = c->r8, .r9 = c->r9, .r10 = c->r10, .r11 = c->r11, .r12 = c->r12, .r13 = c->r13,
        .r14 = c->r14, .r15 = c->r15, .rdi = c->rdi, .rsi = c->rsi, .rbp = c->rbp, .rbx = c->rbx,
        .rdx = c->rdx, .rax = c->rax, .rcx = c->rcx, .rsp = c->rsp, .rip = c->rip,
        .rflags = c->rflags,
    };
    arch_frame_sanitize(f);
}

int arch_signal_push(struct trapframe *f, const struct signal_delivery *d) {
    uaddr_t top = d->stack_top ? d->stack_top : f->rsp - RED_ZONE;
    uaddr_t fp = align_down(top - fpu_size - sizeof(uint32_t), 64);
    /* As after a call: rsp + 8 is a multiple of 16. */
    uaddr_t at = align_down(fp - sizeof(struct signal_frame), 16) - 8;
    struct signal_frame frame = {
        .return_address = d->restorer,
        .context = {.flags = UC_FLAGS, .mask = d->mask},
        .info = *d->info,
    };
    frame.context.stack = (struct stack_info){
        .base = d->stack_base, .flags = (int32_t)d->stack_flags, .size = d->stack_size};
    registers_get(&frame.context.registers, f);
    frame.context.registers.fp_state = fp;
    if (fp_push(fp) || copy_to_user(at, &frame, sizeof(frame)))
        return -EFAULT;
    fpu_load_initial();
    f->rdi = (uint64_t)d->info->signal;
    f->rsi = at + offsetof(struct signal_frame, info);
    f->rdx = at + offsetof(struct signal_frame, context);
    f->rax = 0;
    f->rsp = at;
    f->rip = d->handler;
    f->rflags &= ~(uint64_t)(RFLAGS_DF | RFLAGS_TF);
    arch_frame_sanitize(f);
    return 0;
}

int arch_signal_pop(struct trapframe *f, uint64_t *mask) {
    struct user_context context;
    /* The handler's return took the return address. */
    if (copy_from_user(&context, f->rsp, sizeof(context)) ||
        fp_pop(context.registers.fp_state))
        return -EFAULT;
    registers_put(f, &context.registers);
    *mask = context.mask;
    return 0;
}
