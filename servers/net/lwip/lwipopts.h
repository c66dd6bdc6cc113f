// SPDX-License-Identifier: MIT
/*
 * lwIP as the network server uses it: the raw interface without threads, all pools from malloc, windows for
 * 1 Gbit/s.  Timers are ours (timer.c): lwIP's own would wake an idle machine ten times a second.
 */
#pragma once

#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_NETCONN 0
#define LWIP_SOCKET 0
#define LWIP_TIMERS_CUSTOM 1
#define LWIP_DONT_PROVIDE_BYTEORDER_FUNCTIONS 1

#define MEM_LIBC_MALLOC 1
#define MEMP_MEM_MALLOC 1
#define MEM_ALIGNMENT 16
#define LWIP_PBUF_REF_T uint16_t

#define LWIP_IPV4 1
#define LWIP_IPV6 1
#define LWIP_ARP 1
#define ARP_TABLE_SIZE 120 /* s8_t indices */
#define ARP_QUEUEING 1
#define ARP_QUEUE_LEN 32
#define ETHARP_SUPPORT_STATIC_ENTRIES 1
#define IP_REASS_MAX_PBUFS 1024
#define MEMP_NUM_REASSDATA 64
#define IP_DEFAULT_TTL 64
#define IP_SOF_BROADCAST 1
#define LWIP_ICMP 1
#define LWIP_RAW 1
#define LWIP_DHCP 1
#define DHCP_DOES_ARP_CHECK 0 /* it would delay the address by seconds */
#define LWIP_DHCP_MAX_DNS_SERVERS 3
#define LWIP_IGMP 1
#define LWIP_MULTICAST_TX_OPTIONS 1
#define LWIP_DNS 1 /* DHCP tells of servers; programs ask them themselves, so dns.c is left out */
#define DNS_MAX_SERVERS 3

#define LWIP_IPV6_NUM_ADDRESSES 6
#define LWIP_IPV6_MLD 1
#define LWIP_IPV6_AUTOCONFIG 1
#define LWIP_IPV6_FRAG 1
#define LWIP_IPV6_REASS 1
#define IPV6_FRAG_COPYHEADER 1 /* what it keeps over the header does not fit there with 64-bit pointers */
#define LWIP_ND6_NUM_NEIGHBORS 120
#define LWIP_ND6_NUM_DESTINATIONS 120
#define LWIP_ND6_NUM_PREFIXES 16
#define LWIP_ND6_NUM_ROUTERS 8
#define LWIP_ND6_QUEUEING 1
#define LWIP_ND6_RDNSS_MAX_DNS_SERVERS 3
#define LWIP_ND6_ALLOW_RA_UPDATES 1

#define LWIP_UDP 1
#define LWIP_UDPLITE 1
#define LWIP_NETBUF_RECVINFO 0
#define SO_REUSE 1
#define SO_REUSE_RXTOALL 1

#define LWIP_TCP 1
#define TCP_MSS 1460
#define LWIP_WND_SCALE 1
#define TCP_RCV_SCALE 3
#define TCP_WND (256 * 1024)
/* Of the window that this peer is given: without scaling that is at most 64 KiB. */
#define TCP_WND_UPDATE_THRESHOLD (TCP_WND_MAX(pcb) / 4)
#define TCP_SND_BUF (256 * 1024)
#define TCP_SND_QUEUELEN 4096
#define TCP_SNDLOWAT 8192 /* the server asks tcp_sndbuf() itself */
#define MEMP_NUM_TCP_SEG TCP_SND_QUEUELEN /* of one connection; there is no pool */
#define TCP_OOSEQ_MAX_BYTES TCP_WND
#define LWIP_TCP_SACK_OUT 1
#define LWIP_TCP_TIMESTAMPS 1
#define TCP_LISTEN_BACKLOG 0 /* its counters have 8 bits; stream.c limits what waits */
#define LWIP_TCP_KEEPALIVE 1
#define LWIP_TCP_PCB_NUM_EXT_ARGS 3 /* stall.c's */
#define TCP_MSL 30000 /* TIME_WAIT lasts a minute, as everywhere */

#define LWIP_HAVE_LOOPIF 1
#define LWIP_NETIF_LOOPBACK 1
#define LWIP_LOOPIF_MULTICAST 1
#define LWIP_CHECKSUM_CTRL_PER_NETIF 1
#define LWIP_NETIF_HOSTNAME 1
#define LWIP_NETIF_STATUS_CALLBACK 1
#define LWIP_NETIF_LINK_CALLBACK 1
#define LWIP_NETIF_EXT_STATUS_CALLBACK 0
#define LWIP_SUPPORT_CUSTOM_PBUF 1
#define LWIP_STATS 0

#define LWIP_HOOK_FILENAME "hooks.h"
#define LWIP_HOOK_IP4_ROUTE_SRC route_interface
#define LWIP_HOOK_ETHARP_GET_GW route_gateway
