// SPDX-License-Identifier: MIT
/*
 * A PCI function, as its driver holds it: a file of the scheme `pci:` that the supervisor hands to the
 * driver whose manifest matches (slot SERVICE_SLOT(number of schemes)). It gives this function's BARs,
 * interrupts and DMA memory, the bits of its configuration space that are safe, and nothing else.
 *
 * Order at a driver's start: map the BARs, **reset the device**, then pci_enable(). DMA memory of an
 * earlier instance, into which the device might still write, is kept until pci_enable() says that the
 * device has been reset; until then it can't master the bus.
 */
#pragma once
#ifndef CATHODE_USER_STUBS
#define CATHODE_USER_STUBS
#endif
#include <abi/errno.h>
#include <abi/scheme.h>
#include <abi/syscall.h>
#include <abi/system.h>
#include <stdbool.h>

/* Operations on the file (call), below in functions. */
enum pci_op {
    PCI_INFO = OP_USER, /* answers struct pci_function_info */
    PCI_CONFIG_READ, /* args[0] offset, args[1] 1, 2 or 4 bytes, aligned; result: value */
    PCI_MAP_BAR, /* args[0] BAR | enum pci_map, [1] offset, [2] length (whole pages); reply.handle: memory object */
    PCI_PORTS, /* args[0] BAR; reply.handle: ioport; result: first port */
    PCI_INTERRUPT, /* args[0] number below info.messages; reply.handle: irq */
    PCI_DMA, /* args[0] bytes, args[1] 1: below 4 GiB; reply.handle: memory object, contiguous */
    PCI_ENABLE, /* args[0] 1: bus master on, the device has been reset; 0: off */
    PCI_DMA_KEEP, /* handle: a contiguous memory object that the device will use, made for an earlier instance */
    PCI_DMA_FREE, /* args[0] physical address: the device is done with it */
    PCI_MASK, /* args[0] number of an interrupt, args[1] 1 mask, 0 unmask: MSI-X, or MSI with mask bits */
};

enum pci_map { PCI_MAP_COMBINING = 0x100 /* writes are gathered: for memory without side effects, a screen's */ };
#define PCI_BARS 6
enum pci_bar_flags { PCI_BAR_PORTS = 1, PCI_BAR_64 = 2, PCI_BAR_PREFETCHABLE = 4 };
struct pci_bar {
    uint64_t address, size; /* size 0: none */
    uint32_t flags, reserved;
};
enum pci_interrupt_kind { PCI_NO_INTERRUPT, PCI_LINE, PCI_MSI, PCI_MSIX };
struct pci_function_info {
    uint16_t segment;
    uint8_t bus, device, function;
    uint8_t header_type, revision, reserved0;
    uint16_t vendor, device_id, subsystem_vendor, subsystem;
    uint32_t class_code; /* base << 16 | sub << 8 | programming interface */
    uint32_t interrupt_kind; /* enum pci_interrupt_kind: what PCI_INTERRUPT gives */
    uint32_t messages; /* how many interrupts there are: MSI-X table size, 1 otherwise, 0 none */
    uint32_t reserved1;
    struct pci_bar bars[PCI_BARS];
};

/* Registers of configuration space that drivers look at (PCI 3.0 §6.1). */
enum {
    PCI_CAPABILITY_MSI = 0x05,
    PCI_CAPABILITY_VENDOR = 0x09,
    PCI_CAPABILITY_EXPRESS = 0x10,
    PCI_CAPABILITY_MSIX = 0x11,
};

/* All return 0 (or what is said), or -errno. `function` is the file. */
[[nodiscard]] int pci_info(handle_t function, struct pci_function_info *out);
/* The register, or -errno (as int64_t). */
int64_t pci_config_read(handle_t function, unsigned offset, unsigned size);
/* Offset of the n-th capability of this kind, 0: none. */
unsigned pci_capability_find(handle_t function, unsigned kind, unsigned n);
/* Maps `length` bytes of a memory BAR (`bar`: its number | enum pci_map) from `offset` on, uncached; both need not be
 * page-aligned. Pages with the MSI-X table, or shared with another function, are refused: -EACCES. Never unmapped. */
[[nodiscard]] int pci_bar_map(handle_t function, unsigned bar, uint64_t offset, size_t length, volatile void **out);
/* A panic of the kernel writes a byte of 0 at this place (MEMORY_ZERO_ON_PANIC). */
[[nodiscard]] int pci_bar_zero_on_panic(handle_t function, unsigned bar, uint64_t offset);
/* An I/O BAR: handle for port_io.h, its first port in *first. */
[[nodiscard]] handle_t pci_bar_ports(handle_t function, unsigned bar, uint16_t *first);
/* The n-th interrupt: a handle to wait for with EVENT_IN and sys_irq_acknowledge(). The same object each time. */
[[nodiscard]] handle_t pci_interrupt(handle_t function, unsigned n);
[[nodiscard]] int pci_interrupt_mask(handle_t function, unsigned n, bool masked);
/* The device has been reset: it may read and write memory from now on. */
[[nodiscard]] int pci_enable(handle_t function);

/* DMA memory: contiguous, zeroed, mapped cached. The device sees it at `physical`. */
struct dma {
    handle_t memory;
    void *at;
    uint64_t physical;
    size_t size;
};
enum pci_dma_flags { PCI_DMA_BELOW_4G = 1 };
[[nodiscard]] int pci_dma_create(handle_t function, size_t size, unsigned flags, struct dma *out);
/* The same for memory that an earlier instance had (its client brings it along): consumes `memory` if 0. */
[[nodiscard]] int pci_dma_adopt(handle_t function, handle_t memory, struct dma *out);
/* Unmaps and closes; not before the device has no more business in it. */
void pci_dma_destroy(handle_t function, struct dma *dma);
