// SPDX-License-Identifier: MIT
/*
 * The ACPI server: interprets the firmware's AML (by ACPICA) beside the boot, at low priority until that is done.
 * It gives the PCI server the routes of interrupt pins and the news of slots, tells the supervisor of the power
 * button, and switches the machine off when that asks for it. `acpi:state` says how far it is.
 *
 * Whatever is wrong with the tables is logged; the PCI server is told in any case, as drivers wait for that.
 */
#include "server.h"
#include <flat.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define STATE_NAME "state"
#define STATE_ID 1
#define PRIORITY 40 /* once the tables are loaded */
#define POWER_OFF_STATE ACPI_STATE_S5
#define APIC_MODE 1
#define NOTIFY_BUTTON 0x80
#define POWER_BUTTON_ID "PNP0C0C"

static struct scheme scheme;
static const char *state = "loading";

static bool failed(acpi_status status, const char *what) {
    if (ACPI_SUCCESS(status)) return false;
    service_log("acpi: %s: %s", what, acpi_format_exception(status));
    return true;
}

/* --- power --- */
static void button_pressed(void) {
    service_log("acpi: the power button was pressed");
    service_tell(&(struct service_message){.kind = SERVICE_POWER_BUTTON}, HANDLE_NONE);
}

static u32 on_fixed_button(void *context) {
    button_pressed();
    return ACPI_INTERRUPT_HANDLED;
}

static void on_button_device(acpi_handle device, u32 value, void *context) {
    if (value == NOTIFY_BUTTON) button_pressed();
}

static acpi_status button_found(acpi_handle device, u32 depth, void *context, void **result) {
    failed(acpi_install_notify_handler(device, ACPI_DEVICE_NOTIFY, on_button_device, nullptr), "power button");
    return AE_OK;
}

/* Comes back only if the firmware doesn't do it. */
static void power_off(void) {
    if (failed(acpi_enter_sleep_state_prep(POWER_OFF_STATE), "power off") ||
        failed(acpi_enter_sleep_state(POWER_OFF_STATE), "power off"))
        return;
    service_log("acpi: the machine is still on");
}

/* --- the start --- */
static void on_notify(acpi_handle device, u32 value, void *context) { pci_notify(device, value); }

static bool tables_load(void) {
    return !failed(acpi_initialize_subsystem(), "start") &&
           !failed(acpi_initialize_tables(nullptr, 0, TRUE), "tables") && !failed(acpi_load_tables(), "AML");
}

static bool hardware_start(void) {
    if (failed(acpi_enable_subsystem(ACPI_FULL_INITIALIZATION), "events") ||
        failed(acpi_initialize_objects(ACPI_FULL_INITIALIZATION), "objects"))
        return false;
    union acpi_object mode = {.integer = {ACPI_TYPE_INTEGER, APIC_MODE}};
    acpi_evaluate_object(nullptr, "\\_PIC", &(struct acpi_object_list){1, &mode}, nullptr); /* there need not be one */
    failed(acpi_install_notify_handler(ACPI_ROOT_OBJECT, ACPI_SYSTEM_NOTIFY, on_notify, nullptr), "notifications");
    if (!(acpi_gbl_FADT.flags & ACPI_FADT_POWER_BUTTON))
        failed(acpi_install_fixed_event_handler(ACPI_EVENT_POWER_BUTTON, on_fixed_button, nullptr), "power button");
    acpi_get_devices(POWER_BUTTON_ID, button_found, nullptr, nullptr);
    return true;
}

static void start(void) {
    bool loaded = tables_load() && hardware_start();
    state = loaded ? "ready" : "failed";
    pci_attach(&scheme);
    if (loaded) failed(acpi_update_all_gpes(), "events");
    osl_run();
    struct thread_info own;
    if (sys_thread_info(0, &own) >= 0) sys_thread_set(0, THREAD_PRIORITY, PRIORITY, 0);
}

/* --- acpi:state --- */
static int64_t state_open(struct scheme *s, struct port_buffer *call) {
    if (flat_is_root(call)) return flat_open(call);
    if (call->request.length != sizeof(STATE_NAME) - 1 || memcmp(call->data, STATE_NAME, call->request.length) != 0)
        return -ENOENT;
    if ((call->request.args[0] & FILE_ACCESS_MASK) != FILE_READ_ONLY) return -EACCES;
    return reply_file(call, STATE_ID, FILE_KIND_SEEKABLE);
}

static int64_t state_read(struct scheme *s, struct port_buffer *call) {
    static const char *const names[] = {STATE_NAME};
    char text[256];
    if (flat_is_root(call)) return flat_read(call, names, 1);
    int used = snprintf(text, sizeof(text), "%s\n", state);
    used += pci_describe(text + used, sizeof(text) - (size_t)used);
    return reply_text(call, text, (size_t)used);
}

static int64_t state_stat(struct scheme *s, struct port_buffer *call) {
    if (flat_is_root(call)) return flat_stat(call);
    struct file_attributes a = {.inode = STATE_ID + 1, .links = 1, .mode = S_IFREG | 0444, .block_size = 4096};
    memcpy(call->data, &a, sizeof(a));
    call->reply.length = sizeof(a);
    return 0;
}

/* --- the loop --- */
static void supervisor_news(void) {
    struct service_message m;
    while (service_hear(&m, nullptr)) {
        if (m.kind != SERVICE_POWER_OFF) continue;
        power_off();
        _Exit(1);
    }
}

static void acpi_event(struct scheme *s, uint64_t key, uint32_t mask) {
    if (key == KEY_SUPERVISOR) supervisor_news();
    else if (key == KEY_PCI) pci_news(s);
    else osl_interrupt();
    osl_run();
}

static const struct scheme_ops acpi_ops = {
    .handler = {[OP_OPEN] = state_open, [OP_READ] = state_read, [OP_STAT] = state_stat},
    .event = acpi_event,
};

int main(void) {
    if (scheme_init(&scheme, SERVICE_SCHEME, &acpi_ops, nullptr) != 0 || osl_init(&scheme) != 0) return 1;
    if (scheme_event_add(&scheme, SERVICE_SUPERVISOR, EVENT_IN, KEY_SUPERVISOR) != 0) return 1;
    service_tell(&(struct service_message){.kind = SERVICE_READY}, HANDLE_NONE); /* nobody need wait for the rest */
    start();
    return -scheme_serve(&scheme);
}
