// SPDX-License-Identifier: MIT
#include "confine.h"
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static bool number_parse(const char *text, unsigned long most, unsigned long *out, const char **end) {
    char *after;
    if (*text < '0' || *text > '9') return false;
    *out = strtoul(text, &after, 10);
    *end = after;
    return *out <= most;
}

/* PORT or PORT-PORT */
static bool ports_parse(const char *text, struct inet_rule *rule) {
    unsigned long first, last;
    if (!number_parse(text, 65535, &first, &text)) return false;
    last = first;
    if (*text == '-' && !number_parse(text + 1, 65535, &last, &text)) return false;
    rule->first = (uint16_t)first;
    rule->last = (uint16_t)last;
    return !*text && first <= last;
}

/* Cuts the text into host, prefix and ports; the latter two may be null. */
static bool cut(char *text, bool has_ports, char **host, char **prefix, char **ports) {
    char *rest = text;
    *host = text;
    *prefix = *ports = nullptr;
    if (text[0] == '[') {
        rest = strchr(text, ']');
        if (!rest) return false;
        *rest++ = 0;
        *host = text + 1;
    }
    char *colon = strrchr(rest, ':');
    bool six_alone = rest == text && colon && strchr(text, ':') != colon;
    if (colon && has_ports && !six_alone) {
        *colon = 0;
        *ports = colon + 1;
    }
    char *slash = strchr(rest, '/');
    if (slash) {
        *slash = 0;
        *prefix = slash + 1;
    } else if (rest != text && *rest) {
        return false;
    }
    return true;
}

static const char *rule_keep(struct rules *r, const struct inet_rule *rule) {
    if (r->count == INET_RULES_MAX) return "too many rules";
    r->list[r->count++] = *rule;
    return nullptr;
}

static const char *addresses_add(struct rules *r, struct inet_rule rule, const char *host, const char *prefix) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *all;
    const char *end = "";
    unsigned long bits = 0;
    if (getaddrinfo(host, nullptr, &hints, &all) != 0) return "no such address";
    const char *error = nullptr;
    for (const struct addrinfo *a = all; a && !error; a = a->ai_next) {
        bool v4 = a->ai_family == AF_INET;
        const void *bytes = v4 ? (const void *)&((const struct sockaddr_in *)a->ai_addr)->sin_addr
                               : &((const struct sockaddr_in6 *)a->ai_addr)->sin6_addr;
        size_t size = v4 ? 4 : 16;
        bits = size * 8;
        if (prefix && (!number_parse(prefix, size * 8, &bits, &end) || *end)) {
            error = "no such prefix";
            continue;
        }
        if (!v4 && IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)bytes)) {
            error = "write it as IPv4";
            continue;
        }
        rule.family = (uint8_t)a->ai_family;
        rule.prefix = (uint8_t)bits;
        memcpy(rule.address, bytes, size);
        error = rule_keep(r, &rule);
    }
    freeaddrinfo(all);
    return error;
}

const char *rules_add(struct rules *r, enum inet_rule_what what, bool has_ports, const char *where) {
    char text[300], *host, *prefix, *ports;
    struct inet_rule rule = {.what = (uint8_t)what, .last = 65535};
    if (strlen(where) >= sizeof(text)) return "too long";
    strcpy(text, where);
    if (!cut(text, has_ports, &host, &prefix, &ports)) return "no address";
    if (ports && !ports_parse(ports, &rule)) return "no such port";
    if (*host && strcmp(host, "*") != 0) return addresses_add(r, rule, host, prefix);
    return prefix ? "a prefix of any address" : rule_keep(r, &rule);
}
