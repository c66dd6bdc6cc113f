// SPDX-License-Identifier: MIT
/*
 * Each resource taken until there is no more: the call says so with its own errno, others can work in the meantime,
 * and all of it is there again when it was given back.
 */
#include "hostile.h"
#include <fcntl.h>
#include <mqueue.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/timerfd.h>
#include <sys/un.h>

#define USER 3000
#define FILES 512
#define PAGE 4096UL

/* --- how a case goes ------------------------------------------------------------------------------------------- */

static void expect_usable(void) { /* others than this process */
    EQUAL(WEXITSTATUS(system("test \"$(echo usable | tr a-z A-Z)\" = USABLE")), 0);
}

static int usable(void *unused) {
    (void)unused;
    expect_usable();
    return 0;
}

/*
 * A child takes as many as there are, tells how many, and holds them until others were seen to work; the next one
 * gets as many (give or take what caches hold), and at the end nothing is missing.
 */
static void exhaust(int (*take_all)(void), bool others_work) {
    struct system_state before;
    int counts[3], ready[2], go[2];
    alarm(240);
    OK(prctl(PR_SET_CHILD_SUBREAPER, 1UL)); /* children's children count until they are waited for */
    for (int round = 0; round < 3; round++) {
        if (round == 1) system_state_get(&before); /* the first fills the caches */
        OK(pipe(ready));
        OK(pipe(go));
        pid_t pid = (pid_t)OK(fork());
        if (pid == 0) {
            close(go[1]);
            alarm(200);
            int count = take_all();
            EQUAL(write(ready[1], &count, sizeof(count)), sizeof(count));
            read(go[0], &count, 1);
            _exit(0);
        }
        OK(close(ready[1]));
        OK(close(go[0]));
        EQUAL(read(ready[0], &counts[round], sizeof(int)), sizeof(int));
        if (others_work) EQUAL(child_run(usable, NULL), 0);
        OK(close(go[1]));
        OK(close(ready[0]));
        EQUAL(child_wait(pid), 0);
        while (wait(NULL) > 0);
        expect_usable();
    }
    dprintf(STDOUT_FILENO, "# %d, %d and %d\n", counts[0], counts[1], counts[2]);
    CHECK(counts[1] > 0 && counts[2] >= counts[1] - counts[1] / 10 && counts[2] <= counts[1] + counts[1] / 10 + 1);
    system_state_check(&before);
}

/* Takes with `make` until it fails, which must be with this errno. */
#define UNTIL(error, make)                                                                                             \
    ({                                                                                                                 \
        int taken_ = 0;                                                                                                \
        errno = 0;                                                                                                     \
        while ((make) >= 0) taken_++;                                                                                  \
        EQUAL(errno, error);                                                                                           \
        taken_;                                                                                                        \
    })

static void files_limit(rlim_t limit) { OK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){limit, limit})); }

/* --- descriptors, of every kind --------------------------------------------------------------------------------- */

static int descriptors(void) {
    int p[2];
    files_limit(FILES);
    int count = UNTIL(EMFILE, open("/dev/null", O_RDONLY));
    FAILS(EMFILE, dup(0));
    FAILS(EMFILE, fcntl(0, F_DUPFD, 3));
    FAILS(EMFILE, pipe(p));
    FAILS(EMFILE, socket(AF_UNIX, SOCK_STREAM, 0));
    FAILS(EMFILE, socketpair(AF_UNIX, SOCK_STREAM, 0, p));
    FAILS(EMFILE, eventfd(0, 0));
    FAILS(EMFILE, timerfd_create(CLOCK_MONOTONIC, 0));
    FAILS(EMFILE, epoll_create1(0));
    FAILS(EMFILE, inotify_init());
    FAILS(EMFILE, memfd_create("x", 0));
    FAILS(EMFILE, open("new", O_CREAT | O_RDWR, 0600));
    FAILS(EMFILE, open("/dev/ptmx", O_RDWR | O_NOCTTY));
    OK(close(FILES - 1)); /* room for one, not for two */
    FAILS(EMFILE, pipe(p));
    FAILS(EMFILE, socketpair(AF_UNIX, SOCK_DGRAM, 0, p));
    EQUAL(dup(0), FILES - 1);
    EQUAL(dup2(0, FILES - 1), FILES - 1);
    FAILS(EBADF, dup2(0, FILES));
    return count;
}
TEST(descriptors_of_all_kinds) { exhaust(descriptors, true); }

static int pipes(void) {
    int p[2];
    files_limit(20000);
    int count = UNTIL(EMFILE, pipe(p));
    return count;
}
TEST(pipes_by_the_thousand) { exhaust(pipes, true); }

static int sockets(void) {
    files_limit(3000);
    return UNTIL(EMFILE, socket(AF_UNIX, SOCK_STREAM, 0));
}
TEST(unix_sockets) { exhaust(sockets, true); }

static int events(void) {
    files_limit(4000);
    int set = (int)OK(epoll_create1(0)), fd;
    struct epoll_event e = {.events = EPOLLIN};
    return UNTIL(EMFILE, (fd = eventfd(0, 0)) < 0 ? -1 : epoll_ctl(set, EPOLL_CTL_ADD, fd, &e));
}
TEST(eventfds_in_a_set) { exhaust(events, true); }

static int timer_descriptors(void) {
    struct itimerspec t = {.it_value.tv_sec = 1000};
    int fd;
    files_limit(3000);
    return UNTIL(EMFILE, (fd = timerfd_create(CLOCK_MONOTONIC, 0)) < 0 ? -1 : timerfd_settime(fd, 0, &t, NULL));
}
TEST(timerfds) { exhaust(timer_descriptors, true); }

static int posix_timers(void) {
    struct sigevent e = {.sigev_notify = SIGEV_NONE};
    timer_t t;
    int count = 0;
    while (count < 20000 && timer_create(CLOCK_MONOTONIC, &e, &t) == 0) count++;
    if (count < 20000) EQUAL(errno, EAGAIN);
    return count;
}
TEST(timers) { exhaust(posix_timers, true); }

static int terminals(void) {
    int count = 0;
    files_limit(10000);
    while (open("/dev/ptmx", O_RDWR | O_NOCTTY) >= 0) count++;
    CHECK(errno == ENOSPC || errno == EMFILE || errno == EAGAIN || errno == EIO);
    return count;
}
TEST(ptys) { exhaust(terminals, true); }

/* --- processes and threads --------------------------------------------------------------------------------------- */

static void become_user(rlim_t tasks) {
    OK(setrlimit(RLIMIT_NPROC, &(struct rlimit){tasks, tasks}));
    OK(setgid(USER));
    OK(setuid(USER));
}

static int processes(void) {
    pid_t pid;
    become_user(100);
    int count = 0, hold[2];
    OK(pipe(hold)); /* they end with this one */
    while ((pid = fork()) >= 0) {
        if (pid == 0) {
            char c;
            close(hold[1]);
            read(hold[0], &c, 1);
            _exit(0);
        }
        count++;
    }
    EQUAL(errno, EAGAIN);
    FAILS(EAGAIN, fork());
    EQUAL(count, 99);
    return count;
}
TEST(processes_of_a_user) {
    if (getuid() != 0) SKIP("needs root");
    exhaust(processes, true);
}

static void *wait_for_ever(void *unused) {
    for (;;) pause();
    return unused;
}
static int threads(void) {
    pthread_t t;
    int count = 0, error;
    become_user(100);
    while (!(error = pthread_create(&t, NULL, wait_for_ever, NULL))) count++;
    EQUAL(error, EAGAIN);
    EQUAL(count, 99);
    return count;
}
TEST(threads_of_a_user) {
    if (getuid() != 0) SKIP("needs root");
    exhaust(threads, true);
}

/* Without a quota: until memory for their stacks or the table of tasks ends. */
static int threads_of_root(void) {
    pthread_t t;
    pthread_attr_t a;
    int count = 0, error = 0;
    OK(setrlimit(RLIMIT_AS, &(struct rlimit){8 << 20, 8 << 20}));
    pthread_attr_init(&a);
    pthread_attr_setstacksize(&a, 65536);
    while (count < 5000 && !(error = pthread_create(&t, &a, wait_for_ever, NULL))) count++;
    EQUAL(error, EAGAIN);
    return count;
}
TEST(threads_in_an_address_space) { exhaust(threads_of_root, true); }

/* --- signals ------------------------------------------------------------------------------------------------------ */

static int queued_signals(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    OK(sigprocmask(SIG_BLOCK, &set, NULL));
    OK(setrlimit(RLIMIT_SIGPENDING, &(struct rlimit){500, 500}));
    int sent = 0;
    int count = UNTIL(EAGAIN, sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = sent++}));
    siginfo_t info;
    OK(kill(getpid(), SIGRTMIN)); /* POSIX: kill goes through, with or without its place in the queue */
    for (int i = 0; i < count; i++) {
        EQUAL(sigwaitinfo(&set, &info), SIGRTMIN);
        EQUAL(info.si_value.sival_int, i);
    }
    sent = 0;
    UNTIL(EAGAIN, sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = sent++})); /* end with it */
    return count;
}
TEST(signals_in_a_queue) { exhaust(queued_signals, true); }

/* --- memory ------------------------------------------------------------------------------------------------------- */

static int mappings(void) {
    int count = 0;
    while (count < 20000) { /* every second page: none can be one with its neighbour */
        char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED || mprotect(p, PAGE, PROT_NONE) < 0) break;
        count++;
    }
    CHECK(count == 20000 || errno == ENOMEM);
    return count;
}
TEST(memory_mappings) { exhaust(mappings, true); }

static int address_space(void) {
    OK(setrlimit(RLIMIT_AS, &(struct rlimit){100 << 20, 100 << 20}));
    int count = 0;
    while (mmap(NULL, 1 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED) count++;
    EQUAL(errno, ENOMEM);
    FAILS(ENOMEM, (long)mmap(NULL, 1L << 46, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    return count;
}
TEST(address_space_limit) { exhaust(address_space, true); }

static void remove_all(void) {
    char name[32];
    for (int i = 0; i < 64; i++) {
        snprintf(name, sizeof(name), "full%d", i);
        unlink(name);
    }
}

/* The file system in memory: full without having taken the memory of others. */
TEST(file_system_full) {
    static char block[65536];
    struct system_state before;
    if (!is_cathode()) SKIP("would fill a disk");
    alarm(240);
    for (int round = 0; round < 3; round++) {
        long total = 0;
        ssize_t n = 0;
        int error = 0;
        if (round == 1) system_state_get(&before);
        for (int i = 0; i < 64; i++) {
            char name[32];
            snprintf(name, sizeof(name), "full%d", i);
            int fd = open(name, O_CREAT | O_WRONLY, 0600);
            if (fd < 0) break;
            while ((n = write(fd, block, sizeof(block))) > 0) total += n;
            error = errno;
            OK(close(fd));
            if (i == 2) expect_usable();
        }
        EQUAL(error, ENOSPC);
        expect_usable();
        remove_all();
        dprintf(STDOUT_FILENO, "# %ld KiB\n", total / 1024);
        CHECK(total > 16 << 20);
    }
    system_state_check(&before);
}

/* Memory of all kinds at once as a user: whoever takes it is ended or told, nobody else. */
static int hog(void *kind) {
    OK(setgid(USER));
    OK(setuid(USER));
    int fd = (int)OK(memfd_create("hog", 0));
    static char block[65536];
    for (;;) {
        if (*(int *)kind == 0) {
            if (write(fd, block, sizeof(block)) < 0) return errno == ENOSPC || errno == ENOMEM ? 0 : 1;
        } else {
            char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
            if (p == MAP_FAILED) return errno == ENOMEM ? 0 : 1;
            for (size_t at = 0; at < 1 << 20; at += PAGE) p[at] = 1;
        }
    }
}
TEST(memory_in_files_and_shared) {
    struct system_state before;
    if (!is_cathode()) SKIP("would take all memory");
    alarm(240);
    for (int round = 0; round < 4; round++) {
        int kind = round % 2;
        if (round == 2) system_state_get(&before);
        int status = child_wait(child_start(hog, &kind));
        dprintf(STDOUT_FILENO, "# kind %d: status %d\n", kind, status);
        CHECK(status == 0 || (WIFSIGNALED(status) && (WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGBUS)));
        expect_usable();
    }
    system_state_check(&before);
}

/* --- queues, and what System V has ---------------------------------------------------------------- */

static int message_queues(void) {
    char name[32];
    int count = 0;
    struct mq_attr a = {.mq_maxmsg = 1, .mq_msgsize = 16};
    files_limit(4000);
    for (;; count++) {
        snprintf(name, sizeof(name), "/exhaustion%d", count);
        if (mq_open(name, O_CREAT | O_RDWR, 0600, &a) < 0) break;
    }
    CHECK(errno == ENOSPC || errno == EMFILE || errno == ENFILE || errno == ENOMEM);
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "/exhaustion%d", i);
        OK(mq_unlink(name));
    }
    return count;
}
TEST(posix_message_queues) { exhaust(message_queues, true); }

static int sysv_queues(void) {
    static int ids[40000];
    int count = 0;
    while (count < 40000 && (ids[count] = msgget(IPC_PRIVATE, 0600)) >= 0) count++;
    EQUAL(errno, ENOSPC);
    for (int i = 0; i < count; i++) OK(msgctl(ids[i], IPC_RMID, NULL));
    return count;
}
TEST(sysv_message_queues) { exhaust(sysv_queues, false); }

static int sysv_semaphores(void) {
    static int ids[40000];
    int count = 0;
    while (count < 40000 && (ids[count] = semget(IPC_PRIVATE, 3, 0600)) >= 0) count++;
    EQUAL(errno, ENOSPC);
    for (int i = 0; i < count; i++) OK(semctl(ids[i], 0, IPC_RMID));
    return count;
}
TEST(sysv_semaphore_sets) { exhaust(sysv_semaphores, false); }

static int sysv_segments(void) {
    static int ids[40000];
    int count = 0;
    while (count < 40000 && (ids[count] = shmget(IPC_PRIVATE, PAGE, 0600)) >= 0) count++;
    CHECK(errno == ENOSPC || errno == ENOMEM);
    for (int i = 0; i < count; i++) OK(shmctl(ids[i], IPC_RMID, NULL));
    return count;
}
TEST(sysv_shared_memory) { exhaust(sysv_segments, false); }

/* --- inotify -------------------------------------------------------------------------------------- */

static int watches(void) {
    char name[32];
    int fd = (int)OK(inotify_init()), count = 0;
    for (; count < 100000; count++) {
        snprintf(name, sizeof(name), "watched%d", count);
        if (mkdir(name, 0755) < 0 || inotify_add_watch(fd, name, IN_ALL_EVENTS) < 0) break;
    }
    EQUAL(errno, ENOSPC);
    for (int i = 0; i <= count; i++) {
        snprintf(name, sizeof(name), "watched%d", i);
        OK(rmdir(name));
    }
    return count;
}
TEST(inotify_watches) {
    if (!is_cathode()) SKIP("Linux has no end of them");
    exhaust(watches, true);
}

/* --- descriptors on their way --------------------------------------------------------------------- */

static int send_descriptors(int s, const int *fds, size_t count) {
    union {
        struct cmsghdr align;
        char bytes[1024];
    } control = {};
    struct iovec v = {"x", 1};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control.bytes};
    m.msg_controllen = CMSG_SPACE(count * sizeof(int));
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    h->cmsg_len = CMSG_LEN(count * sizeof(int));
    h->cmsg_level = SOL_SOCKET;
    h->cmsg_type = SCM_RIGHTS;
    memcpy(CMSG_DATA(h), fds, count * sizeof(int));
    return (int)sendmsg(s, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Hoarded in sockets that nobody reads, which are closed then: not even a table has them. */
static int in_flight(void) {
    int s[2], fds[200], count = 0;
    files_limit(1000);
    if (getuid() == 0) become_user(100);
    for (int i = 0; i < 200; i++) fds[i] = (int)OK(dup(0));
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    while (count < 100000 && send_descriptors(s[0], fds, 200) == 1) count += 200;
    CHECK(errno == ETOOMANYREFS || errno == EAGAIN);
    return count;
}
TEST(descriptors_in_flight) { exhaust(in_flight, true); }
