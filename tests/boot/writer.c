// SPDX-License-Identifier: MIT
/*
 * writer FOLDER DISK OPERATIONS SEED: works on files in the folder, for power_cut_test.py, which knows what they must
 * hold.  Before and after each operation a record goes straight to DISK, a partition of the same disk: what was
 * acknowledged when the power was cut is then a matter of the order of writes below the device.
 *
 * Records, 512 bytes each, text: `begin|done NUMBER KIND SLOT VERSION SIZE`.  Kinds:
 *   file  slot SLOT is replaced: written, fsynced, renamed, its folder fsynced; its bytes: "SLOT.VERSION." repeated
 *   sync  the same without fsyncs, and sync() at the end
 *   gone  the slot is removed, the folder fsynced
 *   log   the file `log` is appended to and fsynced: SIZE bytes of "%08d\n" for 0, 1, …
 * Other files are written between them, and never fsynced.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLOTS 8
#define SIZE_MAX_ 60000
#define RECORDS 2048 /* sectors of DISK */
#define SECTOR 512

static int folder, disk;
static uint64_t random_state;
static unsigned number;

static void need(int ok, const char *what) {
    if (ok) return;
    perror(what);
    exit(1);
}

static unsigned roll(unsigned n) {
    random_state = random_state * 6364136223846793005 + 1442695040888963407;
    return (unsigned)(random_state >> 33) % n;
}

static void record(const char *word, const char *kind, unsigned slot, unsigned version, unsigned size) {
    static unsigned count;
    char text[SECTOR] = "";
    snprintf(text, sizeof(text), "%s %u %s %u %u %u\n", word, number, kind, slot, version, size);
    need(pwrite(disk, text, SECTOR, (off_t)(count++ % RECORDS) * SECTOR) == SECTOR, "record");
}

static void write_all(int fd, const char *bytes, size_t size) {
    while (size) {
        ssize_t n = write(fd, bytes, size);
        need(n > 0, "write");
        bytes += n;
        size -= (size_t)n;
    }
}

static void replace(unsigned slot, unsigned version, unsigned size, int synced) {
    static char bytes[SIZE_MAX_ + 32];
    char name[16];
    size_t length = 0;
    while (length < size) length += (size_t)sprintf(bytes + length, "%u.%u.", slot, version);
    int fd = openat(folder, "new", O_WRONLY | O_CREAT | O_TRUNC, 0644);
    need(fd >= 0, "new");
    write_all(fd, bytes, size);
    if (synced) need(fsync(fd) == 0, "fsync");
    close(fd);
    snprintf(name, sizeof(name), "slot%u", slot);
    need(renameat(folder, "new", folder, name) == 0, "rename");
    if (synced) need(fsync(folder) == 0, "fsync");
    else sync();
}

static void gone(unsigned slot) {
    char name[16];
    snprintf(name, sizeof(name), "slot%u", slot);
    unlinkat(folder, name, 0); /* it may not be there */
    need(fsync(folder) == 0, "fsync");
}

static void append(unsigned from, unsigned to) {
    char bytes[16];
    int fd = openat(folder, "log", O_WRONLY | O_CREAT | O_APPEND, 0644);
    need(fd >= 0, "log");
    for (unsigned at = from; at < to; at += 9) {
        sprintf(bytes, "%08u\n", at / 9);
        write_all(fd, bytes, 9);
    }
    need(fdatasync(fd) == 0, "fdatasync");
    close(fd);
}

/* Names and bytes that nobody asks for, so that much is under way. */
static void noise(void) {
    char name[16];
    static char bytes[40000];
    snprintf(name, sizeof(name), "noise%u", roll(20));
    if (roll(3) == 0) {
        unlinkat(folder, name, 0);
        unlinkat(folder, name, AT_REMOVEDIR);
    } else if (roll(4) == 0) {
        mkdirat(folder, name, 0755);
    } else {
        int fd = openat(folder, name, O_WRONLY | O_CREAT, 0644);
        if (fd < 0) return; /* a folder */
        memset(bytes, 'n', sizeof(bytes));
        lseek(fd, roll(200000), SEEK_SET);
        write_all(fd, bytes, roll(sizeof(bytes)) + 1);
        close(fd);
    }
}

int main(int argc, char **argv) {
    unsigned versions[SLOTS] = {0}, logged = 0;
    if (argc != 5) return 2;
    need((folder = open(argv[1], O_RDONLY | O_DIRECTORY)) >= 0, argv[1]);
    need((disk = open(argv[2], O_WRONLY)) >= 0, argv[2]);
    random_state = strtoul(argv[4], NULL, 10);
    for (unsigned operations = (unsigned)atoi(argv[3]); number < operations; number++) {
        unsigned slot = roll(SLOTS), size = 1 + roll(roll(3) ? 3000 : SIZE_MAX_), which = roll(10);
        for (unsigned i = roll(4); i; i--) noise();
        if (which < 3) {
            size = logged + 9 * (1 + roll(400));
            record("begin", "log", 0, 0, size);
            append(logged, size);
            record("done", "log", 0, 0, size);
            logged = size;
            continue;
        }
        const char *kind = which == 3 ? "gone" : which == 4 ? "sync" : "file";
        unsigned version = ++versions[slot];
        record("begin", kind, slot, version, size);
        if (which == 3) gone(slot);
        else replace(slot, version, size, which != 4);
        record("done", kind, slot, version, size);
    }
    puts("end");
    return 0;
}
