// SPDX-License-Identifier: MIT
/* confine(1): runs a command with fewer names, and a network that ends where its options say. ../README.md */
#ifndef CATHODE_USER_STUBS
#define CATHODE_USER_STUBS
#endif
#include "confine.h"
#include <abi/syscall.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WITHOUT_MAX 64
#define STATUS_OWN 125 /* as of env, nice and their like: it could not be done */

static const char *const schemes[] = {[NETLIMIT_TCP] = "tcp", [NETLIMIT_UDP] = "udp", [NETLIMIT_ICMP] = "icmp"};
static struct rules rules[NETLIMIT_SCHEMES];
static const char *without[WITHOUT_MAX];
static unsigned without_count;
static bool network; /* is left as it is */

static void usage(void) {
    fputs("usage: confine [--tcp WHERE] [--tcp-listen WHERE] [--udp WHERE] [--udp-listen WHERE] [--icmp WHERE]\n"
          "               [--network] [--without NAME] ... [--] COMMAND [ARGUMENT...]\n"
          "WHERE: ADDRESS[/PREFIX][:PORT[-PORT]], [IPV6-ADDRESS]:PORT, NAME:PORT, *:PORT\n",
          stderr);
    exit(STATUS_OWN);
}

static void fail(const char *what, long error) {
    fprintf(stderr, "confine: %s: %s\n", what, strerror((int)-error));
    exit(STATUS_OWN);
}

static void options_read(int argc, char **argv) {
    enum { TCP = 1, TCP_LISTEN, UDP, UDP_LISTEN, ICMP, NETWORK, WITHOUT };
    static const struct option options[] = {
        {"tcp", required_argument, nullptr, TCP},         {"tcp-listen", required_argument, nullptr, TCP_LISTEN},
        {"udp", required_argument, nullptr, UDP},         {"udp-listen", required_argument, nullptr, UDP_LISTEN},
        {"icmp", required_argument, nullptr, ICMP},       {"network", no_argument, nullptr, NETWORK},
        {"without", required_argument, nullptr, WITHOUT}, {},
    };
    for (int o; (o = getopt_long(argc, argv, "+", options, nullptr)) != -1;) {
        const char *error = nullptr;
        switch (o) {
        case TCP: error = rules_add(&rules[NETLIMIT_TCP], INET_RULE_TO, true, optarg); break;
        case TCP_LISTEN: error = rules_add(&rules[NETLIMIT_TCP], INET_RULE_AT, true, optarg); break;
        case UDP: error = rules_add(&rules[NETLIMIT_UDP], INET_RULE_TO, true, optarg); break;
        case UDP_LISTEN: error = rules_add(&rules[NETLIMIT_UDP], INET_RULE_AT, true, optarg); break;
        case ICMP: error = rules_add(&rules[NETLIMIT_ICMP], INET_RULE_TO, false, optarg); break;
        case NETWORK: network = true; break;
        case WITHOUT:
            if (without_count == WITHOUT_MAX) error = "too many names";
            else without[without_count++] = optarg;
            break;
        default: usage();
        }
        if (error) {
            fprintf(stderr, "confine: %s: %s\n", optarg, error);
            exit(STATUS_OWN);
        }
    }
    if (optind == argc) usage();
}

/* The limited scheme: a handle to it. */
static handle_t limited(enum netlimit_scheme which) {
    static const char name[] = "netlimit:";
    struct call_args args = {.request = {.op = OP_OPEN, .args = {FILE_READ_ONLY}, .length = sizeof(name) - 1},
                             .in = name,
                             .carry = HANDLE_NONE,
                             .handle_flags = HANDLE_IN_UPPER,
                             .deadline = DEADLINE_NEVER};
    long e = sys_call(HANDLE_NAMESPACE, &args);
    if (e < 0) fail("netlimit:", e);
    handle_t root = args.reply.handle;
    args = (struct call_args){
        .request = {.op = NETLIMIT_MAKE,
                    .args = {which},
                    .length = (uint32_t)(rules[which].count * sizeof(struct inet_rule))},
        .in = rules[which].list,
        .carry = HANDLE_NONE,
        .handle_flags = HANDLE_IN_UPPER,
        .deadline = DEADLINE_NEVER,
    };
    e = sys_call(root, &args);
    if (e < 0) fail("netlimit:", e);
    sys_handle_close(root);
    return args.reply.handle;
}

static void unbind(handle_t ns, const char *name) {
    sys_namespace_control(ns, NAMESPACE_UNBIND, (char *)name, strlen(name), HANDLE_NONE);
}

/* All that leads to the network: sockets, raw packets, the cards themselves, and other limits than these. */
static bool is_network(const char *name) {
    static const char *const all[] = {"tcp", "udp", "icmp", "ip", "netlimit"};
    size_t stem = strcspn(name, "."); /* tcp.NAME is another network server's */
    for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (strlen(all[i]) == stem && memcmp(name, all[i], stem) == 0) return true;
    return strncmp(name, "net.", 4) == 0;
}

static void network_limit(handle_t ns) {
    static char names[8192];
    handle_t made[NETLIMIT_SCHEMES];
    for (unsigned i = 0; i < NETLIMIT_SCHEMES; i++)
        made[i] = rules[i].count ? limited((enum netlimit_scheme)i) : HANDLE_NONE;
    long size = sys_namespace_control(ns, NAMESPACE_LIST, names, sizeof(names), HANDLE_NONE);
    if (size < 0) fail("names", size);
    for (const char *name = names; name < names + size; name += strlen(name) + 1)
        if (is_network(name)) unbind(ns, name);
    for (unsigned i = 0; i < NETLIMIT_SCHEMES; i++) {
        if (made[i] == HANDLE_NONE) continue;
        long e = sys_namespace_control(ns, NAMESPACE_BIND, (char *)schemes[i], strlen(schemes[i]), made[i]);
        if (e < 0) fail(schemes[i], e);
        sys_handle_close(made[i]);
    }
}

int main(int argc, char **argv) {
    options_read(argc, argv);
    long ns = sys_namespace_control(HANDLE_NAMESPACE, NAMESPACE_CLONE, nullptr, 0, HANDLE_NONE);
    if (ns < 0) fail("names", ns);
    if (!network) network_limit((handle_t)ns);
    for (unsigned i = 0; i < without_count; i++) unbind((handle_t)ns, without[i]);
    long e = sys_handle_duplicate((handle_t)ns, HANDLE_NAMESPACE, HANDLE_AT | HANDLE_KEEP,
                                  RIGHTS_SAME & ~(uint32_t)RIGHT_CONTROL);
    if (e < 0) fail("names", e);
    sys_handle_close((handle_t)ns);
    execvp(argv[optind], argv + optind);
    int error = errno;
    fprintf(stderr, "confine: %s: %s\n", argv[optind], strerror(error));
    return error == ENOENT ? 127 : 126;
}
