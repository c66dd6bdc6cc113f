// SPDX-License-Identifier: MIT
/* The controller: AHCI 1.3.1 §10.1.2 initialisation, §10.6.3 hand-off, §10.7 interrupts. */
#include "ahci.h"
#include <mmio.h>
#include <service.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ABAR 5
#define RESET_MS 1000 /* §10.4.3 */
#define HANDOFF_MS 25 /* §10.6.3 */
#define HANDOFF_BUSY_MS 2000
#define TURNS_MAX 10000 /* of an interrupt; more than all slots of all ports */

int64_t time_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND_NS + t.tv_nsec;
}

static uint32_t hba_read(const struct hba *h, unsigned offset) { return mmio_read32(h->registers + offset); }
static void hba_write(struct hba *h, unsigned offset, uint32_t value) { mmio_write32(h->registers + offset, value); }

static void sleep_ms(unsigned ms) { nanosleep(&(struct timespec){.tv_nsec = ms * 1000000L}, nullptr); }

/* Waits until these bits are clear. */
static bool hba_wait_clear(struct hba *h, unsigned offset, uint32_t bits, unsigned ms) {
    while (hba_read(h, offset) & bits) {
        if (ms-- == 0) return false;
        sleep_ms(1);
    }
    return true;
}

static void firmware_handoff(struct hba *h) {
    if (!(hba_read(h, HBA_CAP2) & CAP2_HANDOFF) || !(hba_read(h, HBA_BOHC) & BOHC_BIOS)) return;
    hba_write(h, HBA_BOHC, hba_read(h, HBA_BOHC) | BOHC_OS);
    if (hba_wait_clear(h, HBA_BOHC, BOHC_BIOS, HANDOFF_MS)) return;
    if (hba_read(h, HBA_BOHC) & BOHC_BIOS_BUSY && hba_wait_clear(h, HBA_BOHC, BOHC_BIOS, HANDOFF_BUSY_MS)) return;
    service_log("ahci: the firmware does not hand over; taken");
}

static int hba_reset(struct hba *h) {
    hba_write(h, HBA_GHC, GHC_AHCI); /* the other registers mean nothing without */
    hba_write(h, HBA_GHC, GHC_AHCI | GHC_RESET);
    if (!hba_wait_clear(h, HBA_GHC, GHC_RESET, RESET_MS)) return -EIO;
    hba_write(h, HBA_GHC, GHC_AHCI);
    return hba_read(h, HBA_GHC) == UINT32_MAX ? -EIO : 0;
}

/* All links are reset at once: disks spin up side by side. */
static int ports_start(struct hba *h) {
    int e = 0;
    for (unsigned i = 0; !e && i < PORTS_MAX; i++) {
        if (!(h->implemented >> i & 1)) continue;
        h->ports[i] = (struct port){.hba = h, .number = i, .registers = h->registers + HBA_PORT(i)};
        e = port_init(&h->ports[i]);
    }
    if (e) return e;
    sleep_ms(2);
    for (unsigned i = 0; i < PORTS_MAX; i++)
        if (h->implemented >> i & 1) port_link_release(&h->ports[i]);
    sleep_ms(10); /* SATA 3 §8.4.1: a device answers within this time */
    for (unsigned i = 0; i < PORTS_MAX; i++) {
        struct port *p = &h->ports[i];
        if (!(h->implemented >> i & 1)) continue;
        e = port_start(p);
        if (!e) e = device_identify(p);
        p->present = !e;
        if (e && e != -ENODEV) service_log("ahci: port %u: cannot use its device: %s", i, strerror(-e));
        if (e && port_stop(p) != 0) service_log("ahci: port %u: does not stop", i);
    }
    return 0;
}

static void interrupts_enable(struct hba *h) {
    const uint32_t wanted = IS_D2H | IS_PIO_SETUP | IS_DEVICE_BITS | IS_LINK | IS_ERRORS;
    for (unsigned i = 0; i < PORTS_MAX; i++) {
        struct port *p = &h->ports[i];
        if (!(h->implemented >> i & 1)) continue;
        port_write(p, PORT_SERR, UINT32_MAX);
        port_write(p, PORT_IS, UINT32_MAX);
        port_write(p, PORT_IE, p->present ? wanted : IS_LINK);
    }
    hba_write(h, HBA_IS, UINT32_MAX);
    hba_write(h, HBA_GHC, GHC_AHCI | GHC_INTERRUPTS);
}

int hba_init(struct hba *h) {
    handle_t function = h->server.function;
    struct pci_function_info info;
    volatile void *registers;
    int e = pci_info(function, &info);
    if (e) return e;
    if (info.bars[ABAR].size < HBA_PORT(1)) return -ENODEV;
    uint64_t fit = (info.bars[ABAR].size - HBA_PORT(0)) / (HBA_PORT(1) - HBA_PORT(0));
    unsigned ports = fit < PORTS_MAX ? (unsigned)fit : PORTS_MAX;
    e = pci_bar_map(function, ABAR, 0, HBA_PORT(ports), &registers);
    if (e) return e;
    h->registers = registers;
    firmware_handoff(h);
    e = hba_reset(h);
    if (!e) e = pci_enable(function);
    if (e) return e;
    h->capabilities = hba_read(h, HBA_CAP);
    h->implemented = hba_read(h, HBA_PI) & (uint32_t)((1ull << ports) - 1);
    if (!(h->capabilities & CAP_64)) h->server.dma_flags = PCI_DMA_BELOW_4G;
    e = ports_start(h);
    h->interrupt = e ? e : pci_interrupt(function, 0);
    if (h->interrupt < 0) return h->interrupt;
    interrupts_enable(h);
    return 0;
}

/* The cause is cleared before the acknowledgement, then looked for again: what comes meanwhile is not lost. */
void hba_interrupt(struct hba *h) {
    uint32_t causes = hba_read(h, HBA_IS) & h->implemented;
    unsigned turns = 0;
    do {
        if (turns++ == TURNS_MAX) {
            service_log("ahci: the controller's interrupt makes no sense");
            exit(1);
        }
        for (unsigned i = 0; i < PORTS_MAX; i++) {
            if (!(causes >> i & 1)) continue;
            port_interrupt(&h->ports[i]);
            hba_write(h, HBA_IS, 1u << i); /* after the port's: §10.7.2.1 */
        }
        sys_irq_acknowledge(h->interrupt);
        causes = hba_read(h, HBA_IS) & h->implemented;
    } while (causes);
}

void hba_deadline(struct hba *h, int64_t at) {
    if (at < h->server.scheme.deadline) h->server.scheme.deadline = at;
}

void hba_timeout(struct hba *h) {
    int64_t now = time_ns();
    for (struct port *p = h->ports; p < h->ports + PORTS_MAX; p++) {
        if (p->issued) port_interrupt(p); /* had one been lost, this is not a hang */
        bool late = false;
        for (unsigned i = 0; i < 32; i++) late |= p->issued >> i & 1 && p->slots[i].deadline <= now;
        if (late) port_recover(p, 0, true);
        for (unsigned i = 0; i < 32; i++)
            if (p->issued >> i & 1) hba_deadline(h, p->slots[i].deadline);
    }
}
