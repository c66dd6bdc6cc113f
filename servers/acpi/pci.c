// SPDX-License-Identifier: MIT
/*
 * What the firmware knows of PCI, for the PCI server: where interrupt pins end (_PRT, ACPI 6.4 §6.2.13, and the
 * link devices that it names, §6.2.12), who handles the slots (_OSC, PCI Firmware 3.2 §4.5), and what happens in
 * those that are the firmware's (notifications, §5.6.6; _EJ0).
 */
#include "server.h"
#include <stdio.h>
#include <string.h>

#define ROOT_BRIDGE_ID "PNP0A03" /* a PCI Express one has it as compatible id */
#define DEPTH_MAX 32
#define LINKS_MAX 64
#define EJECTS_MAX 32
#define PCI_HEADER 0x0e
#define PCI_HEADER_BRIDGE 1
#define PCI_SECONDARY_BUS 0x19
#define FUNCTION_ANY 0xffff /* in _ADR */

enum { ROUTE_LEVEL = 1, ROUTE_LOW = 2 }; /* HARDWARE_IRQ */
enum notification { BUS_CHECK = 0, DEVICE_CHECK = 1, EJECT_REQUEST = 3 };
enum osc_support { OSC_EXTENDED_CONFIG = 1 << 0, OSC_MSI = 1 << 4 };
enum osc_control { OSC_NATIVE_HOTPLUG = 1 << 0, OSC_CAPABILITIES = 1 << 4 };

static handle_t file = HANDLE_NONE, news = HANDLE_NONE; /* the PCI server's root directory; our end */
static struct pci_route routes[PCI_ROUTES_MAX];
static size_t route_count;
static bool native;

static struct link {
    acpi_handle device;
    uint32_t interrupt; /* 0: has none */
    uint8_t flags;
} links[LINKS_MAX];
static unsigned link_count;

static struct {
    acpi_handle device; /* null: free */
    uint16_t address;
} ejects[EJECTS_MAX];

/* --- the PCI server --- */
static bool file_open(void) {
    static const char name[] = "pci:";
    struct call_args args = {.request = {.op = OP_OPEN, .args = {FILE_READ_ONLY}, .length = sizeof(name) - 1},
                             .in = name,
                             .carry = HANDLE_NONE,
                             .handle_flags = HANDLE_IN_UPPER,
                             .deadline = DEADLINE_NEVER};
    if (file == HANDLE_NONE && sys_call(HANDLE_NAMESPACE, &args) >= 0) file = args.reply.handle;
    return file != HANDLE_NONE;
}

int64_t pci_request(enum pci_platform_op op, uint64_t a, uint64_t b, uint64_t c) {
    struct call_args args = {
        .request = {.op = (uint16_t)op, .args = {a, b, c}}, .carry = HANDLE_NONE, .deadline = DEADLINE_NEVER};
    return file_open() ? sys_call(file, &args) : -EIO;
}

/* The PCI server's next instance is told the same. */
static void tell(struct scheme *s) {
    handle_t ends[2];
    if (news != HANDLE_NONE) {
        (void)!scheme_event_delete(s, news);
        sys_handle_close(news);
        news = HANDLE_NONE;
    }
    if (!file_open() || sys_channel_create(CHANNEL_MESSAGES | HANDLE_IN_UPPER << 16, 4096, ends) < 0) return;
    struct call_args args = {.request = {.op = PCI_PLATFORM_ATTACH,
                                         .args = {native ? PCI_PLATFORM_SLOTS : 0},
                                         .length = (uint32_t)(route_count * sizeof(routes[0]))},
                             .in = routes,
                             .carry = ends[1],
                             .deadline = DEADLINE_NEVER};
    long e = sys_call(file, &args);
    sys_handle_close(ends[1]);
    news = ends[0];
    if (e >= 0) e = scheme_event_add(s, news, EVENT_IN | EVENT_HANGUP, KEY_PCI);
    if (e < 0) service_log("acpi: the PCI server doesn't listen: error %d", (int)-e);
}

/* --- devices of the namespace --- */
static bool integer_of(acpi_handle device, char *name, u64 *out) {
    union acpi_object value;
    struct acpi_buffer buffer = {sizeof(value), &value};
    if (ACPI_FAILURE(acpi_evaluate_object_typed(device, name, nullptr, &buffer, ACPI_TYPE_INTEGER))) return false;
    *out = value.integer.value;
    return true;
}

static bool is_root_bridge(acpi_handle device) {
    struct acpi_device_info *info;
    if (ACPI_FAILURE(acpi_get_object_info(device, &info))) return false;
    bool is = info->flags & ACPI_PCI_ROOT_BRIDGE;
    acpi_os_free(info);
    return is;
}

/* The bus behind a bridge, of the root or not; -1: none. */
static int bus_behind(acpi_handle device) {
    u64 bus = 0;
    if (is_root_bridge(device)) {
        integer_of(device, "_BBN", &bus);
        return (uint8_t)bus;
    }
    int address = pci_address(device);
    if (address < 0) return -1;
    int64_t header = pci_request(PCI_PLATFORM_READ, (uint64_t)address, PCI_HEADER, 1);
    if (header < 0 || (header & 0x7f) != PCI_HEADER_BRIDGE) return -1;
    int64_t secondary = pci_request(PCI_PLATFORM_READ, (uint64_t)address, PCI_SECONDARY_BUS, 1);
    return secondary > 0 ? (int)secondary : -1;
}

int pci_address(acpi_handle device) {
    acpi_handle parent;
    u64 own;
    if (!integer_of(device, "_ADR", &own) || ACPI_FAILURE(acpi_get_parent(device, &parent))) return -1;
    int bus = bus_behind(parent);
    unsigned function = (own & 0xffff) == FUNCTION_ANY ? 0 : own & 7;
    return bus < 0 ? -1 : PCI_ADDRESS(bus, own >> 16 & 31, function);
}

/* --- interrupts --- */
static void link_set(struct link *l, uint32_t interrupt, bool level, bool low) {
    l->interrupt = interrupt;
    l->flags = (level ? ROUTE_LEVEL : 0) | (low ? ROUTE_LOW : 0);
}

static acpi_status link_resource(struct acpi_resource *r, void *context) {
    const struct acpi_resource_irq *irq = &r->data.irq;
    const struct acpi_resource_extended_irq *extended = &r->data.extended_irq;
    if (r->type == ACPI_RESOURCE_TYPE_IRQ && irq->interrupt_count)
        link_set(context, irq->interrupts[0], irq->triggering == ACPI_LEVEL_SENSITIVE,
                 irq->polarity == ACPI_ACTIVE_LOW);
    else if (r->type == ACPI_RESOURCE_TYPE_EXTENDED_IRQ && extended->interrupt_count)
        link_set(context, extended->interrupts[0], extended->triggering == ACPI_LEVEL_SENSITIVE,
                 extended->polarity == ACPI_ACTIVE_LOW);
    return AE_OK;
}

/* One that goes nowhere yet: to the last of the possible ones. */
static void link_choose(struct link *l) {
    struct acpi_buffer buffer = {ACPI_ALLOCATE_BUFFER, nullptr};
    if (ACPI_FAILURE(acpi_get_possible_resources(l->device, &buffer))) return;
    for (struct acpi_resource *r = buffer.pointer; r->type != ACPI_RESOURCE_TYPE_END_TAG; r = ACPI_NEXT_RESOURCE(r)) {
        struct acpi_resource_irq *irq = &r->data.irq;
        struct acpi_resource_extended_irq *extended = &r->data.extended_irq;
        if (r->type == ACPI_RESOURCE_TYPE_IRQ && irq->interrupt_count > 1) {
            irq->interrupts[0] = irq->interrupts[irq->interrupt_count - 1];
            irq->interrupt_count = 1;
        } else if (r->type == ACPI_RESOURCE_TYPE_EXTENDED_IRQ && extended->interrupt_count > 1) {
            extended->interrupts[0] = extended->interrupts[extended->interrupt_count - 1];
            extended->interrupt_count = 1;
        }
    }
    if (ACPI_SUCCESS(acpi_set_current_resources(l->device, &buffer)))
        acpi_walk_resources(l->device, "_CRS", link_resource, l);
    acpi_os_free(buffer.pointer);
}

static const struct link *link_of(char *path) {
    acpi_handle device;
    if (ACPI_FAILURE(acpi_get_handle(nullptr, path, &device))) return nullptr;
    for (unsigned i = 0; i < link_count; i++)
        if (links[i].device == device) return &links[i];
    if (link_count == LINKS_MAX) return nullptr;
    struct link *l = &links[link_count++];
    *l = (struct link){.device = device};
    acpi_walk_resources(device, "_CRS", link_resource, l);
    if (!l->interrupt) link_choose(l);
    return l;
}

static void route_add(uint8_t bus, const struct acpi_pci_routing_table *entry) {
    struct pci_route r = {.bus = bus,
                          .device = entry->address >> 16 & 31,
                          .pin = (uint8_t)(entry->pin + 1),
                          .flags = ROUTE_LEVEL | ROUTE_LOW,
                          .interrupt = entry->source_index};
    if (entry->source[0]) {
        const struct link *l = link_of((char *)entry->source);
        if (!l || !l->interrupt) return;
        r.interrupt = l->interrupt;
        r.flags = l->flags;
    }
    if (route_count < PCI_ROUTES_MAX) routes[route_count++] = r;
}

/* A device that has a _PRT: it is a bridge. */
static acpi_status routes_of(acpi_handle device, u32 depth, void *context, void **result) {
    struct acpi_buffer buffer = {ACPI_ALLOCATE_BUFFER, nullptr};
    acpi_handle table;
    if (ACPI_FAILURE(acpi_get_handle(device, "_PRT", &table))) return AE_OK;
    int bus = bus_behind(device);
    if (bus < 0 || ACPI_FAILURE(acpi_get_irq_routing_table(device, &buffer))) return AE_OK;
    for (struct acpi_pci_routing_table *e = buffer.pointer; e->length;
         e = (struct acpi_pci_routing_table *)((char *)e + e->length))
        route_add((uint8_t)bus, e);
    acpi_os_free(buffer.pointer);
    return AE_OK;
}

/* --- slots --- */
/* Whether we may handle the slots of PCI Express: the firmware says in its answer what it lets us have. */
static bool slots_ask(acpi_handle bridge) {
    static u8 uuid[] = {0x5b, 0x4d, 0xdb, 0x33, 0xf7, 0x1f, 0x1c, 0x40, 0x96, 0x57, 0x74, 0x41, 0xc0, 0x3d, 0xd7, 0x66};
    u32 words[3] = {0, OSC_EXTENDED_CONFIG | OSC_MSI, OSC_NATIVE_HOTPLUG | OSC_CAPABILITIES};
    union acpi_object arguments[4] = {
        {.buffer = {ACPI_TYPE_BUFFER, sizeof(uuid), uuid}},
        {.integer = {ACPI_TYPE_INTEGER, 1}},
        {.integer = {ACPI_TYPE_INTEGER, 3}},
        {.buffer = {ACPI_TYPE_BUFFER, sizeof(words), (u8 *)words}},
    };
    struct acpi_buffer answer = {ACPI_ALLOCATE_BUFFER, nullptr};
    if (ACPI_FAILURE(acpi_evaluate_object_typed(bridge, "_OSC", &(struct acpi_object_list){4, arguments}, &answer,
                                                ACPI_TYPE_BUFFER)))
        return false;
    const union acpi_object *o = answer.pointer;
    if (o->buffer.length >= sizeof(words)) memcpy(words, o->buffer.pointer, sizeof(words));
    else words[2] = 0;
    acpi_os_free(answer.pointer);
    return words[2] & OSC_NATIVE_HOTPLUG;
}

static acpi_status root_found(acpi_handle bridge, u32 depth, void *context, void **result) {
    if (slots_ask(bridge)) native = true;
    routes_of(bridge, 0, nullptr, nullptr);
    acpi_walk_namespace(ACPI_TYPE_DEVICE, bridge, DEPTH_MAX, routes_of, nullptr, nullptr, nullptr);
    return AE_OK;
}

void pci_attach(struct scheme *s) {
    acpi_get_devices(ROOT_BRIDGE_ID, root_found, nullptr, nullptr);
    tell(s);
}

void pci_notify(acpi_handle device, u32 value) {
    if (value == BUS_CHECK || value == DEVICE_CHECK) {
        int bus = bus_behind(device);
        int address = bus >= 0 && value == BUS_CHECK ? bus << 8 : pci_address(device);
        if (address >= 0) pci_request(PCI_PLATFORM_SCAN, (uint64_t)address >> 8, 0, 0);
        return;
    }
    int address = value == EJECT_REQUEST ? pci_address(device) : -1;
    for (unsigned i = 0; i < EJECTS_MAX; i++) /* it is asked for again until it is done */
        if (ejects[i].device == device) return;
    for (unsigned i = 0; address >= 0 && i < EJECTS_MAX; i++) {
        if (ejects[i].device) continue;
        ejects[i].device = device;
        ejects[i].address = (uint16_t)(address & ~7);
        if (pci_request(PCI_PLATFORM_EJECT, ejects[i].address, 0, 0) < 0) ejects[i].device = nullptr;
        return;
    }
}

/* Whatever was plugged in meanwhile is looked for. */
static void eject(acpi_handle device, unsigned bus) {
    union acpi_object now = {.integer = {ACPI_TYPE_INTEGER, 1}};
    acpi_status status = acpi_evaluate_object(device, "_EJ0", &(struct acpi_object_list){1, &now}, nullptr);
    if (ACPI_FAILURE(status)) service_log("acpi: cannot eject a device: %s", acpi_format_exception(status));
    pci_request(PCI_PLATFORM_SCAN, bus, 0, 0);
}

void pci_news(struct scheme *s) {
    for (;;) {
        struct pci_platform_news n;
        struct io_vector v = {&n, sizeof(n)};
        struct channel_message message = {.vectors = &v, .vector_count = 1, .to = HANDLE_NONE};
        long size = sys_channel_receive(news, &message, 0);
        if (size == -EAGAIN) return;
        if (size != sizeof(n)) break;
        for (unsigned i = 0; i < EJECTS_MAX; i++) {
            if (!ejects[i].device || ejects[i].address != n.address) continue;
            acpi_handle device = ejects[i].device;
            ejects[i].device = nullptr;
            eject(device, n.address >> 8);
        }
    }
    memset(ejects, 0, sizeof(ejects)); /* it doesn't know of them any more */
    tell(s);
}

int pci_describe(char *out, size_t room) {
    return snprintf(out, room, "routes %zu\nslots %s\n", route_count, native ? "native" : "firmware");
}
