// SPDX-License-Identifier: MIT
/* The driver of virtio GPUs, as screens: one instance per adapter. */
#include "virtio_gpu.h"
#include <abi/system.h>
#include <service.h>
#include <string.h>

#define FUNCTION SERVICE_SLOT(1)
#define PAGE 4096

static struct gpu gpu = {.display.ops = &gpu_ops};

/* The firmware may have left a mode in the memory that some have for it: the kernel stops drawing its log there as soon
 * as the memory is somebody's.  For its last words, if any, it resets the device, which then shows that mode again. */
static void kernel_text_end(void) {
    struct framebuffer_info f;
    struct screen unused;
    uint64_t offset;
    volatile void *at;
    if (sys_system_info(SYSTEM_FRAMEBUFFER, &f, sizeof(f)) != sizeof(f)) return;
    for (unsigned i = 0; i < PCI_BARS; i++) {
        const struct pci_bar *bar = &gpu.virtio.info.bars[i];
        if (bar->flags & PCI_BAR_PORTS || !framebuffer_locate(&f, bar->address, bar->size, &unused, &offset)) continue;
        (void)!pci_bar_map(FUNCTION, i | PCI_MAP_COMBINING, offset, PAGE, &at);
        if (virtio_reset_on_panic(&gpu.virtio) != 0) service_log("virtio-gpu: a panic will not be seen");
    }
}

static int interrupts_init(void) {
    int e = scheme_event_add(&gpu.display.scheme, gpu.control.interrupt, EVENT_IN, 0);
    gpu.config_interrupt = virtio_config_interrupt(&gpu.virtio);
    return e || gpu.config_interrupt < 0 ? e : scheme_event_add(&gpu.display.scheme, gpu.config_interrupt, EVENT_IN, 1);
}

int main(void) {
    int e = display_init(&gpu.display);
    if (!e) e = virtio_init(&gpu.virtio, FUNCTION, GPU_EDID);
    if (!e) e = gpu_queues(&gpu);
    if (!e) e = interrupts_init();
    if (!e) {
        virtio_start(&gpu.virtio);
        kernel_text_end();
        e = gpu_mode_first(&gpu);
    }
    if (e) {
        service_log("virtio-gpu: cannot use the device: %s", strerror(-e));
        return 1;
    }
    service_log("virtio-gpu: %ux%u", gpu.display.screen.width, gpu.display.screen.height);
    return -display_serve(&gpu.display);
}
