// SPDX-License-Identifier: MIT
/* Archives of all kinds into the RAM file system: no wild access, and all is free again at the end. */
#include "fs_host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct ram_module module = {.bytes = data, .size = size};
    host_fs_init(1000);
    int result = ramfs_populate(&host_fs, &module);
    ramfs_fini(&host_fs);
    if (host_fs.nodes_used || host_fs.entry_count || host_fs.pages_used) __builtin_trap();
    return result < -1000;
}
