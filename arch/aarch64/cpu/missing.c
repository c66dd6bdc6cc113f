// SPDX-License-Identifier: MIT
/*
 * The contract's functions that this port does not have yet. The build (missing.py here) finds them
 * as what the kernel refers to and nobody defines, and makes for each a symbol that comes here.
 */
#include <asm/arch.h>
#include <kernel/debug.h>
#include <kernel/log.h>

extern const char *const missing_names[];
extern const uint32_t missing_count;
NORETURN void missing_called(const char *name);

void missing_called(const char *name) { panic("%s is not implemented on aarch64", name); }

void missing_list(void) {
    klog(LOG_WARN, "aarch64: %u functions of the contract are not implemented:", missing_count);
    for (uint32_t i = 0; i < missing_count; i++) klog(LOG_WARN, "  %s", missing_names[i]);
}
