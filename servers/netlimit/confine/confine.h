// SPDX-License-Identifier: MIT
/* confine(1): rules from its options. */
#pragma once
#include <errno.h> /* before abi/errno.h */

#include <cathode/netlimit.h>
#include <stdbool.h>
#include <stddef.h>

struct rules {
    size_t count;
    struct inet_rule list[INET_RULES_MAX];
};

/*
 * Adds what `where` means: ADDRESS[/PREFIX][:PORT[-PORT]], an address of IPv6 with a port in brackets, a name for all
 * its addresses, `*` or nothing for any address. Null, or what is wrong.
 */
const char *rules_add(struct rules *r, enum inet_rule_what what, bool has_ports, const char *where);
