// SPDX-License-Identifier: MIT
/*
 * reader FILE END: reads FILE, which is in memory, at random until END exists; tells how often, and the longest time
 * between two reads and that of all of them, in milliseconds. For ext4_limits_test.py.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define MIB (1 << 20)

static int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

int main(int argc, char **argv) {
    char block[4096];
    long count = 0;
    if (argc != 3) return 2;
    int fd = open(argv[1], O_RDONLY);
    int64_t start = now_ms(), last = start, longest = 0;
    while (access(argv[2], F_OK) < 0) {
        if (pread(fd, block, sizeof(block), rand() % (MIB / 4096) * 4096) != sizeof(block)) {
            perror(argv[1]);
            return 1;
        }
        int64_t now = now_ms();
        if (now - last > longest) longest = now - last;
        last = now;
        count++;
    }
    printf("%ld %lld %lld\n", count, (long long)longest, (long long)(now_ms() - start));
    return 0;
}
