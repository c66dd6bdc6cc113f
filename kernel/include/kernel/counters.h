// SPDX-License-Identifier: MIT
/* Per-CPU event counters, summed on reading (system_info). The bench prints them beside each row. */
#pragma once
#include <abi/counters.h>
