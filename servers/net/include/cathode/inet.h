// SPDX-License-Identifier: MIT
/*
 * What internet sockets are made of: the operations of the schemes tcp:, udp:, icmp: and ip: beyond open
 * and close.
 *
 * OPEN of the scheme with an empty path and args[1] INET_SOCKET(…) is socket(); with a path (ADDRESS:PORT,
 * of icmp: ADDRESS) a connected socket.  OPEN of a listening socket with an empty path is accept(); it
 * answers the peer's address.  OP_CHANNEL_INFO answers the names.  OP_CONTROL takes what ioctl(2) takes
 * of interfaces and routes.  Addresses are struct sockaddr_in or sockaddr_in6.
 *
 * The file has a channel as its plane, and FILE_KIND_INTERNET: bytes of a stream, messages of the others,
 * whose address is a struct inet_datagram: where it comes from, or where it is to go (no address: to whom
 * the socket is connected to).
 */
#pragma once
#include <abi/scheme.h>

/* The first three and STATE are those of unix sockets (cathode/uds.h), too. */
enum inet_op {
    INET_BIND = OP_USER, /* data: address */
    INET_LISTEN, /* args[0] backlog */
    INET_CONNECT, /* data: address; args[0] 1: don't wait. AF_UNSPEC: a datagram socket's end */
    INET_SET_OPTION, /* args[0] level, args[1] option, as setsockopt(2); data: value */
    INET_GET_OPTION, /* args[0] level, args[1] option, args[2] room; answers the value */
    INET_STATE, /* result: enum inet_state */
    INET_SHUTDOWN, /* args[0]: as CHANNEL_SHUTDOWN, of a listening socket */
    INET_NETLINK, /* of ip:'s root. data: an rtnetlink request, args[1] the sender's port; answers messages */
    INET_LIMIT, /* data: struct inet_rule …, of a new socket, for good: see below */
};
enum inet_state { INET_IDLE, INET_LISTENING, INET_CONNECTED, INET_CONNECTING };

/*
 * A limited socket, and the connections that it accepts: connects and sends to what a TO rule has, else EACCES (of a
 * datagram with the next operation); listens, and is bound to a given port, at what an AT rule has, else EACCES.
 * Datagrams from elsewhere don't come to it but at such a port. It changes neither interfaces nor routes, whoever asks.
 */
enum inet_rule_what { INET_RULE_TO = 1, INET_RULE_AT = 2 };
struct inet_rule {
    uint8_t address[16]; /* as in memory: of IPv4 the first 4. IPv4 within IPv6 (::ffff:a.b.c.d) is IPv4 */
    uint8_t family; /* AF_INET, AF_INET6; 0: either, any address */
    uint8_t prefix; /* bits of the address that count */
    uint8_t what; /* enum inet_rule_what */
    uint8_t reserved;
    uint16_t first, last; /* ports, these included; ICMP's is 0 */
};
_Static_assert(sizeof(struct inet_rule) == 24, "as it is sent");
#define INET_RULES_MAX 256

#define INET_SOCKET(family, type, protocol) ((uint64_t)(family) | (uint64_t)(type) << 8 | (uint64_t)(protocol) << 16)
#define INET_ADDRESS_MAX 28 /* struct sockaddr_in6 */
#define INET_DATAGRAM_MAX 65507

enum inet_wants { /* what recvmsg is to tell beside the address */
                  INET_WANTS_PACKET = 1, /* IP_PKTINFO, IPV6_RECVPKTINFO */
                  INET_WANTS_TTL = 2, /* IP_RECVTTL, IPV6_RECVHOPLIMIT */
                  INET_WANTS_TOS = 4,
};
struct inet_datagram {
    uint8_t address[INET_ADDRESS_MAX];
    uint16_t length; /* of the address; 0: none */
    uint8_t ttl, tos; /* received; to send: 0, the socket's */
    uint32_t interface; /* where it came in; to send: 0, any */
    uint8_t local[16]; /* whom it was sent to; to send: from where, 0: any. IPv4 as ::ffff:a.b.c.d */
    uint32_t wants; /* enum inet_wants, as the socket was set */
};
