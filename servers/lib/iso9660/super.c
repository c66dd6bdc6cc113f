// SPDX-License-Identifier: MIT
/* Volume descriptors, blocks and records. */
#include "internal.h"

#include <stdlib.h>

int block_get(struct iso *iso, uint64_t number, const uint8_t **out) {
    if (number < DESCRIPTOR_FIRST || number >= iso->blocks) return -EUCLEAN;
    uint32_t slot = number % CACHE_BLOCKS, sectors = ISO_BLOCK / BLKDEV_SECTOR;
    if (iso->cache[slot].number != number) {
        iso->cache[slot].number = 0;
        int e = iso->device->read(iso->device, number * sectors, iso->cache[slot].data, sectors);
        if (e) return e;
        iso->cache[slot].number = (uint32_t)number;
    }
    *out = iso->cache[slot].data;
    return 0;
}

int record_read(struct iso *iso, uint64_t at, struct record *out) {
    const uint8_t *block;
    uint32_t start = at % ISO_BLOCK;
    int e = block_get(iso, at / ISO_BLOCK, &block);
    if (e) return e;
    uint32_t length = block[start];
    if (!length) return -ENOENT;
    if (length < sizeof(out->fixed) + 1 || length > ISO_BLOCK - start) return -EUCLEAN;
    memcpy(out->bytes, block + start, length);
    out->at = at;
    return out->fixed.name_length && sizeof(out->fixed) + out->fixed.name_length <= length ? 0 : -EUCLEAN;
}

/* UCS-2 level 1, 2 or 3. */
static bool joliet_is(const struct iso_descriptor *d) {
    return d->escapes[0] == '%' && d->escapes[1] == '/' &&
           (d->escapes[2] == '@' || d->escapes[2] == 'C' || d->escapes[2] == 'E');
}

/* The primary descriptor, and Joliet's if there is one (its type is 0 else). */
static int descriptors_find(struct iso *iso, struct iso_descriptor *primary, struct iso_descriptor *joliet) {
    primary->type = joliet->type = 0;
    for (uint32_t i = 0; i < DESCRIPTORS_MAX; i++) {
        const uint8_t *block;
        struct iso_descriptor d;
        int e = block_get(iso, DESCRIPTOR_FIRST + i, &block);
        if (e == -EUCLEAN) break;
        if (e) return e;
        memcpy(&d, block, sizeof(d));
        if (memcmp(d.id, "CD001", 5) != 0 || d.type == DESCRIPTOR_END) break;
        if (d.type == DESCRIPTOR_PRIMARY && !primary->type) *primary = d;
        if (d.type == DESCRIPTOR_SUPPLEMENTARY && !joliet->type && joliet_is(&d)) *joliet = d;
    }
    if (!primary->type) return -EINVAL;
    return primary->block_size.le == ISO_BLOCK ? 0 : -EOPNOTSUPP;
}

static uint64_t root_of(const struct iso_descriptor *d) { return (uint64_t)d->root.block.le * ISO_BLOCK; }

static int names_choose(struct iso *iso, const struct iso_descriptor *primary, const struct iso_descriptor *joliet) {
    struct record first;
    iso->info.blocks = primary->blocks.le;
    iso->info.root = root_of(primary);
    int e = record_read(iso, iso->info.root, &first);
    if (e) return e == -ENOENT ? -EUCLEAN : e;
    memcpy(&iso->info.id, primary->volume, sizeof(iso->info.id));
    if (rock_begins(iso, &first)) {
        iso->info.names = ISO_ROCK_RIDGE;
    } else if (joliet->type) {
        iso->info.names = ISO_JOLIET;
        iso->info.root = root_of(joliet);
    }
    return 0;
}

int iso_mount(struct blkdev *device, struct iso **out) {
    struct iso_descriptor primary, joliet;
    struct iso *iso = calloc(1, sizeof(*iso));
    if (!iso) return -ENOMEM;
    iso->device = device;
    iso->blocks = device->sectors / (ISO_BLOCK / BLKDEV_SECTOR);
    int e = descriptors_find(iso, &primary, &joliet);
    if (!e) e = names_choose(iso, &primary, &joliet);
    if (e) free(iso);
    else *out = iso;
    return e;
}

void iso_unmount(struct iso *iso) { free(iso); }

void iso_statfs(const struct iso *iso, struct iso_info *out) { *out = iso->info; }
