// SPDX-License-Identifier: MIT
/*
 * ACPICA's system layer: one thread, so locks are none; memory of the firmware's and ports by the hardware root;
 * configuration space by the PCI server, which alone owns it; what is put off runs from the loop.
 */
#include "server.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096ul
#define PORTS 0x10000
#define ISA_INTERRUPTS 16
#define IRQ_LEVEL_LOW 3

static struct scheme *scheme;
static handle_t ports;

int osl_init(struct scheme *s) {
    scheme = s;
    ports = (handle_t)sys_hardware_create(HANDLE_INIT_HARDWARE, HARDWARE_PORTS, 0, PORTS, 0);
    return ports < 0 ? ports : 0;
}

acpi_status acpi_os_initialize(void) { return AE_OK; }
acpi_status acpi_os_terminate(void) { return AE_OK; }

/* --- tables --- */
acpi_physical_address acpi_os_get_root_pointer(void) {
    uint64_t root = 0;
    sys_system_info(SYSTEM_ACPI_ROOT, &root, sizeof(root));
    return root;
}

acpi_status acpi_os_predefined_override(const struct acpi_predefined_names *object, acpi_string *value) {
    *value = nullptr;
    return AE_OK;
}

acpi_status acpi_os_table_override(struct acpi_table_header *existing, struct acpi_table_header **table) {
    *table = nullptr;
    return AE_OK;
}

acpi_status acpi_os_physical_table_override(struct acpi_table_header *existing, acpi_physical_address *address,
                                            u32 *length) {
    *address = 0;
    return AE_OK;
}

/* --- memory --- */
void *acpi_os_allocate(acpi_size size) { return malloc(size); }
void acpi_os_free(void *memory) { free(memory); }

static size_t page_bytes(uint64_t at, size_t size) { return (at % PAGE + size + PAGE - 1) & ~(PAGE - 1); }

/* Cached: where there are registers, the firmware's MTRRs say otherwise, and they win. */
void *acpi_os_map_memory(acpi_physical_address where, acpi_size size) {
    uint64_t start = where & ~(PAGE - 1), length = page_bytes(where, size);
    long h = sys_hardware_create(HANDLE_INIT_HARDWARE, HARDWARE_MMIO, start, length, MMIO_CACHED);
    if (h < 0) return nullptr;
    long at = sys_vm_map(0, length, VM_READ | VM_WRITE | VM_SHARED, (handle_t)h, 0);
    sys_handle_close((handle_t)h);
    return at < 0 ? nullptr : (uint8_t *)at + (where - start);
}

void acpi_os_unmap_memory(void *at, acpi_size size) {
    sys_vm_unmap((uintptr_t)at & ~(PAGE - 1), page_bytes((uintptr_t)at, size));
}

acpi_status acpi_os_read_memory(acpi_physical_address address, u64 *value, u32 width) {
    void *at = acpi_os_map_memory(address, width / 8);
    if (!at) return AE_NO_MEMORY;
    *value = 0;
    memcpy(value, at, width / 8);
    acpi_os_unmap_memory(at, width / 8);
    return AE_OK;
}

acpi_status acpi_os_write_memory(acpi_physical_address address, u64 value, u32 width) {
    void *at = acpi_os_map_memory(address, width / 8);
    if (!at) return AE_NO_MEMORY;
    memcpy(at, &value, width / 8);
    acpi_os_unmap_memory(at, width / 8);
    return AE_OK;
}

u8 acpi_os_readable(void *pointer, acpi_size length) { return TRUE; }

/* --- locks: there is nobody else --- */
struct semaphore {
    u32 units;
};

acpi_status acpi_os_create_semaphore(u32 most, u32 units, acpi_semaphore *out) {
    struct semaphore *s = malloc(sizeof(*s));
    if (!s) return AE_NO_MEMORY;
    s->units = units;
    *out = s;
    return AE_OK;
}

acpi_status acpi_os_delete_semaphore(acpi_semaphore s) {
    free(s);
    return AE_OK;
}

acpi_status acpi_os_wait_semaphore(acpi_semaphore handle, u32 units, u16 timeout) {
    struct semaphore *s = handle;
    if (s->units < units) return AE_TIME; /* who could signal it? */
    s->units -= units;
    return AE_OK;
}

acpi_status acpi_os_signal_semaphore(acpi_semaphore handle, u32 units) {
    ((struct semaphore *)handle)->units += units;
    return AE_OK;
}

acpi_status acpi_os_create_lock(acpi_spinlock *out) {
    *out = (void *)1;
    return AE_OK;
}
void acpi_os_delete_lock(acpi_spinlock lock) {}
acpi_cpu_flags acpi_os_acquire_lock(acpi_spinlock lock) { return 0; }
void acpi_os_release_lock(acpi_spinlock lock, acpi_cpu_flags flags) {}
acpi_thread_id acpi_os_get_thread_id(void) { return 1; }

/* --- what is put off --- */
static struct job {
    struct job *next;
    acpi_osd_exec_callback function;
    void *context;
} *jobs, **last = &jobs;

acpi_status acpi_os_execute(acpi_execute_type type, acpi_osd_exec_callback function, void *context) {
    struct job *j = malloc(sizeof(*j));
    if (!j) return AE_NO_MEMORY;
    *j = (struct job){nullptr, function, context};
    *last = j;
    last = &j->next;
    return AE_OK;
}

void osl_run(void) {
    for (struct job *j; (j = jobs);) {
        jobs = j->next;
        if (!jobs) last = &jobs;
        j->function(j->context);
        free(j);
    }
}

void acpi_os_wait_events_complete(void) { osl_run(); }

/* --- time --- */
void acpi_os_sleep(u64 milliseconds) { usleep((useconds_t)(milliseconds * 1000)); }
void acpi_os_stall(u32 microseconds) { usleep(microseconds); }

u64 acpi_os_get_timer(void) { /* in units of 100 ns */
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (u64)t.tv_sec * 10000000 + (u64)t.tv_nsec / 100;
}

/* --- the interrupt --- */
static handle_t interrupt = HANDLE_NONE;
static acpi_osd_handler interrupt_handler;
static void *interrupt_context;

acpi_status acpi_os_install_interrupt_handler(u32 number, acpi_osd_handler handler, void *context) {
    long h = number < ISA_INTERRUPTS
                 ? sys_hardware_create(HANDLE_INIT_HARDWARE, HARDWARE_ISA_IRQ, number, 0, 0)
                 : sys_hardware_create(HANDLE_INIT_HARDWARE, HARDWARE_IRQ, number, IRQ_LEVEL_LOW, 0);
    if (h < 0) return AE_NOT_ACQUIRED;
    interrupt_handler = handler;
    interrupt_context = context;
    interrupt = (handle_t)h;
    return scheme_event_add(scheme, interrupt, EVENT_IN, KEY_INTERRUPT) == 0 ? AE_OK : AE_NO_MEMORY;
}

acpi_status acpi_os_remove_interrupt_handler(u32 number, acpi_osd_handler handler) {
    (void)!scheme_event_delete(scheme, interrupt);
    sys_handle_close(interrupt);
    interrupt = HANDLE_NONE;
    return AE_OK;
}

void osl_interrupt(void) {
    interrupt_handler(interrupt_context);
    sys_irq_acknowledge(interrupt);
}

/* --- ports, configuration space --- */
acpi_status acpi_os_read_port(acpi_io_address port, u32 *value, u32 width) {
    *value = UINT32_MAX >> (32 - width);
    return sys_port_io(ports, (uint32_t)port, width / 8, 0, value, 1) < 0 ? AE_BAD_PARAMETER : AE_OK;
}

acpi_status acpi_os_write_port(acpi_io_address port, u32 value, u32 width) {
    return sys_port_io(ports, (uint32_t)port, width / 8, 1, &value, 1) < 0 ? AE_BAD_PARAMETER : AE_OK;
}

static uint16_t address_of(const struct acpi_pci_id *id) { return PCI_ADDRESS(id->bus, id->device, id->function); }

/* 64 bits: both halves. */
acpi_status acpi_os_read_pci_configuration(struct acpi_pci_id *id, u32 offset, u64 *value, u32 width) {
    *value = 0;
    for (u32 done = 0; done < width; done += 32) {
        int64_t part = pci_request(PCI_PLATFORM_READ, address_of(id), offset + done / 8, width < 32 ? width / 8 : 4);
        if (id->segment || part < 0) return AE_NOT_EXIST;
        *value |= (u64)part << done;
    }
    return AE_OK;
}

acpi_status acpi_os_write_pci_configuration(struct acpi_pci_id *id, u32 offset, u64 value, u32 width) {
    for (u32 done = 0; done < width; done += 32) {
        u64 where = (offset + done / 8) | (width < 32 ? width / 8 : 4) << 16;
        if (id->segment || pci_request(PCI_PLATFORM_WRITE, address_of(id), where, (u32)(value >> done)) < 0)
            return AE_NOT_EXIST;
    }
    return AE_OK;
}

/* --- words --- */
void acpi_os_vprintf(const char *format, va_list arguments) {
    static char line[200];
    static size_t used;
    used += (size_t)vsnprintf(line + used, sizeof(line) - used, format, arguments);
    if (used >= sizeof(line)) used = sizeof(line) - 1;
    char *end = strchr(line, '\n');
    if (!end && used < sizeof(line) - 1) return;
    if (end) *end = 0;
    static const char information[] = "ACPI: "; /* not an error: which tables there are */
    if (strncmp(line, information, sizeof(information) - 1) != 0) service_log("acpi: %s", line);
    used = 0;
    line[0] = 0;
}

void acpi_os_printf(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    acpi_os_vprintf(format, arguments);
    va_end(arguments);
}

acpi_status acpi_os_signal(u32 function, void *info) {
    const struct acpi_signal_fatal_info *fatal = info;
    if (function == ACPI_SIGNAL_FATAL)
        service_log("acpi: the firmware says: fatal error %#x, %#x, %#x", fatal->type, fatal->code, fatal->argument);
    return AE_OK;
}

acpi_status acpi_os_enter_sleep(u8 state, u32 a, u32 b) { return AE_OK; }
