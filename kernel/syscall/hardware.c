// SPDX-License-Identifier: MIT
/* System calls of drivers: minting hardware objects, interrupts, ports. */
#include <arch/cpu.h>
#include <arch/mmu.h>
#include <kernel/handle.h>
#include <kernel/irq.h>
#include <kernel/memory.h>
#include <kernel/mm.h>
#include <kernel/syscall.h>

/* Device memory: never RAM that the kernel owns. */
static struct object *create_mmio(uint64_t start, uint64_t length, uint64_t cache) {
    static const uint64_t bits[] = {PTE_UNCACHED, PTE_WRITECOMBINE, 0};
    if (cache >= array_size(bits) || length == 0 || (start & PAGE_MASK) || (length & PAGE_MASK))
        return err_ptr(-EINVAL);
    if (start + length < start || start + length > 1ULL << 52) return err_ptr(-EINVAL);
    for (uint64_t at = start; at < start + length; at += PAGE_SIZE) {
        struct frame *f = frame_of(at);
        if (f && f->kind != FRAME_RESERVED) return err_ptr(-EACCES);
    }
    struct memory *m = memory_create_device(start, length, bits[cache]);
    if (m) arch_console_mapped(start, length);
    return m ? memory_object(m) : err_ptr(-ENOMEM);
}

static struct object *create_dma(uint64_t length, bool below_4g) {
    if (length == 0 || length > 64 << 20) return err_ptr(-EINVAL);
    struct memory *m = memory_create_contiguous(length, below_4g);
    return m ? memory_object(m) : err_ptr(-ENOMEM);
}

static struct object *create(uint32_t kind, uint64_t a, uint64_t b, uint64_t c) {
    struct msi_message message;
    struct object *o;
    switch (kind) {
    case HARDWARE_MMIO: return create_mmio(a, b, c);
    case HARDWARE_IRQ: return a > UINT32_MAX || b > 3 ? err_ptr(-EINVAL) : irq_create_line((uint32_t)a, (unsigned)b);
    case HARDWARE_ISA_IRQ: return irq_create_isa((unsigned)min(a, 255UL));
    case HARDWARE_PORTS:
        return a > UINT16_MAX || b > 0x10000 ? err_ptr(-EINVAL) : ioport_create((uint32_t)a, (uint32_t)b);
    case HARDWARE_DMA: return create_dma(a, b == 1);
    case HARDWARE_MSI:
        o = irq_create_message(&message);
        if (!is_err(o) && copy_to_user((uaddr_t)c, &message, sizeof(message))) {
            object_handle_get(o);
            object_handle_put(o); /* frees the vector */
            object_put(o);
            return err_ptr(-EFAULT);
        }
        return o;
    default: return err_ptr(-EINVAL);
    }
}

long sys_hardware_create(struct object *, uint32_t kind, uint64_t a, uint64_t b, uint64_t c) {
    struct object *o = create(kind, a, b, c);
    return is_err(o) ? ptr_err(o) : object_install(o, RIGHTS_ALL & ~(uint32_t)RIGHT_MAP_EXEC, HANDLE_IN_UPPER);
}

long sys_irq_acknowledge(struct object *o) {
    irq_acknowledge(o);
    return 0;
}

long sys_port_io(struct object *o, uint32_t port, uint32_t unit, uint32_t write, void *buffer, size_t count) {
    return ioport_io(o, port, unit, write, (uaddr_t)buffer, count);
}
