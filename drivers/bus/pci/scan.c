// SPDX-License-Identifier: MIT
/*
 * Finding functions: bus 0 and what lies behind bridges that the firmware has numbered.
 *
 * A BAR's size is learned by writing ones to it, with decoding off for that moment. A server that was
 * restarted must not do that to devices at work: sizes are kept in memory that the supervisor holds.
 *
 * Later, a bus on which something happened is looked at again. What has gone takes its drivers along; one that
 * is to go is kept until they have ended.
 */
#include "server.h"
#include <stdio.h>
#include <string.h>

#define PAGE 4096ul
#define LEAVE_NS (5 * 1000000000LL)

struct function functions[FUNCTIONS_MAX];
unsigned function_count;

static struct kept { /* in the memory that outlives us */
    uint32_t count, reserved;
    struct {
        uint16_t address, vendor, device, reserved;
        struct pci_bar bars[PCI_BARS];
    } entries[FUNCTIONS_MAX];
} *kept;
#define KEPT_BYTES ((sizeof(struct kept) + PAGE - 1) & ~(PAGE - 1))

struct function *function_at(uint16_t address) {
    for (unsigned i = 0; i < function_count; i++)
        if (functions[i].address == address) return &functions[i];
    return nullptr;
}

struct function *bridge_to(unsigned bus) {
    for (unsigned i = 0; i < function_count && bus != 0; i++)
        if (functions[i].info.header_type == PCI_HEADER_BRIDGE &&
            config_read(functions[i].address, PCI_SECONDARY_BUS, 1) == bus)
            return &functions[i];
    return nullptr;
}

/* --- BARs --- */
static uint32_t bar_probe(uint16_t address, unsigned offset, uint32_t *old) {
    *old = config_read(address, offset, 4);
    config_write(address, offset, 4, UINT32_MAX);
    uint32_t mask = config_read(address, offset, 4);
    config_write(address, offset, 4, *old);
    return mask;
}

/* One BAR; the number of registers it takes. */
static unsigned bar_read(uint16_t address, unsigned offset, bool may_be_64, struct pci_bar *out) {
    uint32_t low, high = 0, high_mask = UINT32_MAX;
    uint32_t mask = bar_probe(address, offset, &low);
    bool ports = low & PCI_BAR_IS_PORTS, wide = !ports && (low & PCI_BAR_TYPE) == PCI_BAR_IS_64 && may_be_64;
    if (wide) high_mask = bar_probe(address, offset + 4, &high);
    uint32_t bits = ports ? 3 : 15;
    uint64_t decoded = (uint64_t)high_mask << 32 | (mask & ~bits);
    if (mask != 0 && mask != UINT32_MAX && (mask & ~bits || wide)) {
        *out = (struct pci_bar){.address = (uint64_t)high << 32 | (low & ~bits), .size = ~decoded + 1};
        if (ports) { /* the upper half may be hard-wired to 0 */
            out->size = (~(mask & ~bits) & 0xffff) + 1;
            out->flags = PCI_BAR_PORTS;
        } else {
            out->flags = (wide ? PCI_BAR_64 : 0) | (low & PCI_BAR_IS_PREFETCHABLE ? PCI_BAR_PREFETCHABLE : 0);
        }
    }
    return wide ? 2 : 1;
}

static void bars_read(struct function *f) {
    uint32_t header = f->info.header_type;
    unsigned count = header == 0 ? PCI_BARS : header == PCI_HEADER_BRIDGE ? 2 : 0;
    if (f->info.class_code >> 8 == PCI_CLASS_HOST_BRIDGE) return; /* decodes memory itself */
    uint16_t command = (uint16_t)config_read(f->address, PCI_COMMAND, 2);
    config_write(f->address, PCI_COMMAND, 2, command & ~(PCI_COMMAND_PORTS | PCI_COMMAND_MEMORY));
    for (unsigned i = 0; i < count;) i += bar_read(f->address, PCI_BAR0 + 4 * i, i + 1 < count, &f->info.bars[i]);
    config_write(f->address, PCI_COMMAND, 2, command);
}

static bool bars_missing(const struct function *f) {
    for (unsigned b = 0; b < PCI_BARS; b++)
        if (f->info.bars[b].size && !f->info.bars[b].address) return true;
    return false;
}

static bool bars_recall(struct function *f) {
    for (uint32_t i = 0; kept && i < kept->count && i < FUNCTIONS_MAX; i++) {
        if (kept->entries[i].address != f->address || kept->entries[i].vendor != f->info.vendor ||
            kept->entries[i].device != f->info.device_id)
            continue;
        memcpy(f->info.bars, kept->entries[i].bars, sizeof(f->info.bars));
        return true;
    }
    return false;
}

bool page_is_shared(const struct function *f, uint64_t page) {
    for (unsigned i = 0; i < function_count; i++)
        for (unsigned b = 0; b < PCI_BARS; b++) {
            const struct pci_bar *bar = &functions[i].info.bars[b];
            bool memory = bar->size && !(bar->flags & PCI_BAR_PORTS) && bar->address;
            if (memory && &functions[i] != f && bar->address < page + PAGE && page < bar->address + bar->size)
                return true;
        }
    return false;
}

/* --- capabilities --- */
static void withhold(uint64_t range[2], uint64_t start, uint64_t size) {
    range[0] = start & ~(PAGE - 1);
    range[1] = (start + size + PAGE - 1) & ~(PAGE - 1);
}

/* A table outside of its BAR is none. */
static void msix_read(struct function *f) {
    uint32_t count = (config_read(f->address, f->msix + MSIX_CONTROL, 2) & MSIX_SIZE) + 1;
    uint32_t table = config_read(f->address, f->msix + MSIX_TABLE, 4);
    uint32_t pending = config_read(f->address, f->msix + MSIX_PENDING, 4);
    const struct pci_bar *bar = (table & 7) < PCI_BARS ? &f->info.bars[table & 7] : nullptr;
    const struct pci_bar *other = (pending & 7) < PCI_BARS ? &f->info.bars[pending & 7] : nullptr;
    uint64_t bytes = 16ul * count;
    if (!bar || !bar->address || bar->flags & PCI_BAR_PORTS || (table & ~7u) + bytes > bar->size || !other) {
        f->msix = 0;
        return;
    }
    f->table = bar->address + (table & ~7u);
    withhold(f->withheld[0], f->table, bytes);
    withhold(f->withheld[1], other->address + (pending & ~7u), (count + 63) / 64 * 8);
    f->info.messages = count;
    f->info.interrupt_kind = PCI_MSIX;
}

static void capabilities_read(struct function *f) {
    if (config_read(f->address, PCI_INTERRUPT_PIN, 1)) f->info.interrupt_kind = PCI_LINE;
    if (config_read(f->address, PCI_STATUS, 2) & PCI_STATUS_CAPABILITIES) {
        unsigned at = config_read(f->address, PCI_CAPABILITIES, 1) & 0xfc;
        for (unsigned n = 0; at >= 0x40 && n < 48; n++) { /* a circle ends */
            unsigned id = config_read(f->address, at, 1);
            if (id == PCI_CAPABILITY_MSI) f->msi = at;
            if (id == PCI_CAPABILITY_MSIX) f->msix = at;
            if (id == PCI_CAPABILITY_EXPRESS) f->express = at;
            at = config_read(f->address, at + 1, 1) & 0xfc;
        }
    }
    if (f->msi) f->info.interrupt_kind = PCI_MSI;
    if (f->info.interrupt_kind) f->info.messages = 1;
    if (f->msix) msix_read(f);
}

/* --- functions and buses --- */
static void bus_scan(unsigned bus, unsigned depth);

static void function_add(uint16_t address, unsigned depth) {
    if (function_count == FUNCTIONS_MAX) {
        service_log("pci: more than %d functions", FUNCTIONS_MAX);
        return;
    }
    uint32_t class_revision = config_read(address, PCI_REVISION, 4);
    struct function *f = &functions[function_count++];
    *f = (struct function){
        .address = address,
        .info = {.bus = (uint8_t)(address >> 8),
                 .device = address >> 3 & 31,
                 .function = address & 7,
                 .vendor = (uint16_t)config_read(address, PCI_VENDOR, 2),
                 .device_id = (uint16_t)config_read(address, PCI_DEVICE, 2),
                 .class_code = class_revision >> 8,
                 .revision = (uint8_t)class_revision,
                 .header_type = config_read(address, PCI_HEADER, 1) & 0x7f},
    };
    snprintf(f->name, sizeof(f->name), "%02x:%02x.%x", f->info.bus, f->info.device, f->info.function);
    if (f->info.header_type == 0) {
        f->info.subsystem_vendor = (uint16_t)config_read(address, PCI_SUBSYSTEM_VENDOR, 2);
        f->info.subsystem = (uint16_t)config_read(address, PCI_SUBSYSTEM_VENDOR + 2, 2);
    }
    if (!bars_recall(f)) bars_read(f);
    if (bars_missing(f)) bars_place(f);
    capabilities_read(f);
    if (f->info.header_type != PCI_HEADER_BRIDGE) return;
    unsigned secondary = config_read(address, PCI_SECONDARY_BUS, 1);
    if (secondary > f->info.bus) bus_scan(secondary, depth + 1);
    else service_log("pci: %s: the firmware has not numbered what is behind this bridge", f->name);
}

static void bus_scan(unsigned bus, unsigned depth) {
    if (depth > BRIDGES_MAX) return; /* registers that read nonsense */
    for (unsigned device = 0; device < 32; device++) {
        uint16_t address = (uint16_t)(bus << 8 | device << 3);
        if (config_read(address, PCI_VENDOR, 2) == 0xffff) continue;
        unsigned many = config_read(address, PCI_HEADER, 1) & PCI_HEADER_MANY ? 8 : 1;
        for (unsigned n = 0; n < many; n++)
            if (config_read(address + (uint16_t)n, PCI_VENDOR, 2) != 0xffff && !function_at(address + (uint16_t)n))
                function_add(address + (uint16_t)n, depth);
    }
}

static struct kept *kept_map(handle_t h) {
    long at = sys_vm_map(0, KEPT_BYTES, VM_READ | VM_WRITE | VM_SHARED, h, 0);
    return at < 0 ? nullptr : (struct kept *)at;
}

static void sizes_keep(void) {
    for (unsigned i = 0; kept && i < function_count; i++) {
        const struct pci_function_info *info = &functions[i].info;
        kept->entries[i].address = functions[i].address;
        kept->entries[i].vendor = info->vendor;
        kept->entries[i].device = info->device_id;
        memcpy(kept->entries[i].bars, info->bars, sizeof(info->bars));
    }
    if (kept) kept->count = function_count;
}

static void kept_make(void) {
    long h = sys_memory_create(KEPT_BYTES, 0, HANDLE_NONE, 0);
    kept = h < 0 ? nullptr : kept_map((handle_t)h);
    if (!kept) return;
    sizes_keep();
    service_tell(&(struct service_message){.kind = SERVICE_KEEP}, (handle_t)h);
    sys_handle_close((handle_t)h);
}

void scan(void) {
    struct handle_info info;
    if (sys_handle_info(SERVICE_KEPT, &info) >= 0 && info.type == OBJECT_MEMORY) kept = kept_map(SERVICE_KEPT);
    bus_scan(0, 0);
    if (kept) sizes_keep();
    else kept_make();
}

/* --- coming and going --- */
/* The last one takes its place: pointers to functions don't outlive a request. */
static void function_remove(struct function *f) {
    service_log("pci: %s has gone", f->name);
    function_free(f);
    *f = functions[--function_count];
    functions[function_count] = (struct function){};
}

static void leave(struct function *f, uint16_t with) {
    if (f->leave_ns) return;
    struct service_message m = {.kind = SERVICE_FUNCTION_GONE};
    memcpy(m.name, f->name, sizeof(m.name));
    f->leaves_with = with;
    f->leave_ns = f->info.header_type == 0 ? time_ns() + LEAVE_NS : 1; /* nobody has a bridge's file */
    if (f->info.header_type == 0) service_tell(&m, HANDLE_NONE);
}

static bool is_behind(const struct function *f, const struct function *bridge) {
    return bridge->info.header_type == PCI_HEADER_BRIDGE && f->info.bus != 0 &&
           f->info.bus >= config_read(bridge->address, PCI_SECONDARY_BUS, 1) &&
           f->info.bus <= config_read(bridge->address, PCI_SUBORDINATE_BUS, 1);
}

/* The device has nothing left that anybody uses: it may lose power. */
static void ejects_finish(uint16_t address) {
    for (unsigned i = 0; i < function_count; i++)
        if (functions[i].leave_ns > 1 && functions[i].leaves_with == address) return;
    for (unsigned i = 0; i < function_count;)
        if (functions[i].leave_ns && functions[i].leaves_with == address) function_remove(&functions[i]);
        else i++;
    sizes_keep();
    if (!slot_ejected(address)) platform_ejected(address);
}

void device_eject(uint16_t address) {
    for (unsigned i = 0; i < function_count; i++) {
        if ((functions[i].address & ~7) != address) continue;
        for (unsigned k = 0; k < function_count; k++)
            if (is_behind(&functions[k], &functions[i])) leave(&functions[k], address);
        leave(&functions[i], address);
    }
    ejects_finish(address);
}

void function_closed(struct function *f) {
    if (!f->leave_ns) return;
    f->leave_ns = 1;
    ejects_finish(f->leaves_with);
}

int64_t ejects_timeout(int64_t now) {
    int64_t next = DEADLINE_NEVER;
    for (unsigned i = 0; i < function_count; i++) {
        struct function *f = &functions[i];
        if (f->leave_ns > 1 && f->leave_ns <= now) {
            function_release(f, 0);
            function_closed(f);
            return now; /* the table has changed */
        }
        if (f->leave_ns > 1 && f->leave_ns < next) next = f->leave_ns;
    }
    return next;
}

void bus_changed(struct scheme *s, unsigned bus) {
    for (unsigned i = 0; i < function_count; i++) {
        struct function *f = &functions[i];
        if (f->info.bus != bus || f->leave_ns || config_read(f->address, PCI_VENDOR, 2) == f->info.vendor) continue;
        device_eject(f->address & ~7u);
        i = UINT32_MAX; /* the table may have changed */
    }
    unsigned before = function_count;
    bus_scan(bus, 0);
    sizes_keep();
    for (unsigned i = before; i < function_count; i++) {
        service_log("pci: %s has come", functions[i].name);
        if (functions[i].info.header_type == 0) function_report(s, &functions[i]);
    }
}
