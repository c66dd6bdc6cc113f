// SPDX-License-Identifier: MIT
/* splice, tee, vmsplice, sync_file_range. */
#include "test.h"
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

static char text[200000], got[200000];

static void text_make(void) {
    for (size_t i = 0; i < sizeof(text); i++) text[i] = (char)(i * 31 + i / 251);
}

static int file_of(const char *path, size_t size) {
    int fd = (int)OK(open(path, O_RDWR | O_CREAT | O_TRUNC, 0644));
    EQUAL(write(fd, text, size), size);
    EQUAL(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static void expect(int fd, const char *wanted, size_t size) {
    for (size_t done = 0; done < size;) done += (size_t)OK(read(fd, got + done, size - done));
    CHECK(!memcmp(got, wanted, size));
}

TEST(pipe_to_file_and_back) {
    int p[2];
    off_t at = 3;
    text_make();
    OK(pipe(p));
    int file = file_of("a", 0);
    EQUAL(write(p[1], "hello", 5), 5);
    EQUAL(splice(p[0], NULL, file, NULL, 100, 0), 5);
    EQUAL(lseek(file, 0, SEEK_CUR), 5);
    EQUAL(write(p[1], "XY", 2), 2);
    EQUAL(splice(p[0], NULL, file, &at, 2, 0), 2);
    EQUAL(at, 5);
    EQUAL(lseek(file, 0, SEEK_CUR), 5);
    file_expect("a", "helXY");
    at = 1;
    EQUAL(splice(file, &at, p[1], NULL, 3, 0), 3);
    EQUAL(at, 4);
    expect(p[0], "elX", 3);
    EQUAL(splice(file, NULL, p[1], NULL, 3, 0), 0); /* at the end */
    EQUAL(lseek(file, 1, SEEK_SET), 1);
    EQUAL(splice(file, NULL, p[1], NULL, 2, 0), 2);
    EQUAL(lseek(file, 0, SEEK_CUR), 3);
    expect(p[0], "el", 2);
    OK(close(p[1]));
    EQUAL(splice(p[0], NULL, file, NULL, 10, 0), 0);
}

TEST(a_full_pipe_takes_what_it_can) {
    int p[2];
    text_make();
    OK(pipe(p));
    int file = file_of("a", sizeof(text));
    ssize_t first = OK(splice(file, NULL, p[1], NULL, sizeof(text), 0));
    CHECK(first > 0 && first < (ssize_t)sizeof(text));
    EQUAL(lseek(file, 0, SEEK_CUR), first);
    while (splice(file, NULL, p[1], NULL, sizeof(text), SPLICE_F_NONBLOCK) > 0) continue;
    EQUAL(errno, EAGAIN);
    size_t done = (size_t)lseek(file, 0, SEEK_CUR), seen = 0;
    while (seen < sizeof(text)) {
        ssize_t n = OK(read(p[0], got + seen, 7000));
        seen += (size_t)n;
        n = splice(file, NULL, p[1], NULL, sizeof(text), SPLICE_F_NONBLOCK);
        CHECK(n >= 0 || errno == EAGAIN);
        done += n > 0 ? (size_t)n : 0;
        EQUAL(lseek(file, 0, SEEK_CUR), done);
    }
    CHECK(!memcmp(got, text, sizeof(text)));
}

TEST(pipe_to_pipe) {
    int a[2], b[2];
    text_make();
    OK(pipe(a));
    OK(pipe(b));
    EQUAL(write(a[1], text, 30000), 30000);
    size_t done = 0;
    while (done < 30000) {
        ssize_t n = OK(splice(a[0], NULL, b[1], NULL, 100000, 0));
        CHECK(n > 0);
        done += (size_t)n;
    }
    expect(b[0], text, 30000);
    FAILS(EAGAIN, splice(a[0], NULL, b[1], NULL, 10, SPLICE_F_NONBLOCK));
    OK(fcntl(a[0], F_SETFL, O_NONBLOCK));
    FAILS(EAGAIN, splice(a[0], NULL, b[1], NULL, 10, 0));
    OK(close(a[1]));
    EQUAL(splice(a[0], NULL, b[1], NULL, 10, 0), 0);
}

static int ends[2];

static int write_later(void *unused) {
    (void)unused;
    sleep_ms(50);
    return write(ends[1], "late", 4) != 4;
}

static int read_later(void *unused) {
    (void)unused;
    sleep_ms(50);
    return read(ends[0], got, 70000) <= 0;
}

TEST(the_first_byte_is_waited_for) {
    int b[2];
    OK(pipe(ends));
    OK(pipe(b));
    pid_t child = child_start(write_later, NULL);
    EQUAL(splice(ends[0], NULL, b[1], NULL, 100, 0), 4);
    expect(b[0], "late", 4);
    EQUAL(child_wait(child), 0);
    child = child_start(write_later, NULL);
    EQUAL(tee(ends[0], b[1], 100, 0), 4);
    EQUAL(child_wait(child), 0);
    expect(b[0], "late", 4);
    expect(ends[0], "late", 4);
}

TEST(room_is_waited_for) {
    int a[2];
    text_make();
    OK(pipe(ends));
    OK(pipe(a));
    OK(fcntl(ends[1], F_SETFL, O_NONBLOCK));
    while (write(ends[1], text, 4096) > 0) continue;
    OK(fcntl(ends[1], F_SETFL, 0));
    EQUAL(write(a[1], "abc", 3), 3);
    FAILS(EAGAIN, splice(a[0], NULL, ends[1], NULL, 3, SPLICE_F_NONBLOCK));
    FAILS(EAGAIN, tee(a[0], ends[1], 3, SPLICE_F_NONBLOCK));
    pid_t child = child_start(read_later, NULL);
    EQUAL(splice(a[0], NULL, ends[1], NULL, 3, 0), 3);
    EQUAL(child_wait(child), 0);
    FAILS(EAGAIN, splice(a[0], NULL, ends[1], NULL, 3, SPLICE_F_NONBLOCK));
}

TEST(tee_leaves_the_bytes) {
    int a[2], b[2];
    OK(pipe(a));
    OK(pipe(b));
    EQUAL(write(a[1], "0123456789", 10), 10);
    EQUAL(tee(a[0], b[1], 4, 0), 4);
    EQUAL(tee(a[0], b[1], 100, 0), 10);
    expect(b[0], "01230123456789", 14);
    expect(a[0], "0123456789", 10);
    FAILS(EAGAIN, tee(a[0], b[1], 4, SPLICE_F_NONBLOCK));
    EQUAL(tee(a[0], b[1], 0, 0), 0);
    OK(close(a[1]));
    EQUAL(tee(a[0], b[1], 4, 0), 0);
}

TEST(sockets) {
    int p[2], s[2];
    text_make();
    OK(pipe(p));
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    EQUAL(write(p[1], "to socket", 9), 9);
    EQUAL(splice(p[0], NULL, s[0], NULL, 100, 0), 9);
    expect(s[1], "to socket", 9);
    EQUAL(write(s[1], "from socket", 11), 11);
    EQUAL(splice(s[0], NULL, p[1], NULL, 100, 0), 11);
    expect(p[0], "from socket", 11);
    OK(close(s[1]));
    EQUAL(splice(s[0], NULL, p[1], NULL, 100, 0), 0);
}

TEST(vmsplice_is_a_write_or_a_read) {
    int p[2];
    text_make();
    struct iovec v[2] = {{text, 3}, {text + 10, 4}}, in = {got, 100};
    OK(pipe(p));
    EQUAL(vmsplice(p[1], v, 2, 0), 7);
    EQUAL(vmsplice(p[0], &in, 1, 0), 7);
    CHECK(!memcmp(got, text, 3) && !memcmp(got + 3, text + 10, 4));
    v[0].iov_len = sizeof(text);
    ssize_t n = OK(vmsplice(p[1], v, 1, SPLICE_F_NONBLOCK));
    CHECK(n > 0 && n < (ssize_t)sizeof(text));
    FAILS(EAGAIN, vmsplice(p[1], v, 1, SPLICE_F_NONBLOCK));
    expect(p[0], text, (size_t)n);
    FAILS(EBADF, vmsplice(-1, v, 1, 0));
    FAILS(EBADF, vmsplice(file_of("a", 1), v, 1, 0));
}

TEST(nobody_reads) {
    int p[2], a[2];
    OK(pipe(p));
    OK(pipe(a));
    signal(SIGPIPE, SIG_IGN);
    OK(close(p[0]));
    EQUAL(write(a[1], "abc", 3), 3);
    int file = file_of("a", 0);
    file_make("b", "text");
    int b = (int)OK(open("b", O_RDONLY));
    FAILS(EPIPE, splice(a[0], NULL, p[1], NULL, 3, 0));
    FAILS(EPIPE, splice(b, NULL, p[1], NULL, 3, 0));
    FAILS(EPIPE, tee(a[0], p[1], 3, 0));
    EQUAL(splice(a[0], NULL, file, NULL, 3, 0), 3); /* nothing was lost */
    file_expect("a", "abc");
    EQUAL(lseek(b, 0, SEEK_CUR), 0);
}

TEST(errors) {
    int p[2], a[2];
    off_t at = 0;
    OK(pipe(p));
    OK(pipe(a));
    int file = file_of("a", 0), other = file_of("b", 0);
    int append = (int)OK(open("a", O_WRONLY | O_APPEND)), path = (int)OK(open("a", O_PATH));
    EQUAL(write(p[1], "abc", 3), 3);
    EQUAL(splice(p[0], NULL, file, NULL, 0, 0), 0);
    FAILS(EINVAL, splice(file, NULL, other, NULL, 10, 0));
    FAILS(EINVAL, splice(p[0], NULL, append, NULL, 10, 0));
    FAILS(EINVAL, splice(p[0], NULL, file, NULL, 10, 0x100));
    FAILS(ESPIPE, splice(p[0], &at, file, NULL, 10, 0));
    FAILS(ESPIPE, splice(file, NULL, p[1], &at, 10, 0));
    FAILS(EBADF, splice(-1, NULL, file, NULL, 10, 0));
    FAILS(EBADF, splice(p[0], NULL, path, NULL, 10, 0));
    FAILS(EBADF, splice(p[1], NULL, file, NULL, 10, 0));
    FAILS(EBADF, splice(file, NULL, p[0], NULL, 10, 0));
    FAILS(EINVAL, splice(p[0], NULL, p[1], NULL, 10, 0));
    FAILS(EINVAL, tee(p[0], p[1], 10, 0));
    FAILS(EINVAL, tee(p[0], file, 10, 0));
    FAILS(EBADF, tee(a[1], p[1], 10, 0));
    expect(p[0], "abc", 3);
}

TEST(sync_of_a_range) {
    int p[2];
    OK(pipe(p));
    int file = file_of("a", 0);
    OK(sync_file_range(file, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER));
    OK(sync_file_range(file, 10, 20, 0));
    FAILS(EINVAL, sync_file_range(file, 0, 0, 8));
    FAILS(EINVAL, sync_file_range(file, -1, 1, 0));
    FAILS(EINVAL, sync_file_range(file, 0, -1, 0));
    FAILS(EINVAL, sync_file_range(file, INT64_MAX, 1, 0));
    FAILS(ESPIPE, sync_file_range(p[0], 0, 0, 0));
    FAILS(EBADF, sync_file_range(-1, 0, 0, 0));
}
