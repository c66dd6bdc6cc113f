// SPDX-License-Identifier: MIT
/*
 * ramfs: a file system in memory.  Without arguments it is the root: what the boot modules hold.  With a mount point it
 * begins empty.  Starts with a handle to serve with, the boot modules and the log, and opens nothing.
 */
#include "ramfs.h"

#include <service.h>
#include <stdlib.h>
#include <unistd.h>

#define MODULES_MAX 8

static struct ramfs ramfs;
static struct ram_module modules[MODULES_MAX];

/* Half of the memory may become files. */
static int64_t quota_pages(void) {
    struct memory_totals totals;
    long result = sys_system_info(SYSTEM_MEMORY, &totals, sizeof(totals));
    return result < 0 ? 16384 : (int64_t)(totals.total / 4096 / 2);
}

static int module_add(struct ram_module *m, handle_t memory) {
    struct memory_info info;
    long result = sys_memory_control(memory, MEMORY_INFO, (uint64_t)(uintptr_t)&info, 0, 0);
    if (result < 0) return (int)result;
    result = sys_vm_map(0, (info.size + 4095) & ~4095UL, VM_READ | VM_SHARED, memory, 0);
    if (result < 0) return (int)result;
    *m = (struct ram_module){.memory = memory, .bytes = (const uint8_t *)result, .size = info.size};
    return ramfs_populate(&ramfs, m);
}

int main(int argc, char **argv) {
    if (ramfs_init(&ramfs, quota_pages(), argc > 1 ? argv[1] : nullptr) != 0) return 1;
    for (int i = 0; i < MODULES_MAX; i++) {
        struct handle_info info;
        if (sys_handle_info(HANDLE_INIT_MODULE + i, &info) < 0) break;
        int result = module_add(&modules[i], HANDLE_INIT_MODULE + i);
        if (result < 0) service_log("ramfs: boot module %d is damaged (error %d)", i, -result);
        else if (result > 0) service_log("ramfs: boot module %d: %d entries skipped", i, result);
    }
    if (argc > 1) ramfs.fs.device = (uint32_t)getpid(); /* one of several */
    int result = fs_serve(&ramfs.fs, SERVICE_SCHEME);
    service_log("ramfs: stopped (error %d)", -result);
    return 1;
}
