// SPDX-License-Identifier: MIT
/* Mappings. */
#include "test.h"
#include <setjmp.h>
#include <sys/mman.h>

#define PAGE 4096

static void *map(size_t size, int protection, int flags) {
    void *p = mmap(NULL, size, protection, flags | MAP_ANONYMOUS, -1, 0);
    CHECK(p != MAP_FAILED);
    return p;
}

static sigjmp_buf escape;
static volatile int fault_signal;

static void on_fault(int signal) {
    fault_signal = signal;
    siglongjmp(escape, 1);
}

/* The signal that touching this byte brings, or 0. */
static int touch(volatile char *p, bool write) {
    signal(SIGSEGV, on_fault);
    signal(SIGBUS, on_fault);
    fault_signal = 0;
    if (!sigsetjmp(escape, 1)) {
        if (write) {
            *p = 1;
        } else {
            (void)*p;
        }
    }
    return fault_signal;
}

TEST(anonymous_memory_is_zero) {
    char *p = map(64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    for (size_t i = 0; i < 64 * PAGE; i += 512) {
        EQUAL(p[i], 0);
        p[i] = 1;
    }
    OK(munmap(p, 64 * PAGE));
    EQUAL(touch(p, false), SIGSEGV);
}

TEST(unmapping_the_middle) {
    char *p = map(3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    p[0] = p[2 * PAGE] = 'x';
    OK(munmap(p + PAGE, PAGE));
    EQUAL(p[0], 'x');
    EQUAL(p[2 * PAGE], 'x');
    EQUAL(touch(p + PAGE, false), SIGSEGV);
    FAILS(EINVAL, munmap(p + 1, PAGE));
    FAILS(EINVAL, munmap(p, 0));
}

TEST(protection) {
    char *p = map(2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    p[0] = 'a';
    OK(mprotect(p, PAGE, PROT_READ));
    EQUAL(touch(p, false), 0);
    EQUAL(touch(p, true), SIGSEGV);
    EQUAL(touch(p + PAGE, true), 0);
    OK(mprotect(p, PAGE, PROT_NONE));
    EQUAL(touch(p, false), SIGSEGV);
    OK(mprotect(p, PAGE, PROT_READ | PROT_WRITE));
    EQUAL(p[0], 'a');
    OK(munmap(p, 2 * PAGE));
    FAILS(ENOMEM, mprotect(p, PAGE, PROT_READ));
}

TEST(fixed_mappings_replace) {
    char *p = map(3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    memset(p, 'o', 3 * PAGE);
    char *q = mmap(p + PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    CHECK(q == p + PAGE);
    EQUAL(q[0], 0);
    EQUAL(p[PAGE - 1], 'o');
    EQUAL(p[2 * PAGE], 'o');
}

TEST(mmap_errors) {
    file_make("a", "x");
    int fd = (int)OK(open("a", O_RDONLY)), w = (int)OK(open("a", O_WRONLY));
    FAILS(EINVAL, (long)mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    FAILS(EINVAL, (long)mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 1));
    FAILS(EBADF, (long)mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, -1, 0));
    FAILS(EACCES, (long)mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    FAILS(EACCES, (long)mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, w, 0));
    FAILS(ENOMEM, (long)mmap(NULL, 1UL << 60, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    int p[2];
    OK(pipe(p));
    FAILS(ENODEV, (long)mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, p[0], 0));
}

TEST(private_file_mapping) {
    file_make("a", "hello");
    int fd = (int)OK(open("a", O_RDONLY));
    char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    CHECK(p != MAP_FAILED);
    OK(close(fd));
    CHECK(!memcmp(p, "hello", 5));
    EQUAL(p[5], 0);
    p[0] = 'j';
    file_expect("a", "hello");
}

TEST(shared_file_mapping) {
    file_make("a", "hello");
    int fd = (int)OK(open("a", O_RDWR));
    char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(p != MAP_FAILED);
    p[0] = 'j';
    file_expect("a", "jello");
    EQUAL(pwrite(fd, "y", 1, 4), 1);
    EQUAL(p[4], 'y');
    OK(msync(p, PAGE, MS_SYNC));
    OK(munmap(p, PAGE));
    file_expect("a", "jelly");
}

TEST(beyond_the_end_of_a_file) {
    file_make("a", "x");
    int fd = (int)OK(open("a", O_RDWR));
    char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(p != MAP_FAILED);
    EQUAL(touch(p + PAGE, false), SIGBUS);
    OK(ftruncate(fd, PAGE + 1));
    EQUAL(touch(p + PAGE, true), 0);
    OK(ftruncate(fd, 1));
    EQUAL(touch(p + PAGE, false), SIGBUS);
}

TEST(offset_into_a_file) {
    static char block[2 * PAGE];
    memset(block + PAGE, 'b', PAGE);
    int fd = (int)OK(open("a", O_RDWR | O_CREAT, 0644));
    EQUAL(write(fd, block, sizeof(block)), sizeof(block));
    char *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, PAGE);
    CHECK(p != MAP_FAILED);
    EQUAL(p[0], 'b');
}

TEST(shared_with_a_child) {
    volatile int *p = map(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
    volatile int *own = map(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    *own = 1;
    pid_t pid = (pid_t)OK(fork());
    if (pid == 0) {
        *p = 42;
        *own = 2;
        _exit(0);
    }
    EQUAL(child_wait(pid), 0);
    EQUAL(*p, 42);
    EQUAL(*own, 1);
}

TEST(remap) {
    char *p = map(2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    p[0] = 'a';
    p[PAGE] = 'b';
    char *q = mremap(p, 2 * PAGE, 64 * PAGE, MREMAP_MAYMOVE);
    CHECK(q != MAP_FAILED);
    EQUAL(q[0], 'a');
    EQUAL(q[PAGE], 'b');
    EQUAL(q[63 * PAGE], 0);
    CHECK(mremap(q, 64 * PAGE, PAGE, 0) == q);
    EQUAL(touch(q + PAGE, false), SIGSEGV);
    EQUAL(q[0], 'a');
}

/* Other than RLIMIT_AS: what mappings take of the kernel's memory. Of Linux it is vm.max_map_count. */
TEST(number_of_mappings) {
    enum { LIMIT = 65530 };
    char *p = map((LIMIT + 100) * (size_t)PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    size_t i = 1; /* each second page another protection: two mappings more */
    while (i < LIMIT + 100 && mprotect(p + i * PAGE, PAGE, PROT_NONE) == 0) i += 2;
    EQUAL(errno, ENOMEM);
    CHECK(i > LIMIT - 200 && i < LIMIT);
    int more = 0; /* a split that failed may have left room for one */
    while (more < 4 && mmap(NULL, PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED) more++;
    CHECK(more < 4);
    EQUAL(errno, ENOMEM);
    FAILS(ENOMEM, munmap(p + (LIMIT + 50) * (size_t)PAGE, PAGE)); /* a hole is a mapping more */
    EQUAL(p[0], 0);
    OK(munmap(p, 64 * PAGE));
    CHECK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
    pid_t pid = (pid_t)OK(fork()); /* the child has as many */
    if (pid == 0) _exit(p[64 * PAGE]);
    EQUAL(child_wait(pid), 0);
}

TEST(execution) {
    static const unsigned char code[] = {0xb8, 42, 0, 0, 0, 0xc3}; /* mov $42, %eax; ret */
    char *p = map(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    memcpy(p, code, sizeof(code));
    OK(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
    EQUAL(((int (*)(void))p)(), 42);
    OK(mprotect(p, PAGE, PROT_READ));
    signal(SIGSEGV, on_fault);
    fault_signal = 0;
    if (!sigsetjmp(escape, 1)) {
        ((int (*)(void))p)();
    }
    EQUAL(fault_signal, SIGSEGV);
}

TEST(advice_and_locking) {
    char *p = map(4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    memset(p, 'x', 4 * PAGE);
    OK(madvise(p, 2 * PAGE, MADV_DONTNEED));
    EQUAL(p[0], 0);
    EQUAL(p[2 * PAGE], 'x');
    OK(mlock(p, PAGE));
    char *beyond = (char *)0x7ffffffffffff000;
    FAILS(ENOMEM, mlock(beyond, 8));
    FAILS(ENOMEM, munlock(beyond, 8));
    OK(munlock(p, PAGE));
    FAILS(EINVAL, madvise(p, PAGE, 9999));
}

TEST(heap) {
    char *blocks[200];
    for (int i = 0; i < 200; i++) {
        size_t size = (size_t)(i * i * 13 % 90000 + 1);
        blocks[i] = malloc(size);
        CHECK(blocks[i] != NULL);
        memset(blocks[i], i, size);
    }
    for (int i = 0; i < 200; i += 2) {
        free(blocks[i]);
    }
    for (int i = 1; i < 200; i += 2) {
        EQUAL((unsigned char)blocks[i][0], i);
        blocks[i] = realloc(blocks[i], 100000);
        EQUAL((unsigned char)blocks[i][0], i);
        free(blocks[i]);
    }
}
