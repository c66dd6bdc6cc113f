// SPDX-License-Identifier: MIT
/*
 * Everything at once: actors, each a process that does rounds of one thing with random sizes and numbers from a fixed
 * seed and verifies every byte, while a watchdog sees that each of them gets on: one that waits for a wake-up that
 * was lost doesn't. Afterwards nothing may be missing. Environment: STRESS_SECONDS, STRESS_SEED, STRESS_COPIES
 * (processes per actor), STRESS_ONLY (the name of an actor).
 */
#include "hostile.h"
#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/un.h>

#define SECONDS 20
#define STUCK_MS 90000 /* no round takes that long, in whatever machine */
#define PAGE 4096
#define BLOCK 20000

static unsigned actor_id; /* distinct: for names */

static void *map(size_t length, int flags) {
    void *p = mmap(NULL, length, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
    CHECK(p != MAP_FAILED);
    return p;
}

static void expect_exit(pid_t pid, int value) {
    int status;
    EQUAL(waitpid(pid, &status, 0), pid);
    EQUAL(status, value << 8);
}

/* --- bytes through anything ------------------------------------------------------------------------- */

/* The byte at this place of a stream: every mix-up shows. */
static unsigned char byte_at(uint32_t key, size_t at) { return (unsigned char)((key + at * 2654435761U) >> 11); }

static void stream_write(int fd, uint32_t key, size_t total) {
    static unsigned char block[BLOCK];
    for (size_t at = 0; at < total;) {
        size_t n = (size_t)draw_below(BLOCK) + 1;
        n = n < total - at ? n : total - at;
        for (size_t i = 0; i < n; i++) block[i] = byte_at(key, at + i);
        for (size_t done = 0; done < n;) {
            ssize_t w = write(fd, block + done, n - done);
            if (w < 0 && errno == EINTR) continue;
            CHECK(w > 0);
            done += (size_t)w;
        }
        at += n;
    }
}

static void stream_read(int fd, uint32_t key, size_t total) {
    static unsigned char block[BLOCK];
    size_t at = 0;
    for (;;) {
        ssize_t n = read(fd, block, (size_t)draw_below(BLOCK) + 1);
        if (n < 0 && errno == EINTR) continue;
        CHECK(n >= 0);
        if (n == 0) break;
        for (ssize_t i = 0; i < n; i++) EQUAL(block[i], byte_at(key, at + (size_t)i));
        at += (size_t)n;
    }
    EQUAL(at, total);
}

static void stream_through(int in, int out, bool writer_is_child) {
    uint32_t key = (uint32_t)draw();
    size_t total = (size_t)draw_below(200000);
    pid_t pid = (pid_t)OK(fork());
    if ((pid == 0) == writer_is_child) {
        close(in);
        stream_write(out, key, total);
        OK(close(out));
    } else {
        close(out);
        stream_read(in, key, total);
        OK(close(in));
    }
    if (pid == 0) _exit(3);
    expect_exit(pid, 3);
}

static void pipes(void) {
    int p[2];
    if (draw_below(4)) {
        OK(pipe(p));
    } else { /* by name */
        char name[32];
        snprintf(name, sizeof(name), "fifo%u", actor_id);
        OK(mkfifo(name, 0600));
        int both = (int)OK(open(name, O_RDWR));
        p[0] = (int)OK(open(name, O_RDONLY));
        p[1] = (int)OK(open(name, O_WRONLY));
        OK(close(both));
        OK(unlink(name));
    }
    if (draw_below(3) == 0) fcntl(p[1], F_SETPIPE_SZ, (int)(4096L << draw_below(4)));
    stream_through(p[0], p[1], draw_below(2));
}

/* --- sockets, and descriptors through them ------------------------------------------------------------ */

static ssize_t descriptor_send(int s, const void *data, size_t size, int fd) {
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {};
    struct iovec v = {(void *)data, size};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control.bytes};
    m.msg_controllen = sizeof(control.bytes);
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    h->cmsg_len = CMSG_LEN(sizeof(int));
    h->cmsg_level = SOL_SOCKET;
    h->cmsg_type = SCM_RIGHTS;
    memcpy(CMSG_DATA(h), &fd, sizeof(fd));
    return sendmsg(s, &m, MSG_NOSIGNAL);
}

static int descriptor_receive(int s, void *data, size_t size) {
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec v = {data, size};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control.bytes};
    int fd;
    m.msg_controllen = sizeof(control.bytes);
    ssize_t n;
    do n = recvmsg(s, &m, 0);
    while (n < 0 && errno == EINTR);
    EQUAL(n, size);
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    CHECK(h && h->cmsg_type == SCM_RIGHTS);
    memcpy(&fd, CMSG_DATA(h), sizeof(fd));
    return fd;
}

static void descriptors(void) {
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
    int s[2], count = (int)draw_below(20) + 1;
    OK(socketpair(AF_UNIX, types[draw_below(3)], 0, s));
    pid_t pid = (pid_t)OK(fork());
    if (pid == 0) { /* writes each token back through the pipe that came with it */
        OK(close(s[0]));
        for (int i = 0; i < count; i++) {
            uint64_t token;
            int fd = descriptor_receive(s[1], &token, sizeof(token));
            EQUAL(write(fd, &token, sizeof(token)), sizeof(token));
            OK(close(fd));
        }
        _exit(4);
    }
    OK(close(s[1]));
    for (int i = 0; i < count; i++) {
        uint64_t token = draw(), back = 0;
        int p[2];
        OK(pipe(p));
        EQUAL(descriptor_send(s[0], &token, sizeof(token), p[1]), sizeof(token));
        OK(close(p[1]));
        EQUAL(read(p[0], &back, sizeof(back)), sizeof(back));
        CHECK(back == token);
        EQUAL(read(p[0], &back, sizeof(back)), 0); /* nobody else has it */
        OK(close(p[0]));
    }
    expect_exit(pid, 4);
    OK(close(s[0]));
}

static void connections(void) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int count = (int)draw_below(6) + 1;
    snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1, "stress%u", actor_id);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(a.sun_path + 1));
    int l = (int)OK(socket(AF_UNIX, SOCK_STREAM, 0));
    OK(bind(l, (struct sockaddr *)&a, size));
    OK(listen(l, 2));
    uint32_t key = (uint32_t)draw();
    size_t total = (size_t)draw_below(30000);
    pid_t pid = (pid_t)OK(fork());
    if (pid == 0) {
        OK(close(l));
        for (int i = 0; i < count; i++) {
            int c = (int)OK(socket(AF_UNIX, SOCK_STREAM, 0));
            OK(connect(c, (struct sockaddr *)&a, size));
            stream_write(c, key + (unsigned)i, total);
            OK(close(c));
        }
        _exit(5);
    }
    for (int i = 0; i < count; i++) {
        int c = (int)OK(accept(l, NULL, NULL));
        stream_read(c, key + (unsigned)i, total);
        OK(close(c));
    }
    OK(close(l));
    expect_exit(pid, 5);
}

static void sockets(void) {
    int s[2];
    switch (draw_below(3)) {
    case 0:
        OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
        stream_through(s[0], s[1], draw_below(2));
        break;
    case 1: descriptors(); break;
    default: connections(); break;
    }
}

/* --- processes ---------------------------------------------------------------------------------------- */

static int tree_grow(int depth) {
    int children = depth ? (int)draw_below(3) + 1 : 0, count = 1;
    pid_t pids[3];
    for (int i = 0; i < children; i++) {
        pids[i] = (pid_t)OK(fork());
        if (pids[i] == 0) {
            draw_seed((uint64_t)getpid());
            _exit(tree_grow(depth - 1));
        }
    }
    for (int i = 0; i < children; i++) {
        int status;
        EQUAL(waitpid(pids[i], &status, 0), pids[i]);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) > 0);
        count += WEXITSTATUS(status);
    }
    return count;
}

static void processes(void) {
    int ends[2], value = (int)draw_below(200) + 1, status;
    char text[64], got[64] = {};
    switch (draw_below(4)) {
    case 0: CHECK(tree_grow(2) > 1); break;
    case 1: /* exec, with its output */
        OK(pipe(ends));
        snprintf(text, sizeof(text), "echo %d; exit %d", value, value);
        pid_t pid = (pid_t)OK(fork());
        if (pid == 0) {
            dup2(ends[1], STDOUT_FILENO);
            close(ends[0]);
            close(ends[1]);
            execl("/bin/sh", "sh", "-c", text, NULL);
            _exit(255);
        }
        OK(close(ends[1]));
        CHECK(read(ends[0], got, sizeof(got) - 1) > 0);
        EQUAL(atoi(got), value);
        EQUAL(read(ends[0], got, sizeof(got)), 0);
        OK(close(ends[0]));
        expect_exit(pid, value);
        break;
    case 2: /* one that is killed wherever it is */
        pid = (pid_t)OK(fork());
        if (pid == 0)
            for (;;) {
                void *p = map(PAGE * 16, MAP_PRIVATE);
                memset(p, 1, PAGE * 16);
                munmap(p, PAGE * 16);
                sched_yield();
            }
        if (draw_below(2)) usleep((useconds_t)draw_below(3000));
        if (draw_below(2)) {
            OK(kill(pid, SIGSTOP));
            EQUAL(waitpid(pid, &status, WUNTRACED), pid);
            CHECK(WIFSTOPPED(status));
            if (draw_below(2)) OK(kill(pid, SIGCONT));
        }
        OK(kill(pid, SIGKILL));
        EQUAL(waitpid(pid, &status, 0), pid);
        EQUAL(status, SIGKILL);
        break;
    default: /* orphans that end by themselves */
        OK(pipe(ends));
        pid = (pid_t)OK(fork());
        if (pid == 0) {
            for (int i = 0; i < 3; i++)
                if (OK(fork()) == 0) {
                    if (i) usleep((useconds_t)i * 500);
                    EQUAL(write(ends[1], "x", 1), 1);
                    _exit(0);
                }
            _exit(6);
        }
        OK(close(ends[1]));
        expect_exit(pid, 6);
        for (int i = 0; i < 3; i++) EQUAL(read(ends[0], got, 1), 1);
        EQUAL(read(ends[0], got, 1), 0);
        OK(close(ends[0]));
    }
}

/* --- threads -------------------------------------------------------------------------------------------- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t turn_changed;
    pthread_barrier_t barrier;
    sem_t tokens;
    int turn, threads, laps, sum;
    int never[2];
} team;

static void *take_turns(void *number) {
    int me = (int)(long)number;
    pthread_barrier_wait(&team.barrier);
    for (int lap = 0; lap < team.laps; lap++) {
        pthread_mutex_lock(&team.lock);
        while (team.turn != me) pthread_cond_wait(&team.turn_changed, &team.lock);
        team.turn = (team.turn + 1) % team.threads;
        team.sum++;
        pthread_cond_broadcast(&team.turn_changed);
        pthread_mutex_unlock(&team.lock);
        sem_post(&team.tokens);
    }
    return number;
}

static void unlock(void *lock) { pthread_mutex_unlock(lock); }
static void *wait_for_nothing(void *way) {
    char c;
    switch ((long)way % 4) {
    case 0: return (void *)read(team.never[0], &c, 1);
    case 1: sleep(1000); break;
    case 2:
        pthread_mutex_lock(&team.lock);
        pthread_cleanup_push(unlock, &team.lock);
        for (;;) pthread_cond_wait(&team.turn_changed, &team.lock);
        pthread_cleanup_pop(1);
    default: poll(NULL, 0, -1);
    }
    return NULL;
}

static void threads(void) {
    pthread_t t[8], waiting[3];
    int cancelled = (int)draw_below(4);
    team.threads = (int)draw_below(7) + 2;
    team.laps = (int)draw_below(30) + 1;
    team.turn = team.sum = 0;
    pthread_mutex_init(&team.lock, NULL);
    pthread_cond_init(&team.turn_changed, NULL);
    pthread_barrier_init(&team.barrier, NULL, (unsigned)team.threads);
    sem_init(&team.tokens, 0, 0);
    OK(pipe(team.never));
    for (int i = 0; i < cancelled; i++) EQUAL(pthread_create(&waiting[i], NULL, wait_for_nothing, (void *)draw()), 0);
    for (long i = 0; i < team.threads; i++) EQUAL(pthread_create(&t[i], NULL, take_turns, (void *)i), 0);
    for (int i = 0; i < team.threads * team.laps; i++) {
        int error;
        do error = sem_wait(&team.tokens);
        while (error && errno == EINTR);
    }
    for (long i = 0; i < team.threads; i++) {
        void *result;
        EQUAL(pthread_join(t[i], &result), 0);
        CHECK(result == (void *)i);
    }
    EQUAL(team.sum, team.threads * team.laps);
    for (int i = 0; i < cancelled; i++) {
        void *result;
        EQUAL(pthread_cancel(waiting[i]), 0);
        EQUAL(pthread_join(waiting[i], &result), 0);
        CHECK(result == PTHREAD_CANCELED);
    }
    EQUAL(pthread_mutex_trylock(&team.lock), 0);
    pthread_mutex_unlock(&team.lock);
    OK(close(team.never[0]));
    OK(close(team.never[1]));
}

/* --- locks between processes ------------------------------------------------------------------------------ */

struct shared {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    sem_t ping, pong;
    int value, full;
};

static void shared_locks(void) {
    struct shared *s = map(PAGE, MAP_SHARED);
    pthread_mutexattr_t m;
    pthread_condattr_t c;
    int count = (int)draw_below(100) + 1;
    pthread_mutexattr_init(&m);
    pthread_mutexattr_setpshared(&m, PTHREAD_PROCESS_SHARED);
    if (draw_below(2)) pthread_mutexattr_setrobust(&m, PTHREAD_MUTEX_ROBUST);
    if (draw_below(2)) pthread_mutexattr_setprotocol(&m, PTHREAD_PRIO_INHERIT);
    pthread_condattr_init(&c);
    pthread_condattr_setpshared(&c, PTHREAD_PROCESS_SHARED);
    EQUAL(pthread_mutex_init(&s->lock, &m), 0);
    EQUAL(pthread_cond_init(&s->changed, &c), 0);
    OK(sem_init(&s->ping, 1, 0));
    OK(sem_init(&s->pong, 1, 0));
    pid_t pid = (pid_t)OK(fork());
    for (int i = 1; i <= count; i++) {
        pthread_mutex_lock(&s->lock);
        while (s->full == (pid != 0)) pthread_cond_wait(&s->changed, &s->lock);
        if (pid) s->value = i;
        else EQUAL(s->value, i);
        s->full = pid != 0;
        pthread_cond_signal(&s->changed);
        pthread_mutex_unlock(&s->lock);
        OK(sem_post(pid ? &s->ping : &s->pong));
        OK(sem_wait(pid ? &s->pong : &s->ping));
    }
    if (pid == 0) _exit(7);
    expect_exit(pid, 7);
    OK(munmap(s, PAGE));
}

/* --- signals ---------------------------------------------------------------------------------------------- */

static volatile sig_atomic_t storms;
static void storm(int signal) {
    (void)signal;
    storms++;
}

/* Every queued one arrives, in order, while others storm. */
static void signals(void) {
    sigset_t set, old;
    siginfo_t info;
    int count = (int)draw_below(100) + 1;
    pid_t parent = getpid();
    sigaction(SIGUSR1, &(struct sigaction){.sa_handler = storm, .sa_flags = draw_below(2) ? SA_RESTART : 0}, NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    OK(sigprocmask(SIG_BLOCK, &set, &old));
    pid_t pid = (pid_t)OK(fork());
    if (pid == 0) {
        for (int i = 0; i < count; i++) {
            if (i % 4 == 0) OK(kill(parent, SIGUSR1));
            while (sigqueue(parent, SIGRTMIN, (union sigval){.sival_int = i}) < 0) {
                EQUAL(errno, EAGAIN);
                sched_yield();
            }
        }
        _exit(8);
    }
    for (int i = 0; i < count; i++) {
        int signal;
        do signal = sigwaitinfo(&set, &info);
        while (signal < 0 && errno == EINTR);
        EQUAL(signal, SIGRTMIN);
        EQUAL(info.si_value.sival_int, i);
        EQUAL(info.si_pid, pid);
    }
    int status;
    while (waitpid(pid, &status, 0) < 0) EQUAL(errno, EINTR);
    EQUAL(status, 8 << 8);
    CHECK(storms > 0);
    storms = 0;
    OK(sigprocmask(SIG_SETMASK, &old, NULL));
}

/* --- memory ----------------------------------------------------------------------------------------------- */

static sigjmp_buf fault_back;
static void fault(int signal) { siglongjmp(fault_back, signal); }

static bool faults(volatile char *at, bool write) {
    if (sigsetjmp(fault_back, 1)) return true;
    if (write) *at = 1;
    else (void)*at;
    return false;
}

static void *fill_pages(void *first) {
    for (long *p = first; p < (long *)first + 16 * PAGE / 8; p += PAGE / 8) __atomic_fetch_add(p, 1, __ATOMIC_RELAXED);
    return NULL;
}

static void mappings(void) {
    sigaction(SIGSEGV, &(struct sigaction){.sa_handler = fault, .sa_flags = SA_NODEFER}, NULL);
    char *p = map(16 * PAGE, MAP_PRIVATE);
    pthread_t t[4];
    int k = (int)draw_below(16);
    for (int i = 0; i < 4; i++) EQUAL(pthread_create(&t[i], NULL, fill_pages, p), 0); /* the same faults at once */
    for (int i = 0; i < 4; i++) EQUAL(pthread_join(t[i], NULL), 0);
    for (int i = 0; i < 16; i++) EQUAL(*(long *)(p + i * PAGE), 4);
    pid_t pid = (pid_t)OK(fork()); /* copy on write, both ways */
    for (int i = 0; i < 16; i++) *(long *)(p + i * PAGE) = i + (pid ? 100 : 200);
    sched_yield();
    for (int i = 0; i < 16; i++) EQUAL(*(long *)(p + i * PAGE), i + (pid ? 100 : 200));
    if (pid == 0) _exit(9);
    expect_exit(pid, 9);
    OK(mprotect(p + k * PAGE, PAGE, PROT_READ));
    CHECK(faults(p + k * PAGE, true) && !faults(p + k * PAGE, false));
    OK(mprotect(p + k * PAGE, PAGE, PROT_NONE));
    CHECK(faults(p + k * PAGE, false));
    OK(mprotect(p + k * PAGE, PAGE, PROT_READ | PROT_WRITE));
    EQUAL(*(long *)(p + k * PAGE), k + 100);
    OK(madvise(p + k * PAGE, PAGE, MADV_DONTNEED));
    EQUAL(*(long *)(p + k * PAGE), 0);
    OK(munmap(p + k * PAGE, PAGE));
    CHECK(faults(p + k * PAGE, false));
    long *q = mremap(p + (k ? 0 : PAGE), PAGE, 64 * PAGE, MREMAP_MAYMOVE);
    CHECK(q != MAP_FAILED);
    EQUAL(*q, (k ? 0 : 1) + 100);
    OK(munmap(q, 64 * PAGE));
    OK(munmap(p, 16 * PAGE));
}

static void shared_memory(void) {
    char name[32];
    int count = (int)draw_below(4) + 2, fd;
    snprintf(name, sizeof(name), "memory%u", actor_id);
    fd = (int)OK(open(name, O_RDWR | O_CREAT | O_TRUNC, 0600));
    OK(unlink(name));
    OK(ftruncate(fd, 8 * PAGE));
    _Atomic long *shared = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(shared != MAP_FAILED);
    pid_t pids[6];
    for (int i = 0; i < count; i++) {
        pids[i] = (pid_t)OK(fork());
        if (pids[i] == 0) {
            for (int k = 0; k < 8 * 100; k++) atomic_fetch_add(&shared[k % 8 * (PAGE / 8)], 1);
            _exit(10);
        }
    }
    for (int i = 0; i < count; i++) expect_exit(pids[i], 10);
    for (int k = 0; k < 8; k++) {
        long in_file;
        EQUAL(shared[k * (PAGE / 8)], 100 * count);
        EQUAL(pread(fd, &in_file, sizeof(in_file), k * PAGE), sizeof(in_file));
        EQUAL(in_file, 100 * count);
    }
    OK(munmap(shared, 8 * PAGE));
    OK(close(fd));
}

/* --- files ------------------------------------------------------------------------------------------------ */

static int entries_of(const char *folder, const char *prefix) {
    DIR *d = opendir(folder);
    int count = 0;
    CHECK(d);
    for (struct dirent *e; (e = readdir(d));) count += !strncmp(e->d_name, prefix, strlen(prefix));
    closedir(d);
    return count;
}

/* In one folder with the other copies. */
static void files(void) {
    char name[32], other[32], prefix[16], got[256];
    int count = (int)draw_below(20) + 1;
    uint32_t key = (uint32_t)draw();
    mkdir("files", 0755);
    snprintf(prefix, sizeof(prefix), "%u-", actor_id);
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "files/%u-%d", actor_id, i);
        int fd = (int)OK(open(name, O_RDWR | O_CREAT | O_EXCL, 0644));
        stream_write(fd, key + (unsigned)i, (size_t)i * 777);
        OK(close(fd));
    }
    EQUAL(entries_of("files", prefix), count);
    for (int i = 0; i < count; i++) { /* renamed over the next one, or away */
        snprintf(name, sizeof(name), "files/%u-%d", actor_id, i);
        snprintf(other, sizeof(other), "files/%u-%d", actor_id, i % 2 ? i + 100 : (i + 1) % count);
        if (i % 2 == 0 && i + 1 < count) {
            OK(link(name, "files/link") < 0 ? errno == EEXIST ? 0 : -1 : unlink("files/link"));
            snprintf(got, sizeof(got), "files/%u-x", actor_id);
            OK(rename(name, got));
            OK(rename(got, name));
            continue;
        }
        if (i % 2) OK(rename(name, other));
        int fd = (int)OK(open(i % 2 ? other : name, O_RDONLY));
        if (i % 2) FAILS(ENOENT, access(name, F_OK));
        stream_read(fd, key + (unsigned)i, (size_t)i * 777);
        OK(close(fd));
    }
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "files/%u-%d", actor_id, i % 2 ? i + 100 : i);
        OK(unlink(name));
    }
    EQUAL(entries_of("files", prefix), 0);
}

/* --- waiting for many things ------------------------------------------------------------------------------- */

#define MANY 12
static void polling(void) {
    int to[MANY][2], from[MANY][2], set = (int)OK(epoll_create1(0)), laps = (int)draw_below(20) + 1;
    uint32_t edge = draw_below(2) ? EPOLLET : 0;
    bool with_poll = draw_below(3) == 0;
    struct pollfd p[MANY];
    int left[MANY], waiting = MANY;
    for (int i = 0; i < MANY; i++) {
        OK(pipe(to[i]));
        OK(pipe(from[i]));
        p[i] = (struct pollfd){from[i][0], POLLIN, 0};
        left[i] = laps;
        struct epoll_event e = {.events = EPOLLIN | edge, .data.u32 = (uint32_t)i};
        OK(epoll_ctl(set, EPOLL_CTL_ADD, from[i][0], &e));
    }
    pid_t pid = (pid_t)OK(fork());
    if (pid == 0) { /* an echo for each pipe, by poll */
        struct pollfd q[MANY];
        for (int i = 0; i < MANY; i++) {
            OK(close(to[i][1]));
            q[i] = (struct pollfd){to[i][0], POLLIN, 0};
        }
        for (int open = MANY; open > 0;) {
            OK(poll(q, MANY, -1));
            for (int i = 0; i < MANY; i++) {
                char c;
                if (!q[i].revents) continue;
                if (read(q[i].fd, &c, 1) == 1) {
                    EQUAL(write(from[i][1], &c, 1), 1);
                } else {
                    q[i].fd = -1;
                    open--;
                }
            }
        }
        _exit(11);
    }
    for (int i = 0; i < MANY; i++) {
        OK(close(to[i][0]));
        EQUAL(write(to[i][1], "x", 1), 1);
    }
    while (waiting > 0) {
        struct epoll_event e[MANY];
        int n = with_poll ? (int)OK(poll(p, MANY, -1)) : (int)OK(epoll_wait(set, e, MANY, -1));
        CHECK(n > 0);
        for (int k = 0; k < (with_poll ? MANY : n); k++) {
            int i = with_poll ? k : (int)e[k].data.u32;
            char c;
            if (with_poll && !p[i].revents) continue;
            EQUAL(read(from[i][0], &c, 1), 1);
            if (--left[i] > 0) {
                EQUAL(write(to[i][1], "y", 1), 1);
                continue;
            }
            OK(close(to[i][1]));
            p[i].fd = -1;
            waiting--;
        }
    }
    expect_exit(pid, 11);
    OK(close(set));
    for (int i = 0; i < MANY; i++) {
        OK(close(from[i][0]));
        OK(close(from[i][1]));
    }
}

static void *post_events(void *fd) {
    for (int i = 0; i < 50; i++) EQUAL(write((int)(long)fd, &(uint64_t){3}, 8), 8);
    return NULL;
}
static void events(void) {
    int fd = (int)OK(eventfd(0, 0));
    pthread_t t;
    uint64_t sum = 0, n;
    EQUAL(pthread_create(&t, NULL, post_events, (void *)(long)fd), 0);
    while (sum < 150) {
        EQUAL(read(fd, &n, 8), 8);
        sum += n;
    }
    EQUAL(sum, 150);
    EQUAL(pthread_join(t, NULL), 0);
    OK(close(fd));
}

/* --- clocks ------------------------------------------------------------------------------------------------ */

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* Never too early, and never not at all. */
static void timers(void) {
    long ns = draw_below(3000000) + 1;
    int64_t before = now_ns();
    struct itimerspec once = {.it_value.tv_nsec = ns}, every = {.it_value.tv_nsec = ns, .it_interval.tv_nsec = ns};
    uint64_t times = 0, n;
    int fd = (int)OK(timerfd_create(CLOCK_MONOTONIC, 0));
    OK(timerfd_settime(fd, 0, draw_below(2) ? &once : &every, NULL));
    EQUAL(read(fd, &times, 8), 8);
    CHECK(times >= 1 && now_ns() - before >= ns);
    before = now_ns();
    OK(timerfd_settime(fd, 0, &every, NULL));
    for (times = 0; times < 3; times += n) EQUAL(read(fd, &n, 8), 8);
    CHECK(now_ns() - before >= 3 * ns);
    OK(close(fd));
    timer_t t;
    sigset_t set;
    siginfo_t info;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 1);
    OK(sigprocmask(SIG_BLOCK, &set, NULL));
    struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1, .sigev_value.sival_int = 12};
    OK(timer_create(CLOCK_MONOTONIC, &e, &t));
    before = now_ns();
    OK(timer_settime(t, 0, &once, NULL));
    EQUAL(sigwaitinfo(&set, &info), SIGRTMIN + 1);
    CHECK(now_ns() - before >= ns);
    EQUAL(info.si_value.sival_int, 12);
    OK(timer_delete(t));
    before = now_ns();
    OK(nanosleep(&once.it_value, NULL));
    CHECK(now_ns() - before >= ns);
}

/* --- the whole --------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    void (*round)(void);
} actors[] = {
    {"pipes", pipes},        {"sockets", sockets}, {"processes", processes}, {"threads", threads},
    {"locks", shared_locks}, {"signals", signals}, {"mappings", mappings},   {"memory", shared_memory},
    {"files", files},        {"polling", polling}, {"events", events},       {"timers", timers},
};
#define ACTORS (sizeof(actors) / sizeof(actors[0]))
#define COPIES_MAX 8

static struct {
    atomic_bool over;
    _Atomic long rounds[ACTORS * COPIES_MAX];
} *board;

static int act(void *id) {
    actor_id = *(unsigned *)id;
    alarm(0);
    draw_seed(setting("STRESS_SEED", 1) * 1000 + actor_id);
    while (!board->over) {
        actors[actor_id % ACTORS].round();
        board->rounds[actor_id]++;
    }
    return 0;
}

/* Looks after them until the time is over and they have ended: each must get on. */
static void watch(pid_t *pids, unsigned count, int seconds) {
    long seen[ACTORS * COPIES_MAX] = {};
    int64_t since[ACTORS * COPIES_MAX], end = now_ms() + 1000LL * seconds;
    for (unsigned i = 0; i < count; i++) since[i] = now_ms();
    for (unsigned left = count; left > 0; sleep_ms(20)) {
        if (now_ms() >= end) board->over = true;
        left = 0;
        for (unsigned i = 0; i < count; i++) {
            int status;
            const char *name = actors[i % ACTORS].name;
            if (!pids[i]) continue;
            left++;
            if (waitpid(pids[i], &status, WNOHANG) == pids[i]) {
                if (status) test_fail(__FILE__, __LINE__, "%s %u fails: status %d", name, i, status);
                CHECK(board->over);
                pids[i] = 0;
            } else if (board->rounds[i] != seen[i]) {
                seen[i] = board->rounds[i];
                since[i] = now_ms();
            } else if (now_ms() - since[i] > STUCK_MS) {
                test_fail(__FILE__, __LINE__, "%s %u, process %d, has stopped in round %ld", name, i, (int)pids[i],
                          seen[i]);
            }
        }
    }
}

static void run(int seconds, unsigned copies) {
    const char *only = getenv("STRESS_ONLY");
    pid_t pids[ACTORS * COPIES_MAX] = {};
    unsigned count = ACTORS * copies;
    board->over = false;
    for (unsigned i = 0; i < count; i++) {
        board->rounds[i] = 0;
        if (!only || !strcmp(only, actors[i % ACTORS].name)) pids[i] = child_start(act, &i);
    }
    watch(pids, count, seconds);
    for (unsigned i = 0; i < ACTORS; i++) {
        long rounds = 0;
        for (unsigned k = i; k < count; k += ACTORS) rounds += board->rounds[k];
        printf("# %s %ld\n", actors[i].name, rounds);
    }
    fflush(stdout);
    rmdir("files");
}

TEST(everything_at_once) {
    unsigned seconds = setting("STRESS_SECONDS", SECONDS), copies = setting("STRESS_COPIES", 2);
    struct system_state before;
    alarm(seconds + 2 * STUCK_MS / 1000);
    copies = copies < COPIES_MAX ? copies : COPIES_MAX;
    board = map(PAGE, MAP_SHARED);
    run(2, copies); /* fills the caches */
    system_state_get(&before);
    run((int)seconds, copies);
    system_state_check(&before);
}
