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

#define UC_FLAGS 7 /* UC_FP_XSTATE, UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS */
#define FP_XSTATE_MAGIC1 0x46505853
#define FP_XSTATE_MAGIC2 0x46505845
#define RED_ZONE 128 /* System V ABI, AMD64 supplement §3.2.2 */

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

/* The part of an XSAVE area that XSAVE doesn't write (but for XSTATE_BV): SDM vol. 1 §13.4. */
#define XSAVE_SOFTWARE 464
struct xsave_middle {
    struct { /* struct _fpx_sw_bytes */
        uint32_t magic, extended_size;
        uint64_t features;
        uint32_t size, reserved[7];
    } software;
    uint64_t header[8];
};
static_assert(sizeof(struct xsave_middle) == 576 - XSAVE_SOFTWARE);

static int fp_push(uaddr_t to) {
    const uint32_t magic2 = FP_XSTATE_MAGIC2;
    const struct xsave_middle middle = {
        .software =
            {
                .magic = FP_XSTATE_MAGIC1,
                .extended_size = (uint32_t)fpu_size + sizeof(magic2),
                .features = fpu_mask,
                .size = (uint32_t)fpu_size,
            },
    };
    int error = copy_to_user(to + XSAVE_SOFTWARE, &middle, sizeof(middle));
    if (!error) error = copy_to_user(to + fpu_size, &magic2, sizeof(magic2));
    return error ? error : user_fpu_save(to);
}

static int fp_pop(uaddr_t from) {
    struct xsave_middle middle;
    if (!from) {
        fpu_load_initial();
        return 0;
    }
    int error = copy_from_user(&middle.software, from + XSAVE_SOFTWARE, sizeof(middle.software));
    if (error) return error;
    bool extended = middle.software.magic == FP_XSTATE_MAGIC1 && middle.software.size == fpu_size;
    if (!extended) fpu_load_initial();
    return user_fpu_restore(from, extended);
}

static void registers_get(struct signal_context *c, const struct trapframe *f) {
    c->r8 = f->r8, c->r9 = f->r9, c->r10 = f->r10, c->r11 = f->r11;
    c->r12 = f->r12, c->r13 = f->r13, c->r14 = f->r14, c->r15 = f->r15;
    c->rdi = f->rdi, c->rsi = f->rsi, c->rbp = f->rbp, c->rbx = f->rbx;
    c->rdx = f->rdx, c->rax = f->rax, c->rcx = f->rcx, c->rsp = f->rsp;
    c->rip = f->rip, c->rflags = f->rflags;
    c->cs = USER_CS, c->ss = USER_SS, c->gs = c->fs = 0;
    c->error = c->vector = c->old_mask = c->cr2 = 0;
    __builtin_memset(c->reserved, 0, sizeof(c->reserved));
}

static void registers_put(struct trapframe *f, const struct signal_context *c) {
    f->r8 = c->r8, f->r9 = c->r9, f->r10 = c->r10, f->r11 = c->r11;
    f->r12 = c->r12, f->r13 = c->r13, f->r14 = c->r14, f->r15 = c->r15;
    f->rdi = c->rdi, f->rsi = c->rsi, f->rbp = c->rbp, f->rbx = c->rbx;
    f->rdx = c->rdx, f->rax = c->rax, f->rcx = c->rcx, f->rsp = c->rsp;
    f->rip = c->rip, f->rflags = c->rflags;
    f->vector = f->number = 0;
    arch_frame_sanitize(f);
}

void arch_registers_get(struct thread_registers *out) {
    struct thread *t = thread_current();
    const struct trapframe *f = arch_frame(t);
    *out = (struct thread_registers){
        .r15 = f->r15,
        .r14 = f->r14,
        .r13 = f->r13,
        .r12 = f->r12,
        .rbp = f->rbp,
        .rbx = f->rbx,
        .r11 = f->r11,
        .r10 = f->r10,
        .r9 = f->r9,
        .r8 = f->r8,
        .rax = f->rax,
        .rcx = f->rcx,
        .rdx = f->rdx,
        .rsi = f->rsi,
        .rdi = f->rdi,
        .rip = f->rip,
        .cs = USER_CS,
        .rflags = f->rflags & ~(uint64_t)RFLAGS_TF,
        .rsp = f->rsp,
        .ss = USER_SS,
        .number = frame_is_syscall(f) ? f->number : ~0ULL,
        .fs_base = user_fs_base(),
        .gs_base = user_gs_base(),
    };
    fpu_save((void *)t->arch.registers); /* as a switch would */
    memcpy(out->fpu, (const void *)t->arch.registers, XSAVE_SOFTWARE);
}

void arch_registers_set(const struct thread_registers *r) {
    struct trapframe *f = arch_frame(thread_current());
    f->r15 = r->r15, f->r14 = r->r14, f->r13 = r->r13, f->r12 = r->r12, f->rbp = r->rbp, f->rbx = r->rbx;
    f->r11 = r->r11, f->r10 = r->r10, f->r9 = r->r9, f->r8 = r->r8, f->rax = r->rax, f->rcx = r->rcx;
    f->rdx = r->rdx, f->rsi = r->rsi, f->rdi = r->rdi, f->rip = r->rip, f->rflags = r->rflags, f->rsp = r->rsp;
    f->vector = r->number == ~0ULL ? 0 : VECTOR_SYSCALL;
    f->number = r->number;
    arch_frame_sanitize(f);
    user_fs_base_set(min(r->fs_base, USER_END));
    (void)user_gs_base_swap(min(r->gs_base, USER_END));
    fpu_legacy_set(r->fpu);
}

void arch_frame_step(struct trapframe *f) { f->rflags |= RFLAGS_TF; }

int arch_signal_push(struct trapframe *f, const struct signal_delivery *d) {
    uaddr_t top = d->stack_top ? d->stack_top : f->rsp - RED_ZONE;
    uaddr_t fp = align_down(top - fpu_size - sizeof(uint32_t), 64);
    /* As after a call: rsp + 8 is a multiple of 16. */
    uaddr_t at = align_down(fp - sizeof(struct signal_frame), 16) - 8;
    struct signal_frame frame; /* every field is set: it goes to user memory */
    frame.return_address = d->restorer;
    frame.context.flags = UC_FLAGS;
    frame.context.link = 0;
    frame.context.stack =
        (struct stack_info){.base = d->stack_base, .flags = (int32_t)d->stack_flags, .size = d->stack_size};
    registers_get(&frame.context.registers, f);
    frame.context.registers.fp_state = fp;
    frame.context.mask = d->mask;
    frame.info = *d->info;
    if (copy_to_user(at, &frame, sizeof(frame)) || fp_push(fp)) return -EFAULT;
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
    if (copy_from_user(&context, f->rsp, sizeof(context)) || fp_pop(context.registers.fp_state)) return -EFAULT;
    registers_put(f, &context.registers);
    *mask = context.mask;
    return 0;
}
