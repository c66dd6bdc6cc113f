// SPDX-License-Identifier: MIT
/* System V shared memory, semaphores and message queues. */
#include "test.h"
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

union semun {
    int val;
    struct semid_ds *buf;
    unsigned short *array;
};

static key_t own_key(void) { return 0x43000000 | (getpid() & 0xffff) << 4; }

/* --- shared memory --- */
static struct shmid_ds segment_of(int id) {
    struct shmid_ds ds;
    OK(shmctl(id, IPC_STAT, &ds));
    return ds;
}

static int write_segment(void *p) {
    strcpy(p, "from the child");
    return 0;
}

TEST(segments_are_shared) {
    int id = (int)OK(shmget(IPC_PRIVATE, 5000, IPC_CREAT | 0600));
    char *a = shmat(id, NULL, 0), *b = shmat(id, NULL, SHM_RDONLY);
    CHECK(a != (void *)-1 && b != (void *)-1 && a != b);
    EQUAL(a[4999], 0);
    EQUAL(segment_of(id).shm_nattch, 2);
    EQUAL(segment_of(id).shm_segsz, 5000);
    EQUAL(segment_of(id).shm_cpid, getpid());
    EQUAL(child_run(write_segment, a), 0);
    CHECK(!strcmp(b, "from the child"));
    OK(shmdt(a));
    CHECK(!strcmp(b, "from the child"));
    EQUAL(segment_of(id).shm_nattch, 1);
    OK(shmctl(id, IPC_RMID, NULL));
    CHECK(!strcmp(b, "from the child")); /* removed, but attached */
    CHECK(segment_of(id).shm_perm.mode & SHM_DEST);
    a = shmat(id, NULL, 0);
    CHECK(a != (void *)-1);
    OK(shmdt(a));
    OK(shmdt(b));
    FAILS(EINVAL, shmctl(id, IPC_STAT, &(struct shmid_ds){0}));
}

static int attached(void *id) { return (int)segment_of(*(int *)id).shm_nattch; }

TEST(fork_attaches_and_exit_detaches) {
    int id = (int)OK(shmget(IPC_PRIVATE, 4096, 0600));
    char *a = shmat(id, NULL, 0);
    CHECK(a != (void *)-1);
    EQUAL(child_run(attached, &id), 2);
    EQUAL(segment_of(id).shm_nattch, 1);
    OK(shmctl(id, IPC_RMID, NULL));
}

TEST(segments_by_key) {
    key_t key = own_key();
    FAILS(ENOENT, shmget(key, 100, 0));
    int id = (int)OK(shmget(key, 100, IPC_CREAT | 0640));
    EQUAL(shmget(key, 0, 0), id);
    EQUAL(shmget(key, 100, IPC_CREAT), id);
    FAILS(EEXIST, shmget(key, 100, IPC_CREAT | IPC_EXCL));
    FAILS(EINVAL, shmget(key, 100000, 0));
    EQUAL(segment_of(id).shm_perm.mode & 0777, 0640);
    struct shmid_ds ds = segment_of(id);
    ds.shm_perm.mode = 0600;
    OK(shmctl(id, IPC_SET, &ds));
    EQUAL(segment_of(id).shm_perm.mode & 0777, 0600);
    OK(shmctl(id, IPC_RMID, NULL));
    FAILS(ENOENT, shmget(key, 100, 0));
    FAILS(EINVAL, shmget(IPC_PRIVATE, 0, 0600));
}

TEST(places_of_segments) {
    int id = (int)OK(shmget(IPC_PRIVATE, 8192, 0600));
    char *a = shmat(id, NULL, 0);
    CHECK(a != (void *)-1);
    FAILS(EINVAL, (intptr_t)shmat(id, a + 1, 0));
    FAILS(EINVAL, (intptr_t)shmat(id, a, 0)); /* taken */
    CHECK(shmat(id, a + 5, SHM_RND | SHM_REMAP) == a);
    FAILS(EINVAL, shmdt(a + 4096));
    FAILS(EINVAL, shmdt(NULL));
    FAILS(EINVAL, shmdt(malloc(1)));
    char *other = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    FAILS(EINVAL, shmdt(other));
    OK(shmdt(a));
    CHECK(shmat(id, a, 0) == a);
    OK(shmctl(id, IPC_RMID, NULL));
    FAILS(EINVAL, (intptr_t)shmat(id + 1, NULL, 0));
    FAILS(EINVAL, (intptr_t)shmat(-1, NULL, 0));
}

static int others_segment(void *id) {
    OK(setgid(1000));
    OK(setuid(1000));
    FAILS(EACCES, (intptr_t)shmat(*(int *)id, NULL, 0));
    CHECK(shmat(*(int *)id, NULL, SHM_RDONLY) != (void *)-1);
    FAILS(EPERM, shmctl(*(int *)id, IPC_RMID, NULL));
    return 0;
}

TEST(permissions_of_segments) {
    if (getuid() != 0) {
        SKIP("needs root");
    }
    int id = (int)OK(shmget(IPC_PRIVATE, 4096, 0604));
    EQUAL(child_run(others_segment, &id), 0);
    OK(shmctl(id, IPC_RMID, NULL));
}

/* --- semaphores --- */
static int operate(int id, int index, int by, int flags) {
    struct sembuf op = {(unsigned short)index, (short)by, (short)flags};
    return semop(id, &op, 1);
}

static int value_of(int id, int index) { return (int)OK(semctl(id, index, GETVAL)); }

TEST(values) {
    unsigned short all[3] = {1, 2, 3}, got[3];
    int id = (int)OK(semget(IPC_PRIVATE, 3, 0600));
    EQUAL(value_of(id, 0), 0);
    OK(semctl(id, 0, SETALL, (union semun){.array = all}));
    OK(semctl(id, 0, GETALL, (union semun){.array = got}));
    CHECK(!memcmp(all, got, sizeof(all)));
    OK(semctl(id, 1, SETVAL, (union semun){.val = 7}));
    EQUAL(value_of(id, 1), 7);
    EQUAL(semctl(id, 1, GETPID), getpid());
    FAILS(ERANGE, semctl(id, 1, SETVAL, (union semun){.val = 32768}));
    FAILS(ERANGE, semctl(id, 1, SETVAL, (union semun){.val = -1}));
    FAILS(EINVAL, semctl(id, 3, GETVAL));
    FAILS(EINVAL, semctl(id, -1, GETVAL));
    FAILS(EINVAL, semctl(id, 0, 999));
    struct semid_ds ds;
    OK(semctl(id, 0, IPC_STAT, (union semun){.buf = &ds}));
    EQUAL(ds.sem_nsems, 3);
    OK(semctl(id, 0, IPC_RMID));
    FAILS(EINVAL, semctl(id, 0, GETVAL));
    FAILS(EINVAL, semget(IPC_PRIVATE, 0, 0600));
    FAILS(EINVAL, semget(IPC_PRIVATE, -1, 0600));
}

TEST(operations_are_all_or_none) {
    int id = (int)OK(semget(IPC_PRIVATE, 2, 0600));
    struct sembuf ops[] = {{0, 1, 0}, {1, -1, IPC_NOWAIT}};
    FAILS(EAGAIN, semop(id, ops, 2));
    EQUAL(value_of(id, 0), 0);
    OK(operate(id, 1, 1, 0));
    OK(semop(id, ops, 2));
    EQUAL(value_of(id, 0), 1);
    EQUAL(value_of(id, 1), 0);
    FAILS(EAGAIN, operate(id, 0, 0, IPC_NOWAIT));
    OK(operate(id, 1, 0, 0));
    FAILS(EFBIG, operate(id, 2, 1, 0));
    FAILS(EINVAL, semop(id, ops, 0));
    FAILS(E2BIG, semop(id, ops, 100000));
    OK(semctl(id, 0, SETVAL, (union semun){.val = 32767}));
    FAILS(ERANGE, operate(id, 0, 1, 0));
    OK(semctl(id, 0, IPC_RMID));
}

struct waiter {
    int id, by;
};

static int wait_for(void *argument) {
    struct waiter *w = argument;
    if (operate(w->id, 0, w->by, 0) == 0) {
        return 0;
    }
    return errno == EIDRM ? 43 : errno == EINTR ? 4 : 1;
}

static void until(int id, int command, int value) {
    for (int i = 0; i < 1000 && semctl(id, 0, command) != value; i++) {
        sleep_ms(5);
    }
    EQUAL(semctl(id, 0, command), value);
}

TEST(waiting) {
    struct waiter w = {(int)OK(semget(IPC_PRIVATE, 1, 0600)), -2};
    pid_t child = child_start(wait_for, &w);
    until(w.id, GETNCNT, 1);
    OK(operate(w.id, 0, 1, 0));
    EQUAL(semctl(w.id, 0, GETNCNT), 1);
    OK(operate(w.id, 0, 1, 0));
    EQUAL(child_wait(child), 0);
    EQUAL(value_of(w.id, 0), 0);
    EQUAL(semctl(w.id, 0, GETNCNT), 0);
    OK(operate(w.id, 0, 1, 0));
    w.by = 0;
    child = child_start(wait_for, &w);
    until(w.id, GETZCNT, 1);
    OK(operate(w.id, 0, -1, 0));
    EQUAL(child_wait(child), 0);
    w.by = -1;
    child = child_start(wait_for, &w);
    until(w.id, GETNCNT, 1);
    OK(kill(child, SIGKILL));
    child_wait(child);
    until(w.id, GETNCNT, 0);
    child = child_start(wait_for, &w);
    until(w.id, GETNCNT, 1);
    OK(semctl(w.id, 0, IPC_RMID));
    EQUAL(WEXITSTATUS(child_wait(child)), 43);
}

static void on_alarm(int signal) { (void)signal; }

TEST(interrupted_and_timed) {
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    int id = (int)OK(semget(IPC_PRIVATE, 1, 0600));
    OK(sigaction(SIGALRM, &action, NULL));
    ualarm(50000, 0);
    FAILS(EINTR, operate(id, 0, -1, 0));
    struct sembuf op = {0, -1, 0};
    struct timespec t = {0, 50000000};
    int64_t start = now_ms();
    FAILS(EAGAIN, semtimedop(id, &op, 1, &t));
    CHECK(now_ms() - start >= 40);
    t.tv_nsec = -1;
    FAILS(EINVAL, semtimedop(id, &op, 1, &t));
    OK(semctl(id, 0, IPC_RMID));
}

static int with_undo(void *id) {
    OK(operate(*(int *)id, 0, -3, SEM_UNDO));
    OK(operate(*(int *)id, 0, 1, SEM_UNDO));
    EQUAL(value_of(*(int *)id, 0), 3);
    return 0;
}

TEST(undo_at_exit) {
    int id = (int)OK(semget(IPC_PRIVATE, 1, 0600));
    OK(semctl(id, 0, SETVAL, (union semun){.val = 5}));
    EQUAL(child_run(with_undo, &id), 0);
    for (int i = 0; i < 200 && value_of(id, 0) != 5; i++) {
        sleep_ms(5);
    }
    EQUAL(value_of(id, 0), 5);
    OK(semctl(id, 0, IPC_RMID));
}

/* --- messages --- */
struct text {
    long type;
    char text[64];
};

static void send_text(int q, long type, const char *text) {
    struct text m = {.type = type};
    strcpy(m.text, text);
    OK(msgsnd(q, &m, strlen(text), 0));
}

static void receive_text(int q, long type, int flags, long want, const char *text) {
    struct text m;
    memset(&m, 0, sizeof(m));
    EQUAL(msgrcv(q, &m, sizeof(m.text), type, flags), (long)strlen(text));
    EQUAL(m.type, want);
    CHECK(!strcmp(m.text, text));
}

TEST(types) {
    int q = (int)OK(msgget(IPC_PRIVATE, 0600));
    struct text m;
    send_text(q, 3, "three");
    send_text(q, 1, "one");
    send_text(q, 2, "two");
    send_text(q, 1, "uno");
    receive_text(q, 1, 0, 1, "one");
    receive_text(q, -2, 0, 1, "uno");
    receive_text(q, 3, MSG_EXCEPT, 2, "two");
    receive_text(q, 0, 0, 3, "three");
    FAILS(ENOMSG, msgrcv(q, &m, sizeof(m.text), 0, IPC_NOWAIT));
    send_text(q, 1, "long text");
    FAILS(E2BIG, msgrcv(q, &m, 4, 0, 0));
    EQUAL(msgrcv(q, &m, 4, 0, MSG_NOERROR), 4);
    struct msqid_ds ds;
    OK(msgctl(q, IPC_STAT, &ds));
    EQUAL(ds.msg_qnum, 0);
    EQUAL(ds.msg_lspid, getpid());
    m.type = 0;
    FAILS(EINVAL, msgsnd(q, &m, 1, 0));
    m.type = 1;
    FAILS(EINVAL, msgsnd(q, &m, (size_t)-1, 0));
    FAILS(EINVAL, msgsnd(q, &m, 100000, 0));
    FAILS(EINVAL, msgrcv(q, &m, (size_t)-1, 0, 0));
    OK(msgctl(q, IPC_RMID, NULL));
    FAILS(EINVAL, msgctl(q, IPC_STAT, &ds));
}

static int receive_late(void *q) {
    sleep_ms(100);
    for (int i = 0; i < 50; i++) {
        struct text m;
        EQUAL(msgrcv(*(int *)q, &m, sizeof(m.text), 0, 0), 64);
    }
    return 0;
}

TEST(full_queues_hold_back) {
    int q = (int)OK(msgget(IPC_PRIVATE, 0600)), sent = 0;
    struct text m = {.type = 1};
    struct msqid_ds ds;
    OK(msgctl(q, IPC_STAT, &ds));
    ds.msg_qbytes = 640;
    OK(msgctl(q, IPC_SET, &ds));
    while (msgsnd(q, &m, 64, IPC_NOWAIT) == 0) {
        sent++;
    }
    EQUAL(errno, EAGAIN);
    EQUAL(sent, 10);
    pid_t child = child_start(receive_late, &q);
    for (int i = 0; i < 40; i++) {
        OK(msgsnd(q, &m, 64, 0));
    }
    EQUAL(child_wait(child), 0);
    OK(msgctl(q, IPC_RMID, NULL));
}

static int removed_under(void *q) {
    struct text m;
    msgrcv(*(int *)q, &m, sizeof(m.text), 0, 0);
    return errno == EIDRM ? 43 : 1;
}

TEST(removing_a_queue) {
    int q = (int)OK(msgget(own_key(), IPC_CREAT | IPC_EXCL | 0600));
    EQUAL(msgget(own_key(), 0), q);
    pid_t child = child_start(removed_under, &q);
    sleep_ms(100);
    OK(msgctl(q, IPC_RMID, NULL));
    EQUAL(WEXITSTATUS(child_wait(child)), 43);
    FAILS(ENOENT, msgget(own_key(), 0));
}

TEST(many_objects) {
    static int ids[300];
    for (int i = 0; i < 300; i++) {
        ids[i] = (int)OK(semget(IPC_PRIVATE, 1, 0600));
    }
    for (int i = 0; i < 300; i++) {
        OK(semctl(ids[i], 0, IPC_RMID));
    }
    FAILS(EINVAL, semctl(ids[0], 0, GETVAL)); /* old ids find nothing */
}
