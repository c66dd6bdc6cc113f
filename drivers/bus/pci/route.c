// SPDX-License-Identifier: MIT
/* Where interrupt pins end, as the firmware's interpreter told it. */
#include "server.h"

#define PINS 4

struct pci_route routes[PCI_ROUTES_MAX];
size_t route_count;

static const struct pci_route *route_find(unsigned bus, unsigned device, unsigned pin, bool *bus_known) {
    *bus_known = false;
    for (size_t i = 0; i < route_count; i++) {
        if (routes[i].bus != bus) continue;
        *bus_known = true;
        if (routes[i].device == device && routes[i].pin == pin) return &routes[i];
    }
    return nullptr;
}

/* PCI-to-PCI Bridge 1.2 §9.1: a bridge passes the pins of the devices behind it on, each in its turn. */
const struct pci_route *route_of(const struct function *f) {
    unsigned pin = config_read(f->address, PCI_INTERRUPT_PIN, 1), bus = f->info.bus, device = f->info.device;
    for (unsigned depth = 0; pin >= 1 && pin <= PINS && depth < BRIDGES_MAX; depth++) {
        bool bus_known;
        const struct pci_route *r = route_find(bus, device, pin, &bus_known);
        const struct function *bridge = bus_known ? nullptr : bridge_to(bus);
        if (!bridge) return r;
        pin = (pin - 1 + device) % PINS + 1;
        bus = bridge->info.bus;
        device = bridge->info.device;
    }
    return nullptr;
}
