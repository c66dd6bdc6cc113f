// SPDX-License-Identifier: MIT
/*
 * Addresses for a function that the firmware hasn't seen: its BARs get room in the windows of the bridge above it
 * (PCI-to-PCI Bridge 1.2 §3.2.5), which the firmware has made with some to spare.
 */
#include "server.h"

struct window {
    uint64_t start, end; /* end: the first address behind it */
};

/* A base or limit: bits 31:20 of a register's upper 12, and what lies above in another (0: nothing). */
static uint64_t bound(const struct function *bridge, unsigned low, unsigned high) {
    uint64_t above = high ? config_read(bridge->address, high, 4) : 0;
    return above << 32 | (config_read(bridge->address, low, 2) & 0xfff0ull) << 16;
}

/* The same of ports: bits 15:12. */
static uint64_t port_bound(const struct function *bridge, unsigned low, unsigned high) {
    return config_read(bridge->address, high, 2) << 16 | (config_read(bridge->address, low, 1) & 0xf0) << 8;
}

static struct window window_of(const struct function *bridge, bool ports, bool prefetchable) {
    if (ports)
        return (struct window){port_bound(bridge, PCI_IO_BASE, PCI_IO_BASE_HIGH),
                               port_bound(bridge, PCI_IO_LIMIT, PCI_IO_LIMIT_HIGH) + 0x1000};
    if (prefetchable)
        return (struct window){bound(bridge, PCI_PREFETCH_BASE, PCI_PREFETCH_BASE_HIGH),
                               bound(bridge, PCI_PREFETCH_LIMIT, PCI_PREFETCH_LIMIT_HIGH) + 0x100000};
    return (struct window){bound(bridge, PCI_MEMORY_BASE, 0), bound(bridge, PCI_MEMORY_LIMIT, 0) + 0x100000};
}

/* A BAR that overlaps [at, at + size), or null. */
static const struct pci_bar *bar_in(uint64_t at, uint64_t size, bool ports) {
    for (unsigned i = 0; i < function_count; i++)
        for (unsigned b = 0; b < PCI_BARS; b++) {
            const struct pci_bar *bar = &functions[i].info.bars[b];
            if (bar->size && bar->address && !(bar->flags & PCI_BAR_PORTS) == !ports && bar->address < at + size &&
                at < bar->address + bar->size)
                return bar;
        }
    return nullptr;
}

/* 0: no room. */
static uint64_t place_find(struct window w, const struct pci_bar *bar) {
    bool wide = bar->flags & PCI_BAR_64;
    uint64_t at = (w.start + bar->size - 1) & ~(bar->size - 1);
    for (const struct pci_bar *other; at && at < w.end && bar->size <= w.end - at;) {
        if (!wide && at + bar->size > 1ull << 32) return 0;
        other = bar_in(at, bar->size, bar->flags & PCI_BAR_PORTS);
        if (!other) return at;
        at = (other->address + other->size + bar->size - 1) & ~(bar->size - 1);
    }
    return 0;
}

static void bar_place(struct function *f, const struct function *bridge, unsigned number) {
    struct pci_bar *bar = &f->info.bars[number];
    bool ports = bar->flags & PCI_BAR_PORTS;
    uint64_t at = 0;
    if (bar->flags & PCI_BAR_PREFETCHABLE) at = place_find(window_of(bridge, ports, true), bar);
    if (!at) at = place_find(window_of(bridge, ports, false), bar);
    if (!at) {
        service_log("pci: %s: no room for BAR %u", f->name, number);
        return;
    }
    config_write(f->address, PCI_BAR0 + 4 * number, 4, (uint32_t)at);
    if (bar->flags & PCI_BAR_64) config_write(f->address, PCI_BAR0 + 4 * number + 4, 4, (uint32_t)(at >> 32));
    bar->address = at;
}

/* The largest first: nothing is wasted to alignment. */
void bars_place(struct function *f) {
    const struct function *bridge = bridge_to(f->info.bus);
    bool done[PCI_BARS] = {};
    for (;;) {
        int next = -1;
        for (int b = 0; b < PCI_BARS; b++) {
            const struct pci_bar *bar = &f->info.bars[b];
            if (!done[b] && bar->size && !bar->address && (next < 0 || bar->size > f->info.bars[next].size)) next = b;
        }
        if (next < 0) break;
        done[next] = true;
        if (bridge) bar_place(f, bridge, (unsigned)next);
        else service_log("pci: %s: no firmware has given BAR %d an address", f->name, next);
    }
    for (; bridge; bridge = bridge_to(bridge->info.bus))
        config_change(bridge->address, PCI_COMMAND, 0, PCI_COMMAND_PORTS | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}
