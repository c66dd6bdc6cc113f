// SPDX-License-Identifier: MIT
/*
 * Service manifests, /lib/services/NAME: text, one directive per line, words separated by blanks,
 * `#` starts a comment.  Pure parser, no I/O.
 *
 *   program PATH [ARGUMENT...]   what to run; the only directive that must be there
 *   scheme NAME RANK [setid]     provides NAME: ; in this order the SERVE handles are given; set-id programs work.
 *                                Of a driver the name ends in *, for the number of the instance
 *   opens NAME... | *            may open these schemes and no others (* = all)
 *   ports FIRST COUNT            I/O ports      \
 *   isa-irq LINE                 an interrupt    > handles given in this order after the schemes
 *   mmio START LENGTH            device memory  /
 *   pci VENDOR:DEVICE...         a driver: one instance for each PCI function with these ids \  (hexadecimal), as user
 *   class CC:SS[:PP]             or of this class; its handle comes after the schemes        /  without privilege
 *   nodes PREFIX                 the units that it tells of are /dev/PREFIXa, /dev/PREFIXb …; PREFIX*: /dev/PREFIX0 …
 *   uses PREFIX                  a server: gets the open file of each unit with this prefix, as it comes (service.h)
 *   disks                        a file system: one instance for each disk mounted with its name as the type, whose
 *                                open file comes after the scheme; named as a driver's, and a user without privilege
 *   grant log|system|modules|hardware|power   may read the log; has the SYSTEM handle; the boot modules; the hardware
 *                                root; switches the machine off, and tells of the power button
 *   mount PATH                   the first scheme is mounted there
 *   restart always|once|never    after it ended: default always
 *   priority N                   of its threads, 0 … 63
 *   needs NAME                   only if a driver provides this scheme: added when it is found
 *   when WORD, unless WORD       only if WORD is (not) on the kernel's command line; NAME= is there with any value
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MANIFEST_SCHEMES 4
#define MANIFEST_OPENS 16
#define MANIFEST_HARDWARE 8
#define MANIFEST_ARGUMENTS 8
#define MANIFEST_MATCHES 16
#define MANIFEST_TEXT 1024
#define MANIFEST_NAME_MAX 31 /* of a scheme */

enum manifest_hardware_kind { MANIFEST_PORTS, MANIFEST_ISA_IRQ, MANIFEST_MMIO };
enum manifest_restart { RESTART_ALWAYS, RESTART_ONCE, RESTART_NEVER };
enum manifest_grant { GRANT_LOG = 1, GRANT_SYSTEM = 2, GRANT_MODULES = 4, GRANT_HARDWARE = 8, GRANT_POWER = 16 };

struct manifest_scheme {
    const char *name;
    uint32_t rank;
    bool setid;
};
struct manifest_hardware {
    enum manifest_hardware_kind kind;
    uint64_t start, length;
};
struct manifest_match { /* a PCI function with these ids, or of this class if class_mask isn't 0 */
    uint16_t vendor, device;
    uint32_t class_code, class_mask;
};
struct manifest { /* the strings point into `text` */
    const char *arguments[MANIFEST_ARGUMENTS + 1]; /* the program first, null at the end */
    struct manifest_scheme schemes[MANIFEST_SCHEMES];
    const char *opens[MANIFEST_OPENS];
    struct manifest_hardware hardware[MANIFEST_HARDWARE];
    struct manifest_match matches[MANIFEST_MATCHES];
    const char *mount, *nodes, *uses, *needs, *when, *unless;
    uint32_t argument_count, scheme_count, open_count, hardware_count, match_count;
    enum manifest_restart restart;
    uint32_t grants; /* enum manifest_grant */
    int32_t priority; /* -1: the default */
    bool opens_all, disks;
    char text[MANIFEST_TEXT];
};

/* 0, or -EINVAL with *line = the number of the line at fault (0: no program, or too long). */
int manifest_parse(struct manifest *m, const char *text, size_t length, unsigned *line);
/* May it open scheme `name`? */
bool manifest_opens(const struct manifest *m, const char *name);
/* Is it a driver for a PCI function with these ids, and class base << 16 | sub << 8 | interface? */
#define MANIFEST_NO_CLASS UINT32_MAX /* by its ids alone */
bool manifest_matches(const struct manifest *m, uint16_t vendor, uint16_t device, uint32_t class_code);
/* Is it to run under this kernel command line (when, unless)? */
bool manifest_wanted(const struct manifest *m, const char *command_line);
