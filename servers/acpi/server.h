// SPDX-License-Identifier: MIT
/* The ACPI server's parts. An address of PCI is bus << 8 | device << 3 | function. */
#pragma once
#include <acpi/acpi.h>
#include <pci_platform.h>
#include <scheme.h>
#include <service.h>

enum { KEY_SUPERVISOR, KEY_PCI, KEY_INTERRUPT }; /* of events */

/* --- osl.c: what ACPICA asks of a system --- */
int osl_init(struct scheme *s); /* 0 or -errno */
void osl_run(void); /* what ACPICA put off */
void osl_interrupt(void);

/* --- pci.c: the PCI server's side of it --- */
int64_t pci_request(enum pci_platform_op op, uint64_t a, uint64_t b, uint64_t c);
/* Address of a device in the namespace, or -1. */
int pci_address(acpi_handle device);
/* Finds the root buses, asks for hot plug (_OSC), evaluates all _PRT, and tells the PCI server. */
void pci_attach(struct scheme *s);
void pci_news(struct scheme *s);
/* A device's slot says something: it came, it went, it shall go. */
void pci_notify(acpi_handle device, u32 value);
int pci_describe(char *out, size_t room);
