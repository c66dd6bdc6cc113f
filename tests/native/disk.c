// SPDX-License-Identifier: MIT
/*
 * Disks by ring and by call, on a disk that may be overwritten: $TEST_DISK, /dev/vda or /dev/sda. The driver is killed
 * while data is written; errors reach those whom they concern.
 */
#include "native.h"
#include <dirent.h>
#include <disk.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#define MIB (1u << 20)
#define BLOCK 65536u
#define DEPTH 32u

static const char *disk_path(void) {
    return getenv("TEST_DISK") ?: access("/dev/vda", F_OK) == 0 ? "/dev/vda" : "/dev/sda";
}

/* The scheme's folder: where the link in /dev leads, without the disk's name. */
static void stats_path(char out[64]) {
    ssize_t length = OK(readlink(disk_path(), out, 56));
    out[length] = 0;
    char *slash = strrchr(out, '/');
    CHECK(slash && strncmp(out, "/scheme/disk.", 13) == 0);
    strcpy(slash, "/stats");
}

/* A counter of the first disk. */
static uint64_t counter(const char *name) {
    char path[64], text[2048], *at;
    stats_path(path);
    int fd = (int)OK(open(path, O_RDONLY));
    ssize_t length = OK(read(fd, text, sizeof(text) - 1));
    close(fd);
    text[length] = 0;
    at = strstr(text, name);
    CHECK(at);
    return strtoull(at + strlen(name), nullptr, 10);
}

static void disk_use(struct disk *d, int flags, uint32_t entries, size_t pool) {
    int fd = (int)OK(open(disk_path(), flags | O_CLOEXEC));
    EQUAL(disk_open(d, fd, entries, pool), 0);
}

/* What belongs at a position: differs in every word, and with every round. */
static void fill(void *data, size_t size, uint64_t position, uint64_t round) {
    uint64_t *words = data;
    for (size_t i = 0; i < size / 8; i++) words[i] = (position + 8 * i) * 0x9e3779b97f4a7c15ul + round;
}
static void expect(const void *data, size_t size, uint64_t position, uint64_t round) {
    const uint64_t *words = data;
    for (size_t i = 0; i < size / 8; i++) {
        uint64_t word = (position + 8 * i) * 0x9e3779b97f4a7c15ul + round;
        if (words[i] != word)
            test_fail(__FILE__, __LINE__, "byte %#lx: %#lx, not %#lx", position + 8 * i, words[i], word);
    }
}

/* --- many at a time --- */
static struct job {
    struct disk_request r;
    struct disk *disk;
    uint64_t round;
} jobs[DEPTH];
static uint64_t next_position, end_position;

static void job_next(struct job *j) {
    if (next_position == end_position) return;
    j->r.position = next_position;
    next_position += BLOCK;
    if (j->r.op == DISK_WRITE) fill(j->disk->pool + j->r.buffer, BLOCK, j->r.position, j->round);
    disk_submit(j->disk, &j->r);
}
static void job_done(struct disk_request *r) {
    struct job *j = r->context;
    EQUAL(r->result, BLOCK);
    if (r->op == DISK_READ) expect(j->disk->pool + r->buffer, BLOCK, r->position, j->round);
    job_next(j);
}

static void run(struct disk *d, uint32_t op, uint64_t start, uint64_t size, uint64_t round, void (*meanwhile)(void)) {
    next_position = start;
    end_position = start + size;
    for (unsigned i = 0; i < DEPTH; i++) {
        jobs[i] = (struct job){
            {.op = op, .length = BLOCK, .buffer = i * BLOCK, .done = job_done, .context = &jobs[i]}, d, round};
        job_next(&jobs[i]);
    }
    disk_kick(d);
    while (d->outstanding) {
        EQUAL(disk_wait(d, deadline_in(CALL_TIMEOUT_NS)), 0);
        disk_kick(d);
        if (meanwhile) meanwhile();
    }
}

TEST(information) {
    struct disk d;
    uint64_t size;
    int sector, fd = (int)OK(open(disk_path(), O_RDONLY));
    OK(ioctl(fd, BLKGETSIZE64, &size));
    OK(ioctl(fd, BLKSSZGET, &sector));
    disk_use(&d, O_RDONLY, 1, 4096);
    EQUAL(d.info.size, size);
    EQUAL(d.info.sector_size, sector);
    EQUAL(lseek(fd, 0, SEEK_END), size);
    CHECK(size >= 32 * MIB && d.info.transfer_max >= BLOCK && d.info.depth > 1);
    struct stat st;
    OK(stat(disk_path(), &st));
    CHECK(S_ISBLK(st.st_mode));
    disk_close(&d);
}

TEST(written_and_read_by_ring) {
    struct disk d;
    disk_use(&d, O_RDWR, DEPTH, DEPTH * BLOCK);
    uint64_t copied = counter("bytes_copied "), written = counter("bytes_written "), read = counter("bytes_read ");
    run(&d, DISK_WRITE, 0, 16 * MIB, 1, nullptr);
    EQUAL(disk_flush(&d), 0);
    memset(d.pool, 0, DEPTH * BLOCK);
    run(&d, DISK_READ, 0, 16 * MIB, 1, nullptr);
    EQUAL(counter("bytes_copied "), copied);
    EQUAL(counter("bytes_written "), written + 16 * MIB);
    EQUAL(counter("bytes_read "), read + 16 * MIB);
    CHECK(counter("depth_max ") > 1);
    disk_close(&d);
}

TEST(written_through) {
    struct disk d;
    disk_use(&d, O_RDWR, 2, BLOCK);
    uint64_t flushes = counter("flushes ");
    struct disk_request r = {.op = DISK_WRITE | DISK_FUA, .length = 4096};
    fill(d.pool, 4096, 0, 7);
    EQUAL(disk_run(&d, &r), 4096);
    CHECK(!(d.info.flags & DISK_CACHE) || d.info.flags & DISK_NATIVE_FUA || counter("flushes ") == flushes + 1);
    disk_close(&d);
}

TEST(by_call_any_alignment) {
    static char written[200000], got[200000];
    int fd = (int)OK(open(disk_path(), O_RDWR));
    for (size_t i = 0; i < sizeof(written); i++) written[i] = (char)(i * 7 + i / 251);
    EQUAL(pwrite(fd, written, sizeof(written), MIB), sizeof(written));
    static const struct {
        unsigned at, size;
    } pieces[] = {{0, 1}, {511, 2}, {513, 510}, {1000, 5000}, {4096, 4096}, {100, 65535}, {3, 131072}};
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        unsigned at = pieces[i].at, size = pieces[i].size;
        for (unsigned n = 0; n < size; n++) written[at + n] ^= (char)(0x5a + i);
        EQUAL(pwrite(fd, written + at, size, MIB + at), size);
        EQUAL(pread(fd, got, size, MIB + at), size);
        CHECK(memcmp(got, written + at, size) == 0);
    }
    EQUAL(pread(fd, got, sizeof(got), MIB), sizeof(got));
    CHECK(memcmp(got, written, sizeof(got)) == 0);
    OK(fsync(fd));
}

TEST(the_end_of_the_disk) {
    char bytes[1024] = {};
    int fd = (int)OK(open(disk_path(), O_RDWR));
    off_t size = OK(lseek(fd, 0, SEEK_END));
    EQUAL(pread(fd, bytes, 1024, size), 0);
    EQUAL(pread(fd, bytes, 1024, size + 5000), 0);
    EQUAL(pread(fd, bytes, 1024, size - 100), 100);
    EQUAL(pwrite(fd, bytes, 1024, size - 512), 512);
    FAILS(ENOSPC, pwrite(fd, bytes, 1024, size));
}

/* Two processes change neighbouring bytes of one sector. */
static int neighbour(void *argument) {
    uintptr_t which = (uintptr_t)argument;
    int fd = open(disk_path(), O_RDWR);
    for (int i = 1; i <= 100; i++) {
        unsigned char byte = (unsigned char)i;
        if (pwrite(fd, &byte, 1, 2 * MIB + (off_t)which) != 1) return 1;
    }
    return 0;
}
TEST(parts_of_one_sector) {
    unsigned char sector[512];
    pid_t pids[4];
    for (uintptr_t i = 0; i < 4; i++) pids[i] = child_start(neighbour, (void *)i);
    for (int i = 0; i < 4; i++) EQUAL(child_wait(pids[i]), 0);
    int fd = (int)OK(open(disk_path(), O_RDONLY));
    EQUAL(pread(fd, sector, 512, 2 * MIB), 512);
    for (int i = 0; i < 4; i++) EQUAL(sector[i], 100);
}

static int64_t one(struct disk *d, uint32_t op, uint64_t position, uint32_t length, uint64_t buffer) {
    struct disk_request r = {.op = op, .position = position, .length = length, .buffer = buffer};
    return disk_run(d, &r);
}

TEST(bad_requests_end_alone) {
    struct disk d;
    disk_use(&d, O_RDWR, 8, BLOCK);
    uint64_t size = d.info.size;
    EQUAL(one(&d, DISK_READ, size, 4096, 0), -EIO);
    EQUAL(one(&d, DISK_READ, size - 512, 4096, 0), -EIO);
    EQUAL(one(&d, DISK_READ, UINT64_MAX - 511, 4096, 0), -EIO);
    EQUAL(one(&d, DISK_WRITE, size, 4096, 0), -ENOSPC);
    EQUAL(one(&d, DISK_READ, 1, 4096, 0), -EINVAL);
    EQUAL(one(&d, DISK_READ, 0, 100, 0), -EINVAL);
    EQUAL(one(&d, DISK_READ, 0, 0, 0), -EINVAL);
    EQUAL(one(&d, DISK_READ, 0, d.info.transfer_max + d.info.sector_size, 0), -EINVAL);
    EQUAL(one(&d, DISK_READ, 0, 4096, BLOCK - 512), -EFAULT);
    EQUAL(one(&d, DISK_READ, 0, 4096, UINT64_MAX - 511), -EFAULT);
    EQUAL(one(&d, DISK_READ, 0, 4096, 8), -EFAULT);
    EQUAL(one(&d, 77, 0, 4096, 0), -EINVAL);
    EQUAL(one(&d, DISK_READ | DISK_FUA, 0, 4096, 0), -EINVAL);
    EQUAL(one(&d, DISK_READ, 0, 4096, 0), 4096);
    disk_close(&d);
    disk_use(&d, O_RDONLY, 8, BLOCK);
    EQUAL(one(&d, DISK_WRITE, 0, 4096, 0), -EBADF);
    EQUAL(one(&d, DISK_READ, 0, 4096, 0), 4096);
    disk_close(&d);
}

/* The disk, named only, but with all that can be asked for beside. */
static handle_t disk_name(void) {
    char name[64] = {};
    OK(readlink(disk_path(), name, sizeof(name) - 1));
    *strrchr(name, '/') = ':';
    const char *scheme = name + strlen("/scheme/");
    struct call_args args = {
        .request = {.op = OP_OPEN, .args = {FILE_PATH | FILE_READ_WRITE}, .length = (uint32_t)strlen(scheme)},
        .in = scheme,
        .carry = HANDLE_NONE,
        .handle_flags = HANDLE_IN_UPPER,
        .deadline = deadline_in(CALL_TIMEOUT_NS)};
    GOOD(sys_call(HANDLE_NAMESPACE, &args));
    return args.reply.handle;
}

static long disk_call(handle_t file, uint32_t op, uint64_t a0, const void *data, size_t size) {
    static char out[4096];
    struct call_args args = {.request = {.op = (uint16_t)op, .args = {a0, 512}, .length = (uint32_t)size},
                             .in = data,
                             .out = out,
                             .out_size = sizeof(out),
                             .carry = HANDLE_NONE,
                             .handle_flags = HANDLE_IN_UPPER,
                             .deadline = deadline_in(CALL_TIMEOUT_NS)};
    return sys_call(file, &args);
}

static void expect_no_access(handle_t file) {
    static char bytes[512];
    uint64_t range[2] = {0, 4096};
    struct disk d;
    CHECK(sys_read(file, bytes, 512, 0, 0, 0) < 0);
    CHECK(sys_write(file, bytes, 512, 0, 0, 0) < 0);
    GIVES(-EBADF, disk_call(file, OP_READ, 0, nullptr, 0));
    GIVES(-EBADF, disk_call(file, OP_WRITE, 0, bytes, sizeof(bytes)));
    GIVES(-EBADF, disk_call(file, OP_SYNC, 0, nullptr, 0));
    GIVES(-ENOTTY, disk_call(file, OP_CONTROL, BLKDISCARD, range, sizeof(range)));
    GIVES(-ENOTTY, disk_call(file, OP_CONTROL, BLKZEROOUT, range, sizeof(range)));
    GIVES(-ENOTTY, disk_call(file, OP_CONTROL, BLKRRPART, nullptr, 0));
    GIVES(-ENOTTY, disk_call(file, DISK_INFO, 0, nullptr, 0));
    GIVES(-ENOTTY, disk_call(file, DISK_MEMORY, 4096, nullptr, 0));
    GIVES(-ENOTTY, disk_call(file, DISK_START, 0, nullptr, 0));
    CHECK(disk_open(&d, file, 8, BLOCK) < 0);
}

TEST(not_for_everybody) {
    OK(access(disk_path(), R_OK | W_OK));
    FAILS(EACCES, access(disk_path(), X_OK));
    expect_no_access(disk_name());
    expect_no_access((int)OK(open(disk_path(), O_PATH)));
    OK(setuid(1000));
    OK(access(disk_path(), F_OK));
    FAILS(EACCES, access(disk_path(), R_OK));
    FAILS(EACCES, access(disk_path(), W_OK));
    FAILS(EACCES, open(disk_path(), O_RDONLY));
    FAILS(EACCES, open(disk_path(), O_RDWR));
    expect_no_access(disk_name());
    expect_no_access((int)OK(open(disk_path(), O_PATH)));
}

/* Its folder can be entered, and what is in it is found from there. */
TEST(the_folder) {
    char path[64];
    struct stat st;
    stats_path(path);
    *strrchr(path, '/') = 0;
    OK(chdir(path));
    OK(access("stats", R_OK));
    FAILS(ENOENT, access("99", F_OK));
    OK(stat("0", &st));
    CHECK(S_ISBLK(st.st_mode));
}

TEST(one_writer) {
    struct disk first, second;
    disk_use(&first, O_RDWR, 2, BLOCK);
    int writer = (int)OK(open(disk_path(), O_RDWR)), reader = (int)OK(open(disk_path(), O_RDONLY));
    EQUAL(disk_open(&second, writer, 2, BLOCK), -EBUSY);
    EQUAL(disk_open(&second, reader, 2, BLOCK), 0);
    EQUAL(one(&second, DISK_READ, 0, 4096, 0), 4096);
    disk_close(&second);
    disk_close(&first);
    EQUAL(disk_open(&second, writer, 2, BLOCK), 0);
    EQUAL(one(&second, DISK_READ, 0, 4096, 0), 4096);
    disk_close(&second);
}

/* A client that writes nonsense into its ring is not served any more; others are. */
TEST(a_broken_ring) {
    struct disk bad, good;
    disk_use(&bad, O_RDONLY, 8, BLOCK);
    disk_use(&good, O_RDONLY, 8, BLOCK);
    atomic_store(&bad.ring_memory->requests.tail, 1000);
    sys_event_post(bad.doorbell, 1);
    for (int i = 0; i < 20; i++) EQUAL(one(&good, DISK_READ, 0, 4096, 0), 4096);
    struct disk_request r = {.op = DISK_READ, .length = 4096};
    disk_submit(&bad, &r);
    disk_kick(&bad);
    GIVES(-ETIMEDOUT, disk_wait(&bad, deadline_in(500000000)));
    disk_close(&bad);
    EQUAL(one(&good, DISK_READ, 0, 4096, 0), 4096);
    disk_close(&good);
}

TEST(discarded_and_zeroed) {
    struct disk d;
    disk_use(&d, O_RDWR, DEPTH, DEPTH * BLOCK);
    if (!(d.info.flags & (DISK_CAN_WRITE_ZEROES | DISK_CAN_DISCARD))) SKIP("the disk has no such request");
    run(&d, DISK_WRITE, 4 * MIB, 4 * MIB, 3, nullptr);
    if (d.info.flags & DISK_CAN_WRITE_ZEROES) {
        EQUAL(one(&d, DISK_WRITE_ZEROES, 5 * MIB, BLOCK, 0), BLOCK);
        EQUAL(one(&d, DISK_READ, 5 * MIB, BLOCK, 0), BLOCK);
        for (unsigned i = 0; i < BLOCK; i++) EQUAL(d.pool[i], 0);
    }
    if (d.info.flags & DISK_CAN_DISCARD) EQUAL(one(&d, DISK_DISCARD, 6 * MIB, MIB / 2, 0), MIB / 2);
    run(&d, DISK_READ, 4 * MIB, MIB, 3, nullptr);
    run(&d, DISK_READ, 5 * MIB + BLOCK, MIB - BLOCK, 3, nullptr);
    run(&d, DISK_READ, 6 * MIB + MIB / 2, MIB + MIB / 2, 3, nullptr);
    disk_close(&d);
}

/* --- the driver's death --- */
static pid_t driver_pid(void) {
    char path[64], line[160];
    int pid = 0;
    stats_path(path);
    DIR *folder = opendir("/scheme/service");
    CHECK(folder);
    const char *name = strstr(path, "virtio") ? "virtio-blk." : "ahci.";
    for (struct dirent *e; (e = readdir(folder));) {
        if (strncmp(e->d_name, name, strlen(name)) != 0) continue;
        snprintf(line, sizeof(line), "/scheme/service/%s", e->d_name);
        FILE *f = fopen(line, "r");
        CHECK(f && fscanf(f, "%*s %*s %d", &pid) == 1);
        fclose(f);
        break;
    }
    closedir(folder);
    return pid;
}

static unsigned kills_left, waits_left;
static void kill_sometimes(void) {
    if (kills_left == 0 || waits_left-- > 0) return;
    waits_left = (unsigned)rand() % 4;
    pid_t pid = driver_pid();
    if (pid > 0 && kill(pid, SIGKILL) == 0) kills_left--;
}

TEST(the_driver_is_killed_while_writing) {
    struct disk d;
    srand(1);
    disk_use(&d, O_RDWR, DEPTH, DEPTH * BLOCK);
    kills_left = 3;
    run(&d, DISK_WRITE, 8 * MIB, 16 * MIB, 9, kill_sometimes);
    EQUAL(disk_flush(&d), 0);
    CHECK(d.restarts >= 1);
    EQUAL(kills_left, 0);
    kills_left = 1;
    run(&d, DISK_READ, 8 * MIB, 16 * MIB, 9, kill_sometimes);
    disk_close(&d);
    disk_use(&d, O_RDONLY, DEPTH, DEPTH * BLOCK);
    run(&d, DISK_READ, 8 * MIB, 16 * MIB, 9, nullptr);
    disk_close(&d);
}

/* Calls that the dead one had received end in an error that says so, or are done again; the file stays. */
TEST(files_stay_open) {
    char bytes[512];
    int fd = (int)OK(open(disk_path(), O_RDWR));
    EQUAL(pread(fd, bytes, 512, 0), 512);
    pid_t pid = driver_pid();
    OK(kill(pid, SIGKILL));
    EQUAL(pread(fd, bytes, 512, 0), 512);
    EQUAL(pwrite(fd, bytes, 512, 0), 512);
    CHECK(driver_pid() != pid);
}

/* The client dies with requests under way, again and again: its memory is not used any more. */
static int die_busy(void *unused) {
    struct disk d;
    disk_use(&d, O_RDONLY, DEPTH, DEPTH * BLOCK);
    for (unsigned i = 0; i < DEPTH; i++) {
        jobs[i] = (struct job){{.op = DISK_READ, .length = BLOCK, .position = i * BLOCK, .buffer = i * BLOCK}, &d, 0};
        disk_submit(&d, &jobs[i].r);
    }
    disk_kick(&d);
    _exit(0);
}
TEST(clients_that_die) {
    for (int i = 0; i < 10; i++) EQUAL(child_run(die_busy, nullptr), 0);
    struct disk d;
    disk_use(&d, O_RDONLY, 8, BLOCK);
    EQUAL(one(&d, DISK_READ, 0, 4096, 0), 4096);
    disk_close(&d);
}

/* What one that has died had asked for comes before what its successor writes, also by the same open file. */
static int die_writing(void *file) {
    struct disk d;
    EQUAL(disk_open(&d, (handle_t)(intptr_t)file, DEPTH, DEPTH * BLOCK), 0);
    for (unsigned i = 0; i < DEPTH; i++) {
        jobs[i] = (struct job){{.op = DISK_WRITE, .length = BLOCK, .position = i * BLOCK, .buffer = i * BLOCK}, &d, 0};
        fill(d.pool + i * BLOCK, BLOCK, i * BLOCK, 1);
        disk_submit(&d, &jobs[i].r);
    }
    disk_kick(&d);
    _exit(0);
}
TEST(who_comes_after_one_that_died) {
    int fd = (int)OK(open(disk_path(), O_RDWR | O_CLOEXEC));
    for (uint64_t round = 2; round < 12; round++) {
        struct disk d;
        EQUAL(child_run(die_writing, (void *)(intptr_t)fd), 0);
        EQUAL(disk_open(&d, (int)OK(dup(fd)), DEPTH, DEPTH * BLOCK), 0);
        run(&d, DISK_WRITE, 0, DEPTH * BLOCK, round, nullptr);
        run(&d, DISK_READ, 0, DEPTH * BLOCK, round, nullptr);
        disk_close(&d);
    }
}
