// SPDX-License-Identifier: MIT
/*
 * Directories: slots of 32 bytes, in clusters or (the root of FAT12 and FAT16) a place of its own. A name that is no
 * short one lies in the slots before its entry. What follows the first slot that begins with 0 means nothing.
 */
#include "internal.h"

/* --- slots --- */
int slot_place(struct fat_node *dir, uint32_t index, uint64_t *at) {
    struct fat *fs = dir->fs;
    uint32_t cluster, count, offset = index * SLOT_BYTES;
    if (index >= SLOTS_MAX) return -ENOENT;
    if (dir == fs->root_node && fs->root) {
        *at = fs->root + offset;
        return index < fs->root_slots ? 0 : -ENOENT;
    }
    int e = chain_map(dir, offset >> fs->cluster_bits, &cluster, &count);
    if (!e) *at = cluster_at(fs, cluster) + (offset & ((1u << fs->cluster_bits) - 1));
    return e;
}

static int window_move(struct fat_node *dir, uint32_t first) {
    struct fat *fs = dir->fs;
    fs->window.dir = nullptr;
    int e = slot_place(dir, first, &fs->window.at);
    if (!e) e = cache_read(fs, fs->window.at, fs->window.slots, sizeof(fs->window.slots));
    if (e) return e;
    fs->window.dir = dir;
    fs->window.first = first;
    return 0;
}

static int slot_read(struct fat_node *dir, uint32_t index, struct fat_slot *out, uint64_t *at) {
    struct fat *fs = dir->fs;
    uint32_t within = index % WINDOW_SLOTS;
    if (fs->window.dir != dir || fs->window.first != index - within) {
        int e = window_move(dir, index - within);
        if (e) return e;
    }
    if (dir == fs->root_node && fs->root && index >= fs->root_slots) return -ENOENT;
    *out = fs->window.slots[within];
    *at = fs->window.at + within * SLOT_BYTES;
    return 0;
}

static int slot_write(struct fat_node *dir, uint32_t index, const void *slot, uint64_t *at) {
    int e = slot_place(dir, index, at);
    return e ?: cache_write(dir->fs, *at, slot, SLOT_BYTES);
}

uint32_t slot_first(const struct fat *fs, const struct fat_slot *s) {
    return s->first_low | (fs->bits == 32 ? (uint32_t)s->first_high << 16 : 0);
}

/* --- entries --- */
struct long_name { /* as it is collected */
    uint16_t units[LONG_SLOTS_MAX * LONG_UNITS];
    uint32_t first; /* slot */
    uint8_t next, slots, checksum; /* the part that must come next, 0: all are there; slots 0: nothing */
};

static void long_take(struct long_name *l, const struct fat_slot *s, uint32_t index) {
    struct fat_long_slot part;
    memcpy(&part, s, sizeof(part));
    uint8_t number = part.order & (LONG_LAST - 1);
    if (part.order & LONG_LAST) {
        l->slots = number && number <= LONG_SLOTS_MAX ? number : 0;
        l->next = l->slots;
        l->first = index;
        l->checksum = part.checksum;
    }
    if (!l->slots) return;
    if (number != l->next || part.checksum != l->checksum) {
        l->slots = 0;
        return;
    }
    uint16_t *to = l->units + (size_t)(number - 1) * LONG_UNITS;
    memcpy(to, part.name1, sizeof(part.name1));
    memcpy(to + 5, part.name2, sizeof(part.name2));
    memcpy(to + 11, part.name3, sizeof(part.name3));
    l->next--;
}

static bool dot_is(const struct fat_slot *s) {
    return memcmp(s->name, ".          ", 11) == 0 || memcmp(s->name, "..         ", 11) == 0;
}

static void found_fill(struct found *out, const struct long_name *l, const struct fat_slot *s, uint32_t index) {
    out->slot = *s;
    out->first = out->index = index;
    out->units = 0;
    if (!l->slots || l->next || l->checksum != short_checksum(s->name)) return;
    out->first = l->first;
    uint32_t units = 0, most = l->slots * (uint32_t)LONG_UNITS;
    while (units < most && l->units[units]) units++;
    memcpy(out->name, l->units, units * sizeof(l->units[0]));
    out->units = units;
}

int entry_next(struct fat_node *dir, uint32_t index, struct found *out) {
    struct long_name l;
    l.slots = 0;
    for (;; index++) {
        struct fat_slot s;
        int e = slot_read(dir, index, &s, &out->at);
        if (e) return e;
        if (s.name[0] == SLOT_END) return -ENOENT;
        if (s.name[0] == SLOT_FREE) {
            l.slots = 0;
        } else if ((s.attributes & ATTRIBUTE_MASK) == ATTRIBUTE_LONG) {
            long_take(&l, &s, index);
        } else if (s.attributes & ATTRIBUTE_VOLUME || dot_is(&s)) {
            l.slots = 0;
        } else {
            found_fill(out, &l, &s, index);
            return 0;
        }
    }
}

static bool found_named(const struct found *f, const uint16_t *name, uint32_t units) {
    uint16_t short_name[12];
    return (f->units && name_equal(name, units, f->name, f->units)) ||
           (units <= 12 && name_equal(name, units, short_name, short_decode(&f->slot, short_name)));
}

int entry_find(struct fat_node *dir, const uint16_t *name, uint32_t units, struct found *out) {
    int e;
    for (uint32_t index = 0; !(e = entry_next(dir, index, out)); index = out->index + 1)
        if (found_named(out, name, units)) break;
    return e;
}

int entry_find_node(struct fat_node *dir, const struct fat_node *n, struct found *out) {
    int e;
    for (uint32_t index = 0; !(e = entry_next(dir, index, out)); index = out->index + 1)
        if (out->at == n->entry) break;
    return e;
}

int fat_lookup(struct fat_node *dir, const char *name, size_t length, struct fat_node **out) {
    uint16_t units[NAME_UNITS_MAX];
    struct found f;
    int count = name_decode(name, length, units);
    if (count < 0) return -ENOENT; /* nothing can have it */
    int e = entry_find(dir, units, (uint32_t)count, &f);
    return e ?: node_get(dir->fs, &f, out);
}

/* Names that we can't have (with a slash, too long in UTF-8) give way to the short one. */
static uint32_t found_name(struct fat *fs, const struct found *f) {
    uint16_t short_name[12];
    uint32_t length = f->units ? name_encode(f->name, f->units, fs->name, FAT_NAME_MAX) : 0;
    return length ?: name_encode(short_name, short_decode(&f->slot, short_name), fs->name, FAT_NAME_MAX);
}

static bool entry_fill(struct fat *fs, const struct found *f, struct fat_entry *out) {
    const struct fat_node *n = node_at(fs, f->at);
    *out = (struct fat_entry){.cookie = (int64_t)f->index + 3,
                              .inode = n ? n->inode : f->at / SLOT_BYTES,
                              .mode = f->slot.attributes & ATTRIBUTE_DIRECTORY ? S_IFDIR : S_IFREG,
                              .length = found_name(fs, f),
                              .name = fs->name};
    return out->length;
}

/* The slots of a long name lie before the entry's: an index behind the last entry is right to begin at. */
int fat_next(struct fat_node *dir, int64_t cookie, struct fat_entry *out) {
    struct found f = {.index = cookie < 3 ? 0 : cookie < SLOTS_MAX ? (uint32_t)cookie - 2 : SLOTS_MAX};
    int e;
    while (!(e = entry_next(dir, f.index, &f)) && !entry_fill(dir->fs, &f, out)) f.index++;
    return e;
}

int fat_entry_of(struct fat_node *dir, const struct fat_node *n, struct fat_entry *out) {
    struct found f;
    int e = entry_find_node(dir, n, &f);
    return e ?: entry_fill(dir->fs, &f, out) ? 0 : -ENOENT;
}

/* --- changing --- */
static int grow(struct fat_node *dir, uint32_t slots) {
    struct fat *fs = dir->fs;
    uint32_t before, cluster, count, first;
    if (dir == fs->root_node && fs->root) return slots > fs->root_slots ? -ENOSPC : 0;
    if (slots > SLOTS_MAX) return -ENOSPC;
    int e = chain_length(dir, &before);
    uint32_t after = clusters_of(fs, (uint64_t)slots * SLOT_BYTES);
    if (e || after <= before) return e;
    if ((e = chain_map(dir, before - 1, &cluster, &count))) return e;
    if ((e = table_allocate(fs, after - before, cluster, &first))) return e;
    for (uint32_t c = first; !e && c < CHAIN_END;) { /* zeros have to be there first */
        e = cache_zero(fs, cluster_at(fs, c), 1u << fs->cluster_bits);
        if (!e) e = table_get(fs, c, &c);
    }
    if (!e) e = barrier(fs);
    if (!e) e = table_set(fs, cluster, first);
    if (e) table_free(fs, first);
    chain_forget(dir);
    if (!e) dir->size = (uint64_t)after << fs->cluster_bits;
    return e;
}

int slots_find(struct fat_node *dir, uint32_t count, uint32_t *first) {
    uint32_t run = 0, index;
    int e = 0;
    for (index = 0; run < count; index++) {
        struct fat_slot s;
        uint64_t at;
        if ((e = slot_read(dir, index, &s, &at))) break;
        if (s.name[0] == SLOT_END) break;
        run = s.name[0] == SLOT_FREE ? run + 1 : 0;
    }
    if (e && e != -ENOENT) return e;
    *first = index - run;
    return run == count ? 0 : grow(dir, *first + count);
}

static void long_fill(struct fat_long_slot *s, const uint16_t *name, uint32_t units, uint32_t number, uint8_t sum) {
    uint16_t part[LONG_UNITS];
    uint32_t at = (number - 1) * LONG_UNITS;
    for (uint32_t i = 0; i < LONG_UNITS; i++) part[i] = at + i < units ? name[at + i] : at + i == units ? 0 : 0xffff;
    *s = (struct fat_long_slot){.order = (uint8_t)number, .attributes = ATTRIBUTE_LONG, .checksum = sum};
    memcpy(s->name1, part, sizeof(s->name1));
    memcpy(s->name2, part + 5, sizeof(s->name2));
    memcpy(s->name3, part + 11, sizeof(s->name3));
}

/* What follows the last slot in use may be anything: it is made an end. */
static int end_keep(struct fat_node *dir, uint32_t index) {
    struct fat_slot s;
    uint64_t at;
    int e = slot_read(dir, index, &s, &at);
    if (e) return e == -ENOENT ? 0 : e;
    return s.name[0] == SLOT_END ? 0 : slot_write(dir, index, &(struct fat_slot){}, &at);
}

int entry_write(struct fat_node *dir, uint32_t first, const uint16_t *name, uint32_t units, const struct fat_slot *s,
                uint64_t *at) {
    uint32_t parts = (units + LONG_UNITS - 1) / LONG_UNITS;
    struct fat_slot old;
    uint64_t place;
    bool at_end = false;
    int e = 0;
    for (uint32_t i = 0; i <= parts && !e; i++) {
        e = slot_read(dir, first + i, &old, &place);
        at_end = at_end || e || old.name[0] == SLOT_END;
    }
    if (!e && at_end) e = end_keep(dir, first + parts + 1);
    for (uint32_t i = 0; i < parts && !e; i++) {
        struct fat_long_slot part;
        long_fill(&part, name, units, parts - i, short_checksum(s->name));
        if (i == 0) part.order |= LONG_LAST;
        e = slot_write(dir, first + i, &part, &place);
    }
    return e ?: slot_write(dir, first + parts, s, at);
}

int entry_delete(struct fat_node *dir, const struct found *f) {
    int e = 0;
    for (uint32_t i = f->first; i <= f->index && !e; i++) {
        uint64_t at;
        e = slot_place(dir, i, &at);
        if (!e) e = cache_write(dir->fs, at, &(uint8_t){SLOT_FREE}, 1);
    }
    return e;
}
