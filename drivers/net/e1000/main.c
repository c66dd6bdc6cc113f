// SPDX-License-Identifier: MIT
/* The driver of Intel's 8254x and 82574 network cards: one instance per card. */
#include "e1000.h"
#include <service.h>
#include <string.h>

#define FUNCTION SERVICE_SLOT(1)

static struct e1000 card;

int main(void) {
    card.net.ops = &e1000_ops;
    card.net.driver = &card;
    int e = net_init(&card.net, FUNCTION);
    if (!e) e = e1000_init(&card);
    if (e) {
        service_log("e1000: cannot use the card: %s", strerror(-e));
        return 1;
    }
    return -net_serve(&card.net);
}
