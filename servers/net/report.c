// SPDX-License-Identifier: MIT
/* The files of ip:, where /proc/net leads to: the tables that netstat, ifconfig and route read. Formats are Linux's. */
#include "interface.h"
#include <flat.h>
#include <lwip/etharp.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/raw.h>
#include <lwip/udp.h>
#include <net/route.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define REPORTS (1ull << 62) /* object ids of these files: this, and the row */

static char *text;
static size_t length, room;

[[gnu::format(printf, 1, 2)]] static void add(const char *format, ...) {
    va_list arguments;
    if (room - length < 512) {
        char *more = realloc(text, room + 65536);
        if (!more) return;
        text = more;
        room += 65536;
    }
    va_start(arguments, format);
    int n = vsnprintf(text + length, room - length, format, arguments);
    va_end(arguments);
    if (n > 0 && (size_t)n < room - length) length += (size_t)n;
}

/* --- sockets ---------------------------------------------------------------------------------------- */

static void add_address(const struct endpoint *e, bool v6) {
    if (!v6) {
        add("%08X:%04X ", IP_IS_V4(&e->ip) ? ip_addr_get_ip4_u32(&e->ip) : 0, e->port);
        return;
    }
    uint32_t w[4] = {};
    if (IP_IS_V6_VAL(e->ip)) memcpy(w, ip_2_ip6(&e->ip)->addr, 16);
    else if (!ip_addr_isany(&e->ip)) w[2] = htonl(0xffff), w[3] = ip_addr_get_ip4_u32(&e->ip);
    add("%08X%08X%08X%08X:%04X ", w[0], w[1], w[2], w[3], e->port);
}

static void add_socket(unsigned row, const struct endpoint *local, const struct endpoint *peer, bool v6, unsigned state,
                       unsigned long id) {
    add("%4u: ", row);
    add_address(local, v6);
    add_address(peer, v6);
    add("%02X 00000000:00000000 00:00000000 00000000     0        0 %lu 1 0000000000000000\n", state, id & UINT32_MAX);
}

static const uint8_t stages[] = {
    [CLOSED] = TCP_CLOSE,         [LISTEN] = TCP_LISTEN,           [SYN_SENT] = TCP_SYN_SENT,
    [SYN_RCVD] = TCP_SYN_RECV,    [ESTABLISHED] = TCP_ESTABLISHED, [FIN_WAIT_1] = TCP_FIN_WAIT1,
    [FIN_WAIT_2] = TCP_FIN_WAIT2, [CLOSE_WAIT] = TCP_CLOSE_WAIT,   [CLOSING] = TCP_CLOSING,
    [LAST_ACK] = TCP_LAST_ACK,    [TIME_WAIT] = TCP_TIME_WAIT};

static unsigned state_of(const struct socket *s) {
    static const uint8_t states[] = {[INET_IDLE] = TCP_CLOSE,
                                     [INET_LISTENING] = TCP_LISTEN,
                                     [INET_CONNECTED] = TCP_ESTABLISHED,
                                     [INET_CONNECTING] = TCP_SYN_SENT};
    if (!s->tcp && s->own_ended && s->peer_ended) return TCP_CLOSE; /* TIME_WAIT without it */
    return s->tcp && s->state != INET_LISTENING ? stages[s->tcp->state] : states[s->state];
}

static bool is_of(const struct socket *s, enum net_scheme scheme, bool v6) {
    return s && s->scheme == scheme && (s->family == AF_INET6) == v6;
}

/* Connections that no socket has: not yet, or not any more. */
static unsigned add_connections(unsigned row, const struct tcp_pcb *first, bool v6) {
    for (const struct tcp_pcb *p = first; p; p = p->next) {
        struct endpoint local = {p->local_ip, p->local_port}, peer = {p->remote_ip, p->remote_port};
        if (p->callback_arg && p->state != SYN_RCVD) continue;
        if (IP_IS_V6_VAL(p->local_ip) == v6) add_socket(row++, &local, &peer, v6, stages[p->state], 0);
    }
    return row;
}

static void sockets_of(enum net_scheme scheme, bool v6) {
    unsigned row = 0;
    add("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n");
    for (uint32_t i = 0; i < sockets.capacity; i++) {
        const struct socket *s = sockets.slots[i].object;
        if (!is_of(s, scheme, v6) || (scheme == NET_TCP && s->state == INET_IDLE)) continue;
        struct endpoint local = s->local;
        if (scheme != NET_TCP) datagram_local(s, &local);
        unsigned state = scheme == NET_TCP ? state_of(s) : s->state == INET_CONNECTED ? TCP_ESTABLISHED : TCP_CLOSE;
        add_socket(row++, &local, &s->peer, v6, state, s->id);
    }
    if (scheme != NET_TCP) return;
    row = add_connections(row, tcp_active_pcbs, v6);
    add_connections(row, tcp_tw_pcbs, v6);
}

static void tcp(void) { sockets_of(NET_TCP, false); }
static void tcp6(void) { sockets_of(NET_TCP, true); }
static void udp(void) { sockets_of(NET_UDP, false); }
static void udp6(void) { sockets_of(NET_UDP, true); }
static void raw(void) { sockets_of(NET_IP, false); }
static void raw6(void) { sockets_of(NET_IP, true); }
static void icmp(void) { sockets_of(NET_ICMP, false); }

/* --- interfaces ------------------------------------------------------------------------------------- */

static void dev(void) {
    struct netif *n;
    add("Inter-|   Receive                                                |  Transmit\n"
        " face |bytes    packets errs drop fifo frame compressed multicast|"
        "bytes    packets errs drop fifo colls carrier compressed\n");
    for (unsigned i = 1; i < 256; i++) {
        struct interface_counts c;
        if (!(n = netif_get_by_index((uint8_t)i))) continue;
        interface_counts(n, &c);
        add("%6s: %lu %lu %lu %lu 0 0 0 0 %lu %lu 0 %lu 0 0 0 0\n", interface_name(n), c.received_bytes, c.received,
            c.errors, c.received_dropped, c.sent_bytes, c.sent, c.sent_dropped);
    }
}

static void add_route(const struct netif *n, uint32_t network, uint32_t gateway, uint32_t mask) {
    unsigned flags = RTF_UP | (gateway ? RTF_GATEWAY : 0) | (mask == UINT32_MAX ? RTF_HOST : 0);
    if (!n) return;
    add("%s\t%08X\t%08X\t%04X\t0\t0\t0\t%08X\t0\t0\t0\n", interface_name(n), network, gateway, flags, mask);
}

static void route(void) {
    struct netif *n;
    add("Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n");
    for (const struct route *r = routes; r; r = r->next)
        add_route(netif_get_by_index(r->interface), r->network, r->gateway, r->mask);
    NETIF_FOREACH(n) {
        uint32_t address = ip4_addr_get_u32(netif_ip4_addr(n)), mask = ip4_addr_get_u32(netif_ip4_netmask(n));
        uint32_t gateway = ip4_addr_get_u32(netif_ip4_gw(n));
        if (!n->hwaddr_len || !address || !netif_is_up(n)) continue;
        if (gateway) add_route(n, 0, gateway, 0);
        add_route(n, address & mask, 0, mask);
    }
}

static void if_inet6(void) {
    struct netif *n;
    NETIF_FOREACH(n)
    for (int i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
        const ip6_addr_t *ip = netif_ip6_addr(n, i);
        uint8_t b[16];
        if (ip6_addr_isinvalid(netif_ip6_addr_state(n, i))) continue;
        memcpy(b, ip->addr, 16);
        for (int k = 0; k < 16; k++) add("%02x", b[k]);
        unsigned scope = ip6_addr_isloopback(ip) ? 0x10 : ip6_addr_islinklocal(ip) ? 0x20 : 0;
        bool tentative = ip6_addr_istentative(netif_ip6_addr_state(n, i));
        add(" %02x %02x %02x %02x %8s\n", netif_get_index(n), scope == 0x10 ? 128 : 64, scope, tentative ? 0x40 : 0x80,
            interface_name(n));
    }
}

static void arp(void) {
    add("IP address       HW type     Flags       HW address            Mask     Device\n");
    for (size_t i = 0; i < ARP_TABLE_SIZE; i++) {
        ip4_addr_t *ip;
        struct netif *n;
        struct eth_addr *e;
        char address[IP4ADDR_STRLEN_MAX];
        if (!etharp_get_entry(i, &ip, &n, &e)) continue;
        const uint8_t *a = e->addr;
        add("%-16s 0x1         0x2         %02x:%02x:%02x:%02x:%02x:%02x     *        %s\n",
            ip4addr_ntoa_r(ip, address, sizeof(address)), a[0], a[1], a[2], a[3], a[4], a[5], interface_name(n));
    }
}

/* --- files ------------------------------------------------------------------------------------------ */

static const struct report {
    const char *name;
    void (*make)(void);
} reports[] = {{"arp", arp},     {"dev", dev}, {"icmp", icmp}, {"if_inet6", if_inet6}, {"raw", raw},  {"raw6", raw6},
               {"route", route}, {"tcp", tcp}, {"tcp6", tcp6}, {"udp", udp},           {"udp6", udp6}};
#define COUNT (sizeof(reports) / sizeof(reports[0]))

bool report_is(uint64_t object) { return object >= REPORTS && object < REPORTS + COUNT; }

static const struct report *report_named(const uint8_t *name, size_t size) {
    for (size_t i = 0; i < COUNT; i++)
        if (strlen(reports[i].name) == size && !memcmp(reports[i].name, name, size)) return &reports[i];
    return nullptr;
}

int64_t report_open(struct port_buffer *call) {
    const struct report *r = report_named(call->data, call->request.length);
    uint64_t flags = call->request.args[0];
    if (!r) return -ENOENT;
    if (flags & FILE_DIRECTORY) return -ENOTDIR;
    if (!(flags & FILE_PATH) && (flags & FILE_ACCESS_MASK) != FILE_READ_ONLY) return -EACCES;
    return reply_file(call, REPORTS + (uint64_t)(r - reports), FILE_KIND_SEEKABLE);
}

int64_t report_stat(struct port_buffer *call) {
    struct file_attributes a = {.links = 1, .mode = S_IFREG | 0444, .block_size = 4096};
    uint64_t object = call->request.object;
    const struct report *r = object ? &reports[object - REPORTS] : report_named(call->data, call->request.length);
    if (object && call->request.length) return -ENOTDIR;
    if (!r) return -ENOENT;
    a.inode = (uint64_t)(r - reports) + 2;
    memcpy(call->data, &a, sizeof(a));
    call->reply.length = sizeof(a);
    return 0;
}

int64_t report_read(struct port_buffer *call) {
    length = 0;
    reports[call->request.object - REPORTS].make();
    int64_t result = reply_text(call, text, length);
    if (room > 65536) {
        free(text);
        text = nullptr;
        room = 0;
    }
    return result;
}

int64_t reports_list(struct port_buffer *call) {
    const char *names[COUNT];
    for (size_t i = 0; i < COUNT; i++) names[i] = reports[i].name;
    return flat_read(call, names, COUNT);
}
