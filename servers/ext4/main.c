// SPDX-License-Identifier: MIT
/*
 * ext4: started by the supervisor for one mount, with the disk's open file behind its scheme; arguments: the mount
 * point, and `ro`. Its status is the errno if it can't mount or unmount.
 */
#include "server.h"

static const struct diskfs_ops ops = {
    .name = "ext4",
    .fs = &ext4_names,
    .streams = &ext4_streams,
    .open = volume_open,
    .close = volume_close,
    .node_free = node_destroy,
};

int main(int argc, char **argv) {
    static struct volume volume;
    return diskfs_main(argc, argv, &volume.base, &ops);
}
