// SPDX-License-Identifier: MIT
/*
 * Pagers that are slow, short, full, failing, lying, that die and come back; a file's size changed under
 * those who read, write and map it; appends from four processes; more pages than memory; fork in a call.
 *
 * The pager serves one file.  What isn't stored has contents that follow from the page's number.
 */
#include "native.h"
#include <pthread.h>
#include <sys/mman.h>

#define PAGES_MAX 65536
#define STORED 64 /* pages kept whole; of the others one byte, which they repeat */
#define SECOND 1000000000LL
#define FILE_ID 1

static struct {
    _Atomic int64_t size; /* of the file at open */
    _Atomic int slow_ms, reserve_error, page_in_error, write_back_error, reserve_pages;
    _Atomic bool die_in_page_in, die_in_reserve, lie, supply_short, stop_writing;
    _Atomic int page_ins, reserves, write_backs, instances, memory_lows;
    uint8_t fill[PAGES_MAX];
    uint8_t page[STORED][PAGE];
} *control;
static handle_t scheme;
static handle_t memory; /* the pager's */

static uint8_t byte_of(uint64_t page) { return (uint8_t)(page * 7 + 1); }

/* --- the pager ----------------------------------------------------------------------------------- */

static void page_read(uint64_t page, uint8_t *out) {
    if (page < STORED) memcpy(out, control->page[page], PAGE);
    else memset(out, control->fill[page % PAGES_MAX], PAGE);
}

static void serve_page_in(uint64_t offset, uint64_t length) {
    static uint8_t bytes[16 * PAGE];
    control->page_ins++;
    if (control->slow_ms) sleep_ms(control->slow_ms);
    if (control->die_in_page_in) _exit(1);
    if (control->page_in_error) {
        sys_memory_control(memory, MEMORY_FAIL, offset, (uint64_t)control->page_in_error, length);
        return;
    }
    if (control->lie) { /* elsewhere, nowhere, too much, from nowhere */
        sys_memory_control(memory, MEMORY_SUPPLY, 1UL << 60, (uint64_t)bytes, PAGE);
        sys_memory_control(memory, MEMORY_SUPPLY, offset + length, (uint64_t)bytes, UINT64_MAX);
        sys_memory_control(memory, MEMORY_FAIL, offset, 5000, length);
        sys_memory_control(memory, MEMORY_SUPPLY, offset, 0xffff800000000000, length);
        sys_memory_control(memory, MEMORY_WRITEBACK_END, 0, 0, UINT64_MAX);
        sys_memory_control(memory, MEMORY_DIRTY_NEXT, 0, 16, 0);
    }
    if (control->supply_short) length = PAGE;
    for (uint64_t done = 0; done < length; done += PAGE) page_read((offset + done) / PAGE, bytes + done);
    sys_memory_control(memory, MEMORY_SUPPLY, offset, (uint64_t)bytes, length);
}

static void serve_reserve(struct port_buffer *b) {
    uint64_t offset = b->request.args[0], length = b->request.args[1];
    control->reserves++;
    if (control->die_in_reserve) _exit(1);
    server_answer(b, -control->reserve_error);
    if (control->reserve_pages && length > (uint64_t)control->reserve_pages * PAGE)
        length = (uint64_t)control->reserve_pages * PAGE;
    b->reply.args[0] = control->lie ? offset + (1UL << 40) : offset;
    b->reply.args[1] = length;
}

static void page_store(uint64_t page) {
    uint8_t bytes[PAGE] = {};
    if (sys_read(memory, bytes, PAGE, (int64_t)(page * PAGE), 0, 0) <= 0) return;
    if (page < STORED) memcpy(control->page[page], bytes, PAGE);
    control->fill[page % PAGES_MAX] = bytes[0];
}

/* All dirty pages: 0, or the error that it has been told to have. */
static int64_t write_back(void) {
    long offset = 0;
    uint64_t length;
    control->write_backs++;
    while ((offset = sys_memory_control(memory, MEMORY_DIRTY_NEXT, (uint64_t)offset, (uint64_t)&length, 0)) >= 0) {
        uint64_t at = (uint64_t)offset;
        sys_memory_control(memory, MEMORY_WRITEBACK_BEGIN, at, 0, length);
        for (uint64_t done = 0; !control->write_back_error && done < length; done += PAGE)
            page_store((at + done) / PAGE);
        sys_memory_control(memory, MEMORY_WRITEBACK_END, at, (uint64_t)control->write_back_error, length);
        offset += (long)length;
    }
    return -control->write_back_error;
}

static void memory_get(handle_t port) {
    long h = sys_memory_control(port, MEMORY_ADOPT, FILE_ID, 0, 0);
    if (h < 0) h = sys_memory_create_paged(port, FILE_ID, (size_t)control->size);
    memory = (handle_t)h;
}

static void serve_one(handle_t port, struct port_buffer *b) {
    const struct request r = b->request;
    b->reply.tag = 0;
    switch (r.op) {
    case OP_OPEN:
        server_answer_file(b, FILE_ID, FILE_KIND_SEEKABLE);
        b->reply.flags |= REPLY_HANDLE;
        b->reply.handle = memory;
        b->reply.args[2] = PLANE_MEMORY;
        break;
    case OP_PAGE_IN: serve_page_in(r.args[0], r.args[1]); break;
    case OP_RESERVE: serve_reserve(b); break;
    case OP_WRITEBACK:
        if (!control->stop_writing) (void)write_back();
        break;
    case OP_MEMORY_LOW: control->memory_lows++; break;
    case OP_SYNC:
        (void)write_back(); /* the kernel keeps the error, and tells it */
        server_answer(b, 0);
        break;
    case OP_SET_ATTRIBUTES: /* truncate: args[0] */
        server_answer(b, sys_memory_control(memory, MEMORY_RESIZE, r.args[0], 0, 0));
        break;
    case OP_REOPEN: server_answer(b, 0); break;
    default:
        if (r.tag) server_answer(b, -ENOSYS);
    }
}

static void serve(handle_t port, struct port_buffer *b) {
    control->instances++;
    memory_get(port);
    for (;;) {
        if (sys_port_reply_wait(port, 0, DEADLINE_NEVER) == PORT_REQUEST) serve_one(port, b);
        else b->reply.tag = 0;
    }
}

/* --- the tests ----------------------------------------------------------------------------------- */

static pid_t pager;

static handle_t setup(int64_t size) {
    control = mmap(nullptr, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(control != MAP_FAILED);
    for (unsigned i = 0; i < PAGES_MAX; i++) control->fill[i] = byte_of(i);
    for (unsigned i = 0; i < STORED; i++) memset(control->page[i], byte_of(i), PAGE);
    control->size = size;
    scheme = scheme_new("pager", 20);
    pager = server_start(scheme, serve);
    return client_open(scheme, FILE_READ_WRITE);
}
static void pager_restart(void) {
    server_kill(pager);
    pager = server_start(scheme, serve);
}

static long get(handle_t f, void *to, size_t n, int64_t at) { return sys_read(f, to, n, at, 0, DEADLINE_NEVER); }
static long put(handle_t f, const void *from, size_t n, int64_t at) {
    return sys_write(f, from, n, at, 0, DEADLINE_NEVER);
}
static void expect_page(handle_t f, uint64_t page, uint8_t byte) {
    uint8_t bytes[PAGE];
    GIVES(PAGE, get(f, bytes, PAGE, (int64_t)(page * PAGE)));
    for (unsigned i = 0; i < PAGE; i++) EQUAL(bytes[i], byte);
}
static uint8_t *map(handle_t f, size_t length, uint32_t flags) {
    return (uint8_t *)GOOD(sys_vm_map(0, length, VM_READ | VM_WRITE | flags, f, 0));
}
static int fsync_of(handle_t f) { return (int)client_call(f, OP_SYNC, 0, 0); }
static long truncate_to(handle_t f, uint64_t size) { return client_call(f, OP_SET_ATTRIBUTES, size, SET_SIZE); }

TEST(pages_come_from_the_pager) {
    handle_t f = setup(100 * PAGE + 17);
    expect_page(f, 3, byte_of(3));
    uint8_t tail[PAGE] = {};
    GIVES(17, get(f, tail, PAGE, 100 * PAGE));
    GIVES(0, get(f, tail, PAGE, 100 * PAGE + 17));
    uint8_t *m = map(f, 101 * PAGE, VM_SHARED);
    EQUAL(m[50 * PAGE], byte_of(50));
    EQUAL(m[100 * PAGE + 16], byte_of(100));
    EQUAL(m[100 * PAGE + 17], 0); /* beyond the end */
}

TEST(a_slow_pager) {
    handle_t f = setup(40 * PAGE);
    control->slow_ms = 200;
    pid_t readers[4];
    for (int i = 0; i < 4; i++)
        if ((readers[i] = (pid_t)OK(fork())) == 0) {
            expect_page(f, 5, byte_of(5));
            _exit(0);
        }
    for (int i = 0; i < 4; i++) EQUAL(child_wait(readers[i]), 0);
    EQUAL(control->page_ins, 1); /* they waited for the same message */
}
TEST(a_reader_is_killed_while_it_waits) {
    handle_t f = setup(40 * PAGE);
    control->slow_ms = 1500;
    pid_t reader = (pid_t)OK(fork());
    if (reader == 0) {
        expect_page(f, 5, 1);
        _exit(0);
    }
    sleep_ms(100);
    int64_t start = now_ms();
    kill(reader, SIGKILL);
    child_wait(reader);
    CHECK(now_ms() - start < 1000);
    control->slow_ms = 0;
    expect_page(f, 5, byte_of(5));
}
TEST(a_short_pager) {
    handle_t f = setup(40 * PAGE);
    control->supply_short = true;
    expect_page(f, 0, byte_of(0));
    server_kill(pager); /* the rest of its run is asked for anew */
    control->supply_short = false;
    pager = server_start(scheme, serve);
    for (uint64_t page = 0; page < 40; page++) expect_page(f, page, byte_of(page));
}
TEST(page_in_fails) {
    uint8_t byte;
    handle_t f = setup(40 * PAGE);
    control->page_in_error = EIO;
    GIVES(-EIO, get(f, &byte, 1, 0));
    uint8_t *m = map(f, PAGE, VM_SHARED);
    pid_t child = (pid_t)OK(fork());
    if (child == 0) _exit(m[0]);
    int status = child_wait(child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
    control->page_in_error = 0;
    expect_page(f, 0, byte_of(0));
}

static void expect_refused(int error) {
    handle_t f = setup(40 * PAGE);
    control->reserve_error = error;
    GIVES(-error, put(f, "x", 1, 0));
    uint8_t *m = map(f, PAGE, VM_SHARED);
    pid_t child = (pid_t)OK(fork());
    if (child == 0) {
        m[0] = 1;
        _exit(0);
    }
    int status = child_wait(child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
    control->reserve_error = 0;
    GIVES(1, put(f, "x", 1, 0));
}
TEST(no_space) { expect_refused(ENOSPC); }
TEST(no_quota) { expect_refused(EDQUOT); }
TEST(read_only) { expect_refused(EROFS); }
TEST(a_grant_in_small_pieces) {
    static uint8_t bytes[16 * PAGE];
    handle_t f = setup(0);
    control->reserve_pages = 1;
    memset(bytes, 9, sizeof(bytes));
    GIVES(sizeof(bytes), put(f, bytes, sizeof(bytes), 0));
    CHECK(control->reserves >= 16);
    expect_page(f, 15, 9);
}
TEST(a_lying_pager) {
    handle_t f = setup(40 * PAGE);
    control->lie = true;
    expect_page(f, 1, byte_of(1));
    GIVES(-ENOSPC, put(f, "x", 1, 0)); /* granted somewhere else */
    control->lie = false;
    GIVES(1, put(f, "x", 1, 0));
    EQUAL(fsync_of(f), 0);
}

TEST(write_back_fails_once_for_each) {
    handle_t f = setup(40 * PAGE), other = client_open(scheme, FILE_READ_WRITE);
    GIVES(1, put(f, "x", 1, 0));
    control->write_back_error = EIO;
    EQUAL(fsync_of(f), -EIO);
    control->write_back_error = 0;
    EQUAL(fsync_of(other), -EIO); /* each description is told once */
    EQUAL(fsync_of(f), 0);
    EQUAL(fsync_of(other), 0);
    EQUAL(control->page[0][0], 'x'); /* and the page was kept */
}

TEST(the_pager_dies_in_page_in) {
    handle_t f = setup(40 * PAGE);
    control->die_in_page_in = true;
    pid_t reader = (pid_t)OK(fork());
    if (reader == 0) {
        expect_page(f, 2, byte_of(2));
        _exit(0);
    }
    child_wait(pager);
    control->die_in_page_in = false;
    pager = server_start(scheme, serve);
    EQUAL(child_wait(reader), 0);
}
TEST(the_pager_dies_in_reserve) {
    handle_t f = setup(40 * PAGE);
    control->die_in_reserve = true;
    pid_t writer = (pid_t)OK(fork());
    if (writer == 0) _exit(put(f, "x", 1, 0) != 1);
    child_wait(pager);
    control->die_in_reserve = false;
    pager = server_start(scheme, serve);
    EQUAL(child_wait(writer), 0);
}
TEST(dirty_pages_outlive_the_pager) {
    handle_t f = setup(40 * PAGE);
    GIVES(5, put(f, "hello", 5, 0));
    control->stop_writing = true;
    pager_restart();
    char text[6] = {};
    GIVES(5, get(f, text, 5, 0));
    CHECK(!strcmp(text, "hello"));
    EQUAL(fsync_of(f), 0);
    CHECK(!memcmp(control->page[0], "hello", 5));
}
/* Nobody can write them back: they must not be kept for good. */
TEST(dirty_pages_of_a_failed_scheme_go) {
    struct scheme_info before[64], after[64];
    sleep_ms(300); /* those of the cases before are going */
    long count = GOOD(sys_system_info(SYSTEM_SCHEMES, before, sizeof(before)));
    for (int i = 0; i < 3; i++) {
        pid_t pid = (pid_t)OK(fork());
        if (pid == 0) {
            handle_t f = setup(40 * PAGE);
            uint8_t *m = map(f, PAGE, VM_SHARED);
            m[0] = 1;
            GIVES(1, put(f, "x", 1, PAGE));
            kill(pager, SIGKILL);
            _exit(0);
        }
        EQUAL(child_wait(pid), 0);
    }
    long now = 0;
    for (int i = 0; i < 50 && (now = GOOD(sys_system_info(SYSTEM_SCHEMES, after, sizeof(after)))) > count; i++)
        sleep_ms(100);
    CHECK(now <= count);
}

TEST(truncate_against_mmap) {
    handle_t f = setup(40 * PAGE);
    uint8_t *m = map(f, 40 * PAGE, VM_SHARED);
    EQUAL(m[20 * PAGE], byte_of(20));
    GIVES(0, truncate_to(f, 10 * PAGE + 100));
    EQUAL(m[10 * PAGE + 99], byte_of(10));
    EQUAL(m[10 * PAGE + 100], 0); /* the tail of the last page is zeroed */
    pid_t child = (pid_t)OK(fork());
    if (child == 0) _exit(m[20 * PAGE]);
    int status = child_wait(child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
}
TEST(truncate_against_read_and_write) {
    static uint8_t bytes[8 * PAGE];
    handle_t f = setup(32 * PAGE);
    pid_t children[3];
    for (int i = 0; i < 3; i++)
        if ((children[i] = (pid_t)OK(fork())) == 0) {
            for (int n = 0; n < 300; n++) {
                int64_t at = (n * 13 % 32) * (int64_t)PAGE + 5;
                long result = i == 0 ? put(f, bytes, sizeof(bytes), at) : get(f, bytes, sizeof(bytes), at);
                if (result < 0) _exit(1);
            }
            _exit(0);
        }
    for (int n = 0; n < 100; n++) GIVES(0, truncate_to(f, (uint64_t)(n * 11 % 32) * PAGE + (uint64_t)n));
    for (int i = 0; i < 3; i++) EQUAL(child_wait(children[i]), 0);
    GIVES(0, truncate_to(f, 0));
    GIVES(0, get(f, bytes, 1, 0));
}
TEST(append_from_four_processes) {
    handle_t f = setup(0);
    pid_t children[4];
    for (int i = 0; i < 4; i++)
        if ((children[i] = (pid_t)OK(fork())) == 0) {
            handle_t mine = client_open(scheme, FILE_WRITE_ONLY | FILE_APPEND);
            char record[64];
            memset(record, 'a' + i, sizeof(record));
            for (int n = 0; n < 200; n++)
                if (sys_write(mine, record, sizeof(record), OFFSET_CURRENT, 0, DEADLINE_NEVER) != sizeof(record))
                    _exit(1);
            _exit(0);
        }
    for (int i = 0; i < 4; i++) EQUAL(child_wait(children[i]), 0);
    int counts[4] = {};
    for (int n = 0; n < 800; n++) {
        char record[64];
        GIVES(64, get(f, record, 64, n * 64));
        CHECK(record[0] >= 'a' && record[0] < 'e');
        for (int i = 1; i < 64; i++) EQUAL(record[i], record[0]);
        counts[record[0] - 'a']++;
    }
    for (int i = 0; i < 4; i++) EQUAL(counts[i], 200);
}

/* The file is half as large again as the machine's memory. */
TEST(more_pages_than_memory) {
    struct memory_totals totals;
    GOOD(sys_system_info(SYSTEM_MEMORY, &totals, sizeof(totals)));
    uint64_t pages = totals.total / PAGE * 3 / 2;
    if (pages > PAGES_MAX) SKIP("too much memory: boot with 64 MiB");
    handle_t f = setup((int64_t)(pages * PAGE));
    static uint8_t bytes[16 * PAGE];
    for (uint64_t page = 0; page + 16 <= pages; page += 16) { /* reading */
        GIVES(sizeof(bytes), get(f, bytes, sizeof(bytes), (int64_t)(page * PAGE)));
        EQUAL(bytes[5 * PAGE], page + 5 < STORED ? control->page[page + 5][0] : byte_of(page + 5));
    }
    for (uint64_t page = 0; page + 16 <= pages; page += 16) { /* writing: dirty ones are written back */
        memset(bytes, (int)(page / 16 % 251), sizeof(bytes));
        GIVES(sizeof(bytes), put(f, bytes, sizeof(bytes), (int64_t)(page * PAGE)));
    }
    for (uint64_t page = 0; page + 16 <= pages; page += 160) expect_page(f, page + 3, (uint8_t)(page / 16 % 251));
}

/* Shared memory is in no quota and can't be reclaimed. */
TEST(servers_are_told_when_memory_is_low) {
    struct memory_totals totals;
    GOOD(sys_system_info(SYSTEM_MEMORY, &totals, sizeof(totals)));
    if (totals.total / PAGE > PAGES_MAX) SKIP("too much memory: boot with 64 MiB");
    setup(PAGE);
    sleep_ms(1100); /* servers are told once a second: the test before may have been the reason */
    pid_t hog = (pid_t)OK(fork());
    if (hog == 0) {
        char *m = mmap(nullptr, totals.total, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        CHECK(m != MAP_FAILED);
        for (uint64_t at = 0; at < totals.total; at += PAGE) m[at] = 1;
        _exit(0);
    }
    int status = child_wait(hog);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    for (int i = 0; i < 100 && !control->memory_lows; i++) sleep_ms(10);
    CHECK(control->memory_lows > 0 && control->memory_lows < 20);
}

/* One thread is in calls whose answers go to pages that the other forks away at the same time. */
static void serve_slow_answer(handle_t port, struct port_buffer *b) {
    for (;;) {
        server_next(port, b);
        sleep_ms(2);
        memset(b->data, (int)b->request.args[0], 4 * PAGE);
        server_answer(b, 0);
        b->reply.length = 4 * PAGE;
    }
}
static _Atomic bool calls_done;
static void *caller(void *file) {
    static uint8_t data[4 * PAGE];
    handle_t h = *(handle_t *)file;
    for (int n = 1; n <= 60; n++) {
        struct call_args args = {.request = {.op = OP_USER, .args = {(uint64_t)n}},
                                 .out = data,
                                 .out_size = sizeof(data),
                                 .carry = HANDLE_NONE,
                                 .deadline = DEADLINE_NEVER};
        GIVES(0, sys_call(h, &args));
        for (unsigned i = 0; i < sizeof(data); i++) EQUAL(data[i], n);
    }
    calls_done = true;
    return nullptr;
}
TEST(fork_during_a_call) {
    pthread_t thread;
    scheme = scheme_new("answers", 20);
    server_start(scheme, serve_slow_answer);
    EQUAL(pthread_create(&thread, nullptr, caller, &scheme), 0);
    while (!calls_done) {
        pid_t pid = (pid_t)OK(fork());
        if (pid == 0) _exit(0);
        EQUAL(child_wait(pid), 0);
    }
    pthread_join(thread, nullptr);
}
