// SPDX-License-Identifier: MIT
/* Descriptors and data: open, read, write, seek, append, vectors, truncate, dup, fcntl. */
#include "test.h"
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

static void expect_at(int fd, off_t offset, const char *text) {
    char got[256];
    size_t n = strlen(text);
    EQUAL(pread(fd, got, n, offset), n);
    CHECK(!memcmp(got, text, n));
}

TEST(write_then_read_back) {
    file_make("a", "hello");
    file_expect("a", "hello");
}

TEST(read_returns_zero_at_the_end) {
    char c;
    file_make("a", "x");
    int fd = (int)OK(open("a", O_RDONLY));
    EQUAL(read(fd, &c, 1), 1);
    EQUAL(read(fd, &c, 1), 0);
    EQUAL(read(fd, &c, 1), 0);
}

TEST(open_flags) {
    FAILS(ENOENT, open("none", O_RDONLY));
    FAILS(ENOENT, open("", O_RDONLY));
    file_make("a", "12345");
    FAILS(EEXIST, open("a", O_CREAT | O_EXCL | O_WRONLY, 0644));
    FAILS(ENOTDIR, open("a", O_DIRECTORY | O_RDONLY));
    FAILS(ENOTDIR, open("a/b", O_RDONLY));
    FAILS(EISDIR, open(".", O_WRONLY));
    int fd = (int)OK(open("a", O_WRONLY | O_TRUNC));
    OK(close(fd));
    file_expect("a", "");
}

TEST(access_mode_is_kept) {
    char c;
    file_make("a", "1");
    int r = (int)OK(open("a", O_RDONLY)), w = (int)OK(open("a", O_WRONLY));
    FAILS(EBADF, write(r, "x", 1));
    FAILS(EBADF, read(w, &c, 1));
    EQUAL(OK(fcntl(r, F_GETFL)) & O_ACCMODE, O_RDONLY);
    EQUAL(OK(fcntl(w, F_GETFL)) & O_ACCMODE, O_WRONLY);
}

TEST(closed_descriptor) {
    char c;
    int fd = (int)OK(open("a", O_RDWR | O_CREAT, 0644));
    OK(close(fd));
    FAILS(EBADF, close(fd));
    FAILS(EBADF, read(fd, &c, 1));
    FAILS(EBADF, write(fd, &c, 1));
    FAILS(EBADF, lseek(fd, 0, SEEK_SET));
    FAILS(EBADF, dup(fd));
    FAILS(EBADF, fcntl(fd, F_GETFD));
    FAILS(EBADF, close(-1));
    FAILS(EBADF, close(1 << 20));
}

TEST(seek) {
    file_make("a", "0123456789");
    int fd = (int)OK(open("a", O_RDWR));
    EQUAL(lseek(fd, 3, SEEK_SET), 3);
    EQUAL(lseek(fd, 2, SEEK_CUR), 5);
    EQUAL(lseek(fd, -1, SEEK_END), 9);
    EQUAL(lseek(fd, 100, SEEK_END), 110);
    FAILS(EINVAL, lseek(fd, -200, SEEK_CUR));
    FAILS(EINVAL, lseek(fd, 0, 99));
    EQUAL(lseek(fd, 0, SEEK_CUR), 110);
}

TEST(hole_reads_as_zeros) {
    char got[20];
    int fd = (int)OK(open("a", O_RDWR | O_CREAT, 0644));
    EQUAL(pwrite(fd, "end", 3, 10), 3);
    EQUAL(pread(fd, got, sizeof(got), 0), 13);
    CHECK(!memcmp(got, "\0\0\0\0\0\0\0\0\0\0end", 13));
}

TEST(large_and_unaligned_writes) {
    static char out[300000], in[300000];
    for (size_t i = 0; i < sizeof(out); i++) {
        out[i] = (char)(i * 7 + i / 251);
    }
    int fd = (int)OK(open("a", O_RDWR | O_CREAT, 0644));
    size_t done = 0;
    while (done < sizeof(out)) {
        size_t n = 1 + done % 9973;
        n = n < sizeof(out) - done ? n : sizeof(out) - done;
        EQUAL(write(fd, out + done, n), n);
        done += n;
    }
    EQUAL(lseek(fd, 0, SEEK_SET), 0);
    for (done = 0; done < sizeof(in);) {
        done += (size_t)OK(read(fd, in + done, sizeof(in) - done));
    }
    CHECK(!memcmp(in, out, sizeof(in)));
}

TEST(append_goes_to_the_end) {
    file_make("a", "one");
    int fd = (int)OK(open("a", O_WRONLY | O_APPEND));
    EQUAL(lseek(fd, 0, SEEK_SET), 0);
    EQUAL(write(fd, "two", 3), 3);
    EQUAL(lseek(fd, 0, SEEK_CUR), 6);
    file_expect("a", "onetwo");
}

static int append_many(void *argument) {
    int fd = open("log", O_WRONLY | O_APPEND);
    for (int i = 0; i < 100; i++) {
        if (write(fd, argument, 10) != 10) {
            return 1;
        }
    }
    return 0;
}

TEST(append_of_four_processes_loses_nothing) {
    pid_t pids[4];
    char names[4][11] = {"aaaaaaaaa\n", "bbbbbbbbb\n", "ccccccccc\n", "ddddddddd\n"}, line[10];
    int counts[4] = {0};
    file_make("log", "");
    for (int i = 0; i < 4; i++) {
        pids[i] = child_start(append_many, names[i]);
    }
    for (int i = 0; i < 4; i++) {
        EQUAL(child_wait(pids[i]), 0);
    }
    int fd = (int)OK(open("log", O_RDONLY));
    while (OK(read(fd, line, 10)) == 10) {
        CHECK(line[0] >= 'a' && line[0] <= 'd');
        CHECK(!memcmp(line, names[line[0] - 'a'], 10));
        counts[line[0] - 'a']++;
    }
    for (int i = 0; i < 4; i++) {
        EQUAL(counts[i], 100);
    }
}

TEST(pread_and_pwrite_leave_the_offset) {
    file_make("a", "0123456789");
    int fd = (int)OK(open("a", O_RDWR));
    OK(lseek(fd, 2, SEEK_SET));
    EQUAL(pwrite(fd, "XY", 2, 4), 2);
    expect_at(fd, 4, "XY");
    EQUAL(lseek(fd, 0, SEEK_CUR), 2);
    FAILS(EINVAL, pread(fd, &fd, 1, -1));
    FAILS(EINVAL, pwrite(fd, "x", 1, -1));
}

TEST(vectors) {
    char a[3], b[5], c[10];
    struct iovec out[] = {{(char *)"ab", 2}, {(char *)"", 0}, {(char *)"cdefgh", 6}};
    struct iovec in[] = {{a, sizeof(a)}, {b, sizeof(b)}, {c, sizeof(c)}};
    int fd = (int)OK(open("a", O_RDWR | O_CREAT, 0644));
    EQUAL(writev(fd, out, 3), 8);
    EQUAL(lseek(fd, 0, SEEK_SET), 0);
    EQUAL(readv(fd, in, 3), 8);
    CHECK(!memcmp(a, "abc", 3) && !memcmp(b, "defgh", 5));
    EQUAL(preadv(fd, in, 1, 5), 3);
    CHECK(!memcmp(a, "fgh", 3));
    FAILS(EINVAL, readv(fd, in, -1));
}

TEST(truncate_both_ways) {
    struct stat st;
    file_make("a", "0123456789");
    OK(truncate("a", 4));
    file_expect("a", "0123");
    int fd = (int)OK(open("a", O_RDWR));
    OK(ftruncate(fd, 8));
    expect_at(fd, 0, "0123");
    EQUAL(fstat(fd, &st), 0);
    EQUAL(st.st_size, 8);
    char zeros[4];
    EQUAL(pread(fd, zeros, 4, 4), 4);
    CHECK(!memcmp(zeros, "\0\0\0\0", 4));
    FAILS(EINVAL, ftruncate(fd, -1));
    FAILS(EISDIR, truncate(".", 0));
    FAILS(ENOENT, truncate("none", 0));
    int r = (int)OK(open("a", O_RDONLY));
    FAILS(EINVAL, ftruncate(r, 0));
}

TEST(unlinked_file_lives_while_open) {
    struct stat st;
    file_make("a", "still here");
    int fd = (int)OK(open("a", O_RDWR));
    OK(unlink("a"));
    FAILS(ENOENT, open("a", O_RDONLY));
    expect_at(fd, 0, "still here");
    OK(fstat(fd, &st));
    EQUAL(st.st_nlink, 0);
}

TEST(dup_shares_the_offset) {
    char c;
    file_make("a", "0123");
    int a = (int)OK(open("a", O_RDONLY)), b = (int)OK(dup(a)), other = (int)OK(open("a", O_RDONLY));
    EQUAL(read(a, &c, 1), 1);
    EQUAL(read(b, &c, 1), 1);
    EQUAL(c, '1');
    EQUAL(read(other, &c, 1), 1);
    EQUAL(c, '0');
}

TEST(dup2_replaces) {
    file_make("a", "A");
    file_make("b", "B");
    char c;
    int a = (int)OK(open("a", O_RDONLY)), b = (int)OK(open("b", O_RDONLY));
    EQUAL(dup2(a, b), b);
    EQUAL(read(b, &c, 1), 1);
    EQUAL(c, 'A');
    EQUAL(dup2(a, a), a);
    FAILS(EBADF, dup2(99, 99));
    FAILS(EBADF, dup2(a, -1));
    FAILS(EINVAL, dup3(a, a, 0));
    EQUAL(dup3(a, 50, O_CLOEXEC), 50);
    EQUAL(fcntl(50, F_GETFD), FD_CLOEXEC);
}

TEST(lowest_free_descriptor) {
    int a = (int)OK(open("/", O_RDONLY)), b = (int)OK(open("/", O_RDONLY));
    CHECK(b > a);
    OK(close(a));
    EQUAL(open("/", O_RDONLY), a);
    EQUAL(fcntl(a, F_DUPFD, 100), 100);
    EQUAL(fcntl(a, F_DUPFD_CLOEXEC, 100), 101);
    FAILS(EINVAL, fcntl(a, F_DUPFD, -1));
}

TEST(descriptor_flags) {
    int fd = (int)OK(open("a", O_RDWR | O_CREAT | O_CLOEXEC | O_APPEND, 0644));
    EQUAL(fcntl(fd, F_GETFD), FD_CLOEXEC);
    OK(fcntl(fd, F_SETFD, 0));
    EQUAL(fcntl(fd, F_GETFD), 0);
    CHECK(OK(fcntl(fd, F_GETFL)) & O_APPEND);
    OK(fcntl(fd, F_SETFL, O_NONBLOCK));
    EQUAL(OK(fcntl(fd, F_GETFL)) & (O_APPEND | O_NONBLOCK | O_ACCMODE), O_NONBLOCK | O_RDWR);
}

TEST(descriptor_limit) {
    int n = 0, fd;
    while ((fd = open("/", O_RDONLY)) >= 0) {
        n++;
    }
    EQUAL(errno, EMFILE);
    CHECK(n >= 200);
    for (fd = 3; fd < n + 3; fd++) {
        close(fd);
    }
    OK(open("/", O_RDONLY));
}

TEST(descriptors_from_beyond_the_limit) {
    struct rlimit limit = {.rlim_cur = 20, .rlim_max = 20};
    OK(setrlimit(RLIMIT_NOFILE, &limit));
    FAILS(EINVAL, fcntl(0, F_DUPFD, 20));
    FAILS(EINVAL, fcntl(0, F_DUPFD_CLOEXEC, 30));
    EQUAL(fcntl(0, F_DUPFD, 19), 19);
    FAILS(EMFILE, fcntl(0, F_DUPFD, 19));
}

TEST(names_of_descriptors) {
    int ends[2];
    char path[32];
    struct stat s;
    OK(pipe(ends));
    snprintf(path, sizeof(path), "/dev/fd/%d", ends[0]);
    OK(stat(path, &s));
    CHECK(S_ISFIFO(s.st_mode));
    OK(access(path, R_OK));
    OK(lstat(path, &s));
    CHECK(S_ISLNK(s.st_mode));
    OK(dup2(ends[0], 0));
    OK(stat("/dev/stdin", &s));
    CHECK(S_ISFIFO(s.st_mode));
    OK(close(ends[0]));
    FAILS(ENOENT, stat(path, &s));
    FAILS(ENOENT, access(path, R_OK));
}

TEST(devices) {
    char buffer[64];
    int null = (int)OK(open("/dev/null", O_RDWR)), zero = (int)OK(open("/dev/zero", O_RDWR));
    EQUAL(write(null, "x", 1), 1);
    EQUAL(read(null, buffer, 1), 0);
    memset(buffer, 1, sizeof(buffer));
    EQUAL(read(zero, buffer, sizeof(buffer)), sizeof(buffer));
    for (size_t i = 0; i < sizeof(buffer); i++) {
        EQUAL(buffer[i], 0);
    }
    int full = (int)OK(open("/dev/full", O_RDWR));
    FAILS(ENOSPC, write(full, "x", 1));
    int random = (int)OK(open("/dev/urandom", O_RDONLY));
    EQUAL(read(random, buffer, sizeof(buffer)), sizeof(buffer));
}

TEST(sendfile_and_fsync) {
    file_make("a", "0123456789");
    int in = (int)OK(open("a", O_RDONLY)), out = (int)OK(open("b", O_RDWR | O_CREAT, 0644));
    off_t at = 3;
    EQUAL(sendfile(out, in, &at, 4), 4);
    EQUAL(at, 7);
    EQUAL(sendfile(out, in, NULL, 100), 10);
    OK(fsync(out));
    OK(fdatasync(out));
    file_expect("b", "34560123456789");
}

TEST(clone_is_refused) {
    file_make("a", "x");
    int from = (int)OK(open("a", O_RDONLY)), to = (int)OK(open("b", O_CREAT | O_WRONLY, 0600));
    FAILS(EOPNOTSUPP, ioctl(to, FICLONE, from)); /* a value, though its number says an address */
}

TEST(reading_a_directory_as_a_file) {
    char c;
    int fd = (int)OK(open(".", O_RDONLY));
    FAILS(EISDIR, read(fd, &c, 1));
}

/* Room in a range, not up to it. */
TEST(allocated_range) {
    struct stat st;
    int fd = (int)OK(open("f", O_CREAT | O_RDWR, 0600));
    OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 1 << 30, 4096));
    OK(fstat(fd, &st));
    EQUAL(st.st_size, 0);
    CHECK(st.st_blocks <= 64);
    OK(fallocate(fd, 0, 1 << 30, 4096));
    OK(fstat(fd, &st));
    EQUAL(st.st_size, (1 << 30) + 4096);
    CHECK(st.st_blocks <= 64);
    OK(ftruncate(fd, 0));
    FAILS(EINVAL, fallocate(fd, 0, 0, 0));
}

TEST(temporary_files) {
    char name[] = "t-XXXXXX";
    int fd = (int)OK(mkstemp(name));
    EQUAL(write(fd, "x", 1), 1);
    FILE *f = tmpfile();
    CHECK(f != NULL);
    CHECK(fputs("text", f) >= 0);
    rewind(f);
    EQUAL(fgetc(f), 't');
}
