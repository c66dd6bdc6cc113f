// SPDX-License-Identifier: MIT
/* lsblk: the disks and partitions that /dev has links to. */
#ifndef CATHODE_USER_STUBS
#define CATHODE_USER_STUBS
#endif
#include <abi/syscall.h>
#include <dirent.h>
#include <disk_protocol.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAMES_MAX 512
#define SCHEME "/scheme/disk."

static int compare(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static bool is_disk(const char *name) {
    char path[300], target[64];
    snprintf(path, sizeof(path), "/dev/%s", name);
    ssize_t length = readlink(path, target, sizeof(target));
    return length > (ssize_t)strlen(SCHEME) && memcmp(target, SCHEME, strlen(SCHEME)) == 0;
}

static long info_read(const char *name, struct disk_info *out) {
    char path[300];
    snprintf(path, sizeof(path), "/dev/%s", name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    struct call_args args = {.request = {.op = DISK_INFO},
                             .out = out,
                             .out_size = sizeof(*out),
                             .carry = HANDLE_NONE,
                             .deadline = DEADLINE_NEVER};
    long e = sys_call(fd, &args);
    close(fd);
    return e;
}

static void size_print(uint64_t bytes) {
    static const char units[] = "BKMGTP";
    unsigned unit = 0;
    double value = (double)bytes;
    for (; value >= 1024 && unit + 1 < strlen(units); unit++) value /= 1024;
    char text[16];
    snprintf(text, sizeof(text), value == (double)(long)value ? "%.0f%c" : "%.1f%c", value, units[unit]);
    printf("%7s", text);
}

/* As GPT writes it: the first three fields are little-endian. */
static void uuid_print(const uint8_t *u) {
    static const uint8_t order[] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
    for (unsigned i = 0; i < 16; i++) printf(i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", u[order[i]]);
}

static void line_print(const char *name) {
    static const uint8_t none[16];
    struct disk_info i;
    if (info_read(name, &i) < 0) {
        perror(name);
        return;
    }
    bool part = i.flags & DISK_PARTITION;
    printf("%s%-*s ", part ? "  " : "", part ? 8 : 10, name);
    size_print(i.size);
    printf(" %2d %-4s %4u", (i.flags & DISK_READ_ONLY) != 0,
           part                ? "part"
           : i.flags & DISK_CD ? "rom"
                               : "disk",
           i.sector_size);
    if (!part) printf(" %.44s %.24s", i.model, i.serial);
    if (part && memcmp(i.uuid, none, 16) != 0) {
        printf(" ");
        uuid_print(i.uuid);
        printf(" %s", i.label);
    } else if (part) {
        printf(" type %02x", i.mbr_type);
    }
    printf("\n");
}

int main(void) {
    static char *names[NAMES_MAX];
    size_t count = 0;
    DIR *folder = opendir("/dev");
    if (!folder) {
        perror("/dev");
        return 1;
    }
    for (struct dirent *e; count < NAMES_MAX && (e = readdir(folder));)
        if (is_disk(e->d_name)) names[count++] = strdup(e->d_name);
    qsort(names, count, sizeof(names[0]), compare);
    printf("NAME          SIZE RO TYPE  SEC\n");
    for (size_t i = 0; i < count; i++) line_print(names[i]);
    return 0;
}
