// SPDX-License-Identifier: MIT
/* On the disk: ECMA-119, and the system use fields of SUSP 1.12 and Rock Ridge 1.12. Numbers in both byte orders. */
#pragma once
#include <stdint.h>

#define ISO_BLOCK 2048u
#define DESCRIPTOR_FIRST 16
#define DESCRIPTORS_MAX 64

struct [[gnu::packed]] both16 {
    uint16_t le, be;
};
struct [[gnu::packed]] both32 {
    uint32_t le, be;
};

struct [[gnu::packed]] iso_record { /* 9.1 */
    uint8_t length, attribute_length;
    struct both32 block, bytes;
    uint8_t date[7], flags, unit_size, gap_size;
    struct both16 volume;
    uint8_t name_length;
};
static_assert(sizeof(struct iso_record) == 33);
enum { RECORD_HIDDEN = 1, RECORD_DIRECTORY = 2, RECORD_ASSOCIATED = 4, RECORD_MORE = 128 };

struct [[gnu::packed]] iso_descriptor { /* 8.4, 8.5 */
    uint8_t type;
    char id[5];
    uint8_t version, flags;
    char system[32], volume[32];
    uint8_t unused[8];
    struct both32 blocks;
    uint8_t escapes[32];
    struct both16 set_size, sequence, block_size;
    struct both32 path_table_size;
    uint32_t path_tables[4];
    struct iso_record root;
    uint8_t root_name;
};
static_assert(sizeof(struct iso_descriptor) == 190);
enum { DESCRIPTOR_PRIMARY = 1, DESCRIPTOR_SUPPLEMENTARY = 2, DESCRIPTOR_END = 255 };

struct [[gnu::packed]] susp { /* a system use field: its data follows */
    char signature[2];
    uint8_t length, version;
};
enum { NM_CONTINUE = 1, NM_CURRENT = 2, NM_PARENT = 4 };
enum { SL_CONTINUE = 1, SL_CURRENT = 2, SL_PARENT = 4, SL_ROOT = 8 };
enum { TF_CREATION = 1, TF_MODIFY = 2, TF_ACCESS = 4, TF_ATTRIBUTES = 8, TF_LONG = 128 };
