// SPDX-License-Identifier: MIT
/* Partition tables: see partition.h. Numbers are little-endian. */
#include <errno.h>
#include <partition.h>
#include <stddef.h>
#include <string.h>

#define SECTOR_MAX 4096
#define GPT_HEADER_MIN 92
#define GPT_ENTRY_MIN 128
#define GPT_ENTRY_MAX 4096
#define GPT_ENTRIES_MAX 1024
#define MBR_ENTRIES 446
#define MBR_ENTRY 16
#define MBR_SIGNATURE 510
#define MBR_GPT 0xee
#define LOGICAL_FIRST 5

static uint64_t number(const uint8_t *at, unsigned bytes) {
    uint64_t value = 0;
    for (unsigned i = bytes; i-- > 0;) value = value << 8 | at[i];
    return value;
}

static uint32_t crc32_add(uint32_t crc, const uint8_t *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return crc;
}

static struct partition *partition_add(struct partition_table *t, uint32_t n, uint64_t start, uint64_t sectors) {
    if (t->count == PARTITIONS_MAX || n > PARTITIONS_MAX) return NULL;
    struct partition *p = &t->partitions[t->count++];
    *p = (struct partition){.start = start, .sectors = sectors, .number = n};
    return p;
}

/* --- GPT --- */
struct gpt {
    uint64_t first_usable, last_usable, entries; /* sectors */
    uint32_t entry_size, entry_count, entries_crc;
};

/* UEFI 2.10 §5.3.2, table 5-5. */
static bool gpt_header_parse(const struct partition_source *s, uint8_t *sector, uint64_t at, struct gpt *g) {
    uint32_t size = (uint32_t)number(sector + 12, 4), crc = (uint32_t)number(sector + 16, 4);
    if (memcmp(sector, "EFI PART", 8) != 0 || size < GPT_HEADER_MIN || size > s->sector_size) return false;
    memset(sector + 16, 0, 4);
    if (~crc32_add(UINT32_MAX, sector, size) != crc || number(sector + 24, 8) != at) return false;
    *g = (struct gpt){
        .first_usable = number(sector + 40, 8),
        .last_usable = number(sector + 48, 8),
        .entries = number(sector + 72, 8),
        .entry_count = (uint32_t)number(sector + 80, 4),
        .entry_size = (uint32_t)number(sector + 84, 4),
        .entries_crc = (uint32_t)number(sector + 88, 4),
    };
    if (g->entry_size < GPT_ENTRY_MIN || g->entry_size > GPT_ENTRY_MAX || (g->entry_size & (g->entry_size - 1)))
        return false;
    uint64_t bytes = (uint64_t)g->entry_size * g->entry_count;
    uint64_t sectors = (bytes + s->sector_size - 1) / s->sector_size;
    return g->entry_count <= GPT_ENTRIES_MAX && g->last_usable < s->sectors && g->first_usable <= g->last_usable &&
           g->entries > 0 && g->entries < s->sectors && sectors <= s->sectors - g->entries;
}

/* UTF-16 to UTF-8, cut where it no longer fits; surrogates become '?'. */
static void name_convert(const uint8_t *utf16, unsigned units, char *out, size_t room) {
    size_t used = 0;
    for (unsigned i = 0; i < units; i++) {
        unsigned c = (unsigned)number(utf16 + 2 * i, 2);
        unsigned bytes = c < 0x80 ? 1 : c < 0x800 ? 2 : 3;
        if (c == 0 || used + bytes >= room) break;
        if (c < 0x20 || c == 0x7f || (c >= 0xd800 && c < 0xe000)) {
            c = '?';
            bytes = 1;
        }
        if (bytes == 1) {
            out[used++] = (char)c;
        } else {
            if (bytes == 3) out[used++] = (char)(0xe0 | c >> 12);
            out[used++] = bytes == 3 ? (char)(0x80 | (c >> 6 & 63)) : (char)(0xc0 | c >> 6);
            out[used++] = (char)(0x80 | (c & 63));
        }
    }
    out[used] = 0;
}

/* Table 5-6. Entries that leave the usable part of the disk are none. */
static void gpt_entry_take(const struct gpt *g, const uint8_t *entry, uint32_t n, struct partition_table *t) {
    static const uint8_t unused[16];
    uint64_t first = number(entry + 32, 8), last = number(entry + 40, 8);
    if (memcmp(entry, unused, 16) == 0 || first < g->first_usable || last > g->last_usable || first > last) return;
    struct partition *p = partition_add(t, n, first, last - first + 1);
    if (!p) return;
    memcpy(p->type, entry, 16);
    memcpy(p->uuid, entry + 16, 16);
    name_convert(entry + 56, 36, p->name, sizeof(p->name));
}

/* An entry may be larger than a sector: only its first 128 bytes mean anything, they lie in its first sector. */
static bool gpt_entries_read(const struct partition_source *s, const struct gpt *g, struct partition_table *t) {
    uint8_t sector[SECTOR_MAX];
    uint64_t left = (uint64_t)g->entry_size * g->entry_count, offset = 0;
    uint32_t crc = UINT32_MAX;
    t->count = 0;
    for (uint64_t at = g->entries; left > 0; at++, offset += s->sector_size) {
        size_t bytes = left < s->sector_size ? (size_t)left : s->sector_size;
        if (s->read(s->context, at, 1, sector)) return false;
        crc = crc32_add(crc, sector, bytes);
        for (uint64_t i = (offset + g->entry_size - 1) / g->entry_size; i * g->entry_size < offset + bytes; i++)
            gpt_entry_take(g, sector + (i * g->entry_size - offset), (uint32_t)i + 1, t);
        left -= bytes;
    }
    return ~crc == g->entries_crc;
}

static bool gpt_copy_read(const struct partition_source *s, uint64_t at, struct partition_table *t) {
    uint8_t sector[SECTOR_MAX];
    struct gpt g;
    if (at >= s->sectors || s->read(s->context, at, 1, sector)) return false;
    return gpt_header_parse(s, sector, at, &g) && gpt_entries_read(s, &g, t);
}

static void gpt_read(const struct partition_source *s, struct partition_table *t) {
    bool primary = gpt_copy_read(s, 1, t);
    if (!primary) t->backup_used = gpt_copy_read(s, s->sectors - 1, t);
    t->kind = TABLE_GPT;
    t->damaged = !primary && !t->backup_used;
    if (t->damaged) t->count = 0;
}

/* --- MBR --- */
struct mbr_entry {
    uint8_t type;
    uint64_t start, sectors;
};

static struct mbr_entry mbr_entry(const uint8_t *sector, unsigned i) {
    const uint8_t *e = sector + MBR_ENTRIES + i * MBR_ENTRY;
    return (struct mbr_entry){e[4], number(e + 8, 4), number(e + 12, 4)};
}

static bool is_extended(uint8_t type) { return type == 0x05 || type == 0x0f || type == 0x85; }

/* A boot sector of a file system ends in the same signature, but has code where the flags are. */
static bool is_mbr(const uint8_t *sector) {
    if (sector[MBR_SIGNATURE] != 0x55 || sector[MBR_SIGNATURE + 1] != 0xaa) return false;
    for (unsigned i = 0; i < 4; i++)
        if (sector[MBR_ENTRIES + i * MBR_ENTRY] & 0x7f) return false;
    return true;
}

/* What reaches beyond the end of the disk is cut. */
static void mbr_take(const struct partition_source *s, struct partition_table *t, uint32_t n, struct mbr_entry e) {
    if (e.type == 0 || e.sectors == 0 || e.start == 0 || e.start >= s->sectors) return;
    if (e.sectors > s->sectors - e.start) e.sectors = s->sectors - e.start;
    struct partition *p = partition_add(t, n, e.start, e.sectors);
    if (p) p->mbr_type = e.type;
}

/* A chain of tables, each with one partition and a link that is relative to the first of them. A circle ends with
 * the numbers. */
static int extended_read(const struct partition_source *s, struct partition_table *t, uint64_t base) {
    uint8_t sector[SECTOR_MAX];
    uint64_t at = base;
    for (uint32_t n = LOGICAL_FIRST; n <= PARTITIONS_MAX && at < s->sectors; n++) {
        int e = s->read(s->context, at, 1, sector);
        if (e) return e;
        if (!is_mbr(sector)) return 0;
        struct mbr_entry logical = mbr_entry(sector, 0), next = mbr_entry(sector, 1);
        if (logical.sectors > 0) logical.start += at;
        mbr_take(s, t, n, logical);
        if (!is_extended(next.type) || next.sectors == 0) return 0;
        at = base + next.start;
    }
    return 0;
}

int partition_table_read(const struct partition_source *s, struct partition_table *t) {
    uint8_t sector[SECTOR_MAX];
    *t = (struct partition_table){};
    if (s->sectors < 3 || s->sector_size > SECTOR_MAX || s->sector_size < 512) return 0;
    int e = s->read(s->context, 0, 1, sector);
    if (e) return e;
    if (!is_mbr(sector)) return 0;
    for (unsigned i = 0; i < 4; i++)
        if (mbr_entry(sector, i).type == MBR_GPT) {
            gpt_read(s, t);
            return 0;
        }
    uint64_t extended = 0;
    t->kind = TABLE_MBR;
    for (unsigned i = 0; i < 4; i++) {
        struct mbr_entry entry = mbr_entry(sector, i);
        if (!is_extended(entry.type)) mbr_take(s, t, i + 1, entry);
        else if (!extended) extended = entry.start;
    }
    return extended ? extended_read(s, t, extended) : 0;
}
