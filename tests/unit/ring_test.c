// SPDX-License-Identifier: MIT
/* servers/lib/ring: order, limits, two threads with wake-ups, and a peer that lies. */
#include "unit.h"
#include <pthread.h>
#include <ring.h>
#include <semaphore.h>
#include <stdlib.h>

#define CAPACITY 8
static alignas(64) char memory[4096];
static struct ring client, server;

static void rings_make(void) {
    memset(memory, 0, sizeof(memory));
    ring_init(&client, RING_CLIENT, memory, CAPACITY);
    ring_init(&server, RING_SERVER, memory, CAPACITY);
}
static struct ring_entry request(uint64_t tag) { return (struct ring_entry){.tag = tag, .op = 7}; }

TEST(entries_in_order_round_and_round) {
    struct ring_entry e;
    rings_make();
    for (uint64_t tag = 0; tag < 100; tag++) {
        e = request(tag);
        CHECK(ring_put(&client, &e) == 0);
        CHECK(ring_get(&server, &e) == 0); /* not published */
        CHECK(!ring_publish(&client));
        CHECK(ring_get(&server, &e) == 1 && e.tag == tag && e.op == 7);
        CHECK(ring_get(&server, &e) == 0);
        CHECK(!ring_publish(&server));
    }
}

TEST(full_until_released) {
    struct ring_entry e = request(1);
    rings_make();
    for (int i = 0; i < CAPACITY; i++) CHECK(ring_put(&client, &e) == 0);
    CHECK(ring_put(&client, &e) == -EAGAIN);
    (void)!ring_publish(&client);
    for (int i = 0; i < CAPACITY; i++) CHECK(ring_get(&server, &e) == 1);
    CHECK(ring_get(&server, &e) == 0);
    CHECK(ring_put(&client, &e) == -EAGAIN);
    (void)!ring_publish(&server);
    CHECK(ring_put(&client, &e) == 0);
}

TEST(one_post_per_sleep) {
    struct ring_entry e = request(1);
    rings_make();
    CHECK(ring_may_sleep(&server));
    CHECK(ring_put(&client, &e) == 0 && ring_publish(&client));
    CHECK(ring_put(&client, &e) == 0 && !ring_publish(&client));
    CHECK(!ring_may_sleep(&server));
}

TEST(a_lying_peer_is_found_out) {
    struct ring_memory *m = (struct ring_memory *)memory;
    struct ring_entry e = request(1);
    uint32_t lies[] = {CAPACITY + 1, 0x80000000, UINT32_MAX};
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        rings_make();
        m->requests.tail = lies[i];
        CHECK(ring_get(&server, &e) == -EPROTO);
        rings_make();
        for (int n = 0; n < CAPACITY; n++) CHECK(ring_put(&client, &e) == 0);
        m->requests.head = lies[i];
        CHECK(ring_put(&client, &e) == -EPROTO);
    }
}

TEST(nothing_leaves_the_memory_whatever_the_peer_writes) {
    struct ring_memory *m = (struct ring_memory *)memory;
    struct ring_entry e;
    rings_make();
    srand(1);
    for (int i = 0; i < 100000; i++) { /* the address sanitizer watches */
        m->requests.tail = (uint32_t)rand() % 32;
        m->completions.head = (uint32_t)rand() % 32;
        m->requests.sleeping = (uint32_t)rand();
        (void)!ring_get(&server, &e);
        (void)!ring_put(&server, &e);
        (void)!ring_publish(&server);
        (void)!ring_may_sleep(&server);
    }
}

#define MANY 200000
static sem_t client_event, server_event;
static void *server_thread(void *unused) {
    struct ring_entry e;
    for (uint64_t served = 0; served < MANY;) {
        int got = ring_get(&server, &e);
        if (got == 1) {
            served++;
            e = (struct ring_entry){.tag = e.tag, .result = (int64_t)e.tag * 2};
            if (ring_put(&server, &e) != 0) break; /* the client's bound makes this impossible */
        } else {
            if (ring_publish(&server)) sem_post(&client_event);
            if (ring_may_sleep(&server)) sem_wait(&server_event);
        }
    }
    if (ring_publish(&server)) sem_post(&client_event);
    return unused;
}

TEST(two_threads_lose_no_wake_up) {
    pthread_t thread;
    struct ring_entry e;
    rings_make();
    sem_init(&client_event, 0, 0);
    sem_init(&server_event, 0, 0);
    pthread_create(&thread, nullptr, server_thread, nullptr);
    uint64_t sent = 0, done = 0;
    bool good = true;
    while (done < MANY) {
        e = request(sent);
        while (sent < MANY && sent - done < CAPACITY && ring_put(&client, &e) == 0) e = request(++sent);
        if (ring_publish(&client)) sem_post(&server_event);
        if (ring_get(&client, &e) == 1) {
            good &= e.tag == done && e.result == (int64_t)done * 2;
            done++;
        } else if (ring_may_sleep(&client)) {
            sem_wait(&client_event);
        }
    }
    CHECK(good);
    pthread_join(thread, nullptr);
}

UNIT_MAIN
