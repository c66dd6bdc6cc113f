// SPDX-License-Identifier: MIT
/* pci.h: the calls on a function's file. */
#include <pci.h>
#include <string.h>

#define PAGE 4096ul

static int64_t request(handle_t function, struct call_args *args, enum pci_op op, uint64_t a, uint64_t b, uint64_t c) {
    args->request.op = (uint16_t)op;
    args->request.args[0] = a;
    args->request.args[1] = b;
    args->request.args[2] = c;
    args->handle_flags = HANDLE_IN_UPPER;
    args->deadline = DEADLINE_NEVER;
    return sys_call(function, args);
}

/* One that answers with a number, or a handle in *h. */
static int64_t ask(handle_t function, enum pci_op op, uint64_t a, uint64_t b, uint64_t c, handle_t *h) {
    struct call_args args = {.carry = HANDLE_NONE};
    int64_t result = request(function, &args, op, a, b, c);
    if (result >= 0 && h) *h = args.reply.handle;
    return result;
}

int pci_info(handle_t function, struct pci_function_info *out) {
    struct call_args args = {.out = out, .out_size = sizeof(*out), .carry = HANDLE_NONE};
    int64_t e = request(function, &args, PCI_INFO, 0, 0, 0);
    return e < 0 ? (int)e : args.reply.length == sizeof(*out) ? 0 : -EPROTO;
}

int64_t pci_config_read(handle_t function, unsigned offset, unsigned size) {
    return ask(function, PCI_CONFIG_READ, offset, size, 0, nullptr);
}

unsigned pci_capability_find(handle_t function, unsigned kind, unsigned n) {
    int64_t at = pci_config_read(function, 0x06, 2) & 0x10 ? pci_config_read(function, 0x34, 1) : 0;
    for (unsigned seen = 0; at >= 0x40 && seen < 48; seen++) {
        int64_t id = pci_config_read(function, (unsigned)(at & 0xfc), 1);
        if (id == kind && n-- == 0) return (unsigned)(at & 0xfc);
        at = pci_config_read(function, (unsigned)(at & 0xfc) + 1, 1);
    }
    return 0;
}

static long map(handle_t memory, size_t length) {
    return sys_vm_map(0, length, VM_READ | VM_WRITE | VM_SHARED, memory, 0);
}

/* A handle to the pages with this range, which begins `skew` bytes from their start. */
static handle_t bar_memory(handle_t function, unsigned bar, uint64_t offset, size_t length, uint64_t *skew,
                           size_t *pages) {
    struct pci_function_info info;
    unsigned number = bar & ~(unsigned)PCI_MAP_COMBINING;
    int e = number < PCI_BARS ? pci_info(function, &info) : -EINVAL;
    if (e) return e;
    if (length == 0 || offset > info.bars[number].size || length > info.bars[number].size - offset) return -EINVAL;
    uint64_t inside = info.bars[number].address % PAGE + offset, start = inside & ~(PAGE - 1);
    *skew = inside - start;
    *pages = (*skew + length + PAGE - 1) & ~(PAGE - 1);
    handle_t memory;
    int64_t result = ask(function, PCI_MAP_BAR, bar, start, *pages, &memory);
    return result < 0 ? (handle_t)result : memory;
}

int pci_bar_map(handle_t function, unsigned bar, uint64_t offset, size_t length, volatile void **out) {
    uint64_t skew;
    size_t pages;
    handle_t memory = bar_memory(function, bar, offset, length, &skew, &pages);
    if (memory < 0) return memory;
    long at = map(memory, pages);
    sys_handle_close(memory);
    if (at < 0) return (int)at;
    *out = (volatile uint8_t *)at + skew;
    return 0;
}

int pci_bar_zero_on_panic(handle_t function, unsigned bar, uint64_t offset) {
    uint64_t skew;
    size_t pages;
    handle_t memory = bar_memory(function, bar, offset, 1, &skew, &pages);
    if (memory < 0) return memory;
    long e = sys_memory_control(memory, MEMORY_ZERO_ON_PANIC, skew, 0, 0);
    sys_handle_close(memory);
    return (int)e;
}

handle_t pci_bar_ports(handle_t function, unsigned bar, uint16_t *first) {
    handle_t h;
    int64_t result = ask(function, PCI_PORTS, bar, 0, 0, &h);
    if (result < 0) return (handle_t)result;
    *first = (uint16_t)result;
    return h;
}

handle_t pci_interrupt(handle_t function, unsigned n) {
    handle_t h;
    int64_t e = ask(function, PCI_INTERRUPT, n, 0, 0, &h);
    return e < 0 ? (handle_t)e : h;
}

int pci_interrupt_mask(handle_t function, unsigned n, bool masked) {
    return (int)ask(function, PCI_MASK, n, masked, 0, nullptr);
}

int pci_enable(handle_t function) { return (int)ask(function, PCI_ENABLE, 1, 0, 0, nullptr); }

static int dma_map(struct dma *d) {
    struct memory_info info;
    long e = sys_memory_control(d->memory, MEMORY_INFO, (uintptr_t)&info, 0, 0);
    long at = e < 0 ? e : map(d->memory, info.size);
    if (at < 0) return (int)at;
    d->at = (void *)at;
    d->physical = info.physical;
    d->size = info.size;
    return 0;
}

int pci_dma_create(handle_t function, size_t size, unsigned flags, struct dma *out) {
    struct dma d;
    int64_t e = ask(function, PCI_DMA, size, flags & PCI_DMA_BELOW_4G, 0, &d.memory);
    if (e < 0) return (int)e;
    e = dma_map(&d);
    if (e < 0) sys_handle_close(d.memory);
    else *out = d;
    return (int)e;
}

int pci_dma_adopt(handle_t function, handle_t memory, struct dma *out) {
    struct dma d = {.memory = memory};
    struct call_args args = {.carry = memory};
    int64_t e = request(function, &args, PCI_DMA_KEEP, 0, 0, 0);
    if (e >= 0) e = dma_map(&d);
    if (e >= 0) *out = d;
    return e < 0 ? (int)e : 0;
}

void pci_dma_destroy(handle_t function, struct dma *d) {
    sys_vm_unmap((uintptr_t)d->at, d->size);
    ask(function, PCI_DMA_FREE, d->physical, 0, 0, nullptr);
    sys_handle_close(d->memory);
    *d = (struct dma){.memory = HANDLE_NONE};
}
