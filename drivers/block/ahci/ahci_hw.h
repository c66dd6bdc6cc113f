// SPDX-License-Identifier: MIT
/* Registers and structures of AHCI 1.3.1. */
#pragma once
#include <stdint.h>

/* --- §3.1 generic host control --- */
enum { HBA_CAP = 0x00, HBA_GHC = 0x04, HBA_IS = 0x08, HBA_PI = 0x0c, HBA_CAP2 = 0x24, HBA_BOHC = 0x28 };
#define CAP_SLOTS(cap) ((((cap) >> 8) & 31) + 1)
#define CAP_NCQ (1u << 30)
#define CAP_64 (1u << 31)
#define GHC_RESET (1u << 0)
#define GHC_INTERRUPTS (1u << 1)
#define GHC_AHCI (1u << 31)
#define CAP2_HANDOFF (1u << 0)
#define BOHC_BIOS (1u << 0)
#define BOHC_OS (1u << 1)
#define BOHC_BIOS_BUSY (1u << 4)

/* --- §3.3 port registers --- */
#define PORTS_MAX 32
#define HBA_PORT(n) (0x100u + 0x80u * (n))
enum {
    PORT_CLB = 0x00, /* command list, two words */
    PORT_FB = 0x08, /* received FISes, two words */
    PORT_IS = 0x10,
    PORT_IE = 0x14,
    PORT_CMD = 0x18,
    PORT_TFD = 0x20,
    PORT_SIG = 0x24,
    PORT_SSTS = 0x28,
    PORT_SCTL = 0x2c,
    PORT_SERR = 0x30,
    PORT_SACT = 0x34,
    PORT_CI = 0x38,
};
enum { /* §3.3.5 */
       IS_D2H = 1 << 0,
       IS_PIO_SETUP = 1 << 1,
       IS_DEVICE_BITS = 1 << 3,
       IS_UNKNOWN_FIS = 1 << 4,
       IS_CONNECT = 1 << 6,
       IS_PHY_READY = 1 << 22,
       IS_OVERFLOW = 1 << 24,
       IS_INTERFACE = 1 << 27, /* fatal */
       IS_BUS_DATA = 1 << 28,
       IS_BUS = 1 << 29,
       IS_TASK_FILE = 1 << 30,
};
#define IS_LINK (IS_CONNECT | IS_PHY_READY)
#define IS_ERRORS (IS_OVERFLOW | IS_INTERFACE | IS_BUS_DATA | IS_BUS | IS_TASK_FILE)
enum { /* §3.3.7 */
       CMD_START = 1 << 0,
       CMD_SPIN_UP = 1 << 1,
       CMD_POWER = 1 << 2,
       CMD_FIS_ENABLE = 1 << 4,
       CMD_FIS_RUNNING = 1 << 14,
       CMD_RUNNING = 1 << 15,
       CMD_ATAPI = 1 << 24,
};
enum { TFD_ERROR = 1 << 0, TFD_DRQ = 1 << 3, TFD_BUSY = 1 << 7 }; /* §3.3.8 */
#define SIGNATURE_DISK 0x00000101u /* §3.3.9 */
#define SIGNATURE_ATAPI 0xeb140101u
#define SSTS_DETECTION 0xfu /* §3.3.10 */
#define SSTS_CONNECTED 3u
#define SCTL_COMRESET 1u /* §3.3.11 */
#define SCTL_NO_SLEEP (3u << 8) /* no partial, no slumber */

/* --- §4.2 memory --- */
struct command_header { /* §4.2.2 */
    uint16_t flags, ranges;
    volatile uint32_t transferred; /* bytes, of commands that aren't queued */
    uint64_t table;
    uint32_t reserved[4];
};
enum { HEADER_ATAPI = 1 << 5, HEADER_WRITE = 1 << 6 }; /* bits 0–4: words of the FIS */
struct command_range { /* §4.2.3.3 */
    uint64_t physical;
    uint32_t reserved, last; /* last: bytes - 1, at most 4 MiB */
};
#define FIS_BYTES 20
struct command_table { /* §4.2.3 */
    uint8_t fis[64], packet[16], reserved[48];
    struct command_range range; /* one is enough: all memory is contiguous */
    uint8_t pad[112];
};
struct port_memory { /* of one port */
    struct command_header list[32];
    uint8_t received[256]; /* §4.2.1 */
    uint8_t pad[768];
    struct command_table tables[32];
    uint8_t scratch[2048]; /* data of the driver's own commands */
};
_Static_assert(sizeof(struct command_header) == 32 && sizeof(struct command_range) == 16, "AHCI 1.3.1 §4.2.2, §4.2.3");
_Static_assert(sizeof(struct command_table) == 256, "a multiple of 128");
_Static_assert(__builtin_offsetof(struct command_table, range) == 0x80, "AHCI 1.3.1 §4.2.3");
_Static_assert(__builtin_offsetof(struct port_memory, received) % 256 == 0, "AHCI 1.3.1 §4.2.1");
_Static_assert(__builtin_offsetof(struct port_memory, tables) % 128 == 0, "AHCI 1.3.1 §4.2.2");
