// SPDX-License-Identifier: MIT
/*
 * Cards.  Frames are not copied between a card's rings and lwIP: received ones are buffers of the pool in
 * custom pbufs, posted again when lwIP or a socket frees them; what is sent is allocated in the pool
 * (memory.c), and referenced until the card is done with it.
 */
#include "interface.h"
#include "coalesce.h"
#include "config.h"
#include "memory.h"
#include "segment.h"
#include <arpa/inet.h>
#include <lwip/dhcp.h>
#include <lwip/dns.h>
#include <lwip/etharp.h>
#include <lwip/ethip6.h>
#include <lwip/igmp.h>
#include <lwip/mld6.h>
#include <lwip/nd6.h>
#include <lwip/prot/dhcp.h>
#include <net/if.h>
#include <netif/ethernet.h>
#include <service.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CARDS_MAX 16
#define ENTRIES 256 /* of each ring */
#define BUFFER 2048
#define POOL (2u << 20)
#define BACKLOG 1000 /* frames that wait for room, as Linux's txqueuelen */
#define HEADERS_MAX 120 /* of IP and TCP */
#define PIECE_ANY 536 /* every host takes that (RFC 9293 §3.7.1): who waited for an address may not know better */
#define RESERVE 32 /* so few buffers left: what is received is copied, and the buffer posted again */

struct buffer {
    struct pbuf_custom pbuf; /* the first member */
    struct card *card;
    uint32_t offset;
    struct buffer *next;
};

struct waiting {
    struct waiting *next;
    struct pbuf *p;
    uint16_t pieces; /* segment_out, of it */
};

struct card {
    struct netif netif;
    struct netdev device;
    char name[INTERFACE_NAME_MAX];
    unsigned number;
    struct buffer *buffers, *idle; /* idle: not posted */
    uint32_t posted;
    struct waiting *first, *last;
    uint32_t waiting;
    bool dhcp, kicks;
    struct coalesce held;
    struct interface_counts counts;
};

static struct config_table configuration;
static struct card *cards[CARDS_MAX];
static struct interface_counts loopback_counts;
static bool changed;

static struct card *card_of(const struct netif *n) {
    return n->hwaddr_len ? (struct card *)((char *)(uintptr_t)n - offsetof(struct card, netif)) : nullptr;
}

const char *interface_name(const struct netif *n) {
    const struct card *c = card_of(n);
    return c ? c->name : "lo";
}

struct netif *interface_named(const char *name) {
    struct netif *n;
    NETIF_FOREACH(n)
    if (strcmp(interface_name(n), name) == 0) return n;
    return nullptr;
}

void interface_counts(const struct netif *n, struct interface_counts *out) {
    const struct card *c = card_of(n);
    *out = c ? c->counts : loopback_counts;
}

uint32_t interface_flags(const struct netif *n) {
    const struct card *c = card_of(n);
    uint32_t up = (netif_is_up(n) ? IFF_UP : 0) | (netif_is_link_up(n) && netif_is_up(n) ? IFF_RUNNING : 0);
    return up | (c ? IFF_BROADCAST | IFF_MULTICAST : IFF_LOOPBACK);
}

void interfaces_changed(void) { changed = true; }

/* --- receiving -------------------------------------------------------------------------------------- */

static void buffer_post(struct buffer *b) {
    struct card *c = b->card;
    if (!c->device.gone && netdev_post(&c->device, b->offset, BUFFER, b) == 0) {
        c->posted++;
        c->kicks = true;
        return;
    }
    b->next = c->idle;
    c->idle = b;
}

static void buffer_freed(struct pbuf *p) { buffer_post((struct buffer *)p); }

static struct pbuf *frame_of(struct card *c, const struct netdev_received *r) {
    struct pbuf *frame = nullptr;
    for (unsigned i = 0; i < r->count; i++) {
        struct buffer *b = r->pieces[i].context;
        c->posted--;
        b->pbuf.custom_free_function = buffer_freed;
        uint32_t space = BUFFER - (uint32_t)(r->pieces[i].offset - b->offset);
        struct pbuf *p = pbuf_alloced_custom(PBUF_RAW, (uint16_t)r->pieces[i].length, PBUF_REF, &b->pbuf,
                                             c->device.pool + r->pieces[i].offset, (uint16_t)space);
        if (!p) buffer_post(b);
        else if (frame) pbuf_cat(frame, p);
        else frame = p;
    }
    if (!frame || c->posted >= RESERVE) return frame;
    struct pbuf *copy = pbuf_clone(PBUF_RAW, PBUF_RAM, frame);
    pbuf_free(frame);
    return copy;
}

static void deliver(struct card *c, struct pbuf *p, bool checked) {
    uint16_t before = c->netif.chksum_flags;
    const uint16_t checks = NETIF_CHECKSUM_CHECK_UDP | NETIF_CHECKSUM_CHECK_TCP;
    NETIF_SET_CHECKSUM_CTRL(&c->netif, (uint16_t)(checked ? before & ~checks : before | checks));
    if (!netif_is_up(&c->netif) || c->netif.input(p, &c->netif) != ERR_OK) pbuf_free(p);
}

static void held_deliver(struct card *c) {
    for (struct pbuf *p; (p = coalesce_take(&c->held));) deliver(c, p, true);
}

static void on_received(struct netdev *d, const struct netdev_received *r) {
    struct card *c = d->context;
    bool checked = r->flags & (NET_CHECKED | NET_PARTIAL);
    struct pbuf *p = frame_of(c, r);
    c->counts.received++;
    c->counts.received_bytes += r->length;
    if (!p) {
        c->counts.received_dropped++;
        return;
    }
    if (coalesce_add(&c->held, p, checked)) return;
    held_deliver(c);
    if (!coalesce_add(&c->held, p, checked)) deliver(c, p, checked);
}

static void on_returned(struct netdev *d, void *context) {
    struct card *c = d->context;
    c->posted--;
    buffer_post(context);
}

/* --- sending ---------------------------------------------------------------------------------------- */

/*
 * TCP's checksum is left to the card, which sums from the TCP header on: what is there before is that of the pseudo
 * header.  (That of UDP, whose datagrams may be fragments, is lwIP's.)  lwIP knows of no IP options and no extension
 * headers before TCP.
 */
static void offload(const struct card *c, struct pbuf *p, struct netdev_frame *f) {
    const uint32_t v4 = 14 + 20, v6 = 14 + 40;
    uint8_t *h = p->payload;
    if (!(c->device.info.features & NET_CAN_CHECKSUM) || p->len < v4) return;
    bool is_v4 = h[12] == 8 && h[13] == 0 && h[14] == 0x45 && h[23] == IPPROTO_TCP;
    bool is_v6 = h[12] == 0x86 && h[13] == 0xdd && h[20] == IPPROTO_TCP;
    uint32_t start = is_v4 ? v4 : v6, at = start + 16;
    if ((!is_v4 && !is_v6) || p->len < at + 2 || h[at] || h[at + 1]) return; /* or it is of a raw socket */
    uint32_t sum = IPPROTO_TCP + (is_v4 ? ((uint32_t)h[16] << 8 | h[17]) - 20 : (uint32_t)h[18] << 8 | h[19]);
    for (uint32_t i = is_v4 ? 26 : 22; i < start; i += 2) sum += (uint32_t)h[i] << 8 | h[i + 1];
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    h[at] = (uint8_t)(sum >> 8);
    h[at + 1] = (uint8_t)sum;
    f->flags |= NET_CHECKSUM;
    f->offload = (struct net_send){.checksum_start = (uint16_t)start, .checksum_offset = (uint16_t)(at - start)};
    if (!segment_out && p->tot_len <= c->netif.mtu + NET_HEADER) return;
    f->flags |= is_v4 ? NET_SEGMENT4 : NET_SEGMENT6;
    f->offload.header_length = (uint16_t)(start + (h[start + 12] >> 4) * 4u);
    f->offload.mss = segment_out ? segment_out : PIECE_ANY;
}

uint32_t segment_limit(const struct netif *n, bool is_v6) {
    const struct card *c = card_of(n);
    if (!c || !(c->device.info.features & (is_v6 ? NET_CAN_TSO6 : NET_CAN_TSO4))) return 0;
    return c->device.info.segment_max - HEADERS_MAX;
}

static unsigned pieces_of(const struct card *c, const struct pbuf *p, struct netdev_piece *pieces) {
    unsigned count = 0;
    for (; p; p = p->next) {
        const uint8_t *at = p->payload;
        if (p->len == 0) continue;
        if (at < c->device.pool || at + p->len > c->device.pool + c->device.pool_size || count == NET_PIECES_MAX)
            return 0;
        pieces[count++] = (struct netdev_piece){.offset = (uint64_t)(at - c->device.pool), .length = p->len};
    }
    return count;
}

/* 0; -EAGAIN; or the frame is lost. p is the caller's still. */
static int transmit(struct card *c, struct pbuf *p) {
    struct netdev_piece pieces[NET_PIECES_MAX];
    struct netdev_frame f = {.pieces = pieces};
    f.count = pieces_of(c, p, pieces);
    if (f.count) {
        pbuf_ref(p);
    } else {
        /* Something in it is not the pool's. */
        p = pbuf_clone(PBUF_RAW, PBUF_RAM, p);
        if (!p) return -ENOBUFS;
        f.count = pieces_of(c, p, pieces);
        if (!f.count) {
            pbuf_free(p);
            return -ENOBUFS;
        }
    }
    f.context = p;
    offload(c, p, &f);
    int e = netdev_send(&c->device, &f);
    if (!e) {
        c->kicks = true;
        return 0;
    }
    /* It may come again, and is no raw socket's then, either. */
    if (f.flags & NET_CHECKSUM)
        memset((uint8_t *)p->payload + f.offload.checksum_start + f.offload.checksum_offset, 0, 2);
    pbuf_free(p);
    return e;
}

static bool wait_for_room(struct card *c, struct pbuf *p) {
    struct waiting *w = c->waiting < BACKLOG ? malloc(sizeof(*w)) : nullptr;
    if (!w) return false;
    *w = (struct waiting){.p = p, .pieces = segment_out};
    pbuf_ref(p);
    if (c->last) c->last->next = w;
    else c->first = w;
    c->last = w;
    c->waiting++;
    return true;
}

static struct pbuf *waiting_take(struct card *c) {
    struct waiting *w = c->first;
    struct pbuf *p = w->p;
    c->first = w->next;
    if (!c->first) c->last = nullptr;
    c->waiting--;
    free(w);
    return p;
}

static err_t link_output(struct netif *n, struct pbuf *p) {
    struct card *c = card_of(n);
    uint16_t size = p->tot_len;
    int e = c->first ? -EAGAIN : transmit(c, p);
    if (e == -EAGAIN && wait_for_room(c, p)) e = 0;
    if (e) {
        c->counts.sent_dropped++;
        return e == -ENETDOWN ? ERR_OK : ERR_MEM; /* a link that is down loses frames */
    }
    c->counts.sent++;
    c->counts.sent_bytes += size;
    return ERR_OK;
}

static void on_sent(struct netdev *d, void *context, int result) { pbuf_free(context); }

static void on_room(struct netdev *d) {
    struct card *c = d->context;
    while (c->first) {
        segment_out = c->first->pieces;
        int e = transmit(c, c->first->p);
        segment_out = 0;
        if (e == -EAGAIN) return;
        pbuf_free(waiting_take(c));
    }
}

static void on_link(struct netdev *d) {
    struct card *c = d->context;
    if (d->link) netif_set_link_up(&c->netif);
    else netif_set_link_down(&c->netif);
}

/* --- configuration ---------------------------------------------------------------------------------- */

static void config_load(const char *path) {
    static char text[CONFIG_TEXT];
    FILE *f = fopen(path, "re");
    size_t size = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
    text[size] = 0;
    if (f) fclose(f);
    int line = config_parse(&configuration, text);
    if (line) service_log("net: %s:%d: not understood", path, line);
}

static const struct config *config_of(const char *name) {
    for (uint32_t i = 0; i < configuration.count; i++)
        if (strcmp(configuration.interfaces[i].name, name) == 0) return &configuration.interfaces[i];
    return &configuration.standard;
}

/* --- cards come and go ------------------------------------------------------------------------------ */

static err_t card_init(struct netif *n) {
    struct card *c = n->state;
    n->name[0] = 'e';
    n->name[1] = 't';
    n->hwaddr_len = 6;
    memcpy(n->hwaddr, c->device.info.address, 6);
    n->mtu = n->mtu6 = c->device.info.mtu;
    n->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_IGMP | NETIF_FLAG_MLD6;
    n->output = etharp_output;
    n->output_ip6 = ethip6_output;
    n->linkoutput = link_output;
    uint16_t sums = NETIF_CHECKSUM_ENABLE_ALL;
    if (c->device.info.features & NET_CAN_CHECKSUM) sums &= (uint16_t)~NETIF_CHECKSUM_GEN_TCP;
    NETIF_SET_CHECKSUM_CTRL(n, sums);
    return ERR_OK;
}

static void on_status(struct netif *n) { interfaces_changed(); }

static bool buffers_make(struct card *c) {
    c->buffers = calloc(ENTRIES, sizeof(*c->buffers));
    void *memory = c->buffers ? pool_take((size_t)ENTRIES * BUFFER) : nullptr;
    if (!memory) return false;
    for (unsigned i = 0; i < ENTRIES; i++) {
        struct buffer *b = &c->buffers[i];
        b->card = c;
        b->offset = (uint32_t)((uint8_t *)memory - c->device.pool) + i * BUFFER;
        buffer_post(b);
    }
    return true;
}

static const struct netdev_ops device_ops = {
    .received = on_received, .returned = on_returned, .sent = on_sent, .link = on_link, .room = on_room};

static void card_start(struct card *c) {
    const struct config *config = config_of(c->name);
    /* All groups: IPv6 has one for each address, and lwIP drops what nobody joined. */
    int e = netdev_filter(&c->device, NET_ALL_MULTICAST, nullptr, 0);
    if (e) service_log("net: %s: no multicast: %s", c->name, strerror(-e));
    netif_set_status_callback(&c->netif, on_status);
    netif_set_up(&c->netif);
    if (config->ip6_auto) {
        netif_create_ip6_linklocal_address(&c->netif, 1);
        netif_set_ip6_autoconfig_enabled(&c->netif, 1);
    }
    for (unsigned i = 0; i < config->ip6_count; i++) {
        ip6_addr_t ip;
        int8_t at;
        memcpy(ip.addr, config->ip6[i].address, 16);
        ip6_addr_clear_zone(&ip);
        if (netif_add_ip6_address(&c->netif, &ip, &at) == ERR_OK)
            netif_ip6_addr_set_state(&c->netif, at, IP6_ADDR_TENTATIVE);
    }
    if (config->address) {
        interface_set_address(&c->netif, &(ip4_addr_t){config->address}, &(ip4_addr_t){config->mask});
        if (config->gateway)
            (void)!route_add(&(struct route){.gateway = config->gateway, .interface = netif_get_index(&c->netif)});
    }
    for (unsigned i = 0; i < config->server_count; i++) {
        ip_addr_t ip;
        ip_addr_set_ip4_u32(&ip, config->servers[i]);
        dns_setserver((uint8_t)i, &ip);
    }
    on_link(&c->device);
    if (config->dhcp) interface_dhcp(&c->netif, true);
    interfaces_changed();
}

static void card_free(struct card *c) {
    free(c->buffers);
    free(c);
}

static void card_add(const char *name, handle_t file) {
    unsigned number = 0;
    while (number < CARDS_MAX && cards[number]) number++;
    struct card *c = number < CARDS_MAX ? calloc(1, sizeof(*c)) : nullptr;
    const struct card *other = nullptr;
    for (unsigned i = 0; i < CARDS_MAX; i++)
        if (cards[i]) other = cards[i];
    struct netdev_setup setup = {ENTRIES, ENTRIES, POOL, other ? &other->device : nullptr};
    if (!c) {
        sys_handle_close(file);
        return;
    }
    c->number = number;
    snprintf(c->name, sizeof(c->name), "%s", name);
    int e = netdev_open(&c->device, file, &setup, &device_ops, c);
    if (e) {
        service_log("net: %s: %s", name, strerror(-e));
        sys_handle_close(file);
        card_free(c);
        return;
    }
    if (!other) pool_give(c->device.pool, c->device.pool_size);
    if (!buffers_make(c) || !netif_add_noaddr(&c->netif, c, card_init, netif_input)) {
        service_log("net: %s: no memory", name);
        netdev_close(&c->device);
        card_free(c);
        return;
    }
    cards[number] = c;
    if (scheme_event_add(&net_schemes[NET_TCP], c->device.event, EVENT_IN, INTERFACE_KEY | number) != 0)
        service_log("net: %s: no events", name);
    card_start(c);
}

/* The card is gone; its number and buffers stay, since sockets may hold what it received. */
static void card_remove(struct card *c) {
    if (netif_dhcp_data(&c->netif)) {
        dhcp_stop(&c->netif);
        dhcp_cleanup(&c->netif);
    }
    routes_of_interface_end(netif_get_index(&c->netif));
    while (c->first) pbuf_free(waiting_take(c));
    netif_set_link_down(&c->netif);
    netif_set_down(&c->netif);
    netif_remove(&c->netif);
    (void)!scheme_event_delete(&net_schemes[NET_TCP], c->device.event);
    cards[c->number] = nullptr;
    interfaces_changed();
}

/* --- what others ask -------------------------------------------------------------------------------- */

void interface_set_up(struct netif *n, bool up) {
    struct card *c = card_of(n);
    if (up == (bool)netif_is_up(n)) return;
    if (up) netif_set_up(n);
    else netif_set_down(n);
    if (!up) routes_of_interface_end(netif_get_index(n));
    if (c && c->dhcp && up) interface_dhcp(n, true);
    interfaces_changed();
}

void interface_dhcp(struct netif *n, bool on) {
    struct card *c = card_of(n);
    static char host[64];
    if (!c) return;
    c->dhcp = on;
    if (on) {
        if (gethostname(host, sizeof(host) - 1) == 0 && host[0]) netif_set_hostname(n, host);
        dhcp_start(n);
    } else if (netif_dhcp_data(n)) {
        dhcp_release_and_stop(n);
        dhcp_cleanup(n);
    }
}

void interface_set_address(struct netif *n, const ip4_addr_t *address, const ip4_addr_t *mask) {
    ip4_addr_t none = {0};
    interface_dhcp(n, false);
    netif_set_addr(n, address, mask, &none);
    interfaces_changed();
}

/* --- name servers, the default interface ------------------------------------------------------------ */

static void resolv_conf_write(void) {
    static char last[512];
    char text[512], address[IPADDR_STRLEN_MAX];
    size_t length = 0;
    for (uint8_t i = 0; i < DNS_MAX_SERVERS; i++) {
        const ip_addr_t *server = dns_getserver(i);
        if (address_is_any(server)) continue;
        /* In small letters (RFC 5952), which lwIP's own doesn't write. */
        if (IP_IS_V6(server)) inet_ntop(AF_INET6, ip_2_ip6(server)->addr, address, sizeof(address));
        else ipaddr_ntoa_r(server, address, sizeof(address));
        length += (size_t)snprintf(text + length, sizeof(text) - length, "nameserver %s\n", address);
    }
    if (length == 0 || (strlen(last) == length && memcmp(last, text, length) == 0)) return;
    memcpy(last, text, length);
    last[length] = 0;
    FILE *f = fopen("/etc/resolv.conf.new", "we");
    if (!f) return;
    bool good = fwrite(text, 1, length, f) == length;
    good = fclose(f) == 0 && good;
    if (good) rename("/etc/resolv.conf.new", "/etc/resolv.conf");
}

/* The default is the first interface that is up and has a router; without any, the first with an address. */
static void default_choose(void) {
    struct netif *n, *best = nullptr;
    NETIF_FOREACH(n) {
        bool usable = card_of(n) && netif_is_up(n) && netif_is_link_up(n);
        if (!usable || ip4_addr_isany(netif_ip4_addr(n))) continue;
        bool routed = !ip4_addr_isany(netif_ip4_gw(n));
        if (!best || routed || ip4_addr_isany(netif_ip4_gw(best))) best = n;
    }
    netif_set_default(best);
}

bool interfaces_busy(void) {
    for (unsigned i = 0; i < CARDS_MAX; i++)
        if (cards[i] && cards[i]->kicks) return true;
    return changed;
}

void interfaces_flush(void) {
    for (unsigned i = 0; i < CARDS_MAX; i++)
        if (cards[i] && cards[i]->kicks) {
            cards[i]->kicks = false;
            netdev_kick(&cards[i]->device);
        }
    if (!changed) return;
    changed = false;
    default_choose();
    resolv_conf_write();
}

/* --- events ----------------------------------------------------------------------------------------- */

static void news(void) {
    struct service_message m;
    handle_t h;
    while (service_hear(&m, &h)) {
        if (m.kind == SERVICE_UNIT && h != HANDLE_NONE && !config_of(m.name)->off) card_add(m.name, h);
        else if (h != HANDLE_NONE) sys_handle_close(h);
        if (m.kind != SERVICE_UNIT_GONE) continue;
        struct netif *n = interface_named(m.name);
        if (n && card_of(n)) card_remove(card_of(n));
    }
}

static void card_poll(struct card *c) {
    netdev_poll(&c->device);
    held_deliver(c);
    if (c->device.gone) card_remove(c);
}

void interface_event(uint64_t key) {
    uint64_t number = key & ~INTERFACE_KEY;
    if (number == INTERFACE_NEWS) return news();
    struct card *c = number < CARDS_MAX ? cards[number] : nullptr;
    if (!c) return;
    card_poll(c);
}

void interfaces_reap(void) {
    for (unsigned i = 0; i < CARDS_MAX; i++)
        if (cards[i]) card_poll(cards[i]);
}

void interfaces_init(const char *config_file) {
    struct handle_info info;
    struct netif *n;
    NETIF_FOREACH(n) n->mtu = n->mtu6 = 65535;
    config_load(config_file);
    if (sys_handle_info(SERVICE_SUPERVISOR, &info) < 0) return;
    (void)!scheme_event_add(&net_schemes[NET_TCP], SERVICE_SUPERVISOR, EVENT_IN | EVENT_EDGE,
                            INTERFACE_KEY | INTERFACE_NEWS);
    news();
}
