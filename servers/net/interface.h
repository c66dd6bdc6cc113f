// SPDX-License-Identifier: MIT
/* Network interfaces: the loopback, and cards by netdev. Under the server's lock. */
#pragma once
#include "net.h"
#include <netdev.h>

#define INTERFACE_NAME_MAX 16

struct interface_counts {
    uint64_t received, received_bytes, sent, sent_bytes, received_dropped, sent_dropped, errors;
};

/* The name of an interface ("lo", "eth0"); the other way: null if there is none. */
const char *interface_name(const struct netif *n);
struct netif *interface_named(const char *name);
void interface_counts(const struct netif *n, struct interface_counts *out);
uint32_t interface_flags(const struct netif *n); /* IFF_* */
void interface_set_up(struct netif *n, bool up);
/* By hand: DHCP, if it is at work there, ends. */
void interface_set_address(struct netif *n, const ip4_addr_t *address, const ip4_addr_t *mask);
void interface_dhcp(struct netif *n, bool on);

void interfaces_init(const char *config_file);
void interface_event(uint64_t key); /* of INTERFACE_KEY */
/* What cards have sent is known: nothing of it is the cards' still when TCP wants to send it again. */
void interfaces_reap(void);
bool interfaces_busy(void); /* there is something to flush */
void interfaces_flush(void); /* at the end of a turn: what was queued goes out */
void interfaces_changed(void); /* addresses, routers or name servers may be others */
#define INTERFACE_KEY (1ull << 63) /* keys of events: this, and a card's number or INTERFACE_NEWS */
#define INTERFACE_NEWS 0xffff

/* --- route.c: IPv4 routes beyond those of the interfaces' own networks --- */
struct route {
    struct route *next;
    uint32_t network, mask, gateway; /* network order; gateway 0: none */
    uint8_t interface;
};
extern struct route *routes;
[[nodiscard]] int route_add(const struct route *r); /* copied */
[[nodiscard]] int route_delete(uint32_t network, uint32_t mask, uint32_t gateway, uint8_t interface);
void routes_of_interface_end(uint8_t interface);

/* --- control.c: ioctl(2) of interfaces and routes --- */
int64_t interface_control(struct port_buffer *call, bool privileged);

/* --- netlink.c: rtnetlink requests --- */
int64_t netlink_answer(struct port_buffer *call, bool privileged);

/* --- report.c: the files of ip:, which /proc/net leads to --- */
int64_t report_open(struct port_buffer *call);
bool report_is(uint64_t object);
int64_t report_read(struct port_buffer *call);
int64_t report_stat(struct port_buffer *call);
int64_t reports_list(struct port_buffer *call);
