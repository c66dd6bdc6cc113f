// SPDX-License-Identifier: MIT
/* Inodes: the table's blocks, and nodes, which are what is in use of them. */
#include "internal.h"

#include <stdlib.h>

int inode_buffer(struct ext4 *fs, uint32_t inode, struct buffer **b, struct inode **out) {
    if (!inode || inode > fs->inodes_count) return -EUCLEAN;
    uint32_t at = (inode - 1) % fs->inodes_per_group * fs->inode_size;
    const struct group *g = &fs->groups[(inode - 1) / fs->inodes_per_group];
    int result = buffer_read(fs, g->inode_table + (at >> fs->block_bits), KIND_INODES, 0, b);
    if (result < 0) return result;
    *out = (struct inode *)(void *)((*b)->data + at % fs->block_size);
    return 0;
}

/* Bytes of the fixed fields that this inode has. */
static size_t inode_fields(const struct ext4 *fs, const struct inode *raw) {
    return fs->inode_size > INODE_OLD ? INODE_OLD + raw->extra_isize : INODE_OLD;
}

#define HAS_FIELD(fs, raw, field) (inode_fields(fs, raw) >= offsetof(struct inode, field) + sizeof((raw)->field))

static uint32_t checksum_of(const struct ext4 *fs, uint32_t inode, struct inode *raw, bool *wide) {
    *wide = HAS_FIELD(fs, raw, checksum_hi);
    uint16_t low = raw->checksum_lo, high = 0;
    raw->checksum_lo = 0;
    if (*wide) {
        high = raw->checksum_hi;
        raw->checksum_hi = 0;
    }
    uint32_t crc = crc32c(inode_seed(fs, inode, raw->generation), raw, fs->inode_size);
    raw->checksum_lo = low;
    if (*wide) raw->checksum_hi = high;
    return crc;
}

void inode_checksum(const struct ext4 *fs, uint32_t inode, struct inode *raw) {
    bool wide;
    if (!fs->checksums) return;
    uint32_t crc = checksum_of(fs, inode, raw, &wide);
    raw->checksum_lo = (uint16_t)crc;
    if (wide) raw->checksum_hi = (uint16_t)(crc >> 16);
}

static bool checksum_good(const struct ext4 *fs, uint32_t inode, struct inode *raw) {
    bool wide;
    if (!fs->checksums) return true;
    uint32_t crc = checksum_of(fs, inode, raw, &wide);
    return raw->checksum_lo == (uint16_t)crc && (!wide || raw->checksum_hi == (uint16_t)(crc >> 16));
}

/* Two bits more for the seconds, and 30 for the nanoseconds. What is beyond the year 2262 is cut to that. */
static int64_t time_decode(uint32_t seconds, uint32_t extra) {
    int64_t wide = (int32_t)seconds + ((int64_t)(extra & 3) << 32), time;
    bool beyond = __builtin_mul_overflow(wide, NSEC_PER_SEC, &time) ||
                  __builtin_add_overflow(time, (int64_t)((extra >> 2) % NSEC_PER_SEC), &time);
    return beyond ? INT64_MAX : time;
}

static void time_encode(int64_t time, uint32_t *seconds, uint32_t *extra) {
    int64_t s = time / NSEC_PER_SEC, ns = time % NSEC_PER_SEC;
    if (ns < 0) {
        s--;
        ns += NSEC_PER_SEC;
    }
    int64_t most = extra ? 0x37fffffffLL : INT32_MAX; /* the year 2446, or 2038 */
    if (s > most) s = most;
    if (s < INT32_MIN) s = INT32_MIN;
    *seconds = (uint32_t)s;
    if (extra) *extra = (uint32_t)((s - (int32_t)s) >> 32 & 3) | (uint32_t)ns << 2;
}

bool node_has_blocks(const struct ext4_node *n) {
    if (is_type(n->mode, S_IFLNK)) return !node_fast_link(n);
    return is_type(n->mode, S_IFREG) || is_type(n->mode, S_IFDIR);
}

bool node_fast_link(const struct ext4_node *n) {
    uint64_t xattrs = n->xattr_block ? n->fs->sectors_per_block : 0;
    return is_type(n->mode, S_IFLNK) && n->blocks == xattrs;
}

static bool type_known(uint32_t mode) {
    switch (mode & S_IFMT) {
    case S_IFREG:
    case S_IFDIR:
    case S_IFLNK:
    case S_IFCHR:
    case S_IFBLK:
    case S_IFIFO:
    case S_IFSOCK: return true;
    default: return false;
    }
}

static int node_check(const struct ext4_node *n) {
    const struct ext4 *fs = n->fs;
    if (n->flags & FLAG_INLINE_DATA) return -EOPNOTSUPP;
    if (!type_known(n->mode) || n->flags & FLAG_EA_INODE) return -EUCLEAN;
    if (n->xattr_block && !blocks_valid(fs, n->xattr_block, 1)) return -EUCLEAN;
    if (node_fast_link(n)) return n->size < sizeof(n->root) ? 0 : -EUCLEAN;
    if (is_type(n->mode, S_IFLNK) && n->size > fs->block_size) return -EUCLEAN;
    if (!node_has_blocks(n)) return 0;
    if (is_type(n->mode, S_IFDIR) && (!n->size || n->size % fs->block_size || n->size >> fs->block_bits > 0x0fffffff))
        return -EUCLEAN;
    if (n->size > map_blocks_max(n) << fs->block_bits) return -EUCLEAN;
    if (!(n->flags & FLAG_EXTENTS)) return 0;
    return extent_header_verify(fs, (const struct extent_header *)n->root, 4, -1);
}

static void node_decode(struct ext4_node *n, const struct inode *raw) {
    const struct ext4 *fs = n->fs;
    n->generation = raw->generation;
    n->seed = inode_seed(fs, n->inode, n->generation);
    n->mode = raw->mode;
    n->uid = raw->uid_lo | (uint32_t)raw->uid_hi << 16;
    n->gid = raw->gid_lo | (uint32_t)raw->gid_hi << 16;
    n->links = raw->links;
    n->size = raw->size_lo | (uint64_t)raw->size_hi << 32;
    n->flags = raw->flags;
    n->dtime = raw->dtime;
    n->blocks = raw->blocks_lo | (fs->ro_compat & RO_COMPAT_HUGE_FILE ? (uint64_t)raw->blocks_hi << 32 : 0);
    if (n->flags & FLAG_HUGE_FILE && fs->ro_compat & RO_COMPAT_HUGE_FILE) n->blocks *= fs->sectors_per_block;
    n->xattr_block = raw->xattr_lo | (fs->incompat & INCOMPAT_64BIT ? (uint64_t)raw->xattr_hi << 32 : 0);
    n->atime = time_decode(raw->atime, HAS_FIELD(fs, raw, atime_extra) ? raw->atime_extra : 0);
    n->mtime = time_decode(raw->mtime, HAS_FIELD(fs, raw, mtime_extra) ? raw->mtime_extra : 0);
    n->ctime = time_decode(raw->ctime, HAS_FIELD(fs, raw, ctime_extra) ? raw->ctime_extra : 0);
    n->birth = HAS_FIELD(fs, raw, birth_extra) ? time_decode(raw->birth, raw->birth_extra) : n->ctime;
    memcpy(n->root, raw->block, sizeof(n->root));
    if (is_type(n->mode, S_IFCHR) || is_type(n->mode, S_IFBLK)) n->rdev = n->root[0] ? n->root[0] : n->root[1];
}

static void node_encode(const struct ext4_node *n, struct inode *raw) {
    struct ext4 *fs = n->fs;
    raw->generation = n->generation;
    raw->mode = (uint16_t)n->mode;
    raw->uid_lo = (uint16_t)n->uid;
    raw->uid_hi = (uint16_t)(n->uid >> 16);
    raw->gid_lo = (uint16_t)n->gid;
    raw->gid_hi = (uint16_t)(n->gid >> 16);
    raw->links = (uint16_t)n->links;
    raw->size_lo = (uint32_t)n->size;
    raw->size_hi = (uint32_t)(n->size >> 32);
    raw->dtime = n->dtime;
    bool huge = n->blocks >> 48 && fs->ro_compat & RO_COMPAT_HUGE_FILE;
    uint64_t blocks = huge ? n->blocks / fs->sectors_per_block : n->blocks;
    raw->flags = huge ? n->flags | FLAG_HUGE_FILE : n->flags & ~(uint32_t)FLAG_HUGE_FILE;
    raw->blocks_lo = (uint32_t)blocks;
    raw->blocks_hi = (uint16_t)(blocks >> 32);
    raw->xattr_lo = (uint32_t)n->xattr_block;
    raw->xattr_hi = (uint16_t)(n->xattr_block >> 32);
    time_encode(n->atime, &raw->atime, HAS_FIELD(fs, raw, atime_extra) ? &raw->atime_extra : nullptr);
    time_encode(n->mtime, &raw->mtime, HAS_FIELD(fs, raw, mtime_extra) ? &raw->mtime_extra : nullptr);
    time_encode(n->ctime, &raw->ctime, HAS_FIELD(fs, raw, ctime_extra) ? &raw->ctime_extra : nullptr);
    if (HAS_FIELD(fs, raw, birth_extra)) time_encode(n->birth, &raw->birth, &raw->birth_extra);
    memcpy(raw->block, n->root, sizeof(n->root));
    if (n->size > INT32_MAX && is_type(n->mode, S_IFREG) && !(fs->ro_compat & RO_COMPAT_LARGE_FILE)) {
        fs->ro_compat |= RO_COMPAT_LARGE_FILE;
        fs->super->feature_ro_compat |= RO_COMPAT_LARGE_FILE;
        fs->super_changed = true;
    }
}

static struct ext4_node *node_add(struct ext4 *fs, uint32_t inode) {
    struct ext4_node *n = calloc(1, sizeof(*n));
    if (!n) return nullptr;
    n->fs = fs;
    n->inode = inode;
    n->refs = 1;
    n->hash_next = fs->nodes[inode % 256];
    fs->nodes[inode % 256] = n;
    return n;
}

void node_free(struct ext4_node *n) {
    struct ext4_node **p = &n->fs->nodes[n->inode % 256];
    while (*p != n) p = &(*p)->hash_next;
    *p = n->hash_next;
    dir_scan_free(n);
    free(n);
}

static struct ext4_node *node_find(struct ext4 *fs, uint32_t inode) {
    struct ext4_node *n = fs->nodes[inode % 256];
    while (n && n->inode != inode) n = n->hash_next;
    return n;
}

int node_get(struct ext4 *fs, uint32_t inode, bool orphan, struct ext4_node **out) {
    struct ext4_node *n = node_find(fs, inode);
    if (n) {
        n->refs++;
        *out = n;
        return 0;
    }
    struct buffer *b;
    struct inode *raw;
    int result = inode_buffer(fs, inode, &b, &raw);
    if (result < 0) return result;
    bool fields =
        fs->inode_size == INODE_OLD || (raw->extra_isize <= fs->inode_size - INODE_OLD && raw->extra_isize % 4 == 0);
    if (!fields || !raw->mode || (!raw->links && !orphan) || !checksum_good(fs, inode, raw)) return -EUCLEAN;
    n = node_add(fs, inode);
    if (!n) return -ENOMEM;
    node_decode(n, raw);
    result = node_check(n);
    if (result < 0) {
        node_free(n);
        return result;
    }
    *out = n;
    return 0;
}

int ext4_node_get(struct ext4 *fs, uint32_t inode, struct ext4_node **out) {
    op_begin(fs);
    if (inode < fs->first_inode && inode != EXT4_ROOT) return -EUCLEAN; /* the file system's own */
    return node_get(fs, inode, false, out);
}

void ext4_node_put(struct ext4_node *n) {
    struct ext4 *fs = n->fs;
    if (--n->refs) return;
    if (!n->links && !fs->read_only) {
        n->refs++; /* through it */
        int result = node_release(n);
        if (result < 0) fs_abort(fs, result);
        n->refs--;
    }
    if (n->orphan) { /* that couldn't be: the next mount will */
        if (n->orphan_prev) n->orphan_prev->orphan_next = n->orphan_next;
        else fs->orphans = n->orphan_next;
        if (n->orphan_next) n->orphan_next->orphan_prev = n->orphan_prev;
    }
    node_free(n);
}

int node_store(struct ext4_node *n) {
    struct buffer *b;
    struct inode *raw;
    int result = inode_buffer(n->fs, n->inode, &b, &raw);
    if (result < 0) return result;
    tx_write(n->fs, b);
    node_encode(n, raw);
    inode_checksum(n->fs, n->inode, raw);
    return 0;
}

int ext4_node_changed(struct ext4_node *n) {
    int result = tx_start(n->fs, 0);
    return result < 0 ? result : tx_stop(n->fs, node_store(n));
}

int ext4_size_set(struct ext4_node *n, uint64_t size) {
    if (size > map_blocks_max(n) << n->fs->block_bits) return -EFBIG;
    n->size = size;
    return ext4_node_changed(n);
}

static void node_init(struct ext4_node *n, const struct ext4_new *what) {
    struct ext4 *fs = n->fs;
    n->mode = what->mode;
    n->uid = what->uid;
    n->gid = what->gid;
    n->rdev = what->rdev;
    n->atime = n->mtime = n->ctime = n->birth = fs_now(fs);
    uint64_t mix[2] = {(uint64_t)n->birth, n->inode};
    n->generation = crc32c(fs->seed, mix, sizeof(mix));
    n->seed = inode_seed(fs, n->inode, n->generation);
    if (is_type(n->mode, S_IFCHR) || is_type(n->mode, S_IFBLK)) n->root[n->rdev > 0xffff] = n->rdev;
    bool map = is_type(n->mode, S_IFREG) || is_type(n->mode, S_IFDIR) || is_type(n->mode, S_IFLNK);
    if (map && fs->incompat & INCOMPAT_EXTENTS) extent_root_init(n);
}

int node_new(struct ext4 *fs, uint32_t inode, const struct ext4_new *what, struct ext4_node **out) {
    struct buffer *b;
    struct inode *raw;
    int result = inode_buffer(fs, inode, &b, &raw);
    if (result < 0) return result;
    if (node_find(fs, inode)) return -EUCLEAN; /* in use, and free in the bitmap */
    struct ext4_node *n = node_add(fs, inode);
    if (!n) return -ENOMEM;
    node_init(n, what);
    tx_write(fs, b);
    memset(raw, 0, fs->inode_size);
    if (fs->inode_size > INODE_OLD) {
        uint16_t extra = fs->super->want_extra_isize, room = (uint16_t)(fs->inode_size - INODE_OLD);
        if (extra < sizeof(struct inode) - INODE_OLD || extra % 4) extra = sizeof(struct inode) - INODE_OLD;
        raw->extra_isize = extra < room ? extra : room;
    }
    *out = n;
    return 0;
}

int node_balloc(struct ext4_node *n, uint64_t *block) {
    uint32_t got;
    uint64_t goal = n->goal ? n->goal : map_goal(n, 0);
    int result = balloc(n->fs, goal, 1, block, &got);
    if (result < 0) return result;
    n->goal = *block + 1;
    n->blocks += n->fs->sectors_per_block;
    return 0;
}

int node_bfree(struct ext4_node *n, uint64_t block) {
    struct ext4 *fs = n->fs;
    int result = bfree(fs, block, 1);
    if (!result) result = tx_revoke(fs, block);
    if (result < 0) return result;
    buffer_forget(fs, block);
    n->blocks -= n->blocks < fs->sectors_per_block ? n->blocks : fs->sectors_per_block;
    return 0;
}
