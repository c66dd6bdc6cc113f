// SPDX-License-Identifier: MIT
/*
 * netlimit: makes schemes that stand for tcp:, udp: or icmp: in a namespace and open sockets which reach some
 * addresses only (INET_LIMIT, cathode/inet.h). confine(1) is its client.
 */
#pragma once
#include <cathode/inet.h>

enum netlimit_scheme { NETLIMIT_TCP, NETLIMIT_UDP, NETLIMIT_ICMP, NETLIMIT_SCHEMES };
enum netlimit_op {
    NETLIMIT_MAKE = OP_USER, /* args[0] enum netlimit_scheme; data: struct inet_rule …. Answers a handle to a scheme */
};
