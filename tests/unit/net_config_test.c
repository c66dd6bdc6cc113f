// SPDX-License-Identifier: MIT
/* /etc/network.conf: what is accepted, what it means, where errors are reported. */
#include <arpa/inet.h>
#include <config.h>
#include <unit.h>

static struct config_table t;

static int parse(const char *text) {
    char copy[CONFIG_TEXT];
    strncpy(copy, text, sizeof(copy) - 1);
    copy[sizeof(copy) - 1] = 0;
    return config_parse(&t, copy);
}

TEST(nothing) {
    CHECK(parse("") == 0 && t.count == 0);
    CHECK(t.standard.dhcp && t.standard.ip6_auto && !t.standard.address);
}

TEST(everything) {
    CHECK(parse("# cards\n\neth0 dhcp # as ever\neth1 static 10.1.2.3/22 gateway 10.1.0.1 dns 10.1.0.2 dns 1.1.1.1\n"
                "eth2\tnone ipv6 none ipv6 2001:db8::1/64\ndefault none ipv6 auto\n") == 0);
    CHECK(t.count == 3 && !t.standard.dhcp && t.standard.ip6_auto);
    CHECK(strcmp(t.interfaces[0].name, "eth0") == 0 && t.interfaces[0].dhcp && t.interfaces[0].ip6_auto);
    const struct config *c = &t.interfaces[1];
    CHECK(!c->dhcp && c->address == inet_addr("10.1.2.3") && c->mask == inet_addr("255.255.252.0"));
    CHECK(c->gateway == inet_addr("10.1.0.1") && c->server_count == 2 && c->servers[1] == inet_addr("1.1.1.1"));
    c = &t.interfaces[2];
    CHECK(!c->dhcp && !c->ip6_auto && c->ip6_count == 1 && c->ip6[0].address[0] == 0x20);
}

TEST(off) {
    CHECK(parse("eth1 off\n") == 0 && t.count == 1 && t.interfaces[0].off && !t.standard.off);
    CHECK(parse("default off\neth1 static 10.0.0.1/24\n") == 0 && t.standard.off && !t.interfaces[0].off);
}

TEST(faults) {
    CHECK(parse("eth0 dhcp\neth1 sometimes\n") == 2);
    CHECK(parse("eth0 static") == 1);
    CHECK(parse("eth0 static 10.0.0.1") == 1);
    CHECK(parse("eth0 static 10.0.0.1/33") == 1);
    CHECK(parse("eth0 static 10.0.0.1/0") == 1);
    CHECK(parse("eth0 static 10.0.0/24") == 1);
    CHECK(parse("eth0 dhcp gateway") == 1);
    CHECK(parse("eth0 dhcp ipv6 1::2::3") == 1);
    CHECK(parse("a-name-that-is-too-long dhcp") == 1);
    CHECK(parse("eth0 dns 1.1.1.1 dns 1.1.1.1 dns 1.1.1.1 dns 1.1.1.1") == 1);
}

UNIT_MAIN
