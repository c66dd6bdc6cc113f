// SPDX-License-Identifier: MIT
/* Ends by a signal in the second of two threads, for core_test.py, which knows the names and values in here. */
#include <pthread.h>
#include <unistd.h>

volatile unsigned long crash_word = 0x1122334455667788;
volatile double crash_double = 42.5;
static pthread_barrier_t barrier;

__attribute__((noinline)) static void crash_wait(void) {
    pthread_barrier_wait(&barrier);
    while (crash_word) { /* in the program's own code, for which there is debug information */
    }
}

__attribute__((noinline)) static void crash_here(volatile int *at) {
    crash_word++;
    *at = 1;
    crash_word++;
}

__attribute__((noinline)) static void crash_outer(unsigned depth) {
    if (depth) {
        crash_outer(depth - 1);
    } else {
        crash_here((int *)16);
    }
    crash_word++;
}

static void *crash_thread(void *unused) {
    (void)unused;
    __asm__ volatile("movsd %0, %%xmm15" : : "m"(crash_double) : "xmm15");
    pthread_barrier_wait(&barrier);
    usleep(50000); /* the other is in its loop */
    crash_outer(2);
    return NULL;
}

int main(void) {
    pthread_t thread;
    if (pthread_barrier_init(&barrier, NULL, 2) || pthread_create(&thread, NULL, crash_thread, NULL)) {
        return 1;
    }
    crash_wait();
    return 2;
}
