// SPDX-License-Identifier: MIT
/* Parser of service manifests: a table of directives over words split in place. */
#include <errno.h>
#include <manifest.h>
#include <string.h>

#define WORDS_MAX (MANIFEST_OPENS + 1)
#define PRIORITY_MAX 63
#define RANK_MAX 255
#define NODES_MAX 8 /* characters of a prefix */

struct words {
    unsigned count;
    char *word[WORDS_MAX];
};

static bool digits_parse(const char *text, unsigned base, uint64_t max, uint64_t *out) {
    uint64_t value = 0;
    if (*text == 0) return false;
    for (; *text != 0; text++) {
        unsigned digit = (unsigned)(*text - '0');
        if (base == 16 && (*text | 0x20) >= 'a' && (*text | 0x20) <= 'f') digit = (unsigned)((*text | 0x20) - 'a') + 10;
        if (digit >= base || digit > max || value > (max - digit) / base) return false;
        value = value * base + digit;
    }
    *out = value;
    return true;
}

/* Decimal, or hexadecimal with 0x. */
static bool number_parse(const char *text, uint64_t max, uint64_t *out) {
    bool hexadecimal = text[0] == '0' && text[1] == 'x';
    return digits_parse(hexadecimal ? text + 2 : text, hexadecimal ? 16 : 10, max, out);
}

/* Hexadecimal numbers with colons between, each at most max: how many, 0 if it is not that. */
static unsigned fields_parse(char *text, unsigned count, uint64_t max, uint64_t *out) {
    for (unsigned i = 0; i < count; i++) {
        char *colon = strchr(text, ':');
        if (colon) *colon = 0;
        if (!digits_parse(text, 16, max, &out[i])) return 0;
        if (!colon) return i + 1;
        text = colon + 1;
    }
    return 0;
}

static bool take_pci(struct manifest *m, const struct words *w) {
    uint64_t ids[2];
    if (w->count < 2) return false;
    for (unsigned i = 1; i < w->count; i++) {
        if (m->match_count == MANIFEST_MATCHES || fields_parse(w->word[i], 2, 0xffff, ids) != 2) return false;
        m->matches[m->match_count++] = (struct manifest_match){.vendor = (uint16_t)ids[0], .device = (uint16_t)ids[1]};
    }
    return true;
}

static bool take_class(struct manifest *m, const struct words *w) {
    uint64_t part[3] = {};
    unsigned count = w->count == 2 ? fields_parse(w->word[1], 3, 0xff, part) : 0;
    if (m->match_count == MANIFEST_MATCHES || count < 2) return false;
    m->matches[m->match_count++] =
        (struct manifest_match){.class_code = (uint32_t)(part[0] << 16 | part[1] << 8 | part[2]),
                                .class_mask = count == 3 ? 0xffffff : 0xffff00};
    return true;
}

static bool scheme_name_valid(const char *name) {
    size_t length = strlen(name);
    return length > 0 && length <= MANIFEST_NAME_MAX && !strpbrk(name, ":/*");
}

static bool take_program(struct manifest *m, const struct words *w) {
    if (m->argument_count != 0 || w->count < 2 || w->count - 1 > MANIFEST_ARGUMENTS || w->word[1][0] != '/')
        return false;
    m->argument_count = w->count - 1;
    for (unsigned i = 1; i < w->count; i++) m->arguments[i - 1] = w->word[i];
    return true;
}

static bool take_scheme(struct manifest *m, const struct words *w) {
    uint64_t rank;
    bool setid = w->count == 4 && strcmp(w->word[3], "setid") == 0;
    if (m->scheme_count == MANIFEST_SCHEMES || (w->count != 3 && !setid) || !number_parse(w->word[2], RANK_MAX, &rank))
        return false;
    m->schemes[m->scheme_count++] = (struct manifest_scheme){w->word[1], (uint32_t)rank, setid};
    return true;
}

static bool take_opens(struct manifest *m, const struct words *w) {
    if (w->count < 2) return false;
    for (unsigned i = 1; i < w->count; i++) {
        if (strcmp(w->word[i], "*") == 0) {
            m->opens_all = true;
        } else {
            if (m->open_count == MANIFEST_OPENS || !scheme_name_valid(w->word[i])) return false;
            m->opens[m->open_count++] = w->word[i];
        }
    }
    return true;
}

static bool take_hardware(struct manifest *m, const struct words *w, enum manifest_hardware_kind kind,
                          uint64_t start_max) {
    struct manifest_hardware h = {.kind = kind, .length = 1};
    bool ranged = kind != MANIFEST_ISA_IRQ;
    if (m->hardware_count == MANIFEST_HARDWARE || w->count != (ranged ? 3u : 2u) ||
        !number_parse(w->word[1], start_max, &h.start))
        return false;
    if (ranged && (!number_parse(w->word[2], start_max + 1 - h.start, &h.length) || h.length == 0)) return false;
    m->hardware[m->hardware_count++] = h;
    return true;
}

static bool take_ports(struct manifest *m, const struct words *w) {
    return take_hardware(m, w, MANIFEST_PORTS, 0xffff);
}
static bool take_isa_irq(struct manifest *m, const struct words *w) {
    return take_hardware(m, w, MANIFEST_ISA_IRQ, 15);
}
static bool take_mmio(struct manifest *m, const struct words *w) {
    return take_hardware(m, w, MANIFEST_MMIO, (1ULL << 52) - 1);
}

static bool take_choice(const struct words *w, const char *const *names, unsigned count, unsigned *out) {
    for (unsigned i = 0; w->count == 2 && i < count; i++) {
        if (strcmp(w->word[1], names[i]) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

static bool take_grant(struct manifest *m, const struct words *w) {
    static const char *const names[] = {"log", "system", "modules", "hardware", "power"};
    unsigned choice;
    if (!take_choice(w, names, 5, &choice)) return false;
    m->grants |= 1u << choice;
    return true;
}

static bool take_restart(struct manifest *m, const struct words *w) {
    static const char *const names[] = {"always", "once", "never"};
    unsigned choice;
    if (!take_choice(w, names, 3, &choice)) return false;
    m->restart = (enum manifest_restart)choice;
    return true;
}

static bool take_priority(struct manifest *m, const struct words *w) {
    uint64_t priority;
    if (w->count != 2 || !number_parse(w->word[1], PRIORITY_MAX, &priority)) return false;
    m->priority = (int32_t)priority;
    return true;
}

static bool take_text(const char **field, const struct words *w) {
    if (w->count != 2 || *field) return false;
    *field = w->word[1];
    return true;
}
static bool take_mount(struct manifest *m, const struct words *w) {
    return take_text(&m->mount, w) && m->mount[0] == '/';
}
static bool take_nodes(struct manifest *m, const struct words *w) {
    return take_text(&m->nodes, w) && strlen(m->nodes) <= NODES_MAX && !strpbrk(m->nodes, "./") &&
           strcspn(m->nodes, "*") >= strlen(m->nodes) - 1;
}
static bool take_uses(struct manifest *m, const struct words *w) { return take_text(&m->uses, w); }
static bool take_needs(struct manifest *m, const struct words *w) { return take_text(&m->needs, w); }
static bool take_disks(struct manifest *m, const struct words *w) {
    m->disks = true;
    return w->count == 1;
}
static bool take_when(struct manifest *m, const struct words *w) { return take_text(&m->when, w); }
static bool take_unless(struct manifest *m, const struct words *w) { return take_text(&m->unless, w); }

static const struct directive {
    const char *name;
    bool (*take)(struct manifest *m, const struct words *w);
} directives[] = {
    {"program", take_program}, {"scheme", take_scheme},     {"opens", take_opens}, {"ports", take_ports},
    {"isa-irq", take_isa_irq}, {"mmio", take_mmio},         {"grant", take_grant}, {"mount", take_mount},
    {"restart", take_restart}, {"priority", take_priority}, {"when", take_when},   {"unless", take_unless},
    {"pci", take_pci},         {"class", take_class},       {"nodes", take_nodes}, {"disks", take_disks},
    {"uses", take_uses},       {"needs", take_needs},
};

static bool line_split(char *line, struct words *w) {
    char *rest = NULL;
    w->count = 0;
    line[strcspn(line, "#")] = 0;
    for (char *word = strtok_r(line, " \t\r", &rest); word; word = strtok_r(NULL, " \t\r", &rest)) {
        if (w->count == WORDS_MAX) return false;
        w->word[w->count++] = word;
    }
    return true;
}

static bool line_parse(struct manifest *m, char *line) {
    struct words w;
    if (!line_split(line, &w)) return false;
    if (w.count == 0) return true;
    for (size_t i = 0; i < sizeof(directives) / sizeof(directives[0]); i++) {
        if (strcmp(w.word[0], directives[i].name) == 0) return directives[i].take(m, &w);
    }
    return false;
}

/* One scheme for each instance, if it is a driver or a file system. Room for the number is left. */
static bool schemes_valid(const struct manifest *m) {
    for (uint32_t i = 0; i < m->scheme_count; i++) {
        size_t length = strlen(m->schemes[i].name), stem = strcspn(m->schemes[i].name, ":/*");
        bool numbered = length > 1 && stem == length - 1 && m->schemes[i].name[stem] == '*';
        if (length == 0 || length > MANIFEST_NAME_MAX - (numbered ? 2 : 0)) return false;
        if (m->match_count || m->disks ? !numbered : stem != length) return false;
    }
    return true;
}

int manifest_parse(struct manifest *m, const char *text, size_t length, unsigned *line) {
    *m = (struct manifest){.priority = -1};
    *line = 0;
    if (length >= MANIFEST_TEXT || memchr(text, 0, length)) return -EINVAL;
    memcpy(m->text, text, length);
    for (char *at = m->text, *next; at; at = next) {
        next = strchr(at, '\n');
        if (next) *next++ = 0;
        ++*line;
        if (!line_parse(m, at)) return -EINVAL;
    }
    *line = 0;
    bool driver = m->match_count > 0;
    if (m->argument_count == 0 || (m->mount && (m->scheme_count == 0 || driver || m->disks))) return -EINVAL;
    if (m->nodes && (m->disks || m->scheme_count == 0)) return -EINVAL;
    if (m->uses && (driver || m->disks || m->scheme_count == 0)) return -EINVAL;
    if (m->disks && (driver || m->scheme_count != 1 || m->argument_count > MANIFEST_ARGUMENTS - 2)) return -EINVAL;
    return schemes_valid(m) ? 0 : -EINVAL;
}

bool manifest_matches(const struct manifest *m, uint16_t vendor, uint16_t device, uint32_t class_code) {
    for (uint32_t i = 0; i < m->match_count; i++) {
        const struct manifest_match *match = &m->matches[i];
        if (match->class_mask ? (class_code & match->class_mask) == match->class_code
                              : vendor == match->vendor && device == match->device)
            return true;
    }
    return false;
}

bool manifest_opens(const struct manifest *m, const char *name) {
    for (uint32_t i = 0; i < m->open_count; i++) {
        if (strcmp(m->opens[i], name) == 0) return true;
    }
    return m->opens_all;
}

static bool has_word(const char *line, const char *word) {
    size_t length = strlen(word);
    bool any_value = word[length - 1] == '=';
    for (const char *at = line; (at = strstr(at, word)); at += length) {
        if ((at == line || at[-1] == ' ') && (any_value || at[length] == ' ' || at[length] == 0)) return true;
    }
    return false;
}

bool manifest_wanted(const struct manifest *m, const char *command_line) {
    return (!m->when || has_word(command_line, m->when)) && (!m->unless || !has_word(command_line, m->unless));
}
