// SPDX-License-Identifier: MIT
/*
 * Configuration space: memory-mapped (ECAM, PCI Express 5.0 §7.2.2) where the firmware says so, a window per
 * bus mapped at its first use; else by ports (PCI 3.0 §3.2.2.3.2), the first 256 bytes of each function.
 */
#include "server.h"
#include <mmio.h>
#include <port_io.h>

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA 0xcfc
#define CONFIG_ON 0x80000000u
#define BUS_BYTES (1ul << 20)
#define PAGE 4096ul

static struct ecam ecam;
static bool has_ecam;
static handle_t ports = HANDLE_NONE;
static volatile uint8_t *windows[256];

volatile void *physical_map(uint64_t physical, size_t size, enum mmio_cache cache) {
    uint64_t start = physical & ~(PAGE - 1), length = (physical + size - start + PAGE - 1) & ~(PAGE - 1);
    long h = sys_hardware_create(HANDLE_INIT_HARDWARE, HARDWARE_MMIO, start, length, cache);
    if (h < 0) return nullptr;
    uint32_t access = cache == MMIO_CACHED ? VM_READ : VM_READ | VM_WRITE;
    long at = sys_vm_map(0, length, access | VM_SHARED, (handle_t)h, 0);
    sys_handle_close((handle_t)h);
    return at < 0 ? nullptr : (volatile uint8_t *)at + (physical - start);
}

int config_init(void) {
    has_ecam = acpi_find_ecam(&ecam) == 0;
    if (has_ecam) return 0;
    ports = (handle_t)sys_hardware_create(HANDLE_INIT_HARDWARE, HARDWARE_PORTS, CONFIG_ADDRESS, 8, 0);
    return ports < 0 ? ports : 0;
}

/* The register in memory; null: no such bus. */
static volatile uint8_t *ecam_register(uint16_t address, unsigned offset) {
    unsigned bus = address >> 8;
    if (bus < ecam.first || bus > ecam.last) return nullptr;
    if (!windows[bus]) windows[bus] = physical_map(ecam.base + bus * BUS_BYTES, BUS_BYTES, MMIO_UNCACHED);
    return windows[bus] ? windows[bus] + ((address & 0xffu) << 12) + offset : nullptr;
}

static uint16_t port_select(uint16_t address, unsigned offset) {
    uint32_t value = CONFIG_ON | (uint32_t)address << 8 | (offset & 0xfcu);
    sys_port_io(ports, CONFIG_ADDRESS, 4, 1, &value, 1);
    return (uint16_t)(CONFIG_DATA + (offset & 3));
}

uint32_t config_read(uint16_t address, unsigned offset, unsigned size) {
    uint32_t value = UINT32_MAX;
    if (has_ecam) {
        volatile uint8_t *at = ecam_register(address, offset);
        if (at) value = size == 1 ? mmio_read8(at) : size == 2 ? mmio_read16(at) : mmio_read32(at);
    } else if (offset < 256) {
        sys_port_io(ports, port_select(address, offset), size, 0, &value, 1);
    }
    return size == 4 ? value : value & ((1u << 8 * size) - 1);
}

void config_write(uint16_t address, unsigned offset, unsigned size, uint32_t value) {
    volatile uint8_t *at = has_ecam ? ecam_register(address, offset) : nullptr;
    if (at && size == 1) mmio_write8(at, (uint8_t)value);
    else if (at && size == 2) mmio_write16(at, (uint16_t)value);
    else if (at) mmio_write32(at, value);
    else if (!has_ecam && offset < 256) sys_port_io(ports, port_select(address, offset), size, 1, &value, 1);
}
