// SPDX-License-Identifier: MIT
/* Between the files of the library. Places on the device are in bytes. */
#pragma once
#include "format.h"

#include <errno.h>
#include <iso9660.h>
#include <string.h>
#include <sys/stat.h>

#define MUST_CHECK [[nodiscard]]
#define CACHE_BLOCKS 64u

struct iso {
    struct blkdev *device;
    uint64_t blocks; /* of the device */
    struct iso_info info;
    uint32_t skip; /* bytes before the system use fields of each record */
    char name[ISO_NAME_MAX + 1]; /* of the record that was read last */
    struct {
        uint32_t number; /* 0: none; the first blocks aren't ours */
        uint8_t data[ISO_BLOCK];
    } cache[CACHE_BLOCKS];
};

/* A record, copied, and what its system use fields say. */
struct record {
    union {
        struct iso_record fixed;
        uint8_t bytes[256];
    };
    uint64_t at;
};

struct rock {
    bool name, link, attributes, relocated; /* what there is */
    uint32_t name_length, link_length;
    bool link_joined; /* the last component goes on */
    uint32_t mode, links, uid, gid;
    uint64_t rdev;
    int64_t modified, accessed, changed; /* -1: not told */
    uint32_t child; /* block of the directory that was moved away from here, or 0 */
    char text[ISO_LINK_TEXT_MAX + 1]; /* the link's */
    char name_text[ISO_NAME_MAX];
};

/* --- super.c --- */
MUST_CHECK int block_get(struct iso *iso, uint64_t number, const uint8_t **out); /* valid until the next */
MUST_CHECK int record_read(struct iso *iso, uint64_t at, struct record *out); /* -ENOENT: none in this block any more */

/* --- rock.c --- */
/* -EUCLEAN: fields that can't be. */
MUST_CHECK int rock_read(struct iso *iso, const struct record *r, struct rock *out);
/* Whether the root's first record says that there are such fields; sets iso->skip. */
bool rock_begins(struct iso *iso, const struct record *r);
int64_t date_decode(const uint8_t date[7]);

/* --- name.c --- */
/* Into iso->name; 0: one that we can't have. */
uint32_t record_name(struct iso *iso, const struct record *r, const struct rock *rock);
