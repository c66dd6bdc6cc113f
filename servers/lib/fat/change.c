// SPDX-License-Identifier: MIT
/* Names come, go and move. */
#include "internal.h"

#include <stdlib.h>

/* --- short names --- */
static void candidate_at(const uint8_t basis[11], bool exact, uint32_t hash, uint32_t number, uint8_t out[11]) {
    if (exact && number == 0) memcpy(out, basis, 11);
    else short_candidate(basis, hash, number - exact, out);
}

static void candidates_cross(const struct found *f, const uint8_t (*candidates)[11], uint32_t count, bool *taken) {
    for (uint32_t i = 0; i < count; i++) {
        if (candidates[i][7] == f->slot.name[7] && memcmp(candidates[i], f->slot.name, 11) == 0) taken[i] = true;
        if (!f->units || f->units > 12) continue;
        struct fat_slot s = {};
        uint16_t units[12];
        memcpy(s.name, candidates[i], 11);
        if (name_equal(f->name, f->units, units, short_decode(&s, units))) taken[i] = true;
    }
}

/* One that no other entry has. All candidates in one pass; more of them only if all are taken. `except`: an entry that
 * is going away. */
static int short_choose(struct fat_node *dir, const uint16_t *name, uint32_t units, uint64_t except, uint8_t out[11],
                        bool *needs_long) {
    uint8_t basis[11], candidates[SHORT_CANDIDATES + 1][11];
    bool exact;
    short_make(name, units, basis, needs_long, &exact);
    uint32_t hash = name_hash(name, units), count = SHORT_CANDIDATES + exact;
    for (uint32_t round = 0; round < 64; round++, hash = hash * 0x9e3779b1u + 1) {
        bool taken[SHORT_CANDIDATES + 1] = {};
        struct found f;
        int e;
        for (uint32_t i = 0; i < count; i++) candidate_at(basis, exact, hash >> 8, i, candidates[i]);
        for (uint32_t index = 0; !(e = entry_next(dir, index, &f)); index = f.index + 1)
            if (f.at != except) candidates_cross(&f, candidates, count, taken);
        if (e != -ENOENT) return e;
        for (uint32_t i = 0; i < count; i++) {
            if (taken[i]) continue;
            memcpy(out, candidates[i], 11);
            if (i || !exact) *needs_long = true;
            return 0;
        }
    }
    return -ENOSPC;
}

struct place { /* of a new entry */
    uint16_t name[NAME_UNITS_MAX];
    uint32_t units; /* 0: the short one says all */
    uint32_t first;
    uint8_t short_name[11];
};

static int place_find(struct fat_node *dir, const char *name, size_t length, uint64_t except, struct place *out) {
    bool needs_long;
    int units = name_decode(name, length, out->name);
    if (units <= 0) return units ?: -EINVAL;
    if (!name_valid(out->name, (uint32_t)units)) return -EINVAL;
    int e = short_choose(dir, out->name, (uint32_t)units, except, out->short_name, &needs_long);
    if (e) return e;
    out->units = needs_long ? (uint32_t)units : 0;
    return slots_find(dir, (out->units + LONG_UNITS - 1) / LONG_UNITS + 1, &out->first);
}

static void short_name_set(struct fat_slot *s, const uint8_t name[11]) {
    memcpy(s->name, name, sizeof(s->name));
    s->case_flags = 0;
}

/* --- creating --- */
static uint32_t parent_first(const struct fat_node *dir) { return dir == dir->fs->root_node ? 0 : dir->first; }

static void first_set(struct fat_slot *s, const struct fat *fs, uint32_t first) {
    s->first_low = (uint16_t)first;
    s->first_high = fs->bits == 32 ? (uint16_t)(first >> 16) : 0;
}

/* Its cluster, with `.` and `..`. */
static int directory_make(struct fat_node *dir, const struct fat_slot *like, uint32_t *first) {
    struct fat *fs = dir->fs;
    struct fat_slot dots[2] = {*like, *like};
    int e = table_allocate(fs, 1, 0, first);
    if (e) return e;
    for (int i = 0; i < 2; i++) {
        short_name_set(&dots[i], (const uint8_t *)(i ? "..         " : ".          "));
        first_set(&dots[i], fs, i ? parent_first(dir) : *first);
    }
    e = cache_zero(fs, cluster_at(fs, *first), 1u << fs->cluster_bits);
    if (!e) e = cache_write(fs, cluster_at(fs, *first), dots, sizeof(dots));
    if (!e) e = barrier(fs);
    if (e) table_free(fs, *first);
    return e;
}

static void slot_new(struct fat *fs, uint32_t mode, struct fat_slot *s) {
    uint16_t date, time;
    uint8_t hundredths;
    time_encode(fs->options.now(), &date, &time, &hundredths);
    *s = (struct fat_slot){.attributes = S_ISDIR(mode) ? ATTRIBUTE_DIRECTORY : ATTRIBUTE_ARCHIVE,
                           .created_10ms = hundredths,
                           .created_time = time,
                           .created_date = date,
                           .accessed_date = date,
                           .modified_time = time,
                           .modified_date = date};
    if (S_ISREG(mode) && !(mode & 0222)) s->attributes |= ATTRIBUTE_READ_ONLY;
}

int fat_create(struct fat_node *dir, const char *name, size_t length, uint32_t mode, struct fat_node **out) {
    struct fat *fs = dir->fs;
    struct place place;
    struct found f = {};
    uint32_t first = 0;
    if (fs->read_only) return -EROFS;
    if (!S_ISDIR(mode) && !S_ISREG(mode)) return -EPERM;
    int e = place_find(dir, name, length, 0, &place);
    if (e) return e;
    slot_new(fs, mode, &f.slot);
    if (S_ISDIR(mode) && (e = directory_make(dir, &f.slot, &first))) return e;
    short_name_set(&f.slot, place.short_name);
    first_set(&f.slot, fs, first);
    e = entry_write(dir, place.first, place.name, place.units, &f.slot, &f.at);
    if (!e) e = node_get(fs, &f, out);
    if (e && first) table_free(fs, first);
    return e;
}

/* --- removing and renaming --- */
int fat_unlink(struct fat_node *dir, struct fat_node *n) {
    struct found f;
    if (dir->fs->read_only) return -EROFS;
    int e = entry_find_node(dir, n, &f);
    if (!e) e = entry_delete(dir, &f);
    if (!e) node_move(n, 0);
    return e;
}

/* The sectors of an entry, now. */
static int write_out(struct fat_node *dir, const struct found *f) {
    int e = 0;
    for (uint32_t i = f->first; i <= f->index && !e; i++) {
        uint64_t at;
        e = slot_place(dir, i, &at);
        if (!e) e = cache_write_out(dir->fs, at);
    }
    return e;
}

/* Two names for one chain would be worse than none, for which fsck makes one: unless both are in one sector, the old
 * one goes first. */
static int names_write_out(struct fat_node *from, const struct found *old, struct fat_node *to,
                           const struct found *new) {
    struct blkdev *device = from->fs->device;
    int e = write_out(from, old);
    if (!e && old->at / BLKDEV_SECTOR != new->at / BLKDEV_SECTOR) e = device->flush(device);
    return e ?: write_out(to, new);
}

static int parent_write(struct fat_node *n, struct fat_node *parent) {
    struct fat *fs = n->fs;
    struct fat_slot s;
    uint64_t at = cluster_at(fs, n->first) + SLOT_BYTES;
    int e = cache_read(fs, at, &s, sizeof(s));
    if (e || memcmp(s.name, "..         ", 11) != 0) return e;
    first_set(&s, fs, parent_first(parent));
    return cache_write(fs, at, &s, sizeof(s));
}

/* The new entry, in the cache, for what has `old`'s attributes. */
static int entry_replace(struct fat_node *dir, struct fat_node *n, const struct found *victim, struct fat_slot old,
                         struct found *out) {
    short_name_set(&old, victim->slot.name);
    old.case_flags = victim->slot.case_flags;
    slot_fill(n, &old);
    *out = *victim;
    return cache_write(dir->fs, victim->at, &old, sizeof(old));
}

static int entry_new(struct fat_node *dir, struct fat_node *n, const struct place *p, struct fat_slot old,
                     struct found *out) {
    short_name_set(&old, p->short_name);
    slot_fill(n, &old);
    out->first = p->first;
    out->index = p->first + (p->units + LONG_UNITS - 1) / LONG_UNITS;
    return entry_write(dir, p->first, p->name, p->units, &old, &out->at);
}

int fat_rename(struct fat_node *from, struct fat_node *n, struct fat_node *to, const char *name, size_t length,
               struct fat_node *victim) {
    struct found old, new;
    struct place place;
    if (n->fs->read_only) return -EROFS;
    int e = entry_find_node(from, n, &old);
    if (!e) e = victim ? entry_find_node(to, victim, &new) : place_find(to, name, length, n->entry, &place);
    if (!e) e = victim ? entry_replace(to, n, &new, old.slot, &new) : entry_new(to, n, &place, old.slot, &new);
    if (!e) e = entry_delete(from, &old);
    if (!e) e = names_write_out(from, &old, to, &new);
    if (e) return e;
    if (victim) node_move(victim, 0);
    node_move(n, new.at);
    return S_ISDIR(n->mode) && from != to ? parent_write(n, to) : 0;
}
