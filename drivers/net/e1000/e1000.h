// SPDX-License-Identifier: MIT
/* The e1000 driver's parts. */
#pragma once
#include "rings.h"
#include <net.h>

struct e1000 {
    struct net_device net;
    struct pci_function_info info;
    volatile uint8_t *registers;
    handle_t interrupts[MESSAGES];
    struct dma memory; /* of both rings */
    struct receive_ring receive;
    struct send_ring send;
    bool received_added, sent_added; /* since the last kick */
    uint64_t sends_done, sends_seen; /* taken so far; when the watchdog looked last */
};
static inline struct e1000 *e1000_of(struct net_device *d) { return d->driver; }

extern const struct net_ops e1000_ops;
/* Maps and resets the card, reads what it is. 0 or -errno. */
[[nodiscard]] int e1000_init(struct e1000 *c);
