// SPDX-License-Identifier: MIT
/* Parser of service manifests: a table of directives over words split in place. */
#include <errno.h>
#include <manifest.h>
#include <string.h>

#define WORDS_MAX (MANIFEST_OPENS + 1)
#define PRIORITY_MAX 63
#define RANK_MAX 255

struct words {
    unsigned count;
    char *word[WORDS_MAX];
};

/* Decimal, or hexadecimal with 0x. */
static bool number_parse(const char *text, uint64_t max, uint64_t *out) {
    unsigned base = 10;
    uint64_t value = 0;
    if (text[0] == '0' && text[1] == 'x') {
        base = 16;
        text += 2;
    }
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
    if (m->scheme_count == MANIFEST_SCHEMES || (w->count != 3 && !setid) || !scheme_name_valid(w->word[1]) ||
        !number_parse(w->word[2], RANK_MAX, &rank))
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
    static const char *const names[] = {"log", "system", "modules"};
    unsigned choice;
    if (!take_choice(w, names, 3, &choice)) return false;
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
static bool take_when(struct manifest *m, const struct words *w) { return take_text(&m->when, w); }
static bool take_unless(struct manifest *m, const struct words *w) { return take_text(&m->unless, w); }

static const struct directive {
    const char *name;
    bool (*take)(struct manifest *m, const struct words *w);
} directives[] = {
    {"program", take_program}, {"scheme", take_scheme},     {"opens", take_opens}, {"ports", take_ports},
    {"isa-irq", take_isa_irq}, {"mmio", take_mmio},         {"grant", take_grant}, {"mount", take_mount},
    {"restart", take_restart}, {"priority", take_priority}, {"when", take_when},   {"unless", take_unless},
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
    return m->argument_count > 0 && (!m->mount || m->scheme_count > 0) ? 0 : -EINVAL;
}

bool manifest_opens(const struct manifest *m, const char *name) {
    for (uint32_t i = 0; i < m->open_count; i++) {
        if (strcmp(m->opens[i], name) == 0) return true;
    }
    return m->opens_all;
}

static bool has_word(const char *line, const char *word) {
    size_t length = strlen(word);
    for (const char *at = line; (at = strstr(at, word)); at += length) {
        if ((at == line || at[-1] == ' ') && (at[length] == ' ' || at[length] == 0)) return true;
    }
    return false;
}

bool manifest_wanted(const struct manifest *m, const char *command_line) {
    return (!m->when || has_word(command_line, m->when)) && (!m->unless || !has_word(command_line, m->unless));
}
