// SPDX-License-Identifier: MIT
/* Where interrupt pins end behind bridges, and room for the BARs of what was plugged in. */
#include "server.h"
#include <stdarg.h>
#include <unit.h>

struct function functions[FUNCTIONS_MAX];
unsigned function_count;
static uint8_t space[16][256]; /* of the functions, by place in the table */

static uint8_t *space_of(uint16_t address) {
    for (unsigned i = 0; i < function_count; i++)
        if (functions[i].address == address) return space[i];
    return nullptr;
}
uint32_t config_read(uint16_t address, unsigned offset, unsigned size) {
    uint32_t value = 0;
    memcpy(&value, space_of(address) + offset, size);
    return value;
}
void config_write(uint16_t address, unsigned offset, unsigned size, uint32_t value) {
    memcpy(space_of(address) + offset, &value, size);
}
struct function *bridge_to(unsigned bus) {
    for (unsigned i = 0; bus && i < function_count; i++)
        if (functions[i].info.header_type == PCI_HEADER_BRIDGE && space[i][PCI_SECONDARY_BUS] == bus)
            return &functions[i];
    return nullptr;
}
static unsigned complaints;
void service_log(const char *format, ...) { complaints++; }

static struct function *add(unsigned bus, unsigned device, unsigned pin, unsigned secondary) {
    struct function *f = &functions[function_count];
    memset(space[function_count], 0, sizeof(space[0]));
    *f = (struct function){.address = PCI_ADDRESS(bus, device, 0), .name = "x"};
    f->info.bus = (uint8_t)bus;
    f->info.device = (uint8_t)device;
    f->info.header_type = secondary ? PCI_HEADER_BRIDGE : 0;
    space[function_count][PCI_INTERRUPT_PIN] = (uint8_t)pin;
    space[function_count++][PCI_SECONDARY_BUS] = (uint8_t)secondary;
    return f;
}
static void start(void) {
    function_count = 0;
    route_count = 0;
    complaints = 0;
}
static void route(unsigned bus, unsigned device, unsigned pin, unsigned interrupt) {
    routes[route_count++] = (struct pci_route){(uint8_t)bus, (uint8_t)device, (uint8_t)pin, 1, interrupt};
}
static unsigned end_of(const struct function *f) {
    const struct pci_route *r = route_of(f);
    return r ? r->interrupt : 0;
}

TEST(pins_of_a_root_bus) {
    start();
    route(0, 3, 1, 16);
    route(0, 3, 2, 17);
    static const unsigned ends[] = {0, 16, 17, 0, 0, 0};
    struct function *f = add(0, 3, 1, 0);
    for (unsigned pin = 0; pin < 6; pin++) {
        space[0][PCI_INTERRUPT_PIN] = (uint8_t)pin;
        CHECK(end_of(f) == ends[pin]);
    }
    CHECK(end_of(add(0, 4, 1, 0)) == 0);
}

TEST(bridges_pass_pins_on) {
    start();
    for (unsigned pin = 1; pin <= 4; pin++) route(0, 9, pin, 20 + pin);
    add(0, 9, 1, 1);
    CHECK(end_of(add(1, 0, 1, 0)) == 21 && end_of(add(1, 3, 1, 0)) == 24 && end_of(add(1, 6, 4, 0)) == 22);
    add(1, 2, 1, 2);
    CHECK(end_of(add(2, 1, 1, 0)) == 24); /* A → B at device 1, → D at device 2 */
    route(2, 1, 1, 40); /* the firmware knows better */
    CHECK(end_of(&functions[function_count - 1]) == 40);
}

TEST(bridges_in_a_circle_end) {
    start();
    add(1, 0, 1, 2);
    add(2, 0, 1, 1);
    CHECK(end_of(add(1, 1, 1, 0)) == 0);
}

static void memory_window(struct function *bridge, uint32_t first, uint32_t last) {
    config_write(bridge->address, PCI_MEMORY_BASE, 2, first >> 16 & 0xfff0);
    config_write(bridge->address, PCI_MEMORY_LIMIT, 2, last >> 16 & 0xfff0);
}
static struct function *plugged(void) {
    start();
    struct function *bridge = add(0, 1, 1, 1);
    memory_window(bridge, 0xfe000000, 0xfe1fffff);
    config_write(bridge->address, PCI_PREFETCH_BASE, 2, 0x0001);
    config_write(bridge->address, PCI_PREFETCH_LIMIT, 2, 0x0001);
    config_write(bridge->address, PCI_PREFETCH_BASE_HIGH, 4, 8);
    config_write(bridge->address, PCI_PREFETCH_LIMIT_HIGH, 4, 8);
    config_write(bridge->address, PCI_IO_BASE, 1, 0xc1);
    config_write(bridge->address, PCI_IO_LIMIT, 1, 0xc1);
    return add(1, 0, 1, 0);
}

TEST(bars_get_room) {
    struct function *f = plugged();
    f->info.bars[0] = (struct pci_bar){.size = 0x80, .flags = PCI_BAR_PORTS};
    f->info.bars[1] = (struct pci_bar){.size = 0x1000};
    f->info.bars[2] = (struct pci_bar){.size = 0x100000};
    f->info.bars[4] = (struct pci_bar){.size = 0x4000, .flags = PCI_BAR_64 | PCI_BAR_PREFETCHABLE};
    bars_place(f);
    CHECK(f->info.bars[0].address == 0xc000 && f->info.bars[2].address == 0xfe000000);
    CHECK(f->info.bars[1].address == 0xfe100000 && f->info.bars[4].address == 0x800000000);
    CHECK(config_read(f->address, PCI_BAR0 + 16, 4) == 0 && config_read(f->address, PCI_BAR0 + 20, 4) == 8);
    CHECK(config_read(functions[0].address, PCI_COMMAND, 2) & PCI_COMMAND_MASTER && !complaints);
    struct function *second = add(1, 1, 1, 0);
    second->info.bars[0] = (struct pci_bar){.size = 0x2000};
    second->info.bars[1] = (struct pci_bar){.size = 0x80, .flags = PCI_BAR_PORTS};
    bars_place(second);
    CHECK(second->info.bars[0].address == 0xfe102000 && second->info.bars[1].address == 0xc080);
}

TEST(no_room) {
    struct function *f = plugged();
    f->info.bars[0] = (struct pci_bar){.size = 0x400000};
    f->info.bars[1] = (struct pci_bar){.size = 0x1000, .flags = PCI_BAR_PREFETCHABLE}; /* 32 bits: not above 4 GiB */
    bars_place(f);
    CHECK(!f->info.bars[0].address && complaints == 1 && f->info.bars[1].address == 0xfe000000);
    memory_window(&functions[0], 0xfff00000, 0); /* closed */
    f->info.bars[1].address = 0;
    bars_place(f);
    CHECK(!f->info.bars[1].address && complaints == 3);
}

UNIT_MAIN
