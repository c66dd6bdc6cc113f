// SPDX-License-Identifier: MIT
/* Finding an adapter's screen: the one that the firmware left in one of its BARs, or one that we set. */
#include "adapter.h"
#include "bochs_hw.h"
#include <abi/system.h>
#include <pci.h>
#include <service.h>
#include <string.h>

#define MEMORY_MAX (64u << 20) /* mapped of an adapter's memory */

static const struct mode modest = {1024, 768, 32};

static int memory_map(struct adapter *a, unsigned bar, uint64_t offset, uint64_t size) {
    volatile void *at;
    int e = pci_bar_map(a->function, bar | PCI_MAP_COMBINING, offset, size, &at);
    if (e) return e;
    a->screen.pixels = (uint8_t *)at;
    a->memory_size = size;
    return 0;
}

/* The mode that the firmware left; the kernel has shown its log there. -ENODEV: not on this adapter. */
static int left_find(struct adapter *a, const struct pci_function_info *info) {
    struct framebuffer_info f;
    uint64_t offset;
    if (sys_system_info(SYSTEM_FRAMEBUFFER, &f, sizeof(f)) != sizeof(f)) return -ENODEV;
    for (unsigned i = 0; i < PCI_BARS; i++) {
        const struct pci_bar *bar = &info->bars[i];
        if (bar->flags & PCI_BAR_PORTS || !framebuffer_locate(&f, bar->address, bar->size, &a->screen, &offset))
            continue;
        a->left = true;
        return memory_map(a, i, offset, (uint64_t)f.pitch * f.height);
    }
    return -ENODEV;
}

static int bochs_start(struct adapter *a, const struct pci_function_info *info) {
    struct mode m;
    uint64_t size = info->bars[BOCHS_BAR_MEMORY].size;
    int e = memory_map(a, BOCHS_BAR_MEMORY, 0, size < MEMORY_MAX ? size : MEMORY_MAX);
    if (e) return e;
    e = mode_asked(&m) || bochs_preferred(a, &m) ? bochs_set(a, &m) : -ENODEV;
    return e ? bochs_set(a, &modest) : 0;
}

int adapter_init(struct adapter *a, handle_t function) {
    struct pci_function_info info;
    *a = (struct adapter){.function = function};
    int e = pci_info(function, &info);
    if (e) return e;
    e = left_find(a, &info);
    if (e != -ENODEV) return e;
    if (info.vendor != BOCHS_VENDOR || info.device_id != BOCHS_DEVICE) return -ENODEV;
    e = bochs_init(a);
    if (!e) e = bochs_start(a, &info);
    if (e) a->screen.width = 0;
    return e;
}

int adapter_set_mode(struct adapter *a, const struct mode *m) {
    const struct screen before = a->screen;
    int e = bochs_set(a, m);
    if (e) (void)!bochs_set(a, &(struct mode){before.width, before.height, before.format.bytes * 8u});
    return e;
}
