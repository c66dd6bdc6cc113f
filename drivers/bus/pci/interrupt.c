// SPDX-License-Identifier: MIT
/*
 * Interrupts of a function: MSI-X entries, one MSI, or its line. The messages' addresses and data are the
 * kernel's and go into the device from here; a driver sees an interrupt object only.
 *
 * Lines: where the pin ends is told by the firmware's interpreter. Without it there is the number in a register,
 * an ISA interrupt, which is right where pins are wired to the 8259-compatible inputs only.
 */
#include "server.h"
#include <mmio.h>
#include <stdlib.h>

static volatile uint32_t *entry_of(struct function *f, unsigned number) {
    if (!f->entries) f->entries = physical_map(f->table, 16ul * f->info.messages, MMIO_UNCACHED);
    return f->entries ? f->entries + number * MSIX_ENTRY_WORDS : nullptr;
}

static handle_t message_make(struct msi_message *m) {
    return (handle_t)sys_hardware_create(HANDLE_INIT_HARDWARE, HARDWARE_MSI, 0, 0, (uintptr_t)m);
}

static handle_t msix_make(struct function *f, unsigned number) {
    struct msi_message m;
    volatile uint32_t *entry = entry_of(f, number);
    handle_t h = entry ? message_make(&m) : -ENOMEM;
    if (h < 0) return h;
    mmio_write32(entry + 3, MSIX_ENTRY_MASKED);
    mmio_write32(entry, (uint32_t)m.address);
    mmio_write32(entry + 1, (uint32_t)(m.address >> 32));
    mmio_write32(entry + 2, m.data);
    mmio_write32(entry + 3, 0);
    config_change(f->address, PCI_COMMAND, 0, PCI_COMMAND_NO_LINE | PCI_COMMAND_MEMORY);
    config_change(f->address, f->msix + MSIX_CONTROL, MSIX_FUNCTION_MASK, MSIX_ENABLE);
    return h;
}

static handle_t msi_make(struct function *f) {
    struct msi_message m;
    handle_t h = message_make(&m);
    if (h < 0) return h;
    unsigned control = config_read(f->address, f->msi + MSI_CONTROL, 2);
    unsigned at = f->msi + MSI_ADDRESS_LOW;
    config_write(f->address, at, 4, (uint32_t)m.address);
    if (control & MSI_64) config_write(f->address, at += 4, 4, (uint32_t)(m.address >> 32));
    config_write(f->address, at + 4, 2, m.data);
    if (control & MSI_CAN_MASK) config_write(f->address, at + 8, 4, 0);
    config_change(f->address, PCI_COMMAND, 0, PCI_COMMAND_NO_LINE);
    config_change(f->address, f->msi + MSI_CONTROL, MSI_COUNT, MSI_ENABLE);
    return h;
}

static handle_t line_make(struct function *f) {
    const struct pci_route *r = route_of(f);
    uint64_t line = config_read(f->address, PCI_INTERRUPT_LINE, 1);
    handle_t h = (handle_t)(r ? sys_hardware_create(HANDLE_INIT_HARDWARE, HARDWARE_IRQ, r->interrupt, r->flags, 0)
                              : sys_hardware_create(HANDLE_INIT_HARDWARE, HARDWARE_ISA_IRQ, line, 0, 0));
    if (h >= 0) config_change(f->address, PCI_COMMAND, PCI_COMMAND_NO_LINE, 0);
    return h;
}

handle_t interrupt_get(struct function *f, unsigned number) {
    if (number >= f->info.messages) return -EINVAL;
    if (!f->interrupts) {
        f->interrupts = malloc(f->info.messages * sizeof(*f->interrupts));
        if (!f->interrupts) return -ENOMEM;
        for (unsigned i = 0; i < f->info.messages; i++) f->interrupts[i] = HANDLE_NONE;
    }
    handle_t *h = &f->interrupts[number];
    if (*h >= 0) return *h;
    handle_t made = f->info.interrupt_kind == PCI_MSIX  ? msix_make(f, number)
                    : f->info.interrupt_kind == PCI_MSI ? msi_make(f)
                                                        : line_make(f);
    if (made >= 0) *h = made;
    return made;
}

int interrupt_mask(struct function *f, unsigned number, bool masked) {
    if (number >= f->info.messages || !f->interrupts || f->interrupts[number] < 0) return -EINVAL;
    if (f->info.interrupt_kind == PCI_MSIX) {
        mmio_write32(entry_of(f, number) + 3, masked ? MSIX_ENTRY_MASKED : 0);
        return 0;
    }
    unsigned control = f->msi ? config_read(f->address, f->msi + MSI_CONTROL, 2) : 0;
    if (f->info.interrupt_kind != PCI_MSI || !(control & MSI_CAN_MASK)) return -EOPNOTSUPP;
    config_write(f->address, f->msi + (control & MSI_64 ? 16 : 12), 4, masked);
    return 0;
}

void interrupts_release(struct function *f) {
    if (f->msix) config_change(f->address, f->msix + MSIX_CONTROL, MSIX_ENABLE, MSIX_FUNCTION_MASK);
    if (f->msi) config_change(f->address, f->msi + MSI_CONTROL, MSI_ENABLE, 0);
    config_change(f->address, PCI_COMMAND, 0, PCI_COMMAND_NO_LINE);
    for (unsigned i = 0; f->interrupts && i < f->info.messages; i++) {
        if (f->interrupts[i] < 0) continue;
        if (f->info.interrupt_kind == PCI_MSIX) mmio_write32(entry_of(f, i) + 3, MSIX_ENTRY_MASKED);
        sys_handle_close(f->interrupts[i]);
        f->interrupts[i] = HANDLE_NONE;
    }
}

void interrupts_free(struct function *f) {
    for (unsigned i = 0; f->interrupts && i < f->info.messages; i++)
        if (f->interrupts[i] >= 0) sys_handle_close(f->interrupts[i]);
    free(f->interrupts);
    if (f->entries)
        sys_vm_unmap((uintptr_t)f->entries & ~4095ul, (f->table % 4096 + 16ul * f->info.messages + 4095) & ~4095ul);
}
