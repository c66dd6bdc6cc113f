// SPDX-License-Identifier: MIT
/*
 * Every system call with every kind of bad argument.  syscalls.def gives names and argument types;
 * the table here gives arguments that are good, and what the call does with its first handle.  Each
 * case changes one argument at a time.  A call without a row fails the test.
 */
#include "objects.h"
#include <limits.h>

enum kind { KIND_NUMBER, KIND_HANDLE, KIND_IN, KIND_OUT, KIND_SIZE, KIND_DEADLINE };

struct argument {
    const char *type, *name;
};
struct call_line {
    unsigned number;
    const char *name;
    unsigned count;
    struct argument arguments[6];
};
#define STRINGS_0()
#define STRINGS_1(t1, a1) {#t1, #a1}
#define STRINGS_2(t1, a1, ...) {#t1, #a1}, STRINGS_1(__VA_ARGS__)
#define STRINGS_3(t1, a1, ...) {#t1, #a1}, STRINGS_2(__VA_ARGS__)
#define STRINGS_4(t1, a1, ...) {#t1, #a1}, STRINGS_3(__VA_ARGS__)
#define STRINGS_5(t1, a1, ...) {#t1, #a1}, STRINGS_4(__VA_ARGS__)
#define STRINGS_6(t1, a1, ...) {#t1, #a1}, STRINGS_5(__VA_ARGS__)
#define COUNT(...) SYSCALL_ARGUMENT_COUNT(__VA_ARGS__)
#define CALL(n, name, ...)                                                                                             \
    {n, #name, COUNT(__VA_ARGS__), {SYSCALL_BY_COUNT(STRINGS_, COUNT(__VA_ARGS__))(__VA_ARGS__)}},
static const struct call_line calls[] = {
#include <abi/syscalls.def>
};
#define CALL_COUNT (sizeof(calls) / sizeof(calls[0]))
#define CALL_NUMBERS 96

#define BIT(n) (1u << (n))
#define ANY_TYPE (~0u)

/* How a call may be tried. */
struct row {
    bool known;
    bool never; /* it has no error, or ends the caller */
    bool not_good; /* not with good arguments: there are none here, or it would end the test */
    long arguments[6];
    uint32_t types; /* of the first handle that are accepted */
    bool needs_right; /* the first handle without any right is refused by EACCES */
    uint8_t optional; /* bit n: argument n may be null or no handle */
    uint8_t leave; /* bit n: argument n isn't changed */
};
static struct objects objects;
static struct row rows[CALL_NUMBERS];

static void thread_main(void) { sys_thread_exit(0, 0); }

#define A(x) ((long)(x))
#define ROW(name, ...)                                                                                                 \
    rows[SYSCALL_##name - SYSCALL_BASE] = (struct row) { .known = true, __VA_ARGS__ }

static void rows_handles(const handle_t *h, char *page) {
    handle_t event = h[OBJECT_EVENT];
    ROW(handle_close, .never = false, .not_good = true, .types = ANY_TYPE);
    ROW(handle_duplicate, .arguments = {event, 0, 0, RIGHTS_SAME}, .types = ANY_TYPE, .needs_right = true,
        .leave = BIT(1));
    ROW(handle_info, .arguments = {event, A(page)}, .types = ANY_TYPE);
    ROW(handle_set, .arguments = {event, 0, HANDLE_CLOEXEC, 0}, .types = ANY_TYPE);
    ROW(handle_close_range, .arguments = {900, 901, 0}, .leave = BIT(0) | BIT(1));
    ROW(call, .not_good = true, .arguments = {h[OBJECT_FILE], A(page)},
        .types = BIT(OBJECT_FILE) | BIT(OBJECT_SCHEME) | BIT(OBJECT_NAMESPACE));
    uint32_t readable = BIT(OBJECT_FILE) | BIT(OBJECT_MEMORY) | BIT(OBJECT_CHANNEL) | BIT(OBJECT_EVENT) |
                        BIT(OBJECT_TIMER) | BIT(OBJECT_LOG) | BIT(OBJECT_SIGNALS);
    ROW(read, .arguments = {h[OBJECT_MEMORY], A(page), 64, 0, 0, 0}, .types = readable, .needs_right = true);
    ROW(write, .arguments = {h[OBJECT_MEMORY], A(page), 64, 0, 0, 0}, .types = readable, .needs_right = true);
    struct io_vector *v = (struct io_vector *)(page + 256);
    *v = (struct io_vector){page, 64};
    ROW(readv, .arguments = {h[OBJECT_MEMORY], A(v), 1, 0, 0, 0}, .types = readable, .needs_right = true);
    ROW(writev, .arguments = {h[OBJECT_MEMORY], A(v), 1, 0, 0, 0}, .types = readable, .needs_right = true);
    ROW(seek, .arguments = {h[OBJECT_FILE], 0, SEEK_SET}, .types = BIT(OBJECT_FILE));
}

static void rows_schemes(const handle_t *h, char *page) {
    struct scheme_create_args *create = (struct scheme_create_args *)(page + 512);
    *create = (struct scheme_create_args){.name = "other", .rank = 30};
    ROW(scheme_create, .arguments = {h[OBJECT_SYSTEM], A(create)}, .types = BIT(OBJECT_SYSTEM), .needs_right = true);
    ROW(scheme_attach, .arguments = {h[OBJECT_SCHEME], h[OBJECT_EVENT], A(page)}, .types = BIT(OBJECT_SCHEME),
        .needs_right = true, .optional = BIT(1));
    ROW(port_reply_wait, .not_good = true, .arguments = {h[OBJECT_PORT], PORT_NO_WAIT, 0}, .types = BIT(OBJECT_PORT),
        .leave = BIT(1));
    ROW(port_notify, .arguments = {h[OBJECT_PORT], 1, EVENT_IN}, .types = BIT(OBJECT_PORT));
    ROW(port_caller, .not_good = true, .arguments = {h[OBJECT_PORT], 1, A(page)}, .types = BIT(OBJECT_PORT),
        .leave = BIT(2)); /* there is no such caller */
    ROW(namespace_control, .arguments = {h[OBJECT_NAMESPACE], NAMESPACE_BIND, A(page), 6, h[OBJECT_SCHEME]},
        .types = BIT(OBJECT_NAMESPACE), .needs_right = true);
    ROW(file_create, .arguments = {h[OBJECT_PORT], 1, 1, 0, HANDLE_NONE, FILE_READ_WRITE}, .types = BIT(OBJECT_PORT),
        .optional = BIT(4));
    ROW(file_stat, .not_good = true, .arguments = {h[OBJECT_FILE], A(page)}, .types = BIT(OBJECT_FILE),
        .leave = BIT(1)); /* the file has no attributes with its stream */
}

static void rows_memory(const handle_t *h, char *page) {
    ROW(vm_map, .arguments = {0, PAGE, VM_READ, h[OBJECT_MEMORY], 0}, .optional = BIT(3));
    ROW(vm_unmap, .arguments = {A(objects.unmapped), PAGE});
    ROW(vm_protect, .arguments = {A(objects.read_only), PAGE, VM_READ});
    ROW(vm_remap, .arguments = {A(objects.no_access), PAGE, PAGE, 0, 0});
    ROW(vm_advise, .arguments = {A(page), PAGE, VM_RESIDENT, A(page)}, .leave = BIT(2));
    ROW(memory_create, .arguments = {PAGE, 0, HANDLE_NONE, 0}, .optional = BIT(2));
    ROW(memory_create_paged, .arguments = {h[OBJECT_PORT], 1, PAGE}, .types = BIT(OBJECT_PORT));
    ROW(memory_control, .arguments = {h[OBJECT_MEMORY], MEMORY_RESIZE, PAGE, 0, 0}, .types = BIT(OBJECT_MEMORY),
        .needs_right = true);
}

static void rows_events(const handle_t *h, char *page) {
    struct channel_message *m = (struct channel_message *)(page + 1024);
    struct event *interest = (struct event *)(page + 1280);
    struct poll_entry *poll = (struct poll_entry *)(page + 1344);
    *m = (struct channel_message){};
    *interest = (struct event){EVENT_IN, 0, 1};
    *poll = (struct poll_entry){h[OBJECT_EVENT], EVENT_IN, 0};
    uint32_t channel = BIT(OBJECT_CHANNEL), event = BIT(OBJECT_EVENT);
    memset(page + 2048, 0, 64);
    ROW(channel_create, .arguments = {0, PAGE, A(page)});
    ROW(channel_send, .arguments = {h[OBJECT_CHANNEL], A(m), 0}, .types = channel, .needs_right = true);
    ROW(channel_receive, .not_good = true, .arguments = {h[OBJECT_CHANNEL], A(m), 0}, .types = channel,
        .needs_right = true);
    ROW(channel_control, .arguments = {h[OBJECT_CHANNEL], CHANNEL_READABLE, 0}, .types = channel);
    ROW(event_create, .arguments = {0, 0});
    ROW(event_control, .arguments = {h[OBJECT_EVENT], EVENT_ADD, h[OBJECT_TIMER], A(interest)}, .types = event,
        .needs_right = true);
    ROW(event_wait, .arguments = {h[OBJECT_EVENT], A(page), 1, 0}, .types = event, .needs_right = true);
    ROW(event_post, .arguments = {h[OBJECT_EVENT], 1}, .types = event, .needs_right = true);
    ROW(event_poll, .arguments = {A(poll), 1, 0, 0}, .optional = BIT(2));
    ROW(timer_create, .arguments = {CLOCK_MONOTONIC, 0, 0});
    ROW(timer_set, .arguments = {h[OBJECT_TIMER], 0, 0, 0, A(page)}, .types = BIT(OBJECT_TIMER), .needs_right = true,
        .optional = BIT(4), .leave = BIT(1));
    ROW(timer_signal, .arguments = {h[OBJECT_TIMER], 0, 0, 0}, .types = BIT(OBJECT_TIMER), .needs_right = true);
    ROW(thread_barrier, .never = true);
    ROW(futex_wait, .not_good = true, .arguments = {A(page + 2048), 0, 0, 0});
    ROW(futex_wake, .arguments = {A(page + 2048), 1, 0}, .leave = BIT(0)); /* only a key */
    ROW(futex_requeue, .arguments = {A(page + 2048), 0, 1, 1, A(page + 2052), 0}, .leave = BIT(4));
    ROW(futex_pi, .arguments = {A(page + 2056), 0, 0, 0}, .leave = BIT(1));
}

static void rows_processes(const handle_t *h, char *page) {
    struct thread_create_args *thread = (struct thread_create_args *)(page + 1408);
    *thread = (struct thread_create_args){.entry = (uintptr_t)thread_main, .stack = (uintptr_t)page + PAGE - 8};
    memset(page + 2560, 0, 256);
    ROW(thread_create, .not_good = true, .arguments = {A(thread)});
    ROW(thread_exit, .never = true);
    ROW(thread_set, .arguments = {0, THREAD_PRIORITY, 30, 0}, .leave = BIT(1));
    ROW(thread_info, .arguments = {0, A(page)});
    ROW(thread_yield, .never = true);
    ROW(thread_sleep, .arguments = {0});
    ROW(process_fork, .never = true);
    ROW(process_spawn, .not_good = true, .arguments = {A(page)});
    ROW(process_exec, .not_good = true, .arguments = {A(page)});
    ROW(process_exit, .never = true);
    ROW(process_wait, .arguments = {WAIT_ALL, 0, WAIT_EXITED | WAIT_NOHANG | WAIT_NOWAIT, A(page), 0},
        .optional = BIT(3), .leave = BIT(2));
    ROW(process_info, .arguments = {0, PROCESS_IDS, A(page), sizeof(struct process_ids), 0});
    ROW(process_set, .arguments = {0, PROCESS_ITIMER, A(page + 2560), sizeof(struct process_itimer), 0},
        .leave = BIT(1));
    ROW(process_open, .arguments = {getpid(), 0});
    ROW(credentials_info, .not_good = true, .arguments = {1, A(page)}, .leave = BIT(1));
    ROW(trace, .not_good = true, .leave = BIT(1) | BIT(2), /* whose direction is the operation's */
        .arguments = {0, TRACE_SET_REGISTERS, A(page), sizeof(struct thread_registers), 0});
    uint8_t info = BIT(2);
    ROW(signal_send, .arguments = {getpid(), 0, 0}, .optional = info, .leave = BIT(0) | BIT(1));
    ROW(signal_send_thread, .arguments = {getpid(), 0, 0}, .optional = info, .leave = BIT(1));
    ROW(signal_action, .arguments = {SIGUSR1, A(page + 2560), A(page)}, .optional = BIT(1) | BIT(2));
    ROW(signal_open, .arguments = {h[OBJECT_SIGNALS], 0, 0}, .types = BIT(OBJECT_SIGNALS), .needs_right = true,
        .optional = BIT(0));
    ROW(signal_check, .never = true);
    ROW(signal_suspend, .never = true);
    ROW(signal_wait, .not_good = true, .arguments = {SIGNAL_BIT(SIGUSR1), A(page), 0}, .optional = BIT(1),
        .leave = BIT(1));
    ROW(signal_stack, .arguments = {0, A(page)}, .optional = BIT(0) | BIT(1));
    ROW(signal_return, .never = true);
    ROW(terminal_control, .not_good = true, .arguments = {h[OBJECT_EVENT], TERMINAL_SESSION, 0, 0},
        .types = BIT(OBJECT_TERMINAL));
}

static void rows_system(const handle_t *h, char *page) {
    ROW(clock_get, .arguments = {CLOCK_MONOTONIC, A(page)});
    ROW(random, .arguments = {A(page), 64, 0});
    ROW(system_info, .arguments = {SYSTEM_MEMORY, A(page), sizeof(struct memory_totals)});
    ROW(system_control, .arguments = {h[OBJECT_SYSTEM], SYSTEM_CLOCK_ADJUST, 0, 0}, .types = BIT(OBJECT_SYSTEM),
        .needs_right = true, .leave = BIT(1) | BIT(2)); /* op 0 is the power switch */
    ROW(hardware_create, .not_good = true, .arguments = {h[OBJECT_EVENT], HARDWARE_PORTS, 0, 1, 0});
    ROW(irq_acknowledge, .not_good = true, .arguments = {h[OBJECT_EVENT]});
    ROW(port_io, .not_good = true, .arguments = {h[OBJECT_EVENT], 0x80, 1, 0, A(page), 1}, .leave = BIT(4));
    ROW(null, .never = true);
}

static void setup(void) {
    objects_make(&objects);
    memset(rows, 0, sizeof(rows));
    rows_handles(objects.of_type, objects.page);
    rows_schemes(objects.of_type, objects.page);
    rows_memory(objects.of_type, objects.page);
    rows_events(objects.of_type, objects.page);
    rows_processes(objects.of_type, objects.page);
    rows_system(objects.of_type, objects.page);
}

static enum kind kind_of(const struct argument *a) {
    if (!strcmp(a->type, "handle_t")) return KIND_HANDLE;
    if (strchr(a->type, '*')) return strncmp(a->type, "const", 5) ? KIND_OUT : KIND_IN;
    if (!strcmp(a->type, "size_t")) return KIND_SIZE;
    return strcmp(a->name, "deadline") ? KIND_NUMBER : KIND_DEADLINE;
}

static long attempt(const struct call_line *c, const long *a) {
    return syscall_raw(SYSCALL_BASE + c->number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* The call with one argument changed. No result may be an errno that there isn't. */
static long attempt_with(const struct call_line *c, const struct row *r, unsigned n, long value) {
    long a[6];
    memcpy(a, r->arguments, sizeof(a));
    a[n] = value;
    long result = attempt(c, a);
    if (result < -133)
        test_fail(__FILE__, __LINE__, "%s(%s = %#lx) gives %ld", c->name, c->arguments[n].name, value, result);
    return result;
}

static void expect(const struct call_line *c, const struct row *r, unsigned n, long value, long expected) {
    long result = attempt_with(c, r, n, value);
    if (result != expected)
        test_fail(__FILE__, __LINE__, "%s(%s = %#lx) gives %ld, not %ld", c->name, c->arguments[n].name, value, result,
                  expected);
}

static void (*case_run)(const struct call_line *c, const struct row *r);
static int row_run(void *line) {
    const struct call_line *c = line;
    alarm(10);
    setup();
    case_run(c, &rows[c->number]);
    return 0;
}

/* Runs it for each call, in a process of its own; all failures are shown. */
static void each_call(void (*run)(const struct call_line *c, const struct row *r)) {
    bool failed = false;
    setup();
    case_run = run;
    for (unsigned i = 0; i < CALL_COUNT; i++) {
        if (rows[calls[i].number].never) continue;
        int status = child_wait(child_start(row_run, (void *)&calls[i]));
        if (status) {
            printf("# %s: status %#x\n", calls[i].name, status);
            failed = true;
        }
        fflush(stdout);
    }
    CHECK(!failed);
}

TEST(every_call_has_a_row) {
    setup();
    for (unsigned i = 0; i < CALL_COUNT; i++)
        if (!rows[calls[i].number].known) test_fail(__FILE__, __LINE__, "%s: no row", calls[i].name);
}

static void try_good(const struct call_line *c, const struct row *r) {
    long result = r->not_good ? 0 : attempt(c, r->arguments);
    if (result < 0) test_fail(__FILE__, __LINE__, "%s gives %ld", c->name, result);
}
TEST(good_arguments) { each_call(try_good); }

static void try_closed(const struct call_line *c, const struct row *r) {
    static const long closed[] = {-2, INT_MIN, INT_MAX, 900, HANDLE_UPPER - 1, HANDLE_UPPER_END - 1, HANDLE_UPPER_END,
                                  -1};
    for (unsigned n = 0; n < c->count; n++)
        for (unsigned i = 0; i < sizeof(closed) / sizeof(closed[0]); i++) {
            bool none = closed[i] == HANDLE_NONE && r->optional & BIT(n);
            if (kind_of(&c->arguments[n]) == KIND_HANDLE && !(r->leave & BIT(n)) && !none &&
                !(c->number == SYSCALL_memory_create - SYSCALL_BASE))
                expect(c, r, n, closed[i], -EBADF);
        }
}
TEST(closed_handles) { each_call(try_closed); }

static void try_wrong_types(const struct call_line *c, const struct row *r) {
    if (c->count == 0 || kind_of(&c->arguments[0]) != KIND_HANDLE || r->leave & BIT(0)) return;
    for (unsigned type = 1; type <= OBJECT_SIGNALS; type++) {
        handle_t h = objects.of_type[type];
        if (h >= 0 && !(r->types & BIT(type)) && attempt_with(c, r, 0, h) >= 0)
            test_fail(__FILE__, __LINE__, "%s takes an object of type %u", c->name, type);
    }
}
TEST(wrong_types) { each_call(try_wrong_types); }

static void try_missing_rights(const struct call_line *c, const struct row *r) {
    if (!r->needs_right) return;
    handle_t weak = (handle_t)sys_handle_duplicate((handle_t)r->arguments[0], 0, 0, 0);
    if (weak < 0) /* a port can't be duplicated */
        return;
    long result = attempt_with(c, r, 0, weak);
    if (result != -EACCES && result != -EBADF) /* EBADF: read and write, as POSIX says */
        test_fail(__FILE__, __LINE__, "%s without rights gives %ld", c->name, result);
}
TEST(missing_rights) { each_call(try_missing_rights); }

/* What a panic writes to is a device's, and who asks for it may control it. */
TEST(zero_on_panic) {
    setup();
    const handle_t memory = objects.of_type[OBJECT_MEMORY];
    const handle_t weak = (handle_t)sys_handle_duplicate(memory, 0, 0, RIGHT_READ | RIGHT_WRITE);
    CHECK(memory >= 0 && weak >= 0);
    GIVES(-EINVAL, sys_memory_control(memory, MEMORY_ZERO_ON_PANIC, 0, 0, 0));
    GIVES(-EINVAL, sys_memory_control(memory, MEMORY_ZERO_ON_PANIC, UINT64_MAX, 0, 0));
    GIVES(-EACCES, sys_memory_control(weak, MEMORY_ZERO_ON_PANIC, 0, 0, 0));
    sys_handle_close(weak);
}

static void try_pointer(const struct call_line *c, const struct row *r, unsigned n, bool out) {
    const long bad[] = {0x1000,
                        A(objects.unmapped),
                        A(objects.no_access),
                        0x7ffffffff000,
                        0x800000000000,
                        A(0xffff800000000000),
                        A(0xffffffff80100000),
                        A(0xffff7ffffffffff8),
                        A(1UL << 63),
                        -8};
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) expect(c, r, n, bad[i], -EFAULT);
    if (!(r->optional & BIT(n))) expect(c, r, n, 0, -EFAULT);
    if (out) {
        expect(c, r, n, A(objects.read_only), -EFAULT);
        expect(c, r, n, TIME_PAGE, -EFAULT);
    }
}
static void try_pointers(const struct call_line *c, const struct row *r) {
    for (unsigned n = 0; n < c->count; n++) {
        enum kind kind = kind_of(&c->arguments[n]);
        if ((kind == KIND_IN || kind == KIND_OUT) && !(r->leave & BIT(n)))
            try_pointer(c, r, n,
                        kind == KIND_OUT && !strstr(c->name, "futex") && strcmp(c->name, "process_spawn") &&
                            strcmp(c->name, "namespace_control") && strcmp(c->name, "channel_receive") &&
                            strcmp(c->name, "call"));
    }
}
TEST(bad_pointers) { each_call(try_pointers); }

/* The structure's last byte is the page's last but one: the rest isn't there. */
static void try_straddling(const struct call_line *c, const struct row *r) {
    for (unsigned n = 0; n < c->count; n++) {
        enum kind kind = kind_of(&c->arguments[n]);
        if ((kind == KIND_IN || kind == KIND_OUT) && !(r->leave & BIT(n)))
            for (long back = 1; back <= 3; back++) attempt_with(c, r, n, A(objects.page) + (long)PAGE - back);
    }
}
TEST(straddling_pointers) { each_call(try_straddling); }

static void try_misaligned(const struct call_line *c, const struct row *r) {
    for (unsigned n = 0; n < c->count; n++) {
        enum kind kind = kind_of(&c->arguments[n]);
        for (long by = 1; (kind == KIND_IN || kind == KIND_OUT) && by < 8; by++)
            if (!(r->leave & BIT(n)) && strcmp(c->name, "thread_create"))
                attempt_with(c, r, n, A(objects.page) + 3072 + by);
    }
}
TEST(misaligned_pointers) { each_call(try_misaligned); }

/* Numbers, sizes and addresses: whatever happens, it is an answer. */
static void try_wild(const struct call_line *c, const struct row *r) {
    static const long wild[] = {
        -1,   INT_MIN,  INT_MAX, LONG_MIN, LONG_MAX, 1L << 32, 1L << 47, -4096, (long)0xffff800000000000,
        4095, 1L << 50, 0xffff};
    for (unsigned n = 0; n < c->count; n++) {
        enum kind kind = kind_of(&c->arguments[n]);
        for (unsigned i = 0; i < sizeof(wild) / sizeof(wild[0]); i++)
            if ((kind == KIND_NUMBER || kind == KIND_SIZE) && !(r->leave & BIT(n))) attempt_with(c, r, n, wild[i]);
    }
}
TEST(wild_numbers) { each_call(try_wild); }

TEST(numbers_without_a_call) {
    for (long n = 0; n < 4096; n++) {
        bool known = false;
        for (unsigned i = 0; i < CALL_COUNT; i++) known |= calls[i].number == n;
        if (!known) GIVES(-ENOSYS, syscall_raw(SYSCALL_BASE + n, -1, -1, -1, -1, -1, -1));
    }
    GIVES(-ENOSYS, syscall_raw(INT_MAX, 0, 0, 0, 0, 0, 0));
}
