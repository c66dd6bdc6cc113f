// SPDX-License-Identifier: MIT
/* The PCI server's parts. A function is named by its address: bus << 8 | device << 3 | function. */
#pragma once
#include "pci_hw.h"
#include <pci.h>
#include <pci_platform.h>
#include <scheme.h>
#include <service.h>

#define FUNCTIONS_MAX 128
#define BRIDGES_MAX 16 /* one behind the other */
#define NAME_SIZE 16

struct dma_block { /* minted for a driver; our handle keeps it while the device may write to it */
    struct dma_block *next;
    handle_t memory;
    uint64_t physical, size;
};
struct function {
    uint16_t address;
    char name[NAME_SIZE]; /* "00:1f.2" */
    struct pci_function_info info;
    unsigned msi, msix, express; /* offsets of the capabilities, 0: none */
    uint64_t table; /* physical address of the MSI-X table */
    uint64_t withheld[2][2]; /* physical ranges, whole pages: MSI-X table, pending bits */
    volatile uint32_t *entries; /* the table, mapped at first use */
    handle_t *interrupts; /* by number, HANDLE_NONE: not yet asked for */
    uint32_t holder; /* pid of the driver, 0: none */
    struct dma_block *blocks, *stale; /* the holder's; of earlier ones, until the device is reset */
    uint64_t dma_bytes;
    int64_t leave_ns; /* not 0: it is to go, at this time whoever still has its file */
    uint16_t leaves_with; /* the device that is ejected */
};
extern struct function functions[FUNCTIONS_MAX];
extern unsigned function_count;

/* --- config.c --- */
/* Finds the way to configuration space. 0 or -errno. */
int config_init(void);
uint32_t config_read(uint16_t address, unsigned offset, unsigned size);
void config_write(uint16_t address, unsigned offset, unsigned size, uint32_t value);
static inline void config_change(uint16_t address, unsigned offset, uint16_t clear, uint16_t set) {
    uint16_t old = (uint16_t)config_read(address, offset, 2);
    config_write(address, offset, 2, (uint16_t)((old & ~clear) | set));
}
/* Maps device or firmware memory, whole pages around it. Null: error. */
volatile void *physical_map(uint64_t physical, size_t size, enum mmio_cache cache);

/* --- acpi.c --- */
struct ecam {
    uint64_t base; /* of bus 0 */
    uint8_t first, last; /* buses */
};
/* The first entry of MCFG: 0, or -ENOENT. */
int acpi_find_ecam(struct ecam *out);

/* --- scan.c --- */
/* What is there at the start. */
void scan(void);
/* Functions on this bus, or behind it, may have come or gone. */
void bus_changed(struct scheme *s, unsigned bus);
struct function *function_at(uint16_t address);
struct function *bridge_to(unsigned bus); /* null: it is a root bus */
/* Lets a device go, with what is behind it: their drivers end, then device_gone(). */
void device_eject(uint16_t address);
void function_closed(struct function *f); /* nobody has its file any more */
int64_t ejects_timeout(int64_t now);
bool page_is_shared(const struct function *f, uint64_t page);

/* --- function.c: what its driver may do --- */
int64_t function_request(struct scheme *s, struct function *f, struct port_buffer *call);
/* The driver has gone, or there is another one: the device is quiet until pci_enable(). */
void function_release(struct function *f, uint32_t holder);
/* The device is no more. */
void function_free(struct function *f);

/* --- interrupt.c --- */
handle_t interrupt_get(struct function *f, unsigned number);
int interrupt_mask(struct function *f, unsigned number, bool masked);
void interrupts_release(struct function *f);
void interrupts_free(struct function *f);

/* --- window.c --- */
void bars_place(struct function *f);

/* --- main.c --- */
enum { KEY_SUPERVISOR, KEY_SLOT }; /* of events; KEY_SLOT and up: slots */
void function_report(struct scheme *s, const struct function *f);

/* --- route.c --- */
extern struct pci_route routes[PCI_ROUTES_MAX];
extern size_t route_count;
/* Where the function's pin ends; null: that isn't known. */
const struct pci_route *route_of(const struct function *f);

/* --- platform.c --- */
int64_t time_ns(void);
void platform_start(void);
int64_t platform_request(struct scheme *s, struct port_buffer *call);
/* 0 if all is known that there is to know of routes; else parks the request. */
int64_t platform_wait(struct scheme *s, struct port_buffer *call);
int64_t platform_timeout(struct scheme *s, int64_t now);
void platform_ejected(uint16_t address);

/* --- slot.c --- */
void slots_start(struct scheme *s);
void slot_event(unsigned number);
bool slot_ejected(uint16_t address); /* true: it was in one of these slots */
int64_t slots_timeout(struct scheme *s, int64_t now);
