// SPDX-License-Identifier: MIT
/* A function's file: what its driver may do with the device, and what happens when the driver has gone. */
#include "server.h"
#include <stdlib.h>
#include <string.h>

#define PAGE 4096ul
#define DMA_MAX (64ul << 20) /* of one driver */

static int64_t answer_handle(struct port_buffer *call, long h, uint32_t flags) {
    if (h < 0) return h;
    call->reply.flags = REPLY_HANDLE | flags;
    call->reply.handle = (handle_t)h;
    return 0;
}

static int64_t request_config(struct function *f, const struct port_buffer *call) {
    uint64_t offset = call->request.args[0], size = call->request.args[1];
    if ((size != 1 && size != 2 && size != 4) || offset % size || offset >= 4096) return -EINVAL;
    return config_read(f->address, (unsigned)offset, (unsigned)size);
}

static const struct pci_bar *bar_of(const struct function *f, uint64_t number, bool ports) {
    const struct pci_bar *bar = number < PCI_BARS ? &f->info.bars[number] : nullptr;
    return bar && bar->size && bar->address && !(bar->flags & PCI_BAR_PORTS) == !ports ? bar : nullptr;
}

/* Pages [start, end) hold nothing but what the driver may touch. */
static bool pages_allowed(const struct function *f, uint64_t start, uint64_t end) {
    for (unsigned i = 0; f->msix && i < 2; i++)
        if (start < f->withheld[i][1] && f->withheld[i][0] < end) return false;
    /* Only the first and the last page can be shared with a neighbour. */
    return !page_is_shared(f, start) && !page_is_shared(f, end - PAGE);
}

static int64_t request_bar(struct function *f, struct port_buffer *call) {
    const uint64_t number = call->request.args[0] & ~(uint64_t)PCI_MAP_COMBINING;
    const uint64_t cache = number != call->request.args[0] ? MMIO_WRITE_COMBINING : MMIO_UNCACHED;
    const struct pci_bar *bar = bar_of(f, number, false);
    uint64_t offset = call->request.args[1], length = call->request.args[2];
    if (!bar) return -ENXIO;
    uint64_t first = bar->address & ~(PAGE - 1), end = (bar->address + bar->size + PAGE - 1) & ~(PAGE - 1);
    if (offset % PAGE || length % PAGE || length == 0 || offset >= end - first || length > end - first - offset)
        return -EINVAL;
    if (!pages_allowed(f, first + offset, first + offset + length)) return -EACCES;
    config_change(f->address, PCI_COMMAND, 0, PCI_COMMAND_MEMORY);
    return answer_handle(call, sys_hardware_create(HANDLE_INIT_HARDWARE, HARDWARE_MMIO, first + offset, length, cache),
                         REPLY_MOVE);
}

static int64_t request_ports(struct function *f, struct port_buffer *call) {
    const struct pci_bar *bar = bar_of(f, call->request.args[0], true);
    if (!bar) return -ENXIO;
    config_change(f->address, PCI_COMMAND, 0, PCI_COMMAND_PORTS);
    int64_t e = answer_handle(
        call, sys_hardware_create(HANDLE_INIT_HARDWARE, HARDWARE_PORTS, bar->address, bar->size, 0), REPLY_MOVE);
    return e < 0 ? e : (int64_t)bar->address;
}

/* --- DMA memory --- */
static void blocks_free(struct dma_block **list) {
    for (struct dma_block *b; (b = *list);) {
        *list = b->next;
        sys_handle_close(b->memory);
        free(b);
    }
}

static int64_t block_add(struct function *f, handle_t memory) {
    struct memory_info info;
    struct handle_info handle;
    struct dma_block *b = malloc(sizeof(*b));
    int64_t e = b ? sys_memory_control(memory, MEMORY_INFO, (uintptr_t)&info, 0, 0) : -ENOMEM;
    if (e >= 0) e = sys_handle_info(memory, &handle);
    if (e >= 0 && (!info.physical || (handle.rights & (RIGHT_READ | RIGHT_WRITE)) != (RIGHT_READ | RIGHT_WRITE)))
        e = -EINVAL; /* the device couldn't use it, or its holder couldn't write it himself */
    if (e >= 0 && info.size > DMA_MAX - f->dma_bytes) e = -ENOMEM;
    if (e < 0) {
        free(b);
        return e;
    }
    *b = (struct dma_block){f->blocks, memory, info.physical, info.size};
    f->blocks = b;
    f->dma_bytes += info.size;
    return 0;
}

static int64_t request_dma(struct function *f, struct port_buffer *call) {
    uint64_t size = call->request.args[0];
    if (size == 0 || size > DMA_MAX - f->dma_bytes) return size ? -ENOMEM : -EINVAL;
    size = (size + PAGE - 1) & ~(PAGE - 1);
    long h = sys_hardware_create(HANDLE_INIT_HARDWARE, HARDWARE_DMA, size, call->request.args[1] & 1, 0);
    if (h < 0) return h;
    int64_t e = block_add(f, (handle_t)h);
    if (e < 0) sys_handle_close((handle_t)h);
    return e < 0 ? e : answer_handle(call, h, 0);
}

static int64_t request_keep(struct function *f, struct port_buffer *call) {
    if (!(call->request.flags & REQUEST_HANDLE)) return -EINVAL;
    handle_t h = request_take_handle(call);
    int64_t e = block_add(f, h);
    if (e < 0) sys_handle_close(h);
    return e;
}

static int64_t request_free(struct function *f, const struct port_buffer *call) {
    for (struct dma_block **at = &f->blocks; *at; at = &(*at)->next) {
        struct dma_block *b = *at;
        if (b->physical != call->request.args[0]) continue;
        *at = b->next;
        f->dma_bytes -= b->size;
        sys_handle_close(b->memory);
        free(b);
        return 0;
    }
    return -ENOENT;
}

static int64_t request_enable(struct function *f, const struct port_buffer *call) {
    if (call->request.args[0] == 0) {
        config_change(f->address, PCI_COMMAND, PCI_COMMAND_MASTER, 0);
        return 0;
    }
    blocks_free(&f->stale);
    config_change(f->address, PCI_COMMAND, 0, PCI_COMMAND_MASTER);
    return 0;
}

/* --- the driver --- */
void function_release(struct function *f, uint32_t holder) {
    if (f->holder == holder) return;
    config_change(f->address, PCI_COMMAND, PCI_COMMAND_MASTER, 0);
    interrupts_release(f);
    struct dma_block **last = &f->stale;
    while (*last) last = &(*last)->next;
    *last = f->blocks;
    f->blocks = nullptr;
    f->dma_bytes = 0;
    f->holder = holder;
}

void function_free(struct function *f) {
    blocks_free(&f->blocks);
    blocks_free(&f->stale);
    interrupts_free(f);
}

static int64_t request_interrupt(struct scheme *s, struct function *f, struct port_buffer *call) {
    if (call->request.args[0] > UINT16_MAX) return -EINVAL;
    int64_t e = f->info.interrupt_kind == PCI_LINE ? platform_wait(s, call) : 0;
    return e ? e : answer_handle(call, interrupt_get(f, (unsigned)call->request.args[0]), 0);
}

int64_t function_request(struct scheme *s, struct function *f, struct port_buffer *call) {
    if (f->leave_ns) return -ENODEV;
    function_release(f, call->request.pid);
    switch ((enum pci_op)call->request.op) {
    case PCI_INFO:
        memcpy(call->data, &f->info, sizeof(f->info));
        call->reply.length = sizeof(f->info);
        return 0;
    case PCI_CONFIG_READ: return request_config(f, call);
    case PCI_MAP_BAR: return request_bar(f, call);
    case PCI_PORTS: return request_ports(f, call);
    case PCI_INTERRUPT: return request_interrupt(s, f, call);
    case PCI_DMA: return request_dma(f, call);
    case PCI_DMA_KEEP: return request_keep(f, call);
    case PCI_DMA_FREE: return request_free(f, call);
    case PCI_ENABLE: return request_enable(f, call);
    case PCI_MASK: return interrupt_mask(f, (unsigned)call->request.args[0], call->request.args[1]);
    }
    return -ENOSYS;
}
