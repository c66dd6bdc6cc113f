// SPDX-License-Identifier: MIT
/* lwIP as the network server has it, on this machine: a clock of the test's, counted memory. */
#pragma once
#include <stddef.h>
#include <stdint.h>

extern uint32_t lwip_host_ms;
extern size_t lwip_host_blocks; /* of memory, in use */
