// SPDX-License-Identifier: MIT
/* Disks in shared memory for the tests of file systems, which the host's tools see as files, and told to fail. */
#pragma once
#include <blkdev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct disk_write { /* what was written, or (count 0) a flush */
    uint64_t sector;
    uint32_t count;
    uint8_t *data;
};

struct disk {
    struct blkdev device;
    char path[64];
    uint8_t *bytes;
    uint64_t size;
    int fd;
    /* recording */
    bool record, ignore_flush;
    struct disk_write *log;
    uint32_t log_count, log_room;
    /* faults: fails from this many writes (reads, flushes) on; 0: never */
    uint64_t writes, reads, flushes, fail_write, fail_read, fail_flush;
};

bool disk_empty(struct disk *d, uint64_t size);
void disk_free(struct disk *d);
void disk_log_clear(struct disk *d);
/* A command with the image's path for every %; its output in a static buffer. The exit status. */
int disk_run(struct disk *d, const char *command, const char **output);

uint32_t roll(uint32_t n); /* below n */
extern uint64_t roll_state;
