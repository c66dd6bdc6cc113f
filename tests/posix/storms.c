// SPDX-License-Identifier: MIT
/*
 * Signals that storm in on every call that waits. With SA_RESTART those go on that POSIX and signal(7) say go on, and
 * end with what they waited for; all others, and all without SA_RESTART, end with EINTR, and what they waited for
 * is there when they are called again.
 */
#include "hostile.h"
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <termios.h>

#define SIGNALS 12 /* handled during one call, at least */
#define LONG_NS 60000000000LL

static struct {
    atomic_int handled;
    atomic_bool waiting, over;
    sem_t semaphore;
    pthread_mutex_t mutex;
    pthread_cond_t condition;
    pthread_barrier_t barrier;
    pthread_rwlock_t rwlock;
    bool changed;
} *shared;

static void handle(int signal) {
    (void)signal;
    shared->handled++;
}

static int fd[2], id;
static pid_t target;

/* --- what waits: prepare, call (0 when it has what it waited for, or -1), release (in another process) ------- */

static void none(void) {}

static void pipe_make(void) { OK(pipe(fd)); }
static void pipe_fill(void) {
    static char block[4096];
    OK(pipe(fd));
    OK(fcntl(fd[1], F_SETFL, O_NONBLOCK));
    while (write(fd[1], block, sizeof(block)) > 0) continue;
    OK(fcntl(fd[1], F_SETFL, 0));
}
static void one_write(void) { EQUAL(write(fd[1], "x", 1), 1); }
static void all_read(void) {
    static char block[4096];
    while (!shared->over) {
        struct pollfd p = {fd[0], POLLIN, 0};
        if (poll(&p, 1, 10) > 0 && read(fd[0], block, sizeof(block)) <= 0) break;
    }
}
static int one_read(void) {
    char c = 0;
    ssize_t n = read(fd[0], &c, 1);
    if (n < 0) return -1;
    EQUAL(n, 1);
    EQUAL(c, 'x');
    return 0;
}
static int one_readv(void) {
    char c = 0;
    struct iovec v[2] = {{&c, 0}, {&c, 1}};
    ssize_t n = readv(fd[0], v, 2);
    if (n < 0) return -1;
    EQUAL(n, 1);
    EQUAL(c, 'x');
    return 0;
}
static int block_write(void) {
    static char block[4096];
    ssize_t n = write(fd[1], block, sizeof(block));
    if (n < 0) return -1;
    CHECK(n > 0);
    return 0;
}

static void pair_make(void) { OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd)); }
static void packets_make(void) { OK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd)); }
static void pair_fill(void) {
    static char block[4096];
    pair_make();
    while (send(fd[1], block, sizeof(block), MSG_DONTWAIT) > 0) continue;
}
static int one_recv(void) {
    char c = 0;
    ssize_t n = recv(fd[0], &c, 1, 0);
    if (n < 0) return -1;
    EQUAL(c, 'x');
    return 0;
}
static int one_recvmsg(void) {
    char c = 0;
    struct iovec v = {&c, 1};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
    ssize_t n = recvmsg(fd[0], &m, 0);
    if (n < 0) return -1;
    EQUAL(c, 'x');
    return 0;
}
static int one_send(void) { return send(fd[1], "x", 1, 0) < 0 ? -1 : 0; }
static void timed_pair_make(void) {
    struct timeval t = {60, 0};
    pair_make();
    OK(setsockopt(fd[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
}
static void timed_pair_fill(void) {
    struct timeval t = {60, 0};
    pair_fill();
    OK(setsockopt(fd[1], SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t)));
}

static const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
static void listener_make(void) {
    fd[0] = (int)OK(socket(AF_UNIX, SOCK_STREAM, 0));
    OK(bind(fd[0], (const struct sockaddr *)&address, sizeof(address)));
    OK(listen(fd[0], 0));
}
static int connect_once(void) {
    static int s = -1;
    if (s < 0) s = (int)OK(socket(AF_UNIX, SOCK_STREAM, 0));
    if (connect(s, (const struct sockaddr *)&address, sizeof(address)) < 0) return -1;
    close(s);
    s = -1;
    return 0;
}
static int accept_once(void) {
    int s = accept(fd[0], NULL, NULL);
    if (s < 0) return -1;
    OK(close(s));
    return 0;
}
static void connect_other(void) { EQUAL(connect_once(), 0); }
static void listener_fill(void) {
    int s;
    listener_make();
    do s = (int)OK(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    while (connect(s, (const struct sockaddr *)&address, sizeof(address)) == 0);
    EQUAL(errno, EAGAIN);
    OK(close(s));
}
static void accept_other(void) { EQUAL(accept_once(), 0); }

static void pty_make(void) {
    int zero = 0;
    fd[1] = (int)OK(open("/dev/ptmx", O_RDWR | O_NOCTTY));
    OK(ioctl(fd[1], TIOCSPTLCK, &zero));
    fd[0] = (int)OK(open(ptsname(fd[1]), O_RDWR | O_NOCTTY));
}
static void pty_turned(void) {
    int master;
    pty_make();
    master = fd[1];
    fd[1] = fd[0];
    fd[0] = master;
}
static void line_write(void) { EQUAL(write(fd[1], "x\n", 2), 2); }
static int line_read(void) {
    char line[8];
    ssize_t n = read(fd[0], line, sizeof(line));
    if (n < 0) return -1;
    EQUAL(n, 2);
    CHECK(!memcmp(line, "x\n", 2));
    return 0;
}
static void pty_fill(void) { /* nobody reads what the terminal's programs write */
    static char block[1024];
    pty_turned();
    memset(block, 'x', sizeof(block));
    OK(fcntl(fd[1], F_SETFL, O_NONBLOCK));
    for (size_t n = sizeof(block); n > 0; n /= 2, sleep_ms(2)) /* what moves on makes room once more */
        while (write(fd[1], block, n) > 0) continue;
    OK(fcntl(fd[1], F_SETFL, 0));
}

static void counter_make(void) { fd[0] = fd[1] = (int)OK(eventfd(0, 0)); }
static void counter_fill(void) { fd[0] = fd[1] = (int)OK(eventfd(1, 0)); }
static void counter_write(void) { EQUAL(write(fd[1], &(uint64_t){7}, 8), 8); }
static int counter_read(void) {
    uint64_t n = 0;
    if (read(fd[0], &n, 8) < 0) return -1;
    EQUAL(n, 7);
    return 0;
}
static int counter_overflow(void) { return write(fd[1], &(uint64_t){UINT64_MAX - 1}, 8) < 0 ? -1 : 0; }
static void counter_empty(void) { EQUAL(read(fd[0], &(uint64_t){0}, 8), 8); }

static void timer_make(void) { fd[0] = (int)OK(timerfd_create(CLOCK_MONOTONIC, 0)); }
static void timer_start(void) { OK(timerfd_settime(fd[0], 0, &(struct itimerspec){.it_value.tv_nsec = 1}, NULL)); }
static int timer_read(void) {
    uint64_t n = 0;
    if (read(fd[0], &n, 8) < 0) return -1;
    EQUAL(n, 1);
    return 0;
}

static void watch_make(void) {
    fd[0] = (int)OK(inotify_init());
    OK(mkdir("watched", 0755));
    OK(inotify_add_watch(fd[0], "watched", IN_CREATE));
}
static void watched_create(void) { OK(mkdir("watched/x", 0755)); }
static int watch_read(void) {
    char event[64];
    ssize_t n = read(fd[0], event, sizeof(event));
    if (n < 0) return -1;
    CHECK(n > 0);
    return 0;
}

static sigset_t set_of(int signal) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    return set;
}
static void signals_make(void) {
    sigset_t set = set_of(SIGUSR2);
    OK(sigprocmask(SIG_BLOCK, &set, NULL));
    fd[0] = (int)OK(signalfd(-1, &set, 0));
}
static void signal_other(void) { OK(kill(target, SIGUSR2)); }
static int signal_read(void) {
    struct signalfd_siginfo info;
    if (read(fd[0], &info, sizeof(info)) < 0) return -1;
    EQUAL(info.ssi_signo, SIGUSR2);
    return 0;
}
static int signal_wait(void) {
    sigset_t set = set_of(SIGUSR2);
    int signal = (int)syscall(SYS_rt_sigtimedwait, &set, NULL, NULL, 8L); /* musl's functions go on */
    if (signal < 0) return -1;
    EQUAL(signal, SIGUSR2);
    return 0;
}
static int signal_timedwait(void) {
    sigset_t set = set_of(SIGUSR2);
    return syscall(SYS_rt_sigtimedwait, &set, NULL, &(struct timespec){60, 0}, 8L) < 0 ? -1 : 0;
}

static void fifo_make(void) { OK(mkfifo("fifo", 0600)); }
static int fifo_open_in(void) {
    int f = open("fifo", O_RDONLY);
    if (f < 0) return -1;
    OK(close(f));
    return 0;
}
static int fifo_open_out(void) {
    int f = open("fifo", O_WRONLY);
    if (f < 0) return -1;
    OK(close(f));
    return 0;
}
static void fifo_other_out(void) {
    for (int f; !shared->over; close(f), sleep_ms(2)) f = open("fifo", O_WRONLY | O_NONBLOCK);
}
static void fifo_other_in(void) {
    int f = (int)OK(open("fifo", O_RDONLY | O_NONBLOCK));
    while (!shared->over) sleep_ms(2);
    OK(close(f));
}

static int poll_one(void) {
    struct pollfd p = {fd[0], POLLIN, 0};
    int n = poll(&p, 1, -1);
    if (n < 0) return -1;
    EQUAL(n, 1);
    return one_read();
}
static int poll_timed(void) {
    struct pollfd p = {fd[0], POLLIN, 0};
    if (poll(&p, 1, 60000) < 0) return -1;
    return one_read();
}
static int ppoll_one(void) {
    struct pollfd p = {fd[0], POLLIN, 0};
    if (ppoll(&p, 1, NULL, NULL) < 0) return -1;
    return one_read();
}
static int select_one(void) {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(fd[0], &set);
    if (select(fd[0] + 1, &set, NULL, NULL, NULL) < 0) return -1;
    CHECK(FD_ISSET(fd[0], &set));
    return one_read();
}
static int pselect_one(void) {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(fd[0], &set);
    if (pselect(fd[0] + 1, &set, NULL, NULL, &(struct timespec){60, 0}, NULL) < 0) return -1;
    return one_read();
}
static int set_fd;
static void set_make(void) {
    pipe_make();
    set_fd = (int)OK(epoll_create1(0));
    OK(epoll_ctl(set_fd, EPOLL_CTL_ADD, fd[0], &(struct epoll_event){.events = EPOLLIN | EPOLLET}));
}
static int epoll_one(void) {
    struct epoll_event e;
    if (epoll_wait(set_fd, &e, 1, -1) < 0) return -1;
    return one_read();
}
static int epoll_timed(void) {
    struct epoll_event e;
    if (epoll_pwait(set_fd, &e, 1, 60000, NULL) < 0) return -1;
    return one_read();
}

static void lock_file(void) {
    file_make("locked", "");
    fd[0] = (int)OK(open("locked", O_RDWR));
}
static bool other_locks(short type) { return fcntl(fd[0], F_SETLK, &(struct flock){.l_type = type}) == 0; }
static void record_unlock(void) { CHECK(other_locks(F_UNLCK)); }
static int record_lock(void) { return fcntl(fd[0], F_SETLKW, &(struct flock){.l_type = F_WRLCK}); }
static int own_file = -1;
static int file_lock(void) {
    if (own_file < 0) own_file = (int)OK(open("locked", O_RDWR));
    return flock(own_file, LOCK_EX);
}
static void flock_make(void) {
    lock_file();
    OK(flock(fd[0], LOCK_EX));
    own_file = -1;
}
static void flock_clean(void) { OK(close(own_file)); }
static void flock_release(void) { OK(flock(fd[0], LOCK_UN)); }

static void child_make(void) {
    OK(pipe(fd));
    id = (int)OK(fork());
    if (id == 0) {
        char c;
        close(fd[1]);
        _exit(read(fd[0], &c, 1) == 1 ? 5 : 6);
    }
}
static int child_wait4(void) {
    int status;
    if (waitpid(id, &status, 0) < 0) return -1;
    EQUAL(status, 5 << 8);
    return 0;
}
static int child_waitid(void) {
    siginfo_t info;
    if (waitid(P_PID, (id_t)id, &info, WEXITED) < 0) return -1;
    EQUAL(info.si_status, 5);
    return 0;
}

static mqd_t queue;
static void queue_make(void) {
    struct mq_attr a = {.mq_maxmsg = 1, .mq_msgsize = 8};
    char name[32];
    snprintf(name, sizeof(name), "/storms%d", (int)getpid());
    queue = (mqd_t)OK(mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &a));
    OK(mq_unlink(name));
}
static void queue_fill(void) {
    queue_make();
    OK(mq_send(queue, "y", 1, 0));
}
static int queue_receive(void) {
    char text[8];
    ssize_t n = mq_receive(queue, text, sizeof(text), NULL);
    if (n < 0) return -1;
    EQUAL(text[0], 'x');
    return 0;
}
static int queue_timedreceive(void) {
    char text[8];
    struct timespec t = {time(NULL) + 60, 0};
    return mq_timedreceive(queue, text, sizeof(text), NULL, &t) < 0 ? -1 : 0;
}
static int queue_send(void) { return mq_send(queue, "x", 1, 0); }
static void queue_send_other(void) { OK(mq_send(queue, "x", 1, 0)); }
static void queue_receive_other(void) {
    char text[8];
    OK(mq_receive(queue, text, sizeof(text), NULL));
}

struct message {
    long type;
    char text[8000];
};
static void messages_make(void) { id = (int)OK(msgget(IPC_PRIVATE, 0600)); }
static void messages_fill(void) {
    static struct message m = {1, ""};
    messages_make();
    while (msgsnd(id, &m, sizeof(m.text), IPC_NOWAIT) == 0) continue;
}
static int message_receive(void) {
    struct message m;
    ssize_t n = msgrcv(id, &m, sizeof(m.text), 3, 0);
    if (n < 0) return -1;
    EQUAL(n, 1);
    EQUAL(m.text[0], 'x');
    return 0;
}
static int message_send(void) { return msgsnd(id, &(struct message){2, "x"}, sizeof(((struct message *)0)->text), 0); }
static void message_send_other(void) { OK(msgsnd(id, &(struct message){3, "x"}, 1, 0)); }
static void message_receive_other(void) {
    struct message m;
    OK(msgrcv(id, &m, sizeof(m.text), 0, 0));
}
static void messages_remove(void) { OK(msgctl(id, IPC_RMID, NULL)); }

static void semaphore_make(void) { id = (int)OK(semget(IPC_PRIVATE, 1, 0600)); }
static int semaphore_down(void) { return semop(id, &(struct sembuf){0, -1, 0}, 1); }
static int semaphore_timed(void) { return semtimedop(id, &(struct sembuf){0, -1, 0}, 1, &(struct timespec){60, 0}); }
static void semaphore_up(void) { OK(semop(id, &(struct sembuf){0, 1, 0}, 1)); }
static void semaphore_remove(void) { OK(semctl(id, 0, IPC_RMID)); }

static void locks_make(void) {
    pthread_mutexattr_t m;
    pthread_condattr_t c;
    pthread_barrierattr_t b;
    pthread_rwlockattr_t r;
    pthread_mutexattr_init(&m);
    pthread_mutexattr_setpshared(&m, 1);
    pthread_mutex_init(&shared->mutex, &m);
    pthread_condattr_init(&c);
    pthread_condattr_setpshared(&c, 1);
    pthread_cond_init(&shared->condition, &c);
    pthread_barrierattr_init(&b);
    pthread_barrierattr_setpshared(&b, 1);
    pthread_barrier_init(&shared->barrier, &b, 2);
    pthread_rwlockattr_init(&r);
    pthread_rwlockattr_setpshared(&r, 1);
    pthread_rwlock_init(&shared->rwlock, &r);
    sem_init(&shared->semaphore, 1, 0);
    shared->changed = false;
}
static int sem_down(void) { return sem_wait(&shared->semaphore); }
static int sem_timed(void) { return sem_timedwait(&shared->semaphore, &(struct timespec){time(NULL) + 60, 0}); }
static void sem_up(void) { OK(sem_post(&shared->semaphore)); }
static void mutex_make(void) { locks_make(); }
static int mutex_take(void) {
    EQUAL(pthread_mutex_lock(&shared->mutex), 0);
    return 0;
}
static void mutex_free(void) { EQUAL(pthread_mutex_unlock(&shared->mutex), 0); }
static int condition_wait(void) {
    pthread_mutex_lock(&shared->mutex);
    while (!shared->changed) EQUAL(pthread_cond_wait(&shared->condition, &shared->mutex), 0);
    pthread_mutex_unlock(&shared->mutex);
    return 0;
}
static int condition_timed(void) {
    struct timespec t = {time(NULL) + 60, 0};
    pthread_mutex_lock(&shared->mutex);
    while (!shared->changed) EQUAL(pthread_cond_timedwait(&shared->condition, &shared->mutex, &t), 0);
    pthread_mutex_unlock(&shared->mutex);
    return 0;
}
static void condition_change(void) {
    pthread_mutex_lock(&shared->mutex);
    shared->changed = true;
    pthread_cond_signal(&shared->condition);
    pthread_mutex_unlock(&shared->mutex);
}
static int barrier_pass(void) {
    int result = pthread_barrier_wait(&shared->barrier);
    CHECK(result == 0 || result == PTHREAD_BARRIER_SERIAL_THREAD);
    return 0;
}
static void barrier_pass_other(void) { barrier_pass(); }
static void rwlock_make(void) { locks_make(); }
static int rwlock_take(void) {
    EQUAL(pthread_rwlock_rdlock(&shared->rwlock), 0);
    return 0;
}
static void rwlock_free(void) { EQUAL(pthread_rwlock_unlock(&shared->rwlock), 0); }

/* These end by signals only. */
static int pause_once(void) { return pause(); }
static int suspend_once(void) {
    sigset_t empty;
    sigemptyset(&empty);
    return sigsuspend(&empty);
}

/* What is left of a sleep is what was asked for less what went by. */
static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}
static int sleep_judge(int64_t before, const struct timespec *left) {
    int64_t went_by = now_ns() - before, rest = left->tv_sec * 1000000000LL + left->tv_nsec;
    CHECK(rest >= 0 && rest <= LONG_NS && left->tv_nsec < 1000000000);
    CHECK(rest + went_by >= LONG_NS);
    CHECK(rest + went_by < LONG_NS + LONG_NS / 2); /* its own delay may be anything */
    return -1;
}
static int sleep_long(void) {
    struct timespec t = {60, 0}, left = {-1, -1};
    int64_t before = now_ns();
    int result = nanosleep(&t, &left);
    EQUAL(errno, EINTR);
    sleep_judge(before, &left);
    return result;
}
static int sleep_clock(void) {
    struct timespec t = {60, 0}, left = {-1, -1};
    int64_t before = now_ns();
    EQUAL(clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &left), EINTR);
    sleep_judge(before, &left);
    errno = EINTR;
    return -1;
}
static int sleep_until(void) { /* leaves `left` alone */
    struct timespec t, left = {-5, -6};
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_sec += 60;
    EQUAL(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &t, &left), EINTR);
    EQUAL(left.tv_sec, -5);
    EQUAL(left.tv_nsec, -6);
    errno = EINTR;
    return -1;
}

/* --- the list ------------------------------------------------------------------------------------------------ */

enum ends {
    RESTARTS, /* with SA_RESTART; else EINTR */
    INTERRUPTED, /* with EINTR in either case */
    NEVER, /* musl's functions that POSIX lets never end with EINTR */
    ONLY_SO /* ends by signals alone */
};
static const struct wait {
    const char *name;
    enum ends ends;
    void (*prepare)(void);
    int (*call)(void);
    void (*release)(void);
    void (*clean)(void);
} waits[] = {
    {"read of a pipe", RESTARTS, pipe_make, one_read, one_write, none},
    {"readv of a pipe", RESTARTS, pipe_make, one_readv, one_write, none},
    {"write to a pipe", RESTARTS, pipe_fill, block_write, all_read, none},
    {"read of a socket", RESTARTS, pair_make, one_read, one_write, none},
    {"recv", RESTARTS, pair_make, one_recv, one_write, none},
    {"recv of packets", RESTARTS, packets_make, one_recv, one_write, none},
    {"recvmsg", RESTARTS, pair_make, one_recvmsg, one_write, none},
    {"send", RESTARTS, pair_fill, one_send, all_read, none},
    {"recv with a time limit", INTERRUPTED, timed_pair_make, one_recv, one_write, none},
    {"send with a time limit", INTERRUPTED, timed_pair_fill, one_send, all_read, none},
    {"accept", RESTARTS, listener_make, accept_once, connect_other, none},
    {"connect", RESTARTS, listener_fill, connect_once, accept_other, none},
    {"read of a terminal", RESTARTS, pty_make, line_read, line_write, none},
    {"read of a terminal's master", RESTARTS, pty_turned, one_read, one_write, none},
    {"write to a terminal", RESTARTS, pty_fill, block_write, all_read, none},
    {"read of an eventfd", RESTARTS, counter_make, counter_read, counter_write, none},
    {"write to an eventfd", RESTARTS, counter_fill, counter_overflow, counter_empty, none},
    {"read of a timerfd", RESTARTS, timer_make, timer_read, timer_start, none},
    {"read of inotify", RESTARTS, watch_make, watch_read, watched_create, none},
    {"read of a signalfd", RESTARTS, signals_make, signal_read, signal_other, none},
    {"open of a FIFO to read", RESTARTS, fifo_make, fifo_open_in, fifo_other_out, none},
    {"open of a FIFO to write", RESTARTS, fifo_make, fifo_open_out, fifo_other_in, none},
    {"poll", INTERRUPTED, pipe_make, poll_one, one_write, none},
    {"poll with a time limit", INTERRUPTED, pipe_make, poll_timed, one_write, none},
    {"ppoll", INTERRUPTED, pipe_make, ppoll_one, one_write, none},
    {"select", INTERRUPTED, pipe_make, select_one, one_write, none},
    {"pselect", INTERRUPTED, pipe_make, pselect_one, one_write, none},
    {"epoll_wait", INTERRUPTED, set_make, epoll_one, one_write, none},
    {"epoll_pwait with a time limit", INTERRUPTED, set_make, epoll_timed, one_write, none},
    {"F_SETLKW", RESTARTS, lock_file, record_lock, record_unlock, none},
    {"flock", RESTARTS, flock_make, file_lock, flock_release, flock_clean},
    {"waitpid", RESTARTS, child_make, child_wait4, one_write, none},
    {"waitid", RESTARTS, child_make, child_waitid, one_write, none},
    {"mq_receive", RESTARTS, queue_make, queue_receive, queue_send_other, none},
    {"mq_timedreceive", RESTARTS, queue_make, queue_timedreceive, queue_send_other, none},
    {"mq_send", RESTARTS, queue_fill, queue_send, queue_receive_other, none},
    {"msgrcv", INTERRUPTED, messages_make, message_receive, message_send_other, messages_remove},
    {"msgsnd", INTERRUPTED, messages_fill, message_send, message_receive_other, messages_remove},
    {"semop", INTERRUPTED, semaphore_make, semaphore_down, semaphore_up, semaphore_remove},
    {"semtimedop", INTERRUPTED, semaphore_make, semaphore_timed, semaphore_up, semaphore_remove},
    {"sem_wait", RESTARTS, locks_make, sem_down, sem_up, none},
    {"sem_timedwait", INTERRUPTED, locks_make, sem_timed, sem_up, none},
    {"pthread_mutex_lock", NEVER, mutex_make, mutex_take, mutex_free, none},
    {"pthread_cond_wait", NEVER, locks_make, condition_wait, condition_change, none},
    {"pthread_cond_timedwait", NEVER, locks_make, condition_timed, condition_change, none},
    {"pthread_barrier_wait", NEVER, locks_make, barrier_pass, barrier_pass_other, none},
    {"pthread_rwlock_rdlock", NEVER, rwlock_make, rwlock_take, rwlock_free, none},
    {"sigwaitinfo", INTERRUPTED, signals_make, signal_wait, signal_other, none},
    {"sigtimedwait", INTERRUPTED, signals_make, signal_timedwait, signal_other, none},
    {"pause", ONLY_SO, none, pause_once, none, none},
    {"sigsuspend", ONLY_SO, none, suspend_once, none, none},
    {"nanosleep", ONLY_SO, none, sleep_long, none, none},
    {"clock_nanosleep", ONLY_SO, none, sleep_clock, none, none},
    {"clock_nanosleep until", ONLY_SO, none, sleep_until, none, none},
};

/* What the other process holds while the storm lasts. */
static void hold(const struct wait *w) {
    if (w->prepare == lock_file) CHECK(other_locks(F_WRLCK));
    if (w->prepare == mutex_make) EQUAL(pthread_mutex_lock(&shared->mutex), 0);
    if (w->prepare == rwlock_make) EQUAL(pthread_rwlock_wrlock(&shared->rwlock), 0);
}

/* Signals one after the other, each when the one before was handled; then the release, amid more of them. */
static void storm(const struct wait *w) {
    hold(w);
    shared->waiting = false; /* ready: the target says when it begins */
    while (!shared->waiting) sleep_ms(1);
    for (int sent = 0; sent < SIGNALS && !shared->over; sent++) {
        int before = shared->handled;
        OK(kill(target, SIGUSR1));
        while (shared->handled == before && !shared->over) sched_yield();
        usleep(sent % 3 * 400);
    }
    pid_t more = (pid_t)OK(fork());
    if (more == 0) {
        for (; !shared->over; usleep(1000)) kill(target, SIGUSR1);
        _exit(0);
    }
    if (w->ends != ONLY_SO) w->release();
    EQUAL(child_wait(more), 0);
    _exit(0);
}

static bool storm_on(const struct wait *w, int flags) {
    int interrupted = 0, result;
    OK(sigaction(SIGUSR1, &(struct sigaction){.sa_handler = handle, .sa_flags = flags}, NULL));
    target = getpid();
    shared->handled = 0;
    shared->over = false;
    shared->waiting = true;
    w->prepare();
    pid_t pid = (pid_t)OK(fork());
    if (pid == 0) storm(w);
    while (shared->waiting) sleep_ms(1);
    shared->waiting = true;
    do {
        errno = 0;
        result = w->call();
        CHECK(result == 0 || errno == EINTR);
        interrupted += result != 0;
        if (w->ends == ONLY_SO && interrupted >= 3) break;
    } while (result != 0);
    int handled = shared->handled;
    shared->over = true;
    signal(SIGUSR1, SIG_IGN);
    EQUAL(child_wait(pid), 0);
    w->clean();
    bool restarts = w->ends == NEVER || (w->ends == RESTARTS && flags);
    return restarts ? interrupted == 0 && handled >= SIGNALS : interrupted > 0;
}

static int in_child(void *argument) {
    const struct wait *w = argument;
    alarm(60);
    OK(mkdir(w->name, 0755));
    OK(chdir(w->name));
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    prctl(PR_SET_TIMERSLACK, 1UL); /* Linux counts it as rest of a sleep */
    for (int flags = 0; flags < 2; flags++) {
        if (!storm_on(w, flags ? SA_RESTART : 0)) {
            dprintf(STDOUT_FILENO, "# %s: wrong end %s SA_RESTART\n", w->name, flags ? "with" : "without");
            return 1;
        }
        unlink("socket");
        unlink("fifo");
        rmdir("watched/x");
        rmdir("watched");
    }
    return 0;
}

TEST(every_wait) {
    int failed = 0;
    alarm(600);
    for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
        int status = child_wait(child_start(in_child, (void *)&waits[i]));
        if (status) {
            dprintf(STDOUT_FILENO, "# %s: status %d\n", waits[i].name, status);
            failed++;
        }
    }
    EQUAL(failed, 0);
}

/* --- bulk ------------------------------------------------------------------------------------------------------ */

#define BULK 400000

static void bulk_write(int out) {
    static unsigned char block[5000];
    for (size_t at = 0; at < BULK;) {
        size_t n = (size_t)draw_below(sizeof(block)) + 1;
        n = n < BULK - at ? n : BULK - at;
        for (size_t i = 0; i < n; i++) block[i] = (unsigned char)((at + i) % 251);
        ssize_t w = write(out, block, n);
        if (w < 0) EQUAL(errno, EINTR);
        else at += (size_t)w;
    }
}
static void bulk_read(int in) {
    static unsigned char block[5000];
    for (size_t at = 0; at < BULK;) {
        ssize_t n = read(in, block, (size_t)draw_below(sizeof(block)) + 1);
        if (n < 0) {
            EQUAL(errno, EINTR);
            continue;
        }
        CHECK(n > 0);
        for (ssize_t i = 0; i < n; i++) EQUAL(block[i], (at + (size_t)i) % 251);
        at += (size_t)n;
    }
}

/* Both sides are interrupted all the time; what a call has moved it must tell. */
static void bulk_once(void (*make)(void), int flags) {
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = handle, .sa_flags = flags}, NULL);
    make();
    pid_t pid = (pid_t)OK(fork());
    draw_seed((uint64_t)(pid != 0) + 1);
    setitimer(ITIMER_REAL, &(struct itimerval){{0, pid ? 700 : 500}, {0, 900}}, NULL);
    if (pid == 0) {
        bulk_write(fd[1]);
        _exit(0);
    }
    bulk_read(fd[0]);
    setitimer(ITIMER_REAL, &(struct itimerval){}, NULL);
    EQUAL(child_wait(pid), 0);
    close(fd[0]);
    close(fd[1]);
}
/* Again if it was over before the first signal: a virtual machine's timers may be late by the host's tick. */
static void bulk(void (*make)(void), int flags) {
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 100 && shared->handled == 0; i++) bulk_once(make, flags);
    CHECK(shared->handled > 0);
}

static void raw_pty(void) {
    struct termios t;
    pty_turned();
    OK(tcgetattr(fd[1], &t));
    cfmakeraw(&t);
    OK(tcsetattr(fd[1], TCSANOW, &t));
}

TEST(bulk_through_pipes) { bulk(pipe_make, 0); }
TEST(bulk_through_pipes_restarting) { bulk(pipe_make, SA_RESTART); }
TEST(bulk_through_sockets) { bulk(pair_make, 0); }
TEST(bulk_through_sockets_restarting) { bulk(pair_make, SA_RESTART); }
TEST(bulk_through_terminals) { bulk(raw_pty, 0); }
TEST(bulk_through_terminals_restarting) { bulk(raw_pty, SA_RESTART); }

/* Sleeps that go on with what is left: together not shorter than asked for. */
TEST(sleeps_in_pieces) {
    struct timespec t = {0, 200000000};
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = handle}, NULL);
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 3000}, {0, 3000}}, NULL);
    int64_t before = now_ns();
    while (nanosleep(&t, &t) < 0) EQUAL(errno, EINTR);
    CHECK(now_ns() - before >= 200000000);
    CHECK(shared->handled > 0);
}
