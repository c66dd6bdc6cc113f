// SPDX-License-Identifier: MIT
/*
 * Configuration space: PCI Local Bus 3.0 chapter 6, PCI-to-PCI Bridge 1.2 §3.2; MSI and MSI-X §6.8;
 * PCI Express Base 5.0 §7.5.3.
 */
#pragma once

enum {
    PCI_VENDOR = 0x00,
    PCI_DEVICE = 0x02,
    PCI_COMMAND = 0x04,
    PCI_STATUS = 0x06,
    PCI_REVISION = 0x08,
    PCI_HEADER = 0x0e,
    PCI_BAR0 = 0x10,
    PCI_SECONDARY_BUS = 0x19, /* from here on: header type 1 */
    PCI_SUBORDINATE_BUS = 0x1a,
    PCI_IO_BASE = 0x1c,
    PCI_IO_LIMIT = 0x1d,
    PCI_MEMORY_BASE = 0x20,
    PCI_MEMORY_LIMIT = 0x22,
    PCI_PREFETCH_BASE = 0x24,
    PCI_PREFETCH_LIMIT = 0x26,
    PCI_PREFETCH_BASE_HIGH = 0x28,
    PCI_PREFETCH_LIMIT_HIGH = 0x2c,
    PCI_IO_BASE_HIGH = 0x30,
    PCI_IO_LIMIT_HIGH = 0x32,
    PCI_SUBSYSTEM_VENDOR = 0x2c, /* header type 0 */
    PCI_CAPABILITIES = 0x34,
    PCI_INTERRUPT_LINE = 0x3c,
    PCI_INTERRUPT_PIN = 0x3d,
};
enum {
    PCI_COMMAND_PORTS = 1 << 0,
    PCI_COMMAND_MEMORY = 1 << 1,
    PCI_COMMAND_MASTER = 1 << 2,
    PCI_COMMAND_NO_LINE = 1 << 10,
    PCI_STATUS_CAPABILITIES = 1 << 4,
    PCI_HEADER_BRIDGE = 1,
    PCI_HEADER_MANY = 0x80, /* more functions than one */
};
enum {
    PCI_BAR_IS_PORTS = 1,
    PCI_BAR_TYPE = 6,
    PCI_BAR_IS_64 = 4,
    PCI_BAR_IS_PREFETCHABLE = 8,
};
enum {
    MSI_CONTROL = 2,
    MSI_ADDRESS_LOW = 4,
    MSI_ENABLE = 1 << 0,
    MSI_COUNT = 7 << 4,
    MSI_64 = 1 << 7,
    MSI_CAN_MASK = 1 << 8,
};
enum {
    MSIX_CONTROL = 2,
    MSIX_TABLE = 4,
    MSIX_PENDING = 8,
    MSIX_SIZE = 0x7ff,
    MSIX_FUNCTION_MASK = 1 << 14,
    MSIX_ENABLE = 1 << 15,
    MSIX_ENTRY_WORDS = 4, /* address low, high, data, control */
    MSIX_ENTRY_MASKED = 1,
};
enum {
    EXPRESS_FLAGS = 0x02,
    EXPRESS_ROOT_PORT = 4, /* bits 7:4 */
    EXPRESS_DOWNSTREAM = 6,
    EXPRESS_HAS_SLOT = 1 << 8,
    EXPRESS_LINK = 0x0c,
    LINK_TELLS_ACTIVE = 1 << 20,
    EXPRESS_LINK_STATUS = 0x12,
    LINK_ACTIVE = 1 << 13,
    EXPRESS_SLOT = 0x14,
    SLOT_HOT_PLUG = 1 << 6,
    SLOT_NO_COMPLETION = 1 << 18,
    EXPRESS_SLOT_CONTROL = 0x18,
    EXPRESS_SLOT_STATUS = 0x1a,
    SLOT_BUTTON = 1 << 0, /* of both: it is told, it was pressed */
    SLOT_PRESENCE_CHANGED = 1 << 3, /* of both */
    SLOT_INTERRUPTS = 1 << 5, /* control */
    SLOT_INDICATOR = 3 << 8,
    SLOT_INDICATOR_ON = 1 << 8,
    SLOT_INDICATOR_BLINK = 2 << 8,
    SLOT_INDICATOR_OFF = 3 << 8,
    SLOT_POWER_OFF = 1 << 10,
    SLOT_COMPLETED = 1 << 4, /* status */
    SLOT_PRESENT = 1 << 6,
};
#define PCI_CLASS_HOST_BRIDGE 0x0600
