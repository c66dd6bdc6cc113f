// SPDX-License-Identifier: MIT
/*
 * /etc/network.conf: text, a line for each interface, `#` starts a comment.  Pure parser.
 *
 *   NAME dhcp | static ADDRESS/LENGTH | none   IPv4; then any of
 *        gateway ADDRESS   dns ADDRESS...      (static)
 *        ipv6 auto | none | ADDRESS            auto: link-local and by router advertisements
 *   NAME off                                    left alone: another network server may have it
 *   default ...                                 interfaces without a line of their own
 *
 * Without a file: `default dhcp ipv6 auto`.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_INTERFACES 16
#define CONFIG_SERVERS 3
#define CONFIG_ADDRESSES6 4
#define CONFIG_TEXT 4096

struct config {
    char name[16];
    bool off, dhcp, ip6_auto;
    uint32_t address, mask, gateway; /* network order, 0: none */
    uint32_t servers[CONFIG_SERVERS], server_count;
    struct {
        uint8_t address[16];
    } ip6[CONFIG_ADDRESSES6];
    uint32_t ip6_count;
};
struct config_table {
    struct config interfaces[CONFIG_INTERFACES], standard;
    uint32_t count;
};

/* 0, or the number of the line at fault. `text` is split in place. */
[[nodiscard]] int config_parse(struct config_table *t, char *text);
