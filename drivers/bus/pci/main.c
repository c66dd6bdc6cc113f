// SPDX-License-Identifier: MIT
/*
 * The scheme `pci:`. A path, `pci:00:1f.2`, opens a text about a function, for everybody. A function
 * itself is a file that only the supervisor is given, for its driver.
 *
 * Object ids say what they are about, so that the next instance knows them again.
 */
#include "server.h"
#include <flat.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define ID_TEXT 0x10000u
#define ID_DRIVER 0x20000u

static struct function *function_named(const void *name, size_t length) {
    for (unsigned i = 0; i < function_count; i++)
        if (strlen(functions[i].name) == length && memcmp(functions[i].name, name, length) == 0) return &functions[i];
    return nullptr;
}

static struct function *function_of(uint64_t object, uint32_t kind) {
    return object >> 16 == kind >> 16 ? function_at((uint16_t)object) : nullptr;
}

static uint64_t generation(const struct function *f) { return (uint64_t)f->info.vendor << 16 | f->info.device_id; }

static int64_t pci_open(struct scheme *s, struct port_buffer *call) {
    if (flat_is_root(call)) return flat_open(call);
    struct function *f = call->request.object ? nullptr : function_named(call->data, call->request.length);
    if (!f) return -ENOENT;
    if ((call->request.args[0] & FILE_ACCESS_MASK) != FILE_READ_ONLY) return -EACCES;
    reply_file(call, ID_TEXT | f->address, FILE_KIND_SEEKABLE);
    call->reply.args[1] = generation(f);
    return 0;
}

static int64_t pci_reopen(struct scheme *s, struct port_buffer *call) {
    struct function *f = function_of(call->request.object, ID_DRIVER) ?: function_of(call->request.object, ID_TEXT);
    return call->request.object == 0 || (f && generation(f) == call->request.args[0]) ? 0 : -ESTALE;
}

static size_t text_make(const struct function *f, char *out, size_t room) {
    static const char *const kinds[] = {"none", "line", "msi", "msix"};
    const struct pci_function_info *i = &f->info;
    int used = snprintf(out, room, "%s class %06x id %04x:%04x subsystem %04x:%04x revision %02x interrupt %s %u\n",
                        f->name, i->class_code, i->vendor, i->device_id, i->subsystem_vendor, i->subsystem, i->revision,
                        kinds[i->interrupt_kind], i->messages);
    for (unsigned b = 0; b < PCI_BARS; b++) {
        const struct pci_bar *bar = &i->bars[b];
        if (!bar->size) continue;
        used += snprintf(out + used, room - (size_t)used, "bar %u %s %#llx %#llx%s%s\n", b,
                         bar->flags & PCI_BAR_PORTS ? "ports" : "memory", (unsigned long long)bar->address,
                         (unsigned long long)bar->size, bar->flags & PCI_BAR_64 ? " 64-bit" : "",
                         bar->flags & PCI_BAR_PREFETCHABLE ? " prefetchable" : "");
    }
    return (size_t)used;
}

static int64_t pci_read(struct scheme *s, struct port_buffer *call) {
    const char *names[FUNCTIONS_MAX];
    char text[1024];
    if (flat_is_root(call)) {
        for (unsigned i = 0; i < function_count; i++) names[i] = functions[i].name;
        return flat_read(call, names, function_count);
    }
    const struct function *f = function_of(call->request.object, ID_TEXT);
    if (!f) return -EINVAL;
    return reply_text(call, text, text_make(f, text, sizeof(text)));
}

static int64_t pci_stat(struct scheme *s, struct port_buffer *call) {
    if (flat_is_root(call)) return flat_stat(call);
    const struct function *f = call->request.object ? function_at((uint16_t)call->request.object)
                                                    : function_named(call->data, call->request.length);
    if (!f) return -ENOENT;
    struct file_attributes a = {.inode = f->address + 2u, .links = 1, .mode = S_IFREG | 0444, .block_size = 4096};
    memcpy(call->data, &a, sizeof(a));
    call->reply.length = sizeof(a);
    return 0;
}

static int64_t pci_close(struct scheme *s, struct port_buffer *call) {
    struct function *f = function_of(call->request.object, ID_DRIVER);
    if (!f) return 0;
    function_release(f, 0);
    function_closed(f);
    return 0;
}

static void pci_timeout(struct scheme *s) {
    int64_t now = time_ns();
    s->deadline = platform_timeout(s, now);
    int64_t slots = slots_timeout(s, now), ejects = ejects_timeout(now);
    if (slots < s->deadline) s->deadline = slots;
    if (ejects < s->deadline) s->deadline = ejects;
}

static int64_t pci_user(struct scheme *s, struct port_buffer *call) {
    struct function *f = function_of(call->request.object, ID_DRIVER);
    if (f) return function_request(s, f, call);
    if (call->request.object != 0) return -EPERM;
    int64_t result = platform_request(s, call);
    pci_timeout(s); /* there may be something to wait for */
    return result;
}

/* A driver has died: before its successor can ask for anything, as events come first. */
static void supervisor_news(void) {
    struct service_message m;
    while (service_hear(&m, nullptr)) {
        struct function *f = function_named(m.name, strlen(m.name));
        if (f && m.kind == SERVICE_HOLDER_GONE) function_release(f, 0);
    }
}

void function_report(struct scheme *s, const struct function *f) {
    struct service_message m = {.kind = SERVICE_FUNCTION,
                                .vendor = f->info.vendor,
                                .device = f->info.device_id,
                                .class_code = f->info.class_code};
    memcpy(m.name, f->name, sizeof(m.name));
    long h =
        sys_file_create(s->port, ID_DRIVER | f->address, generation(f), PLANE_NONE << 8, HANDLE_NONE, FILE_READ_WRITE);
    if (h < 0 || service_tell(&m, (handle_t)h) < 0) service_log("pci: %s: cannot report it", f->name);
    if (h >= 0) sys_handle_close((handle_t)h);
}

static void pci_event(struct scheme *s, uint64_t key, uint32_t mask) {
    if (key == KEY_SUPERVISOR) supervisor_news();
    else slot_event((unsigned)(key - KEY_SLOT));
    pci_timeout(s);
}

static const struct scheme_ops pci_ops = {
    .handler =
        {
            [OP_OPEN] = pci_open,
            [OP_REOPEN] = pci_reopen,
            [OP_READ] = pci_read,
            [OP_STAT] = pci_stat,
            [OP_CLOSE] = pci_close,
        },
    .user = pci_user,
    .event = pci_event,
    .timeout = pci_timeout,
};

int main(void) {
    static struct scheme scheme;
    int e = config_init();
    if (e) {
        service_log("pci: no way to configuration space: error %d", -e);
        return 1;
    }
    if (scheme_init(&scheme, SERVICE_SCHEME, &pci_ops, nullptr) != 0) return 1;
    if (scheme_event_add(&scheme, SERVICE_SUPERVISOR, EVENT_IN, KEY_SUPERVISOR) != 0) return 1;
    scan();
    for (unsigned i = 0; i < function_count; i++)
        if (functions[i].info.header_type == 0) function_report(&scheme, &functions[i]);
    service_tell(&(struct service_message){.kind = SERVICE_READY}, HANDLE_NONE);
    platform_start();
    pci_timeout(&scheme);
    return -scheme_serve(&scheme);
}
