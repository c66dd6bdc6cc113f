// SPDX-License-Identifier: MIT
/* Partition tables of arbitrary disks: what comes out lies inside the disk. */
#include <errno.h>
#include <partition.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct disk {
    const uint8_t *data;
    size_t size;
    uint32_t sector_size;
};

/* Zeros behind the input: a disk is larger than what describes it. */
static int disk_read(void *context, uint64_t sector, uint32_t count, void *out) {
    const struct disk *d = context;
    size_t at = sector * d->sector_size, length = (size_t)count * d->sector_size;
    memset(out, 0, length);
    if (at < d->size) memcpy(out, d->data + at, length < d->size - at ? length : d->size - at);
    return sector % 61 == 60 ? -EIO : 0;
}

/* The first byte says how large sectors are, the second how large the disk is. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct partition_table table;
    if (size < 2) return 0;
    struct disk disk = {data + 2, size - 2, data[0] & 1 ? 4096 : 512};
    struct partition_source source = {disk_read, &disk, (size - 2) / disk.sector_size + data[1], disk.sector_size};
    if (partition_table_read(&source, &table) != 0) return 0;
    if (table.count > PARTITIONS_MAX) abort();
    for (unsigned i = 0; i < table.count; i++) {
        const struct partition *p = &table.partitions[i];
        if (p->number < 1 || p->number > PARTITIONS_MAX || p->sectors == 0 || p->start >= source.sectors ||
            p->sectors > source.sectors - p->start || strnlen(p->name, sizeof(p->name)) == sizeof(p->name))
            abort();
    }
    return 0;
}
