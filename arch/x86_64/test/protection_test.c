// SPDX-License-Identifier: MIT
/* Every protection of the hardware that the kernel relies on, shown to work by a provoked fault. */
#include "provoke.h"
#include <kernel/lib.h>
#include <kernel/mm.h>
#include <kernel/test.h>

PROVOKE(provoke_read, "movb (%[at]), %b[scratch]")
PROVOKE(provoke_read_open, "stac; movb (%[at]), %b[scratch]")
PROVOKE(provoke_write, "movb $0, (%[at])")
PROVOKE(provoke_write_open, "stac; movb $0, (%[at])")
PROVOKE(provoke_jump, "jmp *%[at]")

static struct pagetable *previous;

/* Interrupts are off and the tests do not block, so the page table stays loaded. */
bool test_space_enter(struct test_space *s, uint64_t pte_flags) {
    if (pt_create(&s->pt)) return false;
    struct frame *f = frame_alloc_zeroed(FRAME_KERNEL);
    pte_t *leaf = pt_leaf(&s->pt, TEST_PAGE, true);
    if (!f || !leaf) return false;
    s->page = frame_paddr(f);
    pte_set(&leaf[pt_index(TEST_PAGE)], pte_make(s->page, pte_flags | PTE_PRESENT));
    previous = cpu_current()->pagetable;
    pt_activate(&s->pt);
    return true;
}

void test_space_leave(struct test_space *s) {
    pt_activate(previous);
    pte_set(&pt_leaf(&s->pt, TEST_PAGE, false)[pt_index(TEST_PAGE)], 0);
    frame_free(frame_of(s->page));
    pt_destroy(&s->pt);
}

static bool is_page_fault(const struct fault_expected *e, const volatile void *at, uint64_t code) {
    return e->vector == PF_VECTOR && e->address == (uint64_t)at && e->code == code;
}

KTEST(smap_stops_kernel_reads_of_user_memory) {
    struct test_space s;
    EXPECT(test_space_enter(&s, PTE_USER | PTE_WRITE));
    struct fault_expected e = provoke_read((void *)TEST_PAGE);
    EXPECT(is_page_fault(&e, (void *)TEST_PAGE, PF_PRESENT));
    e = provoke_write((void *)TEST_PAGE);
    EXPECT(is_page_fault(&e, (void *)TEST_PAGE, PF_PRESENT | PF_WRITE));
    e = provoke_read_open((void *)TEST_PAGE);
    EXPECT(e.vector == NO_FAULT);
    test_space_leave(&s);
}

KTEST(smep_stops_kernel_jumps_to_user_memory) {
    struct test_space s;
    EXPECT(test_space_enter(&s, PTE_USER));
    struct fault_expected e = provoke_jump((void *)TEST_PAGE);
    EXPECT(is_page_fault(&e, (void *)TEST_PAGE, PF_PRESENT | PF_FETCH));
    test_space_leave(&s);
}

KTEST(wp_stops_kernel_writes_to_read_only_user_memory) {
    struct test_space s;
    EXPECT(test_space_enter(&s, PTE_USER));
    struct fault_expected e = provoke_write_open((void *)TEST_PAGE);
    EXPECT(is_page_fault(&e, (void *)TEST_PAGE, PF_PRESENT | PF_WRITE));
    test_space_leave(&s);
}

KTEST(text_and_rodata_are_not_writable) {
    struct fault_expected e = provoke_write(image_boot_end);
    EXPECT(is_page_fault(&e, image_boot_end, PF_PRESENT | PF_WRITE));
    e = provoke_write(image_text_end);
    EXPECT(is_page_fault(&e, image_text_end, PF_PRESENT | PF_WRITE));
}

KTEST(data_stacks_and_physmap_are_not_executable) {
    static uint8_t data[] = {0xc3};
    uint8_t stack[] = {0xc3};
    const void *physmap = phys_to_virt(image_to_phys(image_boot_end));
    const void *places[] = {data, stack, image_text_end, physmap};
    for (size_t i = 0; i < array_size(places); i++) {
        struct fault_expected e = provoke_jump(places[i]);
        EXPECT(is_page_fault(&e, places[i], PF_PRESENT | PF_FETCH));
    }
}

KTEST(stacks_have_guard_pages) {
    const char *top = (const char *)align_up((vaddr_t)__builtin_frame_address(0), PAGE_SIZE);
    struct fault_expected e = {.vector = NO_FAULT};
    for (size_t i = 1; i <= BOOT_STACK_SIZE / PAGE_SIZE && e.vector == NO_FAULT; i++)
        e = provoke_read(top - i * PAGE_SIZE);
    EXPECT(e.vector == PF_VECTOR && !(e.code & PF_PRESENT));
    e = provoke_write(boot_stack.guard);
    EXPECT(is_page_fault(&e, boot_stack.guard, PF_WRITE));
}
