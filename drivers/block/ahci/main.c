// SPDX-License-Identifier: MIT
/* The driver of AHCI controllers: one instance per controller; the disk at port N is unit N of its scheme. */
#include "ahci.h"
#include <service.h>
#include <string.h>

#define FUNCTION SERVICE_SLOT(1)
#define KEY_INTERRUPT 0

static struct hba hba;

static void interrupt(struct block_server *server, uint64_t key) { hba_interrupt(&hba); }
static void timeout(struct block_server *server) { hba_timeout(&hba); }

int main(int argc, char **argv) {
    hba.server.interrupt = interrupt;
    hba.server.timeout = timeout;
    int e = block_server_init(&hba.server, FUNCTION, argc, argv);
    if (!e) e = hba_init(&hba);
    if (!e) e = scheme_event_add(&hba.server.scheme, hba.interrupt, EVENT_IN, KEY_INTERRUPT);
    if (e) {
        service_log("ahci: cannot use the controller: %s", strerror(-e));
        return 1;
    }
    for (struct port *p = hba.ports; p < hba.ports + PORTS_MAX; p++) {
        if (!p->present) continue;
        e = block_device_add(&hba.server, &p->device, p->number);
        if (e) service_log("ahci: port %u: %s", p->number, strerror(-e));
        p->added = !e;
    }
    return -block_serve(&hba.server);
}
