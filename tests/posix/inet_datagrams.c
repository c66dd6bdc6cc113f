// SPDX-License-Identifier: MIT
/* UDP, multicast, ICMP echo and raw sockets over the loopback. */
#include "inet.h"
#include <ifaddrs.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>

#pragma GCC diagnostic ignored "-Wsign-compare" /* CMSG_NXTHDR of musl */

static ssize_t send_from(int s, int family, int port, const char *text) {
    union address a;
    socklen_t length = loopback(family, port, &a);
    return sendto(s, text, strlen(text), 0, &a.any, length);
}

static void expect(int s, const char *text, int from) {
    char got[64] = {0};
    union address a;
    socklen_t length = sizeof(a);
    EQUAL(recvfrom(s, got, sizeof(got), 0, &a.any, &length), strlen(text));
    CHECK(!strcmp(got, text));
    EQUAL(ntohs(a.any.sa_family == AF_INET ? a.v4.sin_port : a.v6.sin6_port), from);
}

static void there_and_back(int family) {
    int a = bound(family, SOCK_DGRAM, 0), b = bound(family, SOCK_DGRAM, 0);
    EQUAL(send_from(a, family, port_of(b), "one"), 3);
    EQUAL(send_from(a, family, port_of(b), "three"), 5);
    EQUAL(ready(b, POLLIN, 5000), POLLIN);
    expect(b, "one", port_of(a));
    expect(b, "three", port_of(a));
    FAILS(EAGAIN, recv(b, &(char){0}, 1, MSG_DONTWAIT));
    EQUAL(ready(b, ALL, 0), POLLOUT);
    EQUAL(send_from(b, family, port_of(a), "back"), 4);
    expect(a, "back", port_of(b));
}

TEST(there_and_back_v4) { there_and_back(AF_INET); }
TEST(there_and_back_v6) { there_and_back(AF_INET6); }

TEST(sent_before_close) {
    enum { COUNT = 150 };
    int b = bound(AF_INET, SOCK_DGRAM, 0), a = connected(AF_INET, SOCK_DGRAM, port_of(b));
    char got;
    for (int i = 0; i < COUNT; i++) EQUAL(send(a, "x", 1, 0), 1);
    close(a);
    for (int i = 0; i < COUNT; i++) EQUAL(recv(b, &got, 1, 0), 1);
}

static uint32_t source_of_next(int s) {
    union address a;
    socklen_t length = sizeof(a);
    char got;
    EQUAL(recvfrom(s, &got, 1, 0, &a.any, &length), 1);
    return ntohl(a.v4.sin_addr.s_addr);
}

/* 127.0.0.1 is not the loopback's only address. */
TEST(from_another_address) {
    union address a;
    int s = (int)OK(socket(AF_INET, SOCK_DGRAM, 0)), b = bound(AF_INET, SOCK_DGRAM, 0);
    socklen_t length = loopback(AF_INET, 0, &a);
    a.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 4);
    OK(bind(s, &a.any, length));
    EQUAL(send_from(s, AF_INET, port_of(b), "x"), 1);
    EQUAL(source_of_next(b), INADDR_LOOPBACK + 4);
    OK(try_connect(s, AF_INET, port_of(b)));
    EQUAL(send(s, "x", 1, 0), 1);
    EQUAL(source_of_next(b), INADDR_LOOPBACK + 4);
    length = loopback(AF_INET6, 0, &a);
    s = (int)OK(socket(AF_INET6, SOCK_DGRAM, 0));
    OK(bind(s, &a.any, length));
    a.v6.sin6_port = htons((uint16_t)port_of(b));
    inet_pton(AF_INET6, "::ffff:127.0.0.1", &a.v6.sin6_addr);
    FAILS(ENETUNREACH, connect(s, &a.any, length));
}

/* What bind() did not say of a name is the connection's, and goes with it. */
TEST(disconnected) {
    union address a;
    socklen_t length = sizeof(a);
    const struct sockaddr none = {.sa_family = AF_UNSPEC};
    int b = bound(AF_INET, SOCK_DGRAM, 0), s = connected(AF_INET, SOCK_DGRAM, port_of(b));
    OK(getsockname(s, &a.any, &length));
    EQUAL(ntohl(a.v4.sin_addr.s_addr), INADDR_LOOPBACK);
    CHECK(a.v4.sin_port);
    OK(connect(s, &none, sizeof(none)));
    OK(getsockname(s, &a.any, &length));
    EQUAL(a.v4.sin_addr.s_addr, INADDR_ANY);
    EQUAL(a.v4.sin_port, 0);
    FAILS(ENOTCONN, getpeername(s, &a.any, &length));
    OK(try_connect(s, AF_INET, port_of(b)));
    CHECK(port_of(s));
    s = bound(AF_INET, SOCK_DGRAM, 0);
    OK(try_connect(s, AF_INET, port_of(b)));
    OK(connect(s, &none, sizeof(none)));
    OK(getsockname(s, &a.any, &length));
    EQUAL(ntohl(a.v4.sin_addr.s_addr), INADDR_LOOPBACK);
}

TEST(port_is_picked) {
    int b = bound(AF_INET, SOCK_DGRAM, 0), a = (int)OK(socket(AF_INET, SOCK_DGRAM, 0));
    EQUAL(send_from(a, AF_INET, port_of(b), "x"), 1);
    EQUAL(ready(b, POLLIN, 5000), POLLIN);
    CHECK(port_of(a) > 0);
    expect(b, "x", port_of(a));
}

TEST(connected_one) {
    union address none = {.any.sa_family = AF_UNSPEC}, peer;
    socklen_t length = sizeof(peer);
    char got[8];
    int b = bound(AF_INET, SOCK_DGRAM, 0), other = bound(AF_INET, SOCK_DGRAM, 0);
    int a = connected(AF_INET, SOCK_DGRAM, port_of(b));
    OK(getpeername(a, &peer.any, &length));
    EQUAL(ntohs(peer.v4.sin_port), port_of(b));
    EQUAL(write(a, "hello", 5), 5);
    expect(b, "hello", port_of(a));
    EQUAL(send_from(other, AF_INET, port_of(a), "stranger"), 8);
    EQUAL(send_from(b, AF_INET, port_of(a), "friend"), 6);
    EQUAL(recv(a, got, 8, 0), 6);
    CHECK(!memcmp(got, "friend", 6));
    OK(connect(a, &none.any, sizeof(none)));
    FAILS(ENOTCONN, getpeername(a, &peer.any, &length));
    EQUAL(send_from(a, AF_INET, port_of(other), "any"), 3);
    EQUAL(recv(other, got, 8, 0), 3);
}

TEST(refused) {
    char byte;
    int b = bound(AF_INET, SOCK_DGRAM, 0), a = connected(AF_INET, SOCK_DGRAM, port_of(b));
    close(b);
    EQUAL(write(a, "x", 1), 1);
    CHECK(ready(a, POLLIN, 5000) & POLLERR);
    FAILS(ECONNREFUSED, read(a, &byte, 1));
    FAILS(EAGAIN, recv(a, &byte, 1, MSG_DONTWAIT));
}

TEST(sizes) {
    static char block[65507 + 1];
    char got[4];
    int a = bound(AF_INET, SOCK_DGRAM, 0), b = bound(AF_INET, SOCK_DGRAM, 0);
    union address to;
    socklen_t length = loopback(AF_INET, port_of(b), &to);
    set(b, SOL_SOCKET, SO_RCVBUF, 1 << 20);
    memset(block, 'x', sizeof(block));
    set(a, SOL_SOCKET, SO_SNDBUF, 1 << 20);
    FAILS(EMSGSIZE, sendto(a, block, sizeof(block), 0, &to.any, length));
    EQUAL(sendto(a, block, 65507, 0, &to.any, length), 65507);
    EQUAL(ready(b, POLLIN, 5000), POLLIN);
    EQUAL(recv(b, got, 4, MSG_PEEK | MSG_TRUNC), 65507);
    EQUAL(recv(b, block, sizeof(block), 0), 65507);
    EQUAL(send_from(a, AF_INET, port_of(b), ""), 0);
    EQUAL(recv(b, got, 4, 0), 0);
    EQUAL(send_from(a, AF_INET, port_of(b), "long one"), 8);
    struct iovec v = {got, 4};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_name = &to, .msg_namelen = sizeof(to)};
    EQUAL(recvmsg(b, &m, 0), 4);
    CHECK(m.msg_flags & MSG_TRUNC);
    EQUAL(ntohs(to.v4.sin_port), port_of(a));
}

TEST(port_in_use) {
    union address a;
    int b = bound(AF_INET, SOCK_DGRAM, 0), s = (int)OK(socket(AF_INET, SOCK_DGRAM, 0));
    socklen_t length = loopback(AF_INET, port_of(b), &a);
    FAILS(EADDRINUSE, bind(s, &a.any, length));
    set(s, SOL_SOCKET, SO_REUSEADDR, 1);
    set(b, SOL_SOCKET, SO_REUSEADDR, 1);
    OK(bind(s, &a.any, length));
}

TEST(v4_to_a_socket_of_both) {
    union address any = {.v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT}}, from;
    socklen_t length = sizeof(from);
    char got[8];
    int b = (int)OK(socket(AF_INET6, SOCK_DGRAM, 0)), a = bound(AF_INET, SOCK_DGRAM, 0);
    OK(bind(b, &any.any, sizeof(any.v6)));
    EQUAL(send_from(a, AF_INET, port_of(b), "x"), 1);
    EQUAL(recvfrom(b, got, 8, 0, &from.any, &length), 1);
    CHECK(IN6_IS_ADDR_V4MAPPED(&from.v6.sin6_addr));
    EQUAL(sendto(b, "yy", 2, 0, &from.any, length), 2);
    EQUAL(recv(a, got, 8, 0), 2);
}

/* The next byte, and what comes along with it; good until the next one. */
static struct msghdr *with_control(int s) {
    static union {
        char bytes[256];
        struct cmsghdr align;
    } control;
    static char got[8];
    static struct iovec v = {got, 8};
    static struct msghdr m;
    m = (struct msghdr){.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    EQUAL(recvmsg(s, &m, 0), 1);
    return &m;
}

TEST(packet_info) {
    int a = bound(AF_INET, SOCK_DGRAM, 0), b = bound(AF_INET, SOCK_DGRAM, 0), ttl = 0;
    struct in_pktinfo info = {0};
    set(b, IPPROTO_IP, IP_PKTINFO, 1);
    set(b, IPPROTO_IP, IP_RECVTTL, 1);
    set(a, IPPROTO_IP, IP_TTL, 33);
    EQUAL(send_from(a, AF_INET, port_of(b), "x"), 1);
    struct msghdr *m = with_control(b);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_type == IP_PKTINFO) memcpy(&info, CMSG_DATA(c), sizeof(info));
        if (c->cmsg_type == IP_TTL) memcpy(&ttl, CMSG_DATA(c), sizeof(ttl));
    }
    EQUAL(ntohl(info.ipi_addr.s_addr), INADDR_LOOPBACK);
    EQUAL(info.ipi_ifindex, 1);
    EQUAL(ttl, 33);
}

/* IPv4 within IPv6. */
TEST(packet_info_mapped) {
    union address a = {.v6 = {.sin6_family = AF_INET6}};
    struct in6_pktinfo info = {0};
    int b = (int)OK(socket(AF_INET6, SOCK_DGRAM, 0));
    OK(bind(b, &a.any, sizeof(a.v6)));
    set(b, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    EQUAL(send(connected(AF_INET, SOCK_DGRAM, port_of(b)), "x", 1, 0), 1);
    struct msghdr *m = with_control(b);
    struct cmsghdr *c = CMSG_FIRSTHDR(m);
    CHECK(c && c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO);
    memcpy(&info, CMSG_DATA(c), sizeof(info));
    EQUAL(info.ipi6_addr.s6_addr[10], 0xff);
    EQUAL(info.ipi6_addr.s6_addr[15], 1);
}

/* A message may say where it is from. */
TEST(packet_info_to_send) {
    union {
        char bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
        struct cmsghdr header;
    } control = {.header = {.cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo)), .cmsg_type = IP_PKTINFO}};
    struct in_pktinfo info = {.ipi_spec_dst = {htonl(INADDR_LOOPBACK + 4)}};
    struct iovec v = {"x", 1};
    union address to;
    int b = bound(AF_INET, SOCK_DGRAM, 0), s = (int)OK(socket(AF_INET, SOCK_DGRAM, 0));
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    m.msg_name = &to;
    m.msg_namelen = loopback(AF_INET, port_of(b), &to);
    memcpy(CMSG_DATA(&control.header), &info, sizeof(info));
    EQUAL(sendmsg(s, &m, 0), 1);
    EQUAL(source_of_next(b), INADDR_LOOPBACK + 4);
    EQUAL(send_from(s, AF_INET, port_of(b), "x"), 1);
    EQUAL(source_of_next(b), INADDR_LOOPBACK);
}

/* The TTL and TOS that a message has come with. */
static void header_of_message(int s, int family, int *ttl, int *tos) {
    struct msghdr *m = with_control(s);
    *ttl = *tos = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_type == (family == AF_INET ? IP_TTL : IPV6_HOPLIMIT)) memcpy(ttl, CMSG_DATA(c), sizeof(*ttl));
        if (c->cmsg_type == (family == AF_INET ? IP_TOS : IPV6_TCLASS))
            memcpy(tos, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
    }
}

/* What one message says of its own header is for that message only. */
static void header_for_once(int family) {
    bool v4 = family == AF_INET;
    int level = v4 ? IPPROTO_IP : IPPROTO_IPV6, numbers[2] = {2, 0x20}, ttl, tos;
    char control[2 * CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = {0};
    union address to;
    int a = bound(family, SOCK_DGRAM, 0), b = bound(family, SOCK_DGRAM, 0);
    set(b, level, v4 ? IP_RECVTTL : IPV6_RECVHOPLIMIT, 1);
    set(b, level, v4 ? IP_RECVTOS : IPV6_RECVTCLASS, 1);
    struct msghdr m = {.msg_name = &to,
                       .msg_namelen = loopback(family, port_of(b), &to),
                       .msg_iov = &(struct iovec){"x", 1},
                       .msg_iovlen = 1,
                       .msg_control = control,
                       .msg_controllen = sizeof(control)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    for (int i = 0; i < 2; i++, c = CMSG_NXTHDR(&m, c)) {
        c->cmsg_level = level;
        c->cmsg_type = i ? (v4 ? IP_TOS : IPV6_TCLASS) : v4 ? IP_TTL : IPV6_HOPLIMIT;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &numbers[i], sizeof(int));
    }
    EQUAL(sendmsg(a, &m, 0), 1);
    EQUAL(send_from(a, family, port_of(b), "y"), 1);
    header_of_message(b, family, &ttl, &tos);
    EQUAL(ttl, 2);
    EQUAL(tos, 0x20);
    header_of_message(b, family, &ttl, &tos);
    EQUAL(ttl, 64);
    EQUAL(tos, 0);
    numbers[0] = 256;
    memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), &numbers[0], sizeof(int));
    FAILS(EINVAL, sendmsg(a, &m, 0));
}

TEST(header_for_once_v4) { header_for_once(AF_INET); }
TEST(header_for_once_v6) { header_for_once(AF_INET6); }

static void udp_lite(int family) {
    union address a;
    char got[8] = {0};
    int lite = (int)OK(socket(family, SOCK_DGRAM, IPPROTO_UDPLITE)), udp = bound(family, SOCK_DGRAM, 0);
    int other = (int)OK(socket(family, SOCK_DGRAM, IPPROTO_UDPLITE));
    EQUAL(option(lite, SOL_SOCKET, SO_PROTOCOL), IPPROTO_UDPLITE);
    OK(bind(lite, &a.any, loopback(family, 0, &a)));
    EQUAL(send_from(udp, family, port_of(lite), "udp"), 3); /* another protocol: not for it */
    EQUAL(send_from(other, family, port_of(lite), "lite"), 4);
    EQUAL(recv(lite, got, sizeof(got), 0), 4);
    CHECK(!strcmp(got, "lite"));
    FAILS(EAGAIN, recv(lite, got, sizeof(got), MSG_DONTWAIT));
}

TEST(udp_lite_v4) { udp_lite(AF_INET); }
TEST(udp_lite_v6) { udp_lite(AF_INET6); }

TEST(multicast_to_oneself) {
    union address group = {.v4 = {.sin_family = AF_INET}};
    struct ip_mreq m = {.imr_interface.s_addr = htonl(INADDR_LOOPBACK)};
    struct in_addr via = {htonl(INADDR_LOOPBACK)};
    char got[8];
    int a = (int)OK(socket(AF_INET, SOCK_DGRAM, 0)), b = (int)OK(socket(AF_INET, SOCK_DGRAM, 0));
    group.v4.sin_addr.s_addr = INADDR_ANY;
    OK(bind(b, &group.any, sizeof(group.v4)));
    group.v4.sin_port = htons((uint16_t)port_of(b));
    group.v4.sin_addr.s_addr = m.imr_multiaddr.s_addr = inet_addr("239.1.2.3");
    OK(setsockopt(b, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m)));
    OK(setsockopt(a, IPPROTO_IP, IP_MULTICAST_IF, &via, sizeof(via)));
    EQUAL(sendto(a, "all", 3, 0, &group.any, sizeof(group.v4)), 3);
    EQUAL(ready(b, POLLIN, 5000), POLLIN);
    EQUAL(recv(b, got, 8, 0), 3);
    OK(setsockopt(b, IPPROTO_IP, IP_DROP_MEMBERSHIP, &m, sizeof(m)));
    FAILS(EADDRNOTAVAIL, setsockopt(b, IPPROTO_IP, IP_DROP_MEMBERSHIP, &m, sizeof(m)));
    m.imr_multiaddr.s_addr = htonl(INADDR_LOOPBACK);
    FAILS(EINVAL, setsockopt(b, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m)));
}

/* Groups are a socket's own: nobody else leaves them, and its end does. */
TEST(groups_of_a_socket) {
    union address to = {.v4 = {.sin_family = AF_INET}};
    struct ip_mreq m = {.imr_interface.s_addr = htonl(INADDR_LOOPBACK), .imr_multiaddr.s_addr = inet_addr("239.1.2.4")};
    struct ipv6_mreq m6 = {.ipv6mr_interface = if_nametoindex("lo"), .ipv6mr_multiaddr = {{{0xff, 2, [15] = 99}}}};
    struct group_req r = {.gr_interface = if_nametoindex("lo")};
    struct in_addr via = {htonl(INADDR_LOOPBACK)}, got;
    socklen_t length = sizeof(got);
    char byte;
    int a = (int)OK(socket(AF_INET, SOCK_DGRAM, 0)), b = (int)OK(socket(AF_INET, SOCK_DGRAM, 0));
    int c = (int)OK(socket(AF_INET6, SOCK_DGRAM, 0));
    OK(setsockopt(a, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m)));
    FAILS(EADDRINUSE, setsockopt(a, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m)));
    FAILS(EADDRNOTAVAIL, setsockopt(b, IPPROTO_IP, IP_DROP_MEMBERSHIP, &m, sizeof(m)));
    OK(setsockopt(c, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &m6, sizeof(m6)));
    FAILS(EADDRINUSE, setsockopt(c, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &m6, sizeof(m6)));
    OK(setsockopt(b, IPPROTO_IP, IP_MULTICAST_IF, &via, sizeof(via)));
    OK(getsockopt(b, IPPROTO_IP, IP_MULTICAST_IF, &got, &length));
    EQUAL(got.s_addr, via.s_addr);
    OK(bind(b, &to.any, sizeof(to.v4)));
    to.v4.sin_port = htons((uint16_t)port_of(b));
    to.v4.sin_addr = m.imr_multiaddr;
    EQUAL(sendto(b, "x", 1, 0, &to.any, sizeof(to.v4)), 1);
    EQUAL(recv(b, &byte, 1, 0), 1);
    close(a);
    do {
        while (recv(b, &byte, 1, MSG_DONTWAIT) == 1) {
        }
        EQUAL(sendto(b, "x", 1, 0, &to.any, sizeof(to.v4)), 1);
    } while (ready(b, POLLIN, 100));
    memcpy(&r.gr_group, &to, sizeof(to.v4));
    OK(setsockopt(b, IPPROTO_IP, MCAST_JOIN_GROUP, &r, sizeof(r)));
    FAILS(EADDRINUSE, setsockopt(b, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m)));
    OK(setsockopt(b, IPPROTO_IP, MCAST_LEAVE_GROUP, &r, sizeof(r)));
    FAILS(EADDRNOTAVAIL, setsockopt(b, IPPROTO_IP, MCAST_LEAVE_GROUP, &r, sizeof(r)));
}

TEST(not_broadcast_without_asking) {
    union address a;
    int s = (int)OK(socket(AF_INET, SOCK_DGRAM, 0));
    socklen_t length = loopback(AF_INET, 9, &a);
    a.v4.sin_addr.s_addr = INADDR_BROADCAST;
    EQUAL(connect(s, &a.any, length), -1);
    CHECK(errno == EACCES || errno == ENETUNREACH); /* Linux looks for a route first */
}

TEST(shut_down) {
    char byte;
    int b = bound(AF_INET, SOCK_DGRAM, 0), a = connected(AF_INET, SOCK_DGRAM, port_of(b));
    FAILS(ENOTCONN, shutdown(b, SHUT_RD));
    OK(shutdown(a, SHUT_RD));
    EQUAL(read(a, &byte, 1), 0);
}

/* --- interfaces --- */
TEST(interface_names) {
    char name[IF_NAMESIZE];
    struct if_nameindex *all = if_nameindex();
    bool found = false;
    CHECK(all);
    for (struct if_nameindex *i = all; i->if_index; i++) found |= !strcmp(i->if_name, "lo") && i->if_index == 1;
    CHECK(found);
    EQUAL(if_nametoindex("lo"), 1);
    CHECK(if_indextoname(1, name) && !strcmp(name, "lo"));
    EQUAL(if_nametoindex("none"), 0);
    CHECK(!if_indextoname(200, name));
}

TEST(interface_addresses) {
    struct ifaddrs *all;
    bool v4 = false, v6 = false;
    OK(getifaddrs(&all));
    for (struct ifaddrs *i = all; i; i = i->ifa_next) {
        const union address *a = (const union address *)i->ifa_addr;
        if (strcmp(i->ifa_name, "lo") != 0 || !a) continue;
        CHECK(i->ifa_flags & IFF_LOOPBACK);
        v4 |= a->any.sa_family == AF_INET && ntohl(a->v4.sin_addr.s_addr) == INADDR_LOOPBACK;
        v6 |= a->any.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr);
    }
    CHECK(v4);
    CHECK(v6);
}

TEST(interface_requests) {
    struct ifreq r = {.ifr_name = "lo"}, all[8];
    struct ifconf list = {.ifc_len = sizeof(all), .ifc_req = all};
    int s = (int)OK(socket(AF_INET, SOCK_DGRAM, 0));
    OK(ioctl(s, SIOCGIFADDR, &r));
    EQUAL(ntohl(((struct sockaddr_in *)&r.ifr_addr)->sin_addr.s_addr), INADDR_LOOPBACK);
    OK(ioctl(s, SIOCGIFMTU, &r));
    CHECK(r.ifr_mtu >= 16384);
    OK(ioctl(s, SIOCGIFCONF, &list));
    CHECK(list.ifc_len >= (int)sizeof(all[0]) && !strcmp(all[0].ifr_name, "lo"));
    strcpy(r.ifr_name, "none");
    FAILS(ENODEV, ioctl(s, SIOCGIFADDR, &r));
    strcpy(r.ifr_name, "lo");
    if (geteuid() == 0) OK(seteuid(1000));
    FAILS(EPERM, ioctl(s, SIOCSIFADDR, &r));
}

/* --- raw --- */
static uint16_t checksum(const void *bytes, size_t size) {
    uint32_t sum = 0;
    const uint16_t *words = bytes;
    for (size_t i = 0; i < size / 2; i++) sum += words[i];
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

TEST(raw_echo) {
    struct {
        struct icmphdr h;
        char data[8];
    } request = {.h = {.type = ICMP_ECHO, .un.echo = {htons(77), htons(3)}}, .data = "payload"};
    union address to;
    socklen_t length = loopback(AF_INET, 0, &to);
    char got[128];
    int s = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    if (s < 0 && errno == EPERM) SKIP("not root");
    request.h.checksum = checksum(&request, sizeof(request));
    EQUAL(sendto(s, &request, sizeof(request), 0, &to.any, length), sizeof(request));
    for (;;) { /* the request itself is heard, too */
        const struct ip *ip = (const struct ip *)got;
        ssize_t n = OK(recv(s, got, sizeof(got), 0));
        const struct icmphdr *h = (const struct icmphdr *)(got + ip->ip_hl * 4);
        EQUAL(n, ip->ip_hl * 4 + (int)sizeof(request));
        EQUAL(ip->ip_p, IPPROTO_ICMP);
        if (h->type != ICMP_ECHOREPLY) continue;
        EQUAL(ntohs(h->un.echo.id), 77);
        CHECK(!memcmp(h + 1, request.data, 8));
        break;
    }
}

static int raw_v6(int protocol) {
    int s = socket(AF_INET6, SOCK_RAW, protocol);
    if (s < 0 && errno == EPERM) SKIP("not root");
    return (int)OK(s);
}

/* What sending it brings, at once or with the next operation. */
static int send_error(int s, const void *bytes, size_t size) {
    union address to;
    socklen_t length = loopback(AF_INET6, 0, &to), room = sizeof(int);
    int error = 0;
    if (sendto(s, bytes, size, 0, &to.any, length) < 0) return errno;
    for (int i = 0; i < 20 && !error; i++) {
        usleep(10000);
        OK(getsockopt(s, SOL_SOCKET, SO_ERROR, &error, &room));
    }
    return error;
}

/* ICMPv6's checksum is always the system's: a message without room for it is no message. */
TEST(raw_v6_short) {
    static const char bytes[4] = {(char)128};
    int s = raw_v6(IPPROTO_ICMPV6);
    for (size_t size = 2; size < 4; size++) EQUAL(send_error(s, bytes, size), EINVAL);
    EQUAL(send_error(s, bytes, 4), 0);
}

/* Other protocols' is, where the socket says (RFC 3542, 3.1). */
TEST(raw_v6_checksum) {
    enum { PROTOCOL = 253 };
    char bytes[8] = "abcdefg", got[64];
    int a = raw_v6(PROTOCOL), b = raw_v6(PROTOCOL), offset = 6;
    OK(setsockopt(a, IPPROTO_IPV6, IPV6_CHECKSUM, &offset, sizeof(offset)));
    EQUAL(send_error(a, bytes, 7), EINVAL);
    EQUAL(send_error(b, bytes, 8), 0); /* none: a doesn't hear it */
    EQUAL(recv(b, got, sizeof(got), 0), 8);
    CHECK(!memcmp(got, bytes, 8));
    EQUAL(send_error(a, bytes, 8), 0);
    EQUAL(recv(b, got, sizeof(got), 0), 8);
    CHECK(!memcmp(got, bytes, 6) && memcmp(got + 6, bytes + 6, 2) != 0);
    EQUAL(recv(a, bytes, 8, 0), 8);
    CHECK(!memcmp(got, bytes, 8));
    offset = 3;
    FAILS(EINVAL, setsockopt(a, SOL_RAW, IPV6_CHECKSUM, &offset, sizeof(offset)));
    offset = 2;
    OK(setsockopt(a, SOL_RAW, IPV6_CHECKSUM, &offset, sizeof(offset)));
    int icmp = raw_v6(IPPROTO_ICMPV6);
    FAILS(EINVAL, setsockopt(icmp, IPPROTO_IPV6, IPV6_CHECKSUM, &offset, sizeof(offset)));
    OK(setsockopt(icmp, SOL_RAW, IPV6_CHECKSUM, &offset, sizeof(offset)));
}

TEST(raw_is_privileged) {
    if (geteuid() == 0) OK(seteuid(1000));
    FAILS(EPERM, socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
}

TEST(raw_wants_a_protocol) { FAILS(EPROTONOSUPPORT, socket(AF_INET, SOCK_RAW, 0)); }
