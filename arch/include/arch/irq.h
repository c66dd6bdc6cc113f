// SPDX-License-Identifier: MIT
/* Arch contract: interrupt vectors, lines and messages; port I/O. */
#pragma once
#include <kernel/types.h>

#define IRQ_VECTOR_COUNT 192 /* device vectors, numbered from 0 */

/* Routes a global system interrupt (ACPI GSI) to a fresh vector, masked. flags: IRQ_LEVEL, IRQ_LOW. */
enum irq_flags { IRQ_LEVEL = 1, IRQ_LOW = 2 };
MUST_CHECK int arch_irq_route(uint32_t gsi, unsigned flags); /* vector, -EINVAL, -ENOSPC */
void arch_irq_free(unsigned vector); /* of a line or a message; masked from now on */
void arch_irq_mask(unsigned vector);
void arch_irq_unmask(unsigned vector);
/* Allocates a vector for a message-signalled interrupt; gives the message to program. */
MUST_CHECK int arch_msi_allocate(uint64_t *address, uint32_t *data); /* vector, -ENOSPC */
/* ISA interrupt number → GSI and flags, from the MADT's overrides. */
uint32_t arch_isa_gsi(unsigned isa_irq, unsigned *flags);

/* Port I/O in units of 1, 2 or 4 bytes; -ENODEV where the architecture has none. */
MUST_CHECK int arch_port_read(uint16_t port, unsigned size, void *buf, size_t count);
MUST_CHECK int arch_port_write(uint16_t port, unsigned size, const void *buf, size_t count);
