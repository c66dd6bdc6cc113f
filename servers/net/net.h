// SPDX-License-Identifier: MIT
/*
 * The network server.  One process serves four schemes, each with a thread and its loop; everything, lwIP
 * included, is under `lock`, which handlers hold (they never block).  The loop of tcp: also has the events
 * of all sockets and cards, and the timers.
 *
 * Every socket is a channel: its near end is the plane of the socket's file, the far end is held here.
 *
 *   stream   IDLE ──listen──→ LISTENING        connections wait in its queue until accept()
 *              └─connect─→ CONNECTING ─→ CONNECTED
 *            Between two programs of this machine (local.c) the far end of the one becomes the plane of
 *            the other, and the server is out of the way. To others (stream.c) it is pumped into lwIP.
 *   others   messages with addresses (datagram.c)
 */
#pragma once
#include <errno.h> /* before abi/errno.h */

#include <cathode/inet.h>
#include <lwip/ip_addr.h>
#include <lwip/netif.h>
#include <lwip/pbuf.h>
#include <netinet/in.h>
#include <object_map.h>
#include <scheme.h>
#include <sys/socket.h>

enum net_scheme { NET_TCP, NET_UDP, NET_ICMP, NET_IP, NET_SCHEMES };
extern struct scheme net_schemes[NET_SCHEMES];
extern struct object_map sockets;

struct endpoint {
    ip_addr_t ip; /* as lwIP has it: IPv4 also of a socket of AF_INET6 */
    uint16_t port;
};

struct piece { /* received, not in the channel yet */
    struct piece *next;
    struct pbuf *p;
};

struct socket {
    uint64_t id, generation; /* the latter: of the instance that made it */
    enum net_scheme scheme;
    uint8_t family, type, protocol;
    enum inet_state state;
    handle_t far; /* or HANDLE_NONE: both ends are programs' */
    bool bound, watched, closed; /* closed: no program has it any more */
    struct endpoint local, peer;
    struct socket *port_next; /* bound or listening: in its port's list */
    /* options */
    bool reuse_address, reuse_port, keep_alive, only_v6, no_delay, broadcast, linger_on;
    uint8_t ttl, tos;
    uint16_t linger_s;
    uint32_t keep_idle_s, keep_interval_s, keep_count, wants, device; /* device: index of the one interface, or 0 */
    uint32_t user_timeout_ms; /* 0: lwIP's number of retransmissions */
    int linger2_s; /* in FIN_WAIT_2 without a program; 0: lwIP's, < 0: not at all */
    struct limit *limit; /* null: none */
    uint8_t icmp_filter[32]; /* ICMP6_FILTER, ICMP_FILTER: types that aren't wanted have their bit set */

    /* streams */
    struct tcp_pcb *tcp; /* with lwIP: the connection's, or the listening one */
    struct piece *first, *last;
    uint8_t *unsent; /* taken from the channel, not by lwIP */
    uint32_t unsent_size;
    uint32_t unacknowledged; /* bytes received since the last turn */
    bool dirty, wants_room; /* in the list of those to be pumped; EVENT_OUT is watched */
    bool peer_ended, end_told, own_ended; /* FIN came; the program knows; FIN sent */
    int error; /* why connecting failed, for those who wait */
    struct socket *dirty_next;
    struct scheme_queue connecting, accepting;
    struct socket *listener; /* waits there: in its queue, or for a place in it */
    struct socket *queue_next, *queue_first, *queue_last; /* listening: connections for accept() */
    struct socket *want_first, *want_last; /* listening: local sockets that wait for a place */
    uint32_t queued, backlog;
    handle_t plane; /* a local connection in a queue: the end that will be its plane */

    /* the others */
    bool burst; /* last time there was more than one message */
    uint32_t events;
    struct group *groups; /* multicast.c */
    struct udp_pcb *udp;
    struct raw_pcb *raw;
};

/* --- address.c --- */
/* A program's address for a socket of this family: 0 or -errno. */
[[nodiscard]] int address_parse(uint8_t family, const void *bytes, size_t length, struct endpoint *out);
/* The other way: bytes written, at most INET_ADDRESS_MAX. */
size_t address_format(uint8_t family, const struct endpoint *e, void *bytes);
/* IPv4 within IPv6: ::ffff:a.b.c.d. */
void address_from_6(const struct in6_addr *from, uint32_t scope, ip_addr_t *out);
void address_to_6(const ip_addr_t *from, struct in6_addr *out);
/* ADDRESS:PORT, [ADDRESS]:PORT, or ADDRESS alone (wants_port false). */
[[nodiscard]] int name_parse(const char *text, size_t length, bool wants_port, struct endpoint *out);
bool address_is_own(const ip_addr_t *ip); /* of this machine */
bool address_is_any(const ip_addr_t *ip);
int error_of(int8_t lwip_error); /* positive errno */

/* --- limit.c --- */
int64_t limit_set(struct socket *s, struct port_buffer *call);
void limit_share(struct socket *s, const struct socket *from);
void limit_put(struct socket *s);
bool limit_allows(const struct socket *s, enum inet_rule_what what, const ip_addr_t *ip, uint16_t port);
/* Where it is bound, or would be. */
bool limit_allows_at(const struct socket *s, const struct endpoint *local);

const struct inet_rule *limit_rules(const struct socket *s, uint32_t *count);
[[nodiscard]] int limit_make(struct socket *s, const struct inet_rule *rules, size_t count);

/* --- keep.c: listening sockets outlive the server --- */
extern uint64_t net_generation; /* this instance's: ids alone come again with the next one */
void keep_init(void);
void keep(const struct socket *s);
void keep_again(const struct socket *s); /* it was changed */
void keep_forget(const struct socket *s);
void keep_settle(void); /* now and then: the channel has too much in it about those that ended */

/* --- port.c: TCP ports in use --- */
/* port 0: picks one. 0, -EADDRINUSE. */
[[nodiscard]] int port_bind(struct socket *s, const struct endpoint *local);
void port_unbind(struct socket *s);
void port_connection(uint16_t port, int more); /* an accepted connection came or went */
struct socket *port_listener(const struct endpoint *local);

/* --- socket.c --- */
struct socket *socket_make(enum net_scheme scheme, uint8_t family, uint8_t type, uint8_t protocol);
void socket_inherit(struct socket *s, const struct socket *listener); /* its options */
/* Its channel, near end at *near. */
[[nodiscard]] int socket_channel(struct socket *s, handle_t *near);
void socket_free(struct socket *s);
void socket_watch(struct socket *s, uint32_t mask); /* 0: not any more */
void reply_socket(struct port_buffer *call, const struct socket *s, handle_t near);
int64_t net_request(struct scheme *scheme, struct port_buffer *call);
int64_t net_cancel(struct scheme *scheme, struct port_buffer *call);
void net_event(struct scheme *scheme, uint64_t key, uint32_t mask);
static inline struct scheme *socket_scheme(const struct socket *s) { return &net_schemes[s->scheme]; }
static inline void socket_hold(const struct socket *s, uint64_t how) { sys_channel_control(s->far, CHANNEL_HOLD, how); }
static inline void socket_fail(const struct socket *s, int error) {
    sys_channel_control(s->far, CHANNEL_SET_ERROR, (uint64_t)error);
}

/* --- stream.c --- */
#define HELD_IDLE CHANNEL_HELD(ENOTCONN, EPIPE, EVENT_OUT | EVENT_HANGUP)
#define HELD_CONNECTING CHANNEL_HELD(EAGAIN, EAGAIN, 0)
#define HELD_LISTENING(events) CHANNEL_HELD(ENOTCONN, EPIPE, events)
int64_t stream_listen(struct socket *s, struct port_buffer *call);
[[nodiscard]] int stream_listen_again(struct socket *s); /* bound; by another instance, already */
int64_t stream_accept(struct socket *s, struct port_buffer *call);
int64_t stream_connect(struct socket *s, struct port_buffer *call, const struct endpoint *to);
[[nodiscard]] int stream_begin(struct socket *s, const struct endpoint *to); /* connecting; then see s->state */
void stream_shutdown(struct socket *s);
void stream_close(struct socket *s);
void stream_event(struct socket *s);
void streams_pump(void); /* all that became dirty */
void stream_waits(struct socket *s); /* its connection is in TIME_WAIT */
/* ICMP says that there is no way for this segment: who connects by it is told. */
void stream_unreachable(const ip_addr_t *from, uint16_t from_port, const ip_addr_t *to, uint16_t to_port,
                        uint32_t sequence, int error);
void stream_connected(struct socket *s); /* or not: s->error */
void stream_queue(struct socket *listener, struct socket *s); /* for accept() */
size_t stream_unsent(const struct socket *s); /* bytes of the program that the peer has not acknowledged */
void stream_apply_options(const struct socket *s);

/* --- stall.c: connections whose peer does not answer --- */
void stall_end(struct tcp_pcb *pcb, int error); /* of one that connects */
void stall_options(const struct socket *s);
void stalls_end(void); /* four times a second, while there are connections */

/* --- local.c: both programs on this machine --- */
[[nodiscard]] int local_connect(struct socket *s, const struct endpoint *to);
void local_admit(struct socket *listener); /* there may be room in its queue */

/* --- route.c --- */
bool route_leads_to(const ip_addr_t *ip); /* false: there is no router for it */

/* --- datagram.c --- */
[[nodiscard]] int datagram_open(struct socket *s);
int64_t datagram_bind(struct socket *s, const struct endpoint *local);
int64_t datagram_connect(struct socket *s, const struct endpoint *to); /* null: disconnect */
void datagram_close(struct socket *s);
void datagram_event(struct socket *s);
void datagram_apply_options(struct socket *s);
void datagrams_init(void);
void datagram_local(const struct socket *s, struct endpoint *out);

/* --- multicast.c: options, as setsockopt(2) has them --- */
int group_by_address(struct socket *s, const void *value, size_t length, bool join);
int group_by_address6(struct socket *s, const void *value, size_t length, bool join);
int group_by_request(struct socket *s, const void *value, size_t length, bool join);
void groups_leave(struct socket *s);
int multicast_interface(struct socket *s, const void *value, size_t length);
int multicast_interface6(struct socket *s, int index);
int multicast_index(const struct socket *s); /* 0: none was named */
int multicast_ttl(struct socket *s, int value);
int multicast_loop(struct socket *s, int value);
bool multicast_loops(const struct socket *s);

/* --- option.c --- */
int64_t option_set(struct socket *s, struct port_buffer *call);
int64_t option_get(struct socket *s, struct port_buffer *call);

/* --- environment.c --- */
void net_settle(void); /* the first thread, after all that it did: loopback packets, pumping, timers */
bool net_is_busy(void); /* there is something to settle */
