// SPDX-License-Identifier: MIT
/*
 * once FILE STATS: after a line of input reads the first 4 KiB of FILE, between two looks at the counters, by which
 * trace_test.py knows where to look; then tells what the disk's driver counted meanwhile.
 */
#ifndef CATHODE_USER_STUBS
#define CATHODE_USER_STUBS
#endif
#include <abi/counters.h>
#include <abi/syscall.h>
#include <abi/system.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READS, READ, COPIED, BATCHES, STATS };

static void stats_read(const char *path, unsigned long out[STATS]) {
    static const char *const names[] = {"\nreads ", "\nbytes_read ", "\nbytes_copied ", "\nbatches "};
    char text[2048];
    int fd = open(path, O_RDONLY);
    ssize_t n = read(fd, text, sizeof(text) - 1);
    text[n < 0 ? 0 : n] = 0;
    close(fd);
    for (int i = 0; i < STATS; i++) {
        const char *at = strstr(text, names[i]);
        out[i] = at ? strtoul(at + strlen(names[i]), NULL, 10) : 0;
    }
}

int main(int argc, char **argv) {
    uint64_t counters[COUNT_COUNT];
    unsigned long before[STATS], after[STATS];
    char line[16], block[4096] = "";
    struct stat s;
    int fd = argc == 3 ? open(argv[1], O_RDONLY) : -1;
    if (fd < 0 || fstat(fd, &s) < 0) return 2;
    puts("waiting");
    if (!fgets(line, sizeof(line), stdin)) return 2;
    sleep(1); /* the terminal's echo is over */
    stats_read(argv[2], before);
    sys_system_info(SYSTEM_COUNTERS, counters, sizeof(counters));
    ssize_t got = pread(fd, block, sizeof(block), 0);
    sys_system_info(SYSTEM_COUNTERS, counters, sizeof(counters));
    stats_read(argv[2], after);
    for (int i = 0; i < STATS; i++) after[i] -= before[i];
    printf("read %zd %.8s, of the device: %lu requests %lu batches %lu bytes %lu copied\n", got, block, after[READS],
           after[BATCHES], after[READ], after[COPIED]);
    return 0;
}
