// SPDX-License-Identifier: MIT
/*
 * Every call that libposix has (shim/rows.def), with arguments of the kinds that its parameters have and, now and
 * then, of any other: bad addresses, closed descriptors and those of other types, sizes at the edges. Fixed seeds, each
 * a process of its own, several at a time, of root and of users. At worst such a process dies: afterwards every server
 * is the one that it was, and nothing is missing. Environment: CALLS_SECONDS, CALLS_WORKERS, CALLS_SEED (the first).
 */
#include "hostile.h"
#include "test.h"
#include <ftw.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/un.h>

#define SECONDS 12
#define WORKERS 4
#define CALLS_PER_SEED 1500
#define STUCK_MS 1500 /* one that has done nothing for so long is ended; */
#define START_MS 30000 /* one that has not begun, on a busy machine, later */
#define PAGE 4096
#define ERRNO_END 134 /* Linux's last one is EHWPOISON, 133 */
#define FIRST_USER 2000

#define ROW(name, parameters) {__NR_##name, #name, #parameters},
#define NONE(name) {__NR_##name, #name, "()"},
static const struct row {
    long number;
    const char *name, *parameters;
} rows[] = {
#include "rows.def"
};
#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

/* Shared with the worker: how far it is, and which call gave what is no errno value. */
static struct progress {
    volatile long calls;
    volatile unsigned row, bad;
} *progress;

#define PICK(array) array[draw_below(sizeof(array) / sizeof(array[0]))]

/* --- arguments -------------------------------------------------------------------------------------- */

static char *page; /* two that can be written, nothing after them */
static char *read_only, *no_access, *unmapped;
static int fds[40];
static unsigned fd_count;

static long draw_address(void) {
    const char *const places[] = {read_only, no_access, unmapped, page, page + 2 * PAGE - 8, page + 2 * PAGE - 1};
    static const long others[] = {
        0,    1,       -1, -8, -4096, 0x7ffffffff000, 0x7fffffffeff8, 1L << 47, 0xffff800000001000, 0xffffffff80100000,
        4096, 0x400000};
    long kind = draw_below(16);
    if (kind < 12) return (long)page + 8 * draw_below(2 * PAGE / 8) + (kind == 0 ? draw_below(8) : 0);
    if (kind < 14) return (long)PICK(places);
    return PICK(others);
}

static long draw_size(void) {
    static const long sizes[] = {0, 1, 2, 4, 7, 8, 16, 24, 64, 128, 4095, 4096, 4097, 8192, 65535, 65536, 65537};
    static const long edges[] = {1 << 20,  INT32_MAX, 1L << 31,  UINT32_MAX, 1L << 32,
                                 1L << 40, INT64_MAX, INT64_MIN, -1,         -4096};
    return draw_below(8) ? PICK(sizes) : PICK(edges);
}

static long draw_number(void) {
    switch (draw_below(8)) {
    case 0: return draw_size();
    case 1: return 1L << draw_below(64);
    case 2: return -draw_below(40);
    case 3: return (long)draw();
    case 4: return (1L << draw_below(32)) | (1L << draw_below(20));
    default: return draw_below(draw_below(2) ? 8 : 70);
    }
}

static long draw_fd(void) {
    static const long others[] = {-1, -2, AT_FDCWD, 100, 255, 256, 1 << 20, (1 << 20) + 1, INT32_MAX, INT32_MIN};
    return draw_below(12) ? fds[draw_below(fd_count)] : draw_below(2) ? PICK(others) : draw_below(64);
}

/* Root's names lie all in its own folder: it could do anything to others. */
static long draw_path(void) {
    static const char *const own[] = {"a",    "b",    "file",     "folder", "folder/x", "folder/../file",
                                      "fifo", "link", "loop",     "./a",    "none/x",   "file/x",
                                      "",     ".",    "folder/.", "socket", "long",     "link/../b"};
    static const char *const any[] = {"/",
                                      "..",
                                      "/dev/null",
                                      "/proc/self/status",
                                      "/proc/self/fd/3",
                                      "/dev/fd/0",
                                      "/dev/tty",
                                      "/scheme/file/etc/passwd",
                                      "/scheme/proc/self",
                                      "/scheme/none/x",
                                      "/scheme",
                                      "/etc/passwd",
                                      "/proc/1/maps",
                                      "/scheme/chan/x",
                                      "/dev/ptmx",
                                      "/dev/pts/0",
                                      "/tmp/../proc",
                                      "/proc/self/exe",
                                      "/proc/schemes",
                                      "//",
                                      "/.."};
    static char long_name[2 * PATH_MAX];
    if (draw_below(24) == 0) {
        memset(long_name, draw_below(2) ? 'x' : '/', sizeof(long_name) - 1);
        long_name[draw_below(2) ? 255 + draw_below(3) : 4094 + draw_below(3)] = 0;
        return (long)(long_name[0] == '/' && geteuid() == 0 ? "long/" : long_name);
    }
    return (long)(geteuid() != 0 && draw_below(3) == 0 ? PICK(any) : PICK(own));
}

static long draw_pid(void) { return draw_below(3) ? getpid() : geteuid() == 0 ? 0 : draw_number(); }

static long draw_flags(void) {
    static const long flags[] = {0,
                                 0,
                                 O_CREAT | O_RDWR,
                                 O_RDWR,
                                 O_WRONLY | O_NONBLOCK,
                                 O_DIRECTORY,
                                 O_PATH,
                                 O_CLOEXEC,
                                 AT_SYMLINK_NOFOLLOW,
                                 AT_EMPTY_PATH,
                                 MSG_DONTWAIT,
                                 MSG_PEEK,
                                 IPC_CREAT | 0600,
                                 MAP_PRIVATE | MAP_ANONYMOUS,
                                 MAP_SHARED,
                                 O_TMPFILE | O_RDWR,
                                 IPC_NOWAIT};
    return draw_below(3) ? PICK(flags) : draw_number();
}

static bool says(const char *text, size_t length, const char *word) {
    return memmem(text, length, word, strlen(word)) != NULL;
}

/* An argument for a parameter as it is declared. */
static long draw_for(const char *text, size_t n) {
    if (n == 0 || draw_below(20) == 0) {
        switch (draw_below(4)) {
        case 0: return draw_fd();
        case 1: return draw_address();
        case 2: return draw_path();
        default: return draw_number();
        }
    }
    if (says(text, n, "char *path") || says(text, n, "char *old") || says(text, n, "char *new") ||
        says(text, n, "char *target") || says(text, n, "char *name") || says(text, n, "char *source"))
        return draw_below(12) ? draw_path() : draw_address();
    if (says(text, n, "*")) return draw_below(10) ? draw_address() : 0;
    if (says(text, n, "pid_t")) return draw_pid();
    if (says(text, n, "fd") || says(text, n, "directory") || says(text, n, "int from") || says(text, n, "int to") ||
        says(text, n, "int set") || says(text, n, "int queue"))
        return draw_fd();
    if (says(text, n, "request")) return draw_below(4) ? 0x5400 + draw_below(0x60) : draw_number();
    if (says(text, n, "signal") || says(text, n, "command") || says(text, n, "option")) return draw_below(40);
    if (says(text, n, "size") || says(text, n, "length") || says(text, n, "offset") || says(text, n, "room") ||
        says(text, n, "count"))
        return draw_size();
    if (says(text, n, "flags") || says(text, n, "mode") || says(text, n, "protection")) return draw_flags();
    if (says(text, n, "argument")) return draw_below(2) ? draw_address() : draw_number();
    return draw_number();
}

static void arguments_draw(const struct row *row, long *a) {
    const char *at = row->parameters + 1;
    for (int i = 0; i < 6; i++) {
        size_t length = strcspn(at, ",)");
        a[i] = draw_for(at, length);
        at += length + (at[length] == ',');
    }
}

/* Structures that calls read hold plausible values: small numbers, descriptors, addresses. */
static void page_fill(void) {
    long from = draw_below(2 * PAGE / 8), words = draw_below(64);
    for (long *w = (long *)page + from; w < (long *)(page + 2 * PAGE) && words > 0; w++, words--) {
        switch (draw_below(6)) {
        case 0: *w = draw_address(); break;
        case 1: *w = draw_size(); break;
        case 2: *w = draw_fd(); break;
        case 3: *w = draw_fd() | draw_below(100) << 32; break;
        case 4: *w = 0; break;
        default: *w = draw_number(); break;
        }
    }
    if (draw_below(4) == 0) strcpy(page + 8 * draw_below(1000), (char *)draw_path());
}

/* --- which calls ------------------------------------------------------------------------------------ */

/* What ends or changes the machine or other processes, and what waits for ever. */
static bool is_left_out(long number, const long *a) {
    bool root = geteuid() == 0 || getuid() == 0;
    pid_t self = getpid();
    switch (number) {
    case __NR_exit:
    case __NR_exit_group:
    case __NR_pause:
    case __NR_rt_sigsuspend: return true;
    case __NR_reboot:
    case __NR_mount:
    case __NR_umount2:
    case __NR_clock_settime:
    case __NR_settimeofday:
    case __NR_adjtimex:
    case __NR_clock_adjtime:
    case __NR_sethostname:
    case __NR_setdomainname:
    case __NR_syslog: return root;
    case __NR_kill:
    case __NR_tkill:
    case __NR_rt_sigqueueinfo:
    case __NR_prlimit64:
    case __NR_sched_setparam:
    case __NR_sched_setscheduler:
    case __NR_sched_setaffinity: return root && (pid_t)a[0] != 0 && (pid_t)a[0] != self;
    case __NR_setpriority: return root && !((int)a[0] == PRIO_PROCESS && ((pid_t)a[1] == 0 || (pid_t)a[1] == self));
    case __NR_setpgid: return true; /* its group is how it is ended */
    case __NR_setsid: return true;
    default: return false;
    }
}

static sigjmp_buf back;
static void fault(int signal) { siglongjmp(back, signal); }
static void tick(int signal) { (void)signal; }

/* What the calls themselves take away: the clock that ends waits, the handlers, open descriptors. */
static void guards_set(void) {
    static char stack[16384];
    sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof(stack)}, NULL);
    struct sigaction a = {.sa_handler = fault, .sa_flags = SA_ONSTACK | SA_NODEFER};
    sigaction(SIGSEGV, &a, NULL);
    sigaction(SIGBUS, &a, NULL);
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = tick}, NULL);
    static const int ignored[] = {SIGPIPE, SIGXFSZ, SIGTTOU, SIGTTIN, SIGHUP, SIGIO};
    for (unsigned i = 0; i < sizeof(ignored) / sizeof(int); i++) signal(ignored[i], SIG_IGN);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 3000}, {0, 3000}}, NULL);
}

static int socket_named(int type) {
    struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "socket"};
    int s = socket(AF_UNIX, type | SOCK_NONBLOCK, 0);
    unlink("socket");
    bind(s, (struct sockaddr *)&a, sizeof(a));
    listen(s, 4);
    return s;
}

static void descriptors_open(void) {
    int pair[2];
    sigset_t set;
    fd_count = 0;
#define ADD(fd)                                                                                                        \
    do {                                                                                                               \
        if (fd_count < sizeof(fds) / sizeof(int)) fds[fd_count++] = (fd);                                              \
    } while (0)
    ADD(open("file", O_RDWR | O_CREAT, 0644));
    ADD(open("file", O_RDONLY));
    ADD(open("folder", O_RDONLY | O_DIRECTORY));
    ADD(open("file", O_PATH));
    ADD(open("fifo", O_RDWR | O_NONBLOCK));
    ADD(open("/dev/null", O_RDWR));
    ADD(open("/proc/self/status", O_RDONLY));
    int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK), slave = -1, zero = 0;
    if (master >= 0 && ioctl(master, 0x40045431 /* TIOCSPTLCK */, &zero) == 0)
        slave = ioctl(master, 0x5441 /* TIOCGPTPEER */, O_RDWR | O_NOCTTY);
    ADD(master);
    ADD(slave);
    for (int i = 0; i < 2 && pipe(pair) == 0; i++) {
        ADD(pair[0]);
        ADD(pair[1]);
    }
    for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++)
        if (socketpair(AF_UNIX, type, 0, pair) == 0) {
            ADD(pair[0]);
            ADD(pair[1]);
        }
    ADD(socket(AF_UNIX, SOCK_SEQPACKET, 0));
    ADD(socket_named(draw_below(2) ? SOCK_STREAM : SOCK_DGRAM));
    ADD(eventfd(3, 0));
    ADD(timerfd_create(CLOCK_MONOTONIC, 0));
    int set_fd = epoll_create1(0);
    ADD(set_fd);
    epoll_ctl(set_fd, EPOLL_CTL_ADD, fds[draw_below(fd_count)], &(struct epoll_event){.events = EPOLLIN});
    int watch = inotify_init();
    ADD(watch);
    inotify_add_watch(watch, "folder", IN_ALL_EVENTS);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    ADD(signalfd(-1, &set, 0));
    ADD(memfd_create("m", 0));
#undef ADD
}

static void pages_map(void) {
    char *p = mmap(NULL, 10 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    page = p + PAGE;
    unmapped = p + 3 * PAGE;
    read_only = p + 5 * PAGE;
    no_access = p + 7 * PAGE;
    munmap(unmapped, PAGE);
    mprotect(read_only, PAGE, PROT_READ);
    mprotect(no_access, PAGE, PROT_NONE);
}

static void step(void) {
    static volatile unsigned which;
    long a[6];
    which = (unsigned)draw_below(ROW_COUNT);
    if (draw_below(2) == 0) page_fill();
    arguments_draw(&rows[which], a);
    if (is_left_out(rows[which].number, a)) return;
    progress->row = which;
    errno = 0;
    long result = syscall(rows[which].number, a[0], a[1], a[2], a[3], a[4], a[5]);
    if ((rows[which].number == __NR_fork || rows[which].number == __NR_vfork) && result == 0) _exit(0);
    if (result == -1 && errno >= ERRNO_END) progress->bad = which + 1;
    if (result < -1 && result > -4096) progress->bad = which + 1;
}

/* Its folder is of the user, and no one's limits are those of the system: that is exhaustion.c's. */
static _Noreturn void seed_run(uint64_t seed, uid_t user) {
    draw_seed(seed);
    setsid();
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3; fd++) dup2(null, fd);
    if (null > 2) close(null);
    static const struct {
        int which;
        rlim_t limit;
    } limits[] = {{RLIMIT_NOFILE, 256}, {RLIMIT_AS, 64 << 20}, {RLIMIT_FSIZE, 1 << 20}, {RLIMIT_CORE, 0}};
    for (unsigned i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
        setrlimit(limits[i].which, &(struct rlimit){limits[i].limit, limits[i].limit});
    if (user && (setgid(user) < 0 || setuid(user) < 0)) _exit(1);
    mkdir("folder", 0755);
    mkfifo("fifo", 0644);
    symlink("folder", "link");
    symlink("loop", "loop");
    pages_map();
    descriptors_open();
    page_fill();
    for (volatile int i = 0; i < CALLS_PER_SEED; i++) {
        if (i % 16 == 0) guards_set();
        if (i % 128 == 127) {
            if (fcntl(fds[0], F_GETFD) < 0) descriptors_open();
            if (access(page, F_OK) < 0 && errno == EFAULT) pages_map();
        }
        if (sigsetjmp(back, 0) == 0) step();
        progress->calls++;
    }
    _exit(0);
}

/* --- workers ---------------------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at) {
    (void)st;
    (void)type;
    if (at->level == 0) return 0;
    remove(path);
    return 0;
}

/* Also what it forked in the meantime: of a user, all that the user has. */
static void user_end(uid_t user) {
    if (user == 0) return;
    pid_t pid = fork();
    if (pid == 0) {
        setuid(user);
        kill(-1, SIGKILL);
        _exit(0);
    }
    child_wait(pid);
}

static void seed_watch(pid_t pid, const char *folder, uint64_t seed, uid_t user) {
    int status = 0;
    long calls = -1;
    int64_t last = now_ms();
    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (progress->calls != calls) {
            calls = progress->calls;
            last = now_ms();
        }
        if (now_ms() - last > (calls > 0 ? STUCK_MS : START_MS)) kill(pid, SIGKILL);
        sleep_ms(2);
    }
    kill(-pid, SIGKILL);
    user_end(user);
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    if (progress->bad)
        test_fail(__FILE__, __LINE__, "seed %llu: %s gives what is no errno value", (unsigned long long)seed,
                  rows[progress->bad - 1].name);
}

struct job {
    int seconds;
    unsigned number;
    uint64_t first;
};

static int worker(void *argument) {
    const struct job *job = argument;
    char folder[32];
    int64_t end = now_ms() + 1000LL * job->seconds;
    int seeds = 0;
    uint64_t calls = 0;
    progress = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (uint64_t seed = job->first + job->number; now_ms() < end; seed += 64, seeds++) {
        uid_t user = seeds % 3 == 0 ? 0 : FIRST_USER + job->number;
        snprintf(folder, sizeof(folder), "%s%u", user ? "user" : "root", job->number);
        if (mkdir(folder, 0700) == 0) OK(chown(folder, user, user));
        *progress = (struct progress){};
        pid_t pid = (pid_t)OK(fork());
        if (pid == 0) {
            if (chdir(folder) < 0) _exit(1);
            seed_run(seed, user);
        }
        seed_watch(pid, folder, seed, user);
        calls += (uint64_t)progress->calls;
    }
    for (int user = 0; user < 2; user++) {
        snprintf(folder, sizeof(folder), "%s%u", user ? "user" : "root", job->number);
        remove(folder);
    }
    printf("# %d seeds, %llu calls\n", seeds, (unsigned long long)calls);
    fflush(stdout);
    return calls == 0;
}

/* System V objects and queues outlive their makers. */
static void objects_remove(void) {
    struct shmid_ds shm;
    struct msqid_ds msg;
    struct semid_ds sem;
    for (int i = 0; i < 8192; i++) {
        int id;
        if ((id = shmctl(i, 13 /* SHM_STAT */, &shm)) >= 0) shmctl(id, IPC_RMID, NULL);
        if ((id = semctl(i, 0, 18 /* SEM_STAT */, &sem)) >= 0) semctl(id, 0, IPC_RMID);
        if ((id = msgctl(i, 11 /* MSG_STAT */, &msg)) >= 0) msgctl(id, IPC_RMID, NULL);
    }
    nftw("/dev/mqueue", remove_one, 16, FTW_DEPTH | FTW_PHYS);
    nftw("/dev/shm", remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void run(int seconds, unsigned workers, uint64_t first) {
    pid_t pids[64];
    for (unsigned i = 0; i < workers && i < 64; i++) pids[i] = child_start(worker, &(struct job){seconds, i, first});
    for (unsigned i = 0; i < workers && i < 64; i++) EQUAL(child_wait(pids[i]), 0);
    objects_remove();
}

TEST(random_arguments) {
    unsigned seconds = setting("CALLS_SECONDS", SECONDS), workers = setting("CALLS_WORKERS", WORKERS);
    unsigned first = setting("CALLS_SEED", 1);
    struct system_state before;
    if (!is_cathode() || getuid() != 0) SKIP("as root of a system that may be harmed");
    chmod(".", 0755);
    alarm(seconds + 120);
    run(2, workers, first); /* fills the caches */
    system_state_get(&before);
    run((int)seconds, workers, first);
    system_state_check(&before);
}
