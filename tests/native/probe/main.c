// SPDX-License-Identifier: MIT
/*
 * A driver that tries everything that it was not given, and what it was. The same program with the argument
 * `granted` is started as a service that holds it all: there the same attempts succeed, or the test
 * proves nothing. It answers reads of its scheme with one line per attempt: name, result.
 */
#include <errno.h>
#include <pci.h>
#include <scheme.h>
#include <service.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HPET 0xfed00000ul
#define MSIX_BAR 1 /* of QEMU's virtio devices */
#define REGISTERS_BAR 4
#define FUNCTION SERVICE_SLOT(1)

static char report[4096];
static size_t used;

static void tell(const char *name, long result) {
    used += (size_t)snprintf(report + used, sizeof(report) - used, "%s %ld\n", name, result < 0 ? result : 0);
}

static long mint(uint32_t kind, uint64_t a, uint64_t b, uint64_t c) {
    long h = sys_hardware_create(HANDLE_INIT_HARDWARE, kind, a, b, c);
    if (h >= 0) sys_handle_close((handle_t)h);
    return h;
}

static void try_open(const char *path) {
    char name[64] = "open ";
    struct call_args args = {
        .request = {.op = OP_OPEN, .length = (uint32_t)strlen(path)},
        .in = path,
        .carry = HANDLE_NONE,
        .handle_flags = HANDLE_IN_UPPER,
        .deadline = DEADLINE_NEVER,
    };
    long result = sys_call(HANDLE_NAMESPACE, &args);
    if (result >= 0) sys_handle_close(args.reply.handle);
    tell(strcat(name, path), result);
}

static void try_system(void) {
    struct scheme_create_args scheme = {.name = "stolen", .rank = 1};
    struct msi_message message;
    tell("ports", mint(HARDWARE_PORTS, 0x80, 1, 0));
    tell("memory", mint(HARDWARE_MMIO, HPET, 4096, MMIO_UNCACHED));
    tell("dma", mint(HARDWARE_DMA, 4096, 0, 0));
    tell("message", mint(HARDWARE_MSI, 0, 0, (uintptr_t)&message));
    long h = sys_scheme_create(HANDLE_INIT_SYSTEM, &scheme);
    if (h >= 0) sys_handle_close((handle_t)h);
    tell("scheme", h);
    tell("kill", kill(1, 0) < 0 ? -errno : 0);
    tell("root", setuid(0) < 0 ? -errno : 0);
    try_open("file:/etc/passwd");
    try_open("pci:00:00.0");
    try_open("rtc:0");
    try_open("service:");
}

/* Of its own function: what it may and what not. */
static void try_function(void) {
    volatile void *at;
    struct dma dma;
    struct call_args config = {
        .request = {.op = OP_WRITE, .length = 4}, .in = &used, .carry = HANDLE_NONE, .deadline = DEADLINE_NEVER};
    struct pci_function_info info = {};
    tell("own info", pci_info(FUNCTION, &info));
    tell("own registers", pci_bar_map(FUNCTION, REGISTERS_BAR, 0, 4096, &at));
    tell("own message", pci_interrupt(FUNCTION, 0));
    tell("own dma", pci_dma_create(FUNCTION, 4096, 0, &dma));
    tell("message table", pci_bar_map(FUNCTION, MSIX_BAR, 0, 4096, &at));
    tell("beyond its registers", pci_bar_map(FUNCTION, REGISTERS_BAR, info.bars[REGISTERS_BAR].size, 4096, &at));
    tell("no bar", pci_bar_map(FUNCTION, 5, 0, 4096, &at));
    tell("too many messages", pci_interrupt(FUNCTION, info.messages));
    tell("too much dma", pci_dma_create(FUNCTION, 128ul << 20, 0, &dma));
    tell("configuration", sys_call(FUNCTION, &config));
}

/* Handles beside the scheme's port and event: log, namespace, supervisor, scheme, function. */
static void count_handles(void) {
    static struct process_handle all[64];
    long size = sys_process_info(0, PROCESS_HANDLES, all, sizeof(all), 0);
    long count = size < 0 ? size : size / (long)sizeof(all[0]);
    used += (size_t)snprintf(report + used, sizeof(report) - used, "handles %ld\n", count);
    used += (size_t)snprintf(report + used, sizeof(report) - used, "user %d\n", getuid() == 0);
}

static int64_t probe_open(struct scheme *s, struct port_buffer *call) {
    return reply_file(call, 1, FILE_KIND_SEEKABLE);
}
static int64_t probe_read(struct scheme *s, struct port_buffer *call) { return reply_text(call, report, used); }
static int64_t probe_stat(struct scheme *s, struct port_buffer *call) {
    struct file_attributes a = {.inode = 1, .links = 1, .mode = 0100444, .block_size = 4096};
    memcpy(call->data, &a, sizeof(a));
    call->reply.length = sizeof(a);
    return 0;
}
static const struct scheme_ops probe_ops = {
    .handler = {[OP_OPEN] = probe_open, [OP_READ] = probe_read, [OP_STAT] = probe_stat}};

int main(int argc, char **argv) {
    static struct scheme scheme;
    bool granted = argc > 1 && strcmp(argv[1], "granted") == 0;
    count_handles();
    try_system();
    if (!granted) try_function();
    if (scheme_init(&scheme, SERVICE_SCHEME, &probe_ops, nullptr) != 0) return 1;
    service_tell(&(struct service_message){.kind = SERVICE_READY}, HANDLE_NONE);
    return -scheme_serve(&scheme);
}
