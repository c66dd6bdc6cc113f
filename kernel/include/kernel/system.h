// SPDX-License-Identifier: MIT
/* What main.c hands to init, and system-wide facts. */
#pragma once
#include <abi/system.h>
#include <kernel/bootinfo.h>
#include <kernel/object.h>

#define CATHODE_VERSION "0.1"
void system_init(const struct bootinfo *boot); /* keeps the pointer */
struct object *system_object(enum object_type type); /* the one SYSTEM, HARDWARE or LOG object */
