// SPDX-License-Identifier: MIT
/*
 * What the firmware's interpreter (servers/acpi) and the PCI server tell each other: operations on the root
 * directory of `pci:`, for a privileged process. The interpreter calls, the PCI server answers; what takes
 * longer comes on a channel that the interpreter gave it.
 */
#pragma once
#include <abi/scheme.h>

enum pci_platform_op {
    PCI_PLATFORM_READ = OP_USER + 64, /* args: address, offset, size; result: the register */
    PCI_PLATFORM_WRITE, /* args: address, offset | size << 16, value */
    PCI_PLATFORM_ATTACH, /* data: struct pci_route[], all there are; handle: the channel; args[0]: enum pci_platform */
    PCI_PLATFORM_SCAN, /* args[0] a bus: something on it came or went */
    PCI_PLATFORM_EJECT, /* args[0] address: its drivers end, then struct pci_platform_news comes */
};
enum pci_platform { PCI_PLATFORM_SLOTS = 1 /* the firmware leaves hot plug of PCI Express to us */ };

/* Where an interrupt pin of a device ends (_PRT). A bus without any is behind a bridge that only passes pins on. */
struct pci_route {
    uint8_t bus, device, pin, flags; /* pin 1 … 4; flags as of HARDWARE_IRQ */
    uint32_t interrupt; /* global system interrupt */
};
#define PCI_ROUTES_MAX 1024
struct pci_platform_news { /* nothing has a hand on the device any more */
    uint16_t address;
};
#define PCI_ADDRESS(bus, device, function) ((uint16_t)((bus) << 8 | (device) << 3 | (function)))
