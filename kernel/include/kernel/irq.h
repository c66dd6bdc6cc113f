// SPDX-License-Identifier: MIT
/*
 * Interrupt and I/O-port objects.  An interrupt masks its vector, counts and posts EVENT_IN; the
 * driver clears the cause and acknowledges, which unmasks it. kernel/irq/irq.c
 */
#pragma once
#include <abi/system.h>
#include <kernel/object.h>

struct object *irq_create_line(uint32_t gsi, unsigned flags); /* err_ptr */
struct object *irq_create_isa(unsigned line); /* err_ptr */
struct object *irq_create_message(struct msi_message *out); /* err_ptr */
void irq_acknowledge(struct object *irq);
struct object *ioport_create(uint32_t first, uint32_t count); /* err_ptr */
/* count units of 1, 2, 4 bytes between the user's buffer and the port; bounded runs, preemptible. */
MUST_CHECK long ioport_io(struct object *o, uint32_t port, uint32_t unit, bool write, uaddr_t buffer, size_t count);
