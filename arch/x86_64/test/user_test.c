// SPDX-License-Identifier: MIT
/* What user mode may not do, shown in user mode; and access to user memory that comes and goes. */
#include "provoke.h"
#include <arch/switch.h>
#include <kernel/lib.h>
#include <kernel/mm.h>
#include <kernel/test.h>
#include <kernel/thread.h>

/*
 * Runs one instruction of user code on a stack of its own, so that the trap's frame doesn't overwrite
 * this thread's; the exception comes back here by switch_stacks().
 */
static uint64_t test_stack_pointer, abandoned_stack_pointer;
static struct fault_expected user_fault;

static void user_fault_seen(struct trapframe *f) {
    user_fault.vector = f->vector;
    user_fault.code = f->number;
    user_fault.address = read_cr2();
    fault_expected = nullptr;
    switch_stacks(&abandoned_stack_pointer, &test_stack_pointer);
}

static void user_enter(void *arg) { arch_enter_user(arg); }

static struct fault_expected run_user(const void *code, size_t size) {
    struct test_space s;
    struct arch_cpu *c = arch_cpu();
    vaddr_t stack = kernel_stack_alloc();
    uint64_t rsp0 = c->tss.rsp0;
    user_fault = (struct fault_expected){.vector = NO_FAULT};
    EXPECT(stack);
    EXPECT(test_space_enter(&s, PTE_USER));
    memcpy(phys_to_virt(s.page), code, size);
    struct trapframe *f = (struct trapframe *)stack - 1;
    arch_frame_init(f, TEST_PAGE, 0, 0);
    f->rflags &= ~(uint64_t)RFLAGS_IF; /* nothing but the fault shall end it */
    atomic_store(&thread_current()->work, 0);
    struct first_stack *start = (struct first_stack *)f - 1;
    *start = (struct first_stack){(uint64_t)thread_first_run, (uint64_t)f, (uint64_t)user_enter};
    c->tss.rsp0 = stack;
    user_fault.from_user = user_fault_seen;
    fault_expected = &user_fault;
    uint64_t first = (uint64_t)start;
    switch_stacks(&test_stack_pointer, &first);
    c->tss.rsp0 = rsp0;
    test_space_leave(&s);
    kernel_stack_free(stack);
    return user_fault;
}

static bool user_faults(const void *code, size_t size, uint64_t vector) {
    struct fault_expected e = run_user(code, size);
    if (e.vector != vector) ktest_note("vector %lu code %#lx address %#lx", e.vector, e.code, e.address);
    return e.vector == vector;
}
#define USER_FAULTS(vector, ...)                                                                                       \
    user_faults((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), vector)

enum { UD = 6, GP = 13, BP = 3, DB = 1 };

KTEST(umip_hides_descriptor_tables) {
    EXPECT(USER_FAULTS(GP, 0x0f, 0x01, 0x0c, 0x24)); /* sidt (%rsp) */
    EXPECT(USER_FAULTS(GP, 0x0f, 0x01, 0x04, 0x24)); /* sgdt (%rsp) */
    EXPECT(USER_FAULTS(GP, 0x0f, 0x01, 0xe0)); /* smsw %eax */
}

KTEST(user_mode_is_unprivileged) {
    EXPECT(USER_FAULTS(GP, 0xf4)); /* hlt */
    EXPECT(USER_FAULTS(GP, 0xfa)); /* cli */
    EXPECT(USER_FAULTS(GP, 0xe4, 0x60)); /* in $0x60, %al */
    EXPECT(USER_FAULTS(GP, 0x0f, 0x20, 0xc0)); /* mov %cr0, %rax */
    EXPECT(USER_FAULTS(GP, 0x0f, 0x32)); /* rdmsr */
    EXPECT(USER_FAULTS(GP, 0xcd, 0x80)); /* int $0x80 */
    EXPECT(USER_FAULTS(BP, 0xcc)); /* int3 */
    EXPECT(USER_FAULTS(UD, 0x0f, 0x0b)); /* ud2 */
}

KTEST(user_mode_sees_no_kernel_memory) {
    /* mov $PHYSMAP, %rax; mov (%rax), %rax */
    const uint8_t code[] = {0x48, 0xb8, 0, 0, 0, 0, 0, 0x80, 0xff, 0xff, 0x48, 0x8b, 0x00};
    struct fault_expected e = run_user(code, sizeof(code));
    EXPECT(e.vector == PF_VECTOR && e.address == PHYSMAP && e.code & 4);
}

KTEST(user_gs_base_does_not_confuse_the_kernel) {
    /* mov $KERNEL_BASE, %rax; wrgsbase %rax; ud2 */
    const uint8_t code[] = {0x48, 0xc7, 0xc0, 0, 0, 0, 0x80, 0xf3, 0x48, 0x0f, 0xae, 0xd8, 0x0f, 0x0b};
    EXPECT(run_user(code, sizeof(code)).vector == UD);
    EXPECT(cpu_current() == cpu_get(cpu_current()->id));
}

KTEST(user_copies_stop_at_missing_pages) {
    struct test_space s;
    char buf[32] = "abcdefghijklmnopqrstuvwxyz";
    EXPECT(test_space_enter(&s, PTE_USER | PTE_WRITE));
    const uaddr_t end = TEST_PAGE + PAGE_SIZE;
    EXPECT(copy_to_user_nofault(end - 20, buf, 20) == 0);
    EXPECT(copy_to_user_nofault(end - 10, buf, 20) == -EFAULT);
    EXPECT(copy_from_user_nofault(buf, end - 19, 20) == -EFAULT);
    EXPECT(copy_from_user_nofault(buf, end - 20, 20) == 0);
    EXPECT(copy_from_user(buf, USER_END - 1, 2) == -EFAULT);
    EXPECT(copy_from_user(buf, (uaddr_t)buf, 1) == -EFAULT);
    EXPECT(copy_from_user(buf, UINTPTR_MAX, 2) == -EFAULT);
    EXPECT(copy_to_user((uaddr_t)image_rodata_end, buf, 1) == -EFAULT);
    EXPECT(clear_user(USER_END, 1) == -EFAULT);
    test_space_leave(&s);
}

KTEST(user_strings) {
    struct test_space s;
    char buf[32];
    EXPECT(test_space_enter(&s, PTE_USER | PTE_WRITE));
    char *page = phys_to_virt(s.page);
    for (size_t n = 0; n < 24; n++) { /* ends at every distance from the page's end */
        uaddr_t at = TEST_PAGE + PAGE_SIZE - n - 1;
        memset(page, 'x', PAGE_SIZE);
        page[PAGE_SIZE - 1] = 0;
        EXPECT(user_strncpy(buf, at, sizeof(buf)) == (int)n);
        EXPECT(strlen(buf) == n && (n == 0 || buf[n - 1] == 'x'));
    }
    EXPECT(user_strncpy(buf, TEST_PAGE, sizeof(buf)) == -ENAMETOOLONG);
    EXPECT(user_strncpy(buf, USER_END, sizeof(buf)) == -EFAULT);
    EXPECT(user_strncpy(buf, PHYSMAP, sizeof(buf)) == -EFAULT);
    test_space_leave(&s);
}

KTEST(user_words) {
    struct test_space s;
    uint32_t v = 0;
    EXPECT(test_space_enter(&s, PTE_USER | PTE_WRITE));
    EXPECT(user_load32_nofault(&v, TEST_PAGE) == 0 && v == 0);
    EXPECT(user_cmpxchg32_nofault(TEST_PAGE, &v, 7) == 0 && v == 0);
    EXPECT(user_cmpxchg32_nofault(TEST_PAGE, &v, 8) == 0 && v == 7);
    EXPECT(user_load32_nofault(&v, TEST_PAGE) == 0 && v == 7);
    EXPECT(user_load32_nofault(&v, TEST_PAGE + PAGE_SIZE) == -EFAULT);
    EXPECT(user_cmpxchg32_nofault(TEST_PAGE + PAGE_SIZE, &v, 7) == -EFAULT);
    test_space_leave(&s);
}

/* Offsets in struct rt_sigframe of x86-64 Linux, which libc and debuggers know. */
enum { UC = 8, UC_RAX = UC + 144, UC_RSP = UC + 160, UC_RIP = UC + 168, UC_EFLAGS = UC + 176 };
enum { UC_FPSTATE = UC + 224, UC_MASK = UC + 296, SIGINFO = UC + 304, FP_MXCSR = 24, FP_BV = 512 };

static uint64_t *user_word(const struct test_space *s, uaddr_t at) {
    return (uint64_t *)((char *)phys_to_virt(s->page) + (at - TEST_PAGE));
}

KTEST(signal_frames_have_the_linux_layout) {
    struct test_space s;
    struct signal_info info = {.signal = 11, .code = 1};
    const struct signal_delivery d = {
        .info = &info, .handler = 0x1234, .restorer = 0x5678, .mask = 0xabcd, .stack_top = TEST_PAGE + PAGE_SIZE};
    EXPECT(test_space_enter(&s, PTE_USER | PTE_WRITE));
    struct trapframe f = {.rip = 0x1000,
                          .rsp = 0x2000,
                          .rax = 7,
                          .rcx = 8,
                          .r11 = 9,
                          .r15 = 15,
                          .rflags = RFLAGS_IF | RFLAGS_DF | 2,
                          .cs = USER_CS,
                          .ss = USER_SS};
    EXPECT(arch_signal_push(&f, &d) == 0);
    uaddr_t frame = f.rsp;
    EXPECT(frame % 16 == 8 && f.rip == 0x1234 && f.rdi == 11 && !(f.rflags & RFLAGS_DF));
    EXPECT(f.rsi == frame + SIGINFO && f.rdx == frame + UC);
    EXPECT(*user_word(&s, frame) == 0x5678 && *user_word(&s, frame + UC_MASK) == 0xabcd);
    EXPECT(*user_word(&s, frame + UC_RIP) == 0x1000 && *user_word(&s, frame + UC_RAX) == 7);
    EXPECT(*user_word(&s, frame + UC_RSP) == 0x2000);
    EXPECT(*user_word(&s, frame + UC_FPSTATE) % 64 == 0);

    uint64_t mask = 0;
    f.rsp = frame + 8; /* the handler has returned */
    EXPECT(arch_signal_pop(&f, &mask) == 0 && mask == 0xabcd);
    EXPECT(f.rip == 0x1000 && f.rsp == 0x2000 && f.rcx == 8 && f.r11 == 9 && f.r15 == 15);
    EXPECT(f.rflags == (RFLAGS_IF | RFLAGS_DF | 2) && f.cs == USER_CS);
    test_space_leave(&s);
}

/* Returns through the frame with one word of it changed: works or fails, no more. */
static bool pop_with(const struct test_space *s, uaddr_t frame, uaddr_t at, uint64_t value) {
    struct trapframe f = {.rsp = frame + 8, .cs = USER_CS};
    uint64_t mask, good = *user_word(s, at);
    *user_word(s, at) = value;
    int e = arch_signal_pop(&f, &mask);
    *user_word(s, at) = good;
    return e == 0 || e == -EFAULT;
}

KTEST(hostile_signal_frames_are_harmless) {
    struct test_space s;
    struct signal_info info = {.signal = 11};
    const struct signal_delivery d = {.info = &info, .stack_top = TEST_PAGE + PAGE_SIZE};
    uint64_t mask;
    EXPECT(test_space_enter(&s, PTE_USER | PTE_WRITE));
    struct trapframe f = {.rip = 0x1000, .cs = USER_CS};
    EXPECT(arch_signal_push(&f, &d) == 0);
    uaddr_t frame = f.rsp, fp = *user_word(&s, frame + UC_FPSTATE);
    *user_word(&s, frame + UC_RIP) = 0x8000000000000000; /* IRET would fault on it */
    *user_word(&s, frame + UC_EFLAGS) = UINT64_MAX;
    *user_word(&s, frame + UC_EFLAGS + 8) = KERNEL_CS;
    /* XRSTOR faults on some of these, and which depends on the processor. */
    for (unsigned i = 0; i < 64; i += 8) EXPECT(pop_with(&s, frame, fp + FP_BV + i, UINT64_MAX));
    EXPECT(pop_with(&s, frame, fp + FP_MXCSR, UINT64_MAX));
    EXPECT(pop_with(&s, frame, frame + UC_FPSTATE, fp + 8));
    EXPECT(pop_with(&s, frame, frame + UC_FPSTATE, PHYSMAP));
    f.rsp = frame + 8;
    EXPECT(arch_signal_pop(&f, &mask) == 0);
    EXPECT(f.rip == USER_END && f.cs == USER_CS && f.ss == USER_SS);
    EXPECT((f.rflags & ~(uint64_t)RFLAGS_USER) == (RFLAGS_IF | 2));
    f.rsp = PHYSMAP;
    EXPECT(arch_signal_pop(&f, &mask) == -EFAULT);
    f.rsp = USER_END - 8;
    EXPECT(arch_signal_pop(&f, &mask) == -EFAULT);
    f.rsp = PHYSMAP;
    const struct signal_delivery current_stack = {.info = &info};
    EXPECT(arch_signal_push(&f, &current_stack) == -EFAULT);
    fpu_load_initial();
    test_space_leave(&s);
}
