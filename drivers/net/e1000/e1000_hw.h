// SPDX-License-Identifier: MIT
/*
 * 82540EM (Intel, PCI/PCI-X Family of Gigabit Ethernet Controllers, Software Developer's Manual: SDM) and 82574
 * (82574 datasheet: DS). Both have these.
 */
#pragma once
#include <stdint.h>

#define DEVICE_82574 0x10d3

enum { /* SDM §13.4, DS §10.2 */
       REG_CTRL = 0x0000,
       REG_STATUS = 0x0008,
       REG_CTRL_EXT = 0x0018,
       REG_ICR = 0x00c0,
       REG_ITR = 0x00c4,
       REG_IMS = 0x00d0,
       REG_IMC = 0x00d8,
       REG_EIAC = 0x00dc, /* 82574 */
       REG_IVAR = 0x00e4, /* 82574 */
       REG_EITR = 0x00e8, /* 82574; one for each message */
       REG_RCTL = 0x0100,
       REG_TCTL = 0x0400,
       REG_TIPG = 0x0410,
       REG_RDBAL = 0x2800,
       REG_RDBAH = 0x2804,
       REG_RDLEN = 0x2808,
       REG_RDH = 0x2810,
       REG_RDT = 0x2818,
       REG_RDTR = 0x2820,
       REG_RADV = 0x282c,
       REG_TDBAL = 0x3800,
       REG_TDBAH = 0x3804,
       REG_TDLEN = 0x3808,
       REG_TDH = 0x3810,
       REG_TDT = 0x3818,
       REG_TIDV = 0x3820,
       REG_TADV = 0x382c,
       REG_CRCERRS = 0x4000, /* statistics: cleared by reading */
       REG_RXERRC = 0x400c,
       REG_MPC = 0x4010,
       REG_RXCSUM = 0x5000,
       REG_MTA = 0x5200,
       REG_RAL = 0x5400,
       REG_RAH = 0x5404,
       REGISTERS = 0x6000,
};
#define MTA_WORDS 128u

enum { CTRL_AUTO_SPEED = 1 << 5, CTRL_LINK_UP = 1 << 6, CTRL_RESET = 1 << 26 };
#define CTRL_CLEAR (1u << 3 | 1u << 7 | 1u << 31) /* LRST, ILOS, PHY_RST: SDM §14.3 */
#define CTRL_EXT_PBA_CLEAR (1u << 31)
enum { STATUS_LINK_UP = 2, STATUS_SPEED_SHIFT = 6 };
enum { /* ICR, IMS, IMC, EIAC */
       CAUSE_SENT = 1 << 0,
       CAUSE_LINK = 1 << 2,
       CAUSE_RECEIVE_LOW = 1 << 4,
       CAUSE_OVERRUN = 1 << 6,
       CAUSE_RECEIVED = 1 << 7,
       CAUSE_QUEUE_RECEIVED = 1 << 20, /* 82574 with messages */
       CAUSE_QUEUE_SENT = 1 << 22,
       CAUSE_OTHER = 1 << 24,
};
enum { MESSAGE_RECEIVED, MESSAGE_SENT, MESSAGE_OTHER, MESSAGES };
#define IVAR_VALUE (8u | MESSAGE_RECEIVED | (8u | MESSAGE_SENT) << 8 | (8u | MESSAGE_OTHER) << 16) /* DS §10.2.4.9 */
enum {
    RCTL_ENABLE = 1 << 1,
    RCTL_PROMISCUOUS = 1 << 3,
    RCTL_ALL_MULTICAST = 1 << 4,
    RCTL_BROADCAST = 1 << 15,
    RCTL_STRIP_CRC = 1 << 26,
};
enum { TCTL_ENABLE = 1 << 1, TCTL_PAD = 1 << 3, TCTL_MULTIPLE_REQUESTS = 1 << 28 };
#define TCTL_COLLISIONS (0x0fu << 4 | 0x40u << 12) /* full duplex: SDM §13.4.33 */
#define TIPG_VALUE (10u | 8u << 10 | 6u << 20) /* SDM §13.4.34 */
enum { RXCSUM_IP = 1 << 8, RXCSUM_TCP = 1 << 9 };
#define RAH_VALID (1u << 31)

struct receive_descriptor { /* SDM §3.2.3 */
    uint64_t address;
    uint16_t length, checksum;
    uint8_t status, errors;
    uint16_t special;
};
enum { RECEIVE_DONE = 1, RECEIVE_END = 2, RECEIVE_NO_CHECKSUM = 4, RECEIVE_TCP_CHECKED = 0x20 };
enum { ERROR_CRC = 1, ERROR_SYMBOL = 2, ERROR_SEQUENCE = 4, ERROR_CARRIER = 16, ERROR_TCP = 32, ERROR_DATA = 128 };
#define ERRORS_FRAME (ERROR_CRC | ERROR_SYMBOL | ERROR_SEQUENCE | ERROR_CARRIER | ERROR_DATA)

struct send_context { /* SDM §3.3.6 */
    uint8_t ip_start, ip_checksum;
    uint16_t ip_end;
    uint8_t tcp_start, tcp_checksum;
    uint16_t tcp_end;
    uint32_t command; /* bits 0 … 19: bytes of payload */
    uint8_t status, header_length;
    uint16_t mss;
};
struct send_data { /* SDM §3.3.7 */
    uint64_t address;
    uint32_t command; /* bits 0 … 19: bytes */
    uint8_t status, options;
    uint16_t special;
};
enum {
    SEND_TYPE_DATA = 1 << 20,
    SEND_END = 1 << 24, /* data: of the frame */
    SEND_CONTEXT_TCP = 1 << 24,
    SEND_FCS = 1 << 25, /* data */
    SEND_CONTEXT_IP4 = 1 << 25,
    SEND_SEGMENT = 1 << 26,
    SEND_REPORT = 1 << 27,
    SEND_EXTENDED = 1 << 29,
};
#define SEND_DELAY (1u << 31) /* of the interrupt: TIDV */
enum { SEND_DONE = 1 };
enum { OPTION_IP_CHECKSUM = 1, OPTION_TCP_CHECKSUM = 2 };
_Static_assert(sizeof(struct receive_descriptor) == 16 && sizeof(struct send_context) == 16 &&
                   sizeof(struct send_data) == 16,
               "SDM §3.2.3, §3.3.6");
