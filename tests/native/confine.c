// SPDX-License-Identifier: MIT
/*
 * What processes can't do: reach a scheme that isn't in their namespace, take all processes or all
 * memory, or lose the way to their files by closing every descriptor.
 */
#include <elf.h>
#include <grp.h>
#include <pthread.h>
#include "../posix/setid.h"
#include "native.h"
#include <sys/mman.h>
#include <sys/resource.h>

#define USER 1000
#define TASKS 100
#define TOOL "/bin/busybox"

/* --- names --------------------------------------------------------------------------------------- */

static handle_t namespace_without_file(void) {
    handle_t ns = (handle_t)GOOD(sys_namespace_control(HANDLE_NAMESPACE, NAMESPACE_CLONE, nullptr, 0, HANDLE_NONE));
    GOOD(sys_namespace_control(ns, NAMESPACE_UNBIND, (char *)"file", 4, HANDLE_NONE));
    return ns;
}

/* `cat /etc/passwd`, with these handles and no others: its exit status. */
static int cat_with(const struct handle_transfer *handles, uint32_t count) {
    static const char strings[] = "busybox\0cat\0/etc/passwd\0PATH=/bin";
    int image = (int)OK(open(TOOL, O_RDONLY | O_CLOEXEC));
    struct spawn_args args = {
        .image = {.image = image,
                  .interpreter = HANDLE_NONE,
                  .argument_count = 3,
                  .environment_count = 1,
                  .strings = strings,
                  .strings_size = sizeof(strings),
                  .path = TOOL},
        .handles = handles,
        .handle_count = count,
        .process = HANDLE_NONE,
    };
    int status = child_wait((pid_t)GOOD(sys_process_spawn(&args)));
    CHECK(WIFEXITED(status));
    return WEXITSTATUS(status);
}
TEST(spawned_without_file) {
    int null = (int)OK(open("/dev/null", O_RDWR));
    struct handle_transfer handles[] = {
        {null, 0, RIGHTS_ALL, 0},
        {null, 1, RIGHTS_ALL, 0},
        {null, 2, RIGHTS_ALL, 0},
        {HANDLE_NAMESPACE, HANDLE_NAMESPACE, RIGHTS_ALL, HANDLE_KEEP},
        {HANDLE_ROOT, HANDLE_ROOT, RIGHTS_ALL, HANDLE_KEEP},
    };
    EQUAL(cat_with(handles, 5), 0);
    handles[3].from = namespace_without_file();
    CHECK(cat_with(handles, 4) != 0);
}

static long open_by_name(const char *name) {
    struct call_args args = {.request = {.op = OP_OPEN, .length = (uint32_t)strlen(name)},
                             .in = name,
                             .carry = HANDLE_NONE,
                             .deadline = DEADLINE_NEVER};
    return sys_call(HANDLE_NAMESPACE, &args);
}

/* Leaves no handle to a file of this scheme. */
static void files_close(uint64_t file_scheme) {
    struct handle_info info;
    for (handle_t h = 0; h < HANDLE_UPPER + 4096; h = h == 4096 ? HANDLE_UPPER : h + 1)
        if (sys_handle_info(h, &info) == 0 && info.type == OBJECT_FILE && info.scheme == file_scheme)
            GOOD(sys_handle_close(h));
}

TEST(no_way_to_file) {
    static const char *const guesses[] = {
        "/etc/passwd",
        "etc/passwd",
        "../../etc/passwd",
        "/scheme/file/etc/passwd",
        "/scheme/file/",
        "/scheme/proc/1/root/etc/passwd",
        "/proc/1/cwd/etc/passwd",
        "/scheme/tty/../file/etc/passwd",
        "/scheme/tty/../../etc/passwd",
        "/dev/../etc/passwd",
        "/scheme/proc/self/exe",
        "/scheme/proc/self/root",
    };
    struct handle_info root;
    GOOD(sys_handle_info(HANDLE_ROOT, &root));
    GOOD(sys_handle_duplicate(namespace_without_file(), HANDLE_NAMESPACE, HANDLE_AT | HANDLE_KEEP, RIGHTS_SAME));
    files_close(root.scheme);
    for (unsigned i = 0; i < sizeof(guesses) / sizeof(guesses[0]); i++) {
        int fd = open(guesses[i], O_RDONLY);
        struct handle_info info = {};
        if (fd >= 0 && sys_handle_info(fd, &info) == 0 && info.scheme == root.scheme)
            test_fail(__FILE__, __LINE__, "%s is reached", guesses[i]);
    }
    GIVES(-ENOENT, open_by_name("file:/etc/passwd"));
    GIVES(-ENOENT, open_by_name("file:"));
    GIVES(-ENOENT, open_by_name("tty/../file:"));
}

/* --- set-id programs under names of the caller's own ------------------------------------------------ */

static int as_user(void (*prepare)(void)) {
    pid_t pid = (pid_t)OK(fork());
    if (pid == 0) {
        setid_drop();
        prepare();
        setid_exec(SETID_PROGRAM);
    }
    int status = child_wait(pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}
static void own_nothing(void) {}
static void own_root(void) {
    GOOD(sys_handle_duplicate(HANDLE_CWD, HANDLE_ROOT, HANDLE_AT | HANDLE_KEEP, RIGHTS_SAME));
}
static void same_root(void) {
    handle_t root = (handle_t)GOOD(sys_handle_duplicate(HANDLE_ROOT, HANDLE_FREE, 0, RIGHTS_SAME));
    GOOD(sys_handle_duplicate(root, HANDLE_ROOT, HANDLE_AT | HANDLE_KEEP, RIGHTS_SAME));
}
static void own_namespace(void) {
    handle_t ns = (handle_t)GOOD(sys_namespace_control(HANDLE_NAMESPACE, NAMESPACE_CLONE, nullptr, 0, HANDLE_NONE));
    GOOD(sys_handle_duplicate(ns, HANDLE_NAMESPACE, HANDLE_AT | HANDLE_KEEP, RIGHTS_SAME & ~(uint32_t)RIGHT_CONTROL));
}
static void flags_set(void) {
    own_root();
    sys_handle_set(HANDLE_ROOT, 0, HANDLE_PRIVILEGED, HANDLE_PRIVILEGED);
}
static void shared_namespace(void) {
    GIVES(-EACCES, sys_namespace_control(HANDLE_NAMESPACE, NAMESPACE_UNBIND, (char *)"file", 4, HANDLE_NONE));
}
TEST(setid_needs_privileged_names) {
    setid_make(0, 0, 04755);
    EQUAL(as_user(own_nothing), REPORT_ROOT | REPORT_SECURE);
    EQUAL(as_user(shared_namespace), REPORT_ROOT | REPORT_SECURE);
    EQUAL(as_user(own_root), REPORT_USER | REPORT_OWN_ROOT);
    EQUAL(as_user(same_root), REPORT_USER);
    EQUAL(as_user(flags_set), REPORT_USER | REPORT_OWN_ROOT);
    EQUAL(as_user(own_namespace), REPORT_USER);
}

/* Another thread puts a root of its own there during exec: the program is root's only under root's names. */
static void *own_root_soon(void *iterations) {
    for (volatile long i = *(long *)iterations; i > 0; i--) continue;
    own_root();
    for (;;) pause();
}
static long race_delay;
static void own_root_by_another_thread(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, own_root_soon, &race_delay)) _exit(1);
}
TEST(setid_while_root_changes) {
    int own = 0, killed = 0;
    setid_make(0, 0, 04755);
    for (race_delay = 1000; race_delay < 10000000; race_delay = race_delay * 5 / 4) {
        int status = as_user(own_root_by_another_thread);
        own += status == (REPORT_USER | REPORT_OWN_ROOT);
        killed += status == -SIGKILL;
        CHECK(status == -SIGKILL || status == (REPORT_USER | REPORT_OWN_ROOT) ||
              status == (REPORT_ROOT | REPORT_SECURE));
    }
    printf("# %d with their own root, %d killed\n", own, killed);
    fflush(stdout);
}

/* The caller says which interpreter runs the program: it would be root's. This one only sleeps. */
static void interpreter_make(const char *path) {
    static const uint8_t code[] = {
        0xb8,
        SYSCALL_thread_sleep & 0xff,
        SYSCALL_thread_sleep >> 8,
        0,
        0, /* mov $…, %eax */
        0x48,
        0xbf,
        0xff,
        0xff,
        0xff,
        0xff,
        0xff,
        0xff,
        0xff,
        0x7f, /* mov $DEADLINE_NEVER, %rdi */
        0x0f,
        0x05, /* syscall */
        0xeb,
        0xfe, /* jmp . */
    };
    struct {
        Elf64_Ehdr header;
        Elf64_Phdr segment;
        uint8_t code[sizeof(code)];
    } elf = {
        .header = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                   .e_type = ET_DYN,
                   .e_machine = EM_X86_64,
                   .e_version = EV_CURRENT,
                   .e_entry = sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr),
                   .e_phoff = sizeof(Elf64_Ehdr),
                   .e_phentsize = sizeof(Elf64_Phdr),
                   .e_phnum = 1},
        .segment = {.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_filesz = sizeof(elf), .p_memsz = sizeof(elf)},
    };
    memcpy(elf.code, code, sizeof(code));
    int fd = (int)OK(open(path, O_WRONLY | O_CREAT, 0755));
    EQUAL(write(fd, &elf, sizeof(elf)), sizeof(elf));
    close(fd);
}
TEST(setid_needs_no_interpreter) {
    static const char strings[] = SETID_PROGRAM;
    struct process_state state;
    struct credentials credentials;
    setid_make(0, 0, 04755);
    interpreter_make("interpreter");
    pid_t pid = (pid_t)OK(fork());
    if (pid == 0) {
        setid_drop();
        struct image_args image = {
            .image = open(SETID_PROGRAM, O_RDONLY),
            .interpreter = open("interpreter", O_RDONLY),
            .argument_count = 1,
            .strings = strings,
            .strings_size = sizeof(strings),
            .path = SETID_PROGRAM,
        };
        sys_process_exec(&image);
        _exit(1);
    }
    do {
        sleep_ms(10);
        GOOD(sys_process_info(pid, PROCESS_STATE, &state, sizeof(state), 0));
        CHECK(state.state != 'Z');
    } while (strcmp(state.name, SETID_PROGRAM));
    GOOD(sys_process_info(pid, PROCESS_CREDENTIALS, &credentials, sizeof(credentials), 0));
    EQUAL(credentials.euid, SETID_USER);
    EQUAL(credentials.suid, SETID_USER);
    server_kill(pid);
}

/* Root's, but one that root can change at any time: so can whom it gives the handle to. */
TEST(setid_needs_fixed_namespace) {
    own_namespace();
    setid_make(0, 0, 04755);
    EQUAL(as_user(own_nothing), REPORT_ROOT | REPORT_SECURE);
    handle_t ns = (handle_t)GOOD(sys_namespace_control(HANDLE_NAMESPACE, NAMESPACE_CLONE, nullptr, 0, HANDLE_NONE));
    GOOD(sys_handle_duplicate(ns, HANDLE_NAMESPACE, HANDLE_AT | HANDLE_KEEP, RIGHTS_SAME));
    EQUAL(as_user(own_nothing), REPORT_USER);
}

/* A server of a scheme without SCHEME_SETID offers the program as set-id: it isn't even asked. */
static handle_t program_memory(void) {
    int fd = (int)OK(open(SETID_PROGRAM, O_RDONLY));
    struct stat st;
    OK(fstat(fd, &st));
    handle_t m = (handle_t)GOOD(sys_memory_create((size_t)st.st_size, 0, HANDLE_NONE, 0));
    size_t length = ((size_t)st.st_size + 4095) & ~(size_t)4095;
    char *at = (char *)GOOD(sys_vm_map(0, length, VM_READ | VM_WRITE | VM_SHARED, m, 0));
    for (ssize_t n, done = 0; (n = read(fd, at + done, 65536)) > 0; done += n) continue;
    close(fd);
    return m;
}
static void serve_program(handle_t port, struct port_buffer *b) {
    handle_t m = program_memory();
    for (;;) {
        server_next(port, b);
        if (b->request.op == OP_OPEN) {
            server_answer_file(b, 1, FILE_KIND_SEEKABLE | FILE_KIND_SETID);
            b->reply.flags |= REPLY_HANDLE;
            b->reply.handle = m;
            b->reply.args[2] = PLANE_MEMORY;
        } else { /* OP_EXECUTE: root */
            server_answer(b, 0);
        }
    }
}
static int exec_from_scheme(uint32_t flags) {
    struct scheme_create_args args = {.name = "programs", .rank = 30, .flags = flags};
    handle_t scheme = (handle_t)GOOD(sys_scheme_create(HANDLE_INIT_SYSTEM, &args));
    pid_t server = server_start(scheme, serve_program), pid = (pid_t)OK(fork());
    if (pid == 0) {
        static const char strings[] = SETID_PROGRAM "\0SETID_REPORT=1";
        setid_drop();
        struct image_args image = {
            .image = client_open(scheme, FILE_READ_ONLY),
            .interpreter = HANDLE_NONE,
            .argument_count = 1,
            .environment_count = 1,
            .strings = strings,
            .strings_size = sizeof(strings),
            .path = SETID_PROGRAM,
        };
        sys_process_exec(&image);
        _exit(REPORT_NOT_RUN);
    }
    int status = WEXITSTATUS(child_wait(pid));
    server_kill(server);
    return status;
}
TEST(setid_needs_a_scheme_with_that_right) {
    setid_make(0, 0, 0755);
    EQUAL(exec_from_scheme(0), REPORT_USER);
    EQUAL(exec_from_scheme(SCHEME_SETID), REPORT_ROOT | REPORT_SECURE);
}

/* --- quotas --------------------------------------------------------------------------------------- */

static void become_user(void) {
    OK(setgid(USER));
    OK(setuid(USER));
}
static void expect_usable(void) { EQUAL(WEXITSTATUS(system("test \"$(echo usable | tr a-z A-Z)\" = USABLE")), 0); }

TEST(fork_bomb) {
    int ends[2];
    char byte;
    OK(pipe(ends));
    pid_t bomb = (pid_t)OK(fork());
    if (bomb == 0) {
        struct rlimit tasks = {TASKS, TASKS};
        setpgid(0, 0);
        OK(setrlimit(RLIMIT_NPROC, &tasks));
        become_user();
        for (;;)
            if (fork() < 0 && errno == EAGAIN) write(ends[1], "x", 1);
    }
    for (int i = 0; i < 1000; i++) /* it has reached the limit, and goes on trying */
        EQUAL(read(ends[0], &byte, 1), 1);
    expect_usable();
    kill(-bomb, SIGKILL);
    child_wait(bomb);
    expect_usable();
}

/* Services are in no user's quota. */
TEST(users_start_no_services) {
    setid_make(0, 0, 0755);
    struct image_args image = {
        .image = (handle_t)OK(open(SETID_PROGRAM, O_RDONLY)),
        .interpreter = HANDLE_NONE,
        .path = SETID_PROGRAM,
        .flags = IMAGE_SERVICE,
    };
    setid_drop();
    GIVES(-EPERM, sys_process_exec(&image));
}

TEST(memory_hog) {
    pid_t hog = (pid_t)OK(fork());
    if (hog == 0) {
        become_user();
        for (;;) {
            char *p = mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            for (size_t at = 0; p != MAP_FAILED && at < 1 << 20; at += PAGE) p[at] = 1;
        }
    }
    int status;
    do expect_usable();
    while (OK(waitpid(hog, &status, WNOHANG)) == 0);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    expect_usable();
}

/* --- descriptors ---------------------------------------------------------------------------------- */

static void expect_working(void) {
    int fd = (int)OK(open("file", O_CREAT | O_RDWR, 0644));
    OK(close(fd));
    OK(mkdir("folder", 0755));
    OK(chdir("folder"));
    OK(chdir(".."));
    OK(rmdir("folder"));
    pid_t pid = (pid_t)OK(fork());
    if (pid == 0) _exit(access("file", R_OK) == 0 ? 5 : 6);
    EQUAL(WEXITSTATUS(child_wait(pid)), 5);
}
TEST(close_everything) {
    for (int fd = 0; fd < 65536; fd++) close(fd);
    expect_working();
    EQUAL(open("/dev/null", O_RDWR), 0);
}
TEST(close_range_everything) {
    GOOD(sys_handle_close_range(0, HANDLE_UPPER - 1, 0));
    expect_working();
}
TEST(dup2_over_everything) {
    int null = (int)OK(open("/dev/null", O_RDWR));
    struct rlimit files;
    OK(getrlimit(RLIMIT_NOFILE, &files));
    for (int fd = 0; fd < (int)files.rlim_cur; fd++) EQUAL(dup2(null, fd), fd);
    FAILS(EBADF, dup2(null, (int)files.rlim_cur));
    FAILS(EMFILE, dup(null));
    FAILS(EMFILE, open("/dev/null", O_RDWR));
    OK(close(17));
    expect_working();
    EQUAL(open("/dev/null", O_RDWR), 17);
}
