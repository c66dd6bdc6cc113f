// SPDX-License-Identifier: MIT
/* System use fields: SUSP and Rock Ridge. A record's may go on in other blocks (CE). */
#include "internal.h"

#include <sys/sysmacros.h>
#include <time.h>

#define SECOND 1000000000ll
#define CONTINUATIONS_MAX 32

static uint32_t load32(const uint8_t *p) {
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

int64_t date_decode(const uint8_t date[7]) { /* 9.1.5 */
    struct tm t = {.tm_year = date[0],
                   .tm_mon = date[1] - 1,
                   .tm_mday = date[2],
                   .tm_hour = date[3],
                   .tm_min = date[4],
                   .tm_sec = date[5]};
    return date[1] ? (timegm(&t) - (int8_t)date[6] * 900) * SECOND : 0;
}

static int digits(const uint8_t *p, int count) {
    int value = 0;
    for (int i = 0; i < count; i++) value = value * 10 + (p[i] >= '0' && p[i] <= '9' ? p[i] - '0' : 0);
    return value;
}

static int64_t long_date_decode(const uint8_t date[17]) { /* 8.4.26.1 */
    struct tm t = {.tm_year = digits(date, 4) - 1900,
                   .tm_mon = digits(date + 4, 2) - 1,
                   .tm_mday = digits(date + 6, 2),
                   .tm_hour = digits(date + 8, 2),
                   .tm_min = digits(date + 10, 2),
                   .tm_sec = digits(date + 12, 2)};
    if (t.tm_year < 0 || t.tm_year > 300 || t.tm_mon < 0) return 0;
    return (timegm(&t) - (int8_t)date[16] * 900) * SECOND + digits(date + 14, 2) * (SECOND / 100);
}

/* --- Rock Ridge: `data` is what follows the field's header --- */
static void take_attributes(struct rock *r, const uint8_t *data, uint32_t length) {
    if (length < 32) return;
    r->attributes = true;
    r->mode = load32(data);
    r->links = load32(data + 8);
    r->uid = load32(data + 16);
    r->gid = load32(data + 24);
}

static void take_device(struct rock *r, const uint8_t *data, uint32_t length) {
    if (length < 16) return;
    uint32_t high = load32(data), low = load32(data + 8);
    r->rdev = high ? makedev(high, low) : makedev(low >> 8, low & 0xff);
}

static void take_times(struct rock *r, const uint8_t *data, uint32_t length) {
    if (!length) return;
    uint32_t flags = data[0], size = flags & TF_LONG ? 17 : 7, at = 1;
    int64_t unused, *const places[] = {&unused, &r->modified, &r->accessed, &r->changed};
    for (uint32_t i = 0; i < 4; i++) {
        if (!(flags & 1u << i)) continue;
        if (at + size > length) return;
        *places[i] = size == 7 ? date_decode(data + at) : long_date_decode(data + at);
        at += size;
    }
}

static void take_name(struct rock *r, const uint8_t *data, uint32_t length) {
    if (!length || data[0] & (NM_CURRENT | NM_PARENT)) return;
    r->name = true;
    uint32_t part = length - 1;
    if (part > ISO_NAME_MAX - r->name_length) part = ISO_NAME_MAX - r->name_length;
    memcpy(r->name_text + r->name_length, data + 1, part);
    r->name_length += part;
}

static void link_add(struct rock *r, const void *text, size_t length) {
    if (length > ISO_LINK_TEXT_MAX - r->link_length) length = ISO_LINK_TEXT_MAX - r->link_length;
    memcpy(r->text + r->link_length, text, length);
    r->link_length += (uint32_t)length;
}

static void take_link(struct rock *r, const uint8_t *data, uint32_t length) {
    r->link = true;
    for (uint32_t at = 1; at + 2 <= length && at + 2 + data[at + 1] <= length; at += 2u + data[at + 1]) {
        uint32_t flags = data[at];
        if (r->link_length && !r->link_joined && r->text[r->link_length - 1] != '/') link_add(r, "/", 1);
        if (flags & SL_ROOT) link_add(r, "/", 1);
        else if (flags & SL_PARENT) link_add(r, "..", 2);
        else if (flags & SL_CURRENT) link_add(r, ".", 1);
        else link_add(r, data + at + 2, data[at + 1]);
        r->link_joined = flags & SL_CONTINUE;
    }
}

struct continuation {
    uint32_t block, offset, length;
};

static void take(struct rock *r, const struct susp *field, const uint8_t *data, struct continuation *next) {
    static const struct {
        char signature[3];
        void (*take)(struct rock *r, const uint8_t *data, uint32_t length);
    } kinds[] = {
        {"PX", take_attributes}, {"PN", take_device}, {"TF", take_times}, {"NM", take_name}, {"SL", take_link}};
    uint32_t length = field->length - (uint32_t)sizeof(*field);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (memcmp(field->signature, kinds[i].signature, 2) == 0) kinds[i].take(r, data, length);
    if (memcmp(field->signature, "RE", 2) == 0) r->relocated = true;
    if (memcmp(field->signature, "CL", 2) == 0 && length >= 8) r->child = load32(data);
    if (memcmp(field->signature, "CE", 2) == 0 && length >= 24)
        *next = (struct continuation){load32(data), load32(data + 8), load32(data + 16)};
}

/* All fields in `size` bytes. False: they end here, whatever follows (ST). */
static bool fields_take(struct rock *r, const uint8_t *bytes, uint32_t size, struct continuation *next) {
    struct susp field;
    for (uint32_t at = 0; at + sizeof(field) <= size; at += field.length) {
        memcpy(&field, bytes + at, sizeof(field));
        if (field.length < sizeof(field) || field.length > size - at) return true; /* filling */
        if (memcmp(field.signature, "ST", 2) == 0) return false;
        take(r, &field, bytes + at + sizeof(field), next);
    }
    return true;
}

static uint32_t fields_start(const struct record *r) {
    uint32_t start = (uint32_t)sizeof(r->fixed) + r->fixed.name_length;
    return start + start % 2; /* records have even lengths, and so has what comes before the fields */
}

int rock_read(struct iso *iso, const struct record *record, struct rock *r) {
    struct continuation next = {};
    r->name = r->link = r->attributes = r->relocated = r->link_joined = false;
    r->name_length = r->link_length = r->child = 0;
    r->rdev = 0;
    r->modified = r->accessed = r->changed = -1;
    if (iso->info.names != ISO_ROCK_RIDGE) return 0;
    uint32_t start = fields_start(record) + iso->skip, length = record->fixed.length;
    bool more = start >= length || fields_take(r, record->bytes + start, length - start, &next);
    for (int i = 0; more && next.length; i++) {
        struct continuation here = next;
        const uint8_t *block;
        if (i == CONTINUATIONS_MAX || here.offset > ISO_BLOCK || here.length > ISO_BLOCK - here.offset) return -EUCLEAN;
        int e = block_get(iso, here.block, &block);
        if (e) return e;
        next.length = 0;
        more = fields_take(r, block + here.offset, here.length, &next);
    }
    return 0;
}

bool rock_begins(struct iso *iso, const struct record *r) {
    uint32_t start = fields_start(r);
    const uint8_t *sp = r->bytes + start;
    if (start + 7 > r->fixed.length || memcmp(sp, "SP", 2) != 0 || sp[2] < 7 || sp[4] != 0xbe || sp[5] != 0xef)
        return false;
    iso->skip = 0;
    enum iso_names before = iso->info.names;
    struct rock rock;
    iso->info.names = ISO_ROCK_RIDGE; /* SUSP alone isn't yet */
    bool is = rock_read(iso, r, &rock) == 0 && rock.attributes;
    iso->info.names = before;
    iso->skip = sp[6];
    return is;
}
