// SPDX-License-Identifier: MIT
#include "config.h"
#include <arpa/inet.h>
#include <string.h>

#define WORDS_MAX 24

static bool take_address(const char *word, uint32_t *out) {
    struct in_addr a;
    if (!word || inet_pton(AF_INET, word, &a) != 1) return false;
    *out = a.s_addr;
    return true;
}

/* ADDRESS/LENGTH */
static bool take_network(char *word, struct config *c) {
    char *slash = word ? strchr(word, '/') : nullptr;
    unsigned length = 0;
    if (!slash || !slash[1] || strlen(slash + 1) > 2) return false;
    for (const char *d = slash + 1; *d; d++) {
        if (*d < '0' || *d > '9') return false;
        length = length * 10 + (unsigned)(*d - '0');
    }
    if (length < 1 || length > 32) return false;
    *slash = 0;
    c->mask = htonl(UINT32_MAX << (32 - length));
    return take_address(word, &c->address);
}

static bool take_ipv6(char *word, struct config *c) {
    struct in6_addr a;
    if (!word) return false;
    if (strcmp(word, "auto") == 0 || strcmp(word, "none") == 0) {
        c->ip6_auto = word[0] == 'a';
        return true;
    }
    if (strchr(word, '/')) *strchr(word, '/') = 0; /* always 64 */
    if (c->ip6_count == CONFIG_ADDRESSES6 || inet_pton(AF_INET6, word, &a) != 1) return false;
    memcpy(c->ip6[c->ip6_count++].address, &a, 16);
    return true;
}

static bool take_words(struct config *c, char **word) {
    for (; *word; word++) {
        if (strcmp(*word, "dhcp") == 0) c->dhcp = true;
        else if (strcmp(*word, "none") == 0) c->dhcp = false;
        else if (strcmp(*word, "off") == 0) c->off = true;
        else if (strcmp(*word, "static") == 0) {
            c->dhcp = false;
            if (!take_network(*++word, c)) return false;
        } else if (strcmp(*word, "gateway") == 0) {
            if (!take_address(*++word, &c->gateway)) return false;
        } else if (strcmp(*word, "dns") == 0) {
            if (c->server_count == CONFIG_SERVERS || !take_address(*++word, &c->servers[c->server_count])) return false;
            c->server_count++;
        } else if (strcmp(*word, "ipv6") == 0) {
            if (!take_ipv6(*++word, c)) return false;
        } else {
            return false;
        }
    }
    return true;
}

static bool take_line(struct config_table *t, char *line) {
    char *word[WORDS_MAX + 2] = {}, *rest = line;
    unsigned count = 0;
    line[strcspn(line, "#")] = 0;
    while (count <= WORDS_MAX && (word[count] = strtok_r(rest, " \t\r", &rest))) count++;
    if (count == 0) return true;
    if (count > WORDS_MAX) return false;
    bool standard = strcmp(word[0], "default") == 0;
    if (!standard && (t->count == CONFIG_INTERFACES || strlen(word[0]) >= sizeof(t->standard.name))) return false;
    struct config c = {.ip6_auto = true};
    if (!take_words(&c, word + 1)) return false;
    strncpy(c.name, word[0], sizeof(c.name) - 1);
    if (standard) t->standard = c;
    else t->interfaces[t->count++] = c;
    return true;
}

int config_parse(struct config_table *t, char *text) {
    *t = (struct config_table){.standard = {.dhcp = true, .ip6_auto = true}};
    for (int number = 1; text; number++) {
        char *line = text;
        text = strchr(text, '\n');
        if (text) *text++ = 0;
        if (!take_line(t, line)) return number;
    }
    return 0;
}
