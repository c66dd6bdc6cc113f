// SPDX-License-Identifier: MIT
/*
 * A small file system in memory, beside one of ext4: the same random operations on both.  A byte of a file, where it is
 * not zero, depends on the file and the offset alone, so that writing again in place changes nothing.
 */
#pragma once
#include "ext4_host.h"

#define MODEL_NODES 24
#define MODEL_NAMES 6
#define MODEL_SIZE 24576

struct model_node {
    uint32_t mode, links, size; /* mode 0: free */
    uint32_t inode;
    uint8_t data[MODEL_SIZE];
};

struct model {
    struct model_node nodes[MODEL_NODES]; /* 0: the root */
    int8_t entries[MODEL_NODES][MODEL_NAMES]; /* -1: none */
    int8_t parent[MODEL_NODES];
};

enum model_op {
    OP_CREATE,
    OP_MKDIR,
    OP_WRITE,
    OP_TRUNCATE,
    OP_UNLINK,
    OP_RENAME,
    OP_LINK,
    OP_EXCHANGE,
    OP_PUNCH,
    OP_ALLOCATE,
    OP_SYMLINK,
    OP_COUNT
};

struct model_step {
    enum model_op op;
    int dir, name, dir2, name2;
    uint32_t offset, length;
};

void model_init(struct model *m);
/* With a device here, writes of whole blocks only allocate; the data follows when the commit asks (model_ordered), or
 * before the next change of data. */
extern struct blkdev *model_deferred;
int model_ordered(void *data);
/* A step that can be done; false: none of this kind. */
bool model_pick(const struct model *m, enum model_op op, struct model_step *out);
bool model_can(const struct model *m, const struct model_step *s);
/* On both; false, with a message, if ext4 didn't do it. */
bool model_do(struct model *m, struct ext4 *fs, const struct model_step *s);
const char *model_name(int name);
/* Whether ext4 is as snapshots[k]; a file's bytes may be of any of them up to snapshots[count - 1] (what was written in
 * place, or zeroed, before it was committed), and when `partial`, so may its size. */
bool model_same(struct ext4 *fs, const struct model *const *snapshots, int k, int count, bool partial, bool loud);
