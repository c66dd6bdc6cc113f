// SPDX-License-Identifier: MIT
#include "disk_host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

uint64_t roll_state;
uint32_t roll(uint32_t n) {
    roll_state = roll_state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(roll_state >> 33) % n;
}

static int disk_read(struct blkdev *b, uint64_t sector, void *out, uint32_t sectors) {
    struct disk *d = (struct disk *)b;
    if (sector > b->sectors || sectors > b->sectors - sector) abort();
    if (++d->reads >= d->fail_read && d->fail_read) return -EIO;
    memcpy(out, d->bytes + sector * BLKDEV_SECTOR, (size_t)sectors * BLKDEV_SECTOR);
    return 0;
}

static void log_add(struct disk *d, struct disk_write w, const void *data) {
    if (d->log_count == d->log_room) {
        d->log_room = d->log_room ? d->log_room * 2 : 256;
        d->log = realloc(d->log, d->log_room * sizeof(*d->log));
    }
    if (w.count) {
        w.data = malloc((size_t)w.count * BLKDEV_SECTOR);
        memcpy(w.data, data, (size_t)w.count * BLKDEV_SECTOR);
    }
    d->log[d->log_count++] = w;
}

static int disk_write(struct blkdev *b, uint64_t sector, const void *in, uint32_t sectors) {
    struct disk *d = (struct disk *)b;
    if (sector > b->sectors || sectors > b->sectors - sector || b->read_only) abort();
    if (++d->writes >= d->fail_write && d->fail_write) return -EIO;
    if (d->record) log_add(d, (struct disk_write){.sector = sector, .count = sectors}, in);
    memcpy(d->bytes + sector * BLKDEV_SECTOR, in, (size_t)sectors * BLKDEV_SECTOR);
    return 0;
}

static int disk_flush(struct blkdev *b) {
    struct disk *d = (struct disk *)b;
    if (++d->flushes >= d->fail_flush && d->fail_flush) return -EIO;
    if (d->record && !d->ignore_flush) log_add(d, (struct disk_write){}, nullptr);
    return 0;
}

bool disk_empty(struct disk *d, uint64_t size) {
    *d = (struct disk){.size = size};
    d->device = (struct blkdev){disk_read, disk_write, disk_flush, size / BLKDEV_SECTOR, false};
    const char *folder = access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm";
    snprintf(d->path, sizeof(d->path), "%s/disk_test.XXXXXX", folder);
    d->fd = mkstemp(d->path);
    if (d->fd < 0 || ftruncate(d->fd, (off_t)size)) return false;
    d->bytes = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, d->fd, 0);
    return d->bytes != MAP_FAILED;
}

int disk_run(struct disk *d, const char *command, const char **output) {
    static char text[65536];
    char line[4096];
    size_t used = 0;
    for (const char *p = command; *p && used + sizeof(d->path) < sizeof(line); p++)
        used += (size_t)snprintf(line + used, sizeof(line) - used, *p == '%' ? "%s" : "%.1s", *p == '%' ? d->path : p);
    FILE *f = popen(line, "r");
    size_t length = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
    text[length] = 0;
    if (output) *output = text;
    while (f && fgetc(f) != EOF) {
    }
    int status = f ? pclose(f) : -1;
    return status >= 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void disk_log_clear(struct disk *d) {
    for (uint32_t i = 0; i < d->log_count; i++) free(d->log[i].data);
    free(d->log);
    d->log = nullptr;
    d->log_count = d->log_room = 0;
}

void disk_free(struct disk *d) {
    disk_log_clear(d);
    munmap(d->bytes, d->size);
    close(d->fd);
    unlink(d->path);
}
