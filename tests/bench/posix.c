// SPDX-License-Identifier: MIT
/* Rows that any POSIX system can be measured with. */
#include "bench.h"
#include <dirent.h>
#include <fcntl.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define MIB (1 << 20)
#define BLOCK 65536
#define PAGE 4096
#define FILE_NAME "/tmp/bench"
#define DISK "/dev/vdb" /* of no content: reads of it cost what the way to it does */
#define DISK_BYTES (1 << 30)

static int fd = -1, peer[2], other[2];
static pid_t child;
_Alignas(PAGE) static char block[BLOCK];

static void need(int ok, const char *what) {
    if (!ok) bench_fail(what);
}

static void clock_run(unsigned n) {
    struct timespec t;
    while (n--) clock_gettime(CLOCK_MONOTONIC, &t);
}

/* --- devices, pipes, sockets ---------------------------------------------------------------------- */

static void null_open(void) { need((fd = open("/dev/null", O_WRONLY)) >= 0, "/dev/null"); }
static void zero_open(void) { need((fd = open("/dev/zero", O_RDONLY)) >= 0, "/dev/zero"); }
static void fd_close(void) { close(fd); }
static void write_byte(unsigned n) {
    while (n--) need(write(fd, block, 1) == 1, "write");
}
static void read_byte(unsigned n) {
    while (n--) need(read(fd, block, 1) == 1, "read");
}

/* The child sends back each byte that it gets. */
static void echo_child(int in, int out) {
    char c;
    while (read(in, &c, 1) == 1)
        if (write(out, &c, 1) != 1) break;
    _exit(0);
}

static void pair_fork(int in, int out, int mine_in, int mine_out) {
    child = fork();
    need(child >= 0, "fork");
    if (child) return;
    close(mine_in);
    close(mine_out);
    echo_child(in, out);
}

static void pipe_prepare(void) {
    need(!pipe(peer) && !pipe(other), "pipe");
    pair_fork(peer[0], other[1], peer[1], other[0]);
    close(peer[0]);
    close(other[1]);
}
static void pipe_run(unsigned n) {
    while (n--) need(write(peer[1], block, 1) == 1 && read(other[0], block, 1) == 1, "pipe");
}
static void pipe_finish(void) {
    close(peer[1]);
    close(other[0]);
    waitpid(child, NULL, 0);
}

static void unix_prepare(void) {
    need(!socketpair(AF_UNIX, SOCK_STREAM, 0, peer), "socketpair");
    pair_fork(peer[1], peer[1], peer[0], peer[0]);
    close(peer[1]);
}
static void unix_run(unsigned n) {
    while (n--) need(write(peer[0], block, 1) == 1 && read(peer[0], block, 1) == 1, "socket");
}
static void unix_finish(void) {
    close(peer[0]);
    waitpid(child, NULL, 0);
}

/* --- the loopback --- */
static int listener = -1;
static struct sockaddr_in address;

static int inet_socket(int type) {
    int s = socket(AF_INET, type, 0);
    need(s >= 0, "socket");
    return s;
}

/* A socket at a port that was picked, which is told in `address`. */
static int inet_bound(int type) {
    int s = inet_socket(type);
    socklen_t length = sizeof(address);
    address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    need(!bind(s, (struct sockaddr *)&address, length), "bind");
    need(!getsockname(s, (struct sockaddr *)&address, &length), "getsockname");
    return s;
}

static int inet_connected(int type) {
    int s = inet_socket(type);
    need(!connect(s, (struct sockaddr *)&address, sizeof(address)), "connect");
    return s;
}

static void tcp_listen(void) {
    listener = inet_bound(SOCK_STREAM);
    need(!listen(listener, 16), "listen");
}
static void tcp_pair(void) {
    tcp_listen();
    peer[0] = inet_connected(SOCK_STREAM);
    need((peer[1] = accept(listener, NULL, NULL)) >= 0, "accept");
    close(listener);
}
static void tcp_prepare(void) {
    tcp_pair();
    pair_fork(peer[1], peer[1], peer[0], peer[0]);
    close(peer[1]);
}

static void udp_prepare(void) {
    peer[1] = inet_bound(SOCK_DGRAM);
    peer[0] = inet_connected(SOCK_DGRAM);
    socklen_t length = sizeof(address);
    need(!getsockname(peer[0], (struct sockaddr *)&address, &length), "getsockname");
    need(!connect(peer[1], (struct sockaddr *)&address, length), "connect");
    pair_fork(peer[1], peer[1], peer[0], peer[0]);
    close(peer[1]);
}
static void udp_finish(void) {
    kill(child, SIGKILL); /* nothing tells it of an end */
    unix_finish();
}

static void tcp_connect_run(unsigned n) {
    while (n--) {
        int c = inet_connected(SOCK_STREAM), a = accept(listener, NULL, NULL);
        need(a >= 0, "accept");
        close(c);
        close(a);
    }
}
static void tcp_connect_finish(void) { close(listener); }

static void tcp_sink_prepare(void) {
    tcp_pair();
    child = fork();
    need(child >= 0, "fork");
    if (child == 0) {
        close(peer[0]);
        while (read(peer[1], block, BLOCK) > 0) {
        }
        _exit(0);
    }
    close(peer[1]);
}
static void tcp_sink_run(unsigned n) {
    for (unsigned i = 0; i < n * (MIB / BLOCK); i++) need(write(peer[0], block, BLOCK) == BLOCK, "write");
}

/* --- two cards on one wire: the other one's network is another server's (of Linux, another namespace) --- */
#define CARDS_PORT 5001
#define CARDS_ADDRESS "10.9.0.1"

/* Whoever has the second card: sends without end. */
static void cards_send(void) {
    for (;;) {
#ifdef __cathode__
        int s = open("/scheme/tcp.second/" CARDS_ADDRESS ":5001", O_RDWR);
#else
        address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(CARDS_PORT)};
        inet_pton(AF_INET, CARDS_ADDRESS, &address.sin_addr);
        int s = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(s, (struct sockaddr *)&address, sizeof(address))) close(s), s = -1;
#endif
        while (s >= 0 && write(s, block, BLOCK) > 0) continue;
        if (s >= 0) _exit(0);
        usleep(100000);
    }
}

static void cards_prepare(void) {
    listener = inet_socket(SOCK_STREAM);
    address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(CARDS_PORT)};
    need(!bind(listener, (struct sockaddr *)&address, sizeof(address)), "bind");
    need(!listen(listener, 1), "listen");
    need((peer[0] = accept(listener, NULL, NULL)) >= 0, "accept");
}
static void cards_run(unsigned n) {
    for (size_t left = (size_t)n * MIB; left > 0;) {
        ssize_t got = read(peer[0], block, left < BLOCK ? left : BLOCK);
        need(got > 0, "read");
        left -= (size_t)got;
    }
}
static void cards_finish(void) {
    close(peer[0]);
    close(listener);
}

static void sink_prepare(void) {
    need(!pipe(peer), "pipe");
    child = fork();
    need(child >= 0, "fork");
    if (child == 0) {
        close(peer[1]);
        while (read(peer[0], block, BLOCK) > 0) continue;
        _exit(0);
    }
    close(peer[0]);
}
static void write_all(int to, size_t n) {
    while (n) {
        ssize_t w = write(to, block, n < BLOCK ? n : BLOCK);
        need(w > 0, "write");
        n -= (size_t)w;
    }
}
static void sink_run(unsigned n) { write_all(peer[1], (size_t)n * MIB); }
static void sink_finish(void) {
    close(peer[1]);
    waitpid(child, NULL, 0);
}

static int many[32][2];
static void poll_prepare(void) {
    for (int i = 0; i < 32; i++) need(!pipe(many[i]), "pipe");
    need(write(many[31][1], block, 1) == 1, "write");
}
static void poll_run(unsigned n) {
    struct pollfd p[32];
    for (int i = 0; i < 32; i++) p[i] = (struct pollfd){many[i][0], POLLIN, 0};
    while (n--) need(poll(p, 32, -1) == 1, "poll");
}
static void poll_finish(void) {
    for (int i = 0; i < 32; i++) close(many[i][0]), close(many[i][1]);
}

/* --- threads -------------------------------------------------------------------------------------- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int turn; /* 0 mine, 1 the other's, 2 end */
static pthread_t thread;

static void *turn_thread(void *arg) {
    pthread_mutex_lock(&mutex);
    while (turn != 2) {
        while (turn == 0) pthread_cond_wait(&condition, &mutex);
        if (turn == 1) turn = 0;
        pthread_cond_signal(&condition);
    }
    pthread_mutex_unlock(&mutex);
    return arg;
}
static void condition_prepare(void) {
    turn = 0;
    need(!pthread_create(&thread, NULL, turn_thread, NULL), "pthread_create");
}
static void condition_run(unsigned n) {
    pthread_mutex_lock(&mutex);
    while (n--) {
        turn = 1;
        pthread_cond_signal(&condition);
        while (turn == 1) pthread_cond_wait(&condition, &mutex);
    }
    pthread_mutex_unlock(&mutex);
}
static void condition_finish(void) {
    pthread_mutex_lock(&mutex);
    turn = 2;
    pthread_cond_signal(&condition);
    pthread_mutex_unlock(&mutex);
    pthread_join(thread, NULL);
}

static void *thread_nothing(void *arg) { return arg; }
static void thread_run(unsigned n) {
    while (n--) {
        need(!pthread_create(&thread, NULL, thread_nothing, NULL), "pthread_create");
        pthread_join(thread, NULL);
    }
}

/* --- processes ------------------------------------------------------------------------------------ */

static void fork_run(unsigned n) {
    while (n--) {
        pid_t p = fork();
        need(p >= 0, "fork");
        if (p == 0) _exit(0);
        need(waitpid(p, NULL, 0) == p, "wait");
    }
}

static char *const nothing_argv[] = {"/bin/bench-nothing", NULL};
extern char **environ;
static void exec_run(unsigned n) {
    while (n--) {
        pid_t p = fork();
        need(p >= 0, "fork");
        if (p == 0) {
            execve(nothing_argv[0], nothing_argv, environ);
            _exit(127);
        }
        int status;
        need(waitpid(p, &status, 0) == p && status == 0, "exec");
    }
}
static void spawn_run(unsigned n) {
    while (n--) {
        pid_t p;
        int status;
        need(!posix_spawn(&p, nothing_argv[0], NULL, NULL, nothing_argv, environ), "posix_spawn");
        need(waitpid(p, &status, 0) == p && status == 0, "spawn");
    }
}

static char *area;
#define AREA (64 * MIB)
static void *map_pages(size_t size) {
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    need(p != MAP_FAILED, "mmap");
    return p;
}
static void touch(char *p, size_t size) {
    for (size_t i = 0; i < size; i += PAGE) p[i]++;
}
static void big_prepare(void) { touch(area = map_pages(AREA), AREA); }
static void big_finish(void) { munmap(area, AREA); }

/* --- memory --------------------------------------------------------------------------------------- */

static void anonymous_prepare(void) { area = map_pages(4 * MIB); }
static void anonymous_run(unsigned n) {
    madvise(area, 4 * MIB, MADV_DONTNEED);
    touch(area, (size_t)n * PAGE);
}
static void area_finish(void) { munmap(area, 4 * MIB); }

/* The child writes pages that it shares with its parent, and measures that alone. */
static int64_t copy_pages(unsigned n) {
    int64_t result = 0, *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    need(shared != MAP_FAILED, "mmap");
    child = fork();
    need(child >= 0, "fork");
    if (child == 0) {
        *shared = 1; /* its page is there */
        int64_t start = bench_now();
        touch(area, (size_t)n * PAGE);
        *shared = bench_now() - start;
        _exit(0);
    }
    waitpid(child, NULL, 0);
    result = *shared;
    munmap(shared, PAGE);
    return result;
}

static void map_run(unsigned n) {
    while (n--) munmap(map_pages(65536), 65536);
}

/* --- signals -------------------------------------------------------------------------------------- */

static void handler(int signal) { (void)signal; }
static void install_run(unsigned n) {
    struct sigaction a = {.sa_handler = handler};
    while (n--) sigaction(SIGUSR1, &a, NULL);
}
static void install_once(void) { install_run(1); }
static void raise_run(unsigned n) {
    while (n--) kill(getpid(), SIGUSR1);
}

static char *guarded;
static void fault_handler(int signal) {
    (void)signal;
    mprotect(guarded, PAGE, PROT_READ | PROT_WRITE);
}
/* The faulting write is done again after the handler; what mprotect costs is taken off. */
static void fault_prepare(void) {
    struct sigaction a = {.sa_handler = fault_handler};
    sigaction(SIGSEGV, &a, NULL);
    guarded = map_pages(PAGE);
    *guarded = 1;
}
static int64_t fault_cost(unsigned n) {
    int64_t start = bench_now();
    for (unsigned i = 0; i < n; i++) {
        mprotect(guarded, PAGE, PROT_READ);
        *(volatile char *)guarded = 1;
    }
    int64_t both = bench_now() - start;
    start = bench_now();
    for (unsigned i = 0; i < n; i++) {
        mprotect(guarded, PAGE, PROT_READ);
        mprotect(guarded, PAGE, PROT_READ | PROT_WRITE);
    }
    return both - (bench_now() - start);
}

/* --- files ---------------------------------------------------------------------------------------- */

static void file_make(void) {
    need((fd = open(FILE_NAME, O_RDWR | O_CREAT | O_TRUNC, 0600)) >= 0, FILE_NAME);
    write_all(fd, MIB);
}
static void file_remove(void) {
    close(fd);
    unlink(FILE_NAME);
}
static void stat_run(unsigned n) {
    struct stat s;
    while (n--) need(!stat(FILE_NAME, &s), "stat");
}
static void fstat_run(unsigned n) {
    struct stat s;
    while (n--) need(!fstat(fd, &s), "fstat");
}
static void open_run(unsigned n) {
    while (n--) {
        int f = open(FILE_NAME, O_RDONLY);
        need(f >= 0, "open");
        close(f);
    }
}
static void pread_run(unsigned n) {
    uint32_t x = 12345;
    while (n--) {
        x = x * 1664525 + 1013904223;
        need(pread(fd, block, PAGE, (x >> 8) % 256 * PAGE) == PAGE, "pread");
    }
}
static void read_run(unsigned n) {
    while (n--) {
        lseek(fd, 0, SEEK_SET);
        for (int i = 0; i < MIB / BLOCK; i++) need(read(fd, block, BLOCK) == BLOCK, "read");
    }
}
static void new_file_run(unsigned n) {
    while (n--) {
        int f = open(FILE_NAME "-new", O_WRONLY | O_CREAT | O_TRUNC, 0600);
        need(f >= 0, "open");
        write_all(f, MIB);
        close(f);
    }
}
static void new_file_finish(void) { unlink(FILE_NAME "-new"); }

/* Not by sprintf, which costs more than half of what a file system does. */
static void name_of(char *out, unsigned i) {
    char digits[12];
    int n = 0;
    do digits[n++] = (char)('0' + i % 10);
    while (i /= 10);
    out = stpcpy(out, "/tmp/bench.d/");
    while (n) *out++ = digits[--n];
    *out = '\0';
}
static unsigned made, removed;
static void folder_make(void) {
    made = removed = 0;
    mkdir("/tmp/bench.d", 0700);
}
static void create_run(unsigned n) {
    char name[32];
    while (n--) {
        name_of(name, made++);
        int f = open(name, O_WRONLY | O_CREAT | O_EXCL, 0600);
        need(f >= 0, "create");
        close(f);
    }
}
static void unlink_run(unsigned n) {
    char name[32];
    while (n--) {
        name_of(name, removed++);
        need(!unlink(name), "unlink");
    }
}
static void rename_run(unsigned n) {
    for (unsigned i = 0; i < n; i++)
        need(!rename(i % 2 ? "/tmp/bench.d/b" : "/tmp/bench.d/a", i % 2 ? "/tmp/bench.d/a" : "/tmp/bench.d/b"),
             "rename");
    if (n % 2) rename("/tmp/bench.d/b", "/tmp/bench.d/a");
}
static void unlink_prepare(void) {
    folder_make();
    create_run(400);
}
static void rename_prepare(void) {
    folder_make();
    close(open("/tmp/bench.d/a", O_CREAT | O_WRONLY, 0600));
}
static void folder_remove(void) {
    char name[32];
    unlink("/tmp/bench.d/a");
    for (unsigned i = removed; i < made; i++) {
        name_of(name, i);
        unlink(name);
    }
    rmdir("/tmp/bench.d");
}
static void readdir_run(unsigned n) {
    while (n) {
        DIR *d = opendir("/tmp/bench.d");
        need(d != NULL, "opendir");
        while (n && readdir(d)) n--;
        closedir(d);
    }
}

/* A shared mapping of a file in memory, whose pages are mapped one after the other. */
static void fault_file_prepare(void) {
    file_make();
    area = mmap(NULL, MIB, PROT_READ, MAP_SHARED, fd, 0);
    need(area != MAP_FAILED, "mmap");
}
static void fault_file_run(unsigned n) {
    madvise(area, MIB, MADV_DONTNEED);
    for (unsigned i = 0; i < n; i++) (void)*(volatile char *)(area + (size_t)i * PAGE);
}
static void fault_file_finish(void) {
    munmap(area, MIB);
    file_remove();
}

static void disk_prepare(void) { need((fd = open(DISK, O_RDONLY | O_DIRECT)) >= 0, DISK); }
static void disk_run(unsigned n) {
    for (unsigned i = 0; i < n * (MIB / BLOCK); i++)
        need(pread(fd, block, BLOCK, (off_t)i * BLOCK % DISK_BYTES) == BLOCK, "read");
}
static void disk_random_run(unsigned n) {
    uint32_t x = 12345;
    while (n--) {
        x = x * 1664525 + 1013904223;
        need(pread(fd, block, PAGE, (off_t)(x >> 8) * PAGE % DISK_BYTES) == PAGE, "pread");
    }
}

static void copy_prepare(void) { touch(area = map_pages(4 * MIB), 4 * MIB); }
static void guarded_finish(void) { munmap(guarded, PAGE); }

#define ROW(name, prepare, run, finish, count) {name, prepare, run, NULL, finish, count}
#define MEASURED(name, prepare, measure, finish, count) {name, prepare, NULL, measure, finish, count}
const struct bench bench_posix[] = {
    ROW("clock_gettime", NULL, clock_run, NULL, 1000),
    ROW("write_null", null_open, write_byte, fd_close, 1000),
    ROW("read_zero", zero_open, read_byte, fd_close, 1000),
    ROW("pipe_roundtrip", pipe_prepare, pipe_run, pipe_finish, 500),
    ROW("unix_roundtrip", unix_prepare, unix_run, unix_finish, 500),
    ROW("tcp_roundtrip", tcp_prepare, unix_run, unix_finish, 500),
    ROW("udp_roundtrip", udp_prepare, unix_run, udp_finish, 500),
    ROW("tcp_connect_close", tcp_listen, tcp_connect_run, tcp_connect_finish, 200),
    ROW("tcp_mib", tcp_sink_prepare, tcp_sink_run, unix_finish, 8),
    ROW("condition_roundtrip", condition_prepare, condition_run, condition_finish, 500),
    ROW("pipe_mib", sink_prepare, sink_run, sink_finish, 8),
    ROW("poll_32", poll_prepare, poll_run, poll_finish, 200),
    ROW("fork_wait", NULL, fork_run, NULL, 50),
    ROW("fork_exec_wait", NULL, exec_run, NULL, 30),
    ROW("spawn_wait", NULL, spawn_run, NULL, 30),
    ROW("fork_64mib", big_prepare, fork_run, big_finish, 4),
    ROW("thread_create_join", NULL, thread_run, NULL, 50),
    ROW("fault_anonymous", anonymous_prepare, anonymous_run, area_finish, 1000),
    MEASURED("fault_copy", copy_prepare, copy_pages, area_finish, 512),
    MEASURED("fault_handler", fault_prepare, fault_cost, guarded_finish, 200),
    ROW("mmap_64k", NULL, map_run, NULL, 200),
    ROW("signal_install", NULL, install_run, NULL, 500),
    ROW("signal_handle", install_once, raise_run, NULL, 500),
    ROW("stat", file_make, stat_run, file_remove, 300),
    ROW("open_close", file_make, open_run, file_remove, 300),
    ROW("fstat", file_make, fstat_run, file_remove, 300),
    ROW("pread_4k", file_make, pread_run, file_remove, 500),
    ROW("read_mib", file_make, read_run, file_remove, 10),
    ROW("write_mib", NULL, new_file_run, new_file_finish, 10),
    ROW("create", folder_make, create_run, folder_remove, 200),
    ROW("unlink", unlink_prepare, unlink_run, folder_remove, 200),
    ROW("rename", rename_prepare, rename_run, folder_remove, 200),
    ROW("readdir_entry", unlink_prepare, readdir_run, folder_remove, 2000),
    ROW("fault_file", fault_file_prepare, fault_file_run, fault_file_finish, 256),
    {0},
};
static void cards_send_run(unsigned n) { cards_send(); }
const struct bench bench_cards[] = {
    ROW("tcp_cards_mib", cards_prepare, cards_run, cards_finish, 16),
    ROW("tcp_cards_send", NULL, cards_send_run, NULL, 1),
    {0},
};
/* --- the screen: lines of text that scroll over all of it --- */
#define COLUMNS 80
static int screen;

static void screen_prepare(void) {
    struct winsize size = {};
    while ((screen = open("/dev/tty1", O_WRONLY | O_NOCTTY)) < 0 || ioctl(screen, TIOCGWINSZ, &size) || !size.ws_row) {
        if (screen >= 0) close(screen);
        usleep(100000); /* it comes when the devices have been found */
    }
    usleep(1000000); /* and its login after it */
}
static void screen_run(unsigned n) {
    char line[COLUMNS + 1];
    line[COLUMNS] = '\n';
    for (unsigned i = 0; i < n; i++) {
        for (unsigned j = 0; j < COLUMNS; j++) line[j] = (char)('!' + (i * 7 + j * 3) % 90); /* no two lines alike */
        need(write(screen, line, sizeof(line)) == sizeof(line), "write");
    }
    need(!tcdrain(screen), "tcdrain");
}
static void screen_finish(void) { close(screen); }

const struct bench bench_screen[] = {
    ROW("screen_line", screen_prepare, screen_run, screen_finish, 2000),
    {0},
};

const struct bench bench_disk[] = {
    ROW("disk_mib", disk_prepare, disk_run, fd_close, 16),
    ROW("disk_4k", disk_prepare, disk_random_run, fd_close, 300),
    {0},
};
