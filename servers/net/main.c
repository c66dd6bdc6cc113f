// SPDX-License-Identifier: MIT
/* The schemes tcp:, udp:, icmp: and ip:, a thread each; one lock. */
#include "interface.h"
#include <lwip/init.h>
#include <pthread.h>
#include <service.h>
#include <stdlib.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
struct scheme net_schemes[NET_SCHEMES];

static void enter(void) { pthread_mutex_lock(&lock); }

/* Streams, packets and timers are the first thread's (its queues of parked requests have no lock): others ring it. */
static void leave(const struct scheme *scheme) {
    if (scheme == &net_schemes[NET_TCP]) net_settle();
    else if (net_is_busy()) sys_event_post(net_schemes[NET_TCP].event, 1);
    pthread_mutex_unlock(&lock);
}

static int64_t request(struct scheme *scheme, struct port_buffer *call) {
    enter();
    int64_t result = net_request(scheme, call);
    leave(scheme);
    return result;
}

static int64_t cancel(struct scheme *scheme, struct port_buffer *call) {
    enter();
    int64_t result = net_cancel(scheme, call);
    leave(scheme);
    return result;
}

static void event(struct scheme *scheme, uint64_t key, uint32_t mask) {
    enter();
    net_event(scheme, key, mask);
    leave(scheme);
}

static void timeout(struct scheme *scheme) {
    enter();
    leave(scheme);
}

static const struct scheme_ops ops = {
    .handler = {[OP_OPEN] = request,
                [OP_CLOSE] = request,
                [OP_READ] = request,
                [OP_STAT] = request,
                [OP_CHANNEL_INFO] = request,
                [OP_CONTROL] = request,
                [OP_SET_ATTRIBUTES] = request,
                [OP_REOPEN] = request},
    .user = request,
    .cancel = cancel,
    .event = event,
    .posted = timeout,
    .timeout = timeout,
};

static void *run(void *scheme) {
    scheme_serve(scheme);
    _Exit(1);
}

/* The argument, if any: the file of configuration. */
int main(int argc, char **argv) {
    pthread_t thread;
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 32768);
    for (int i = 0; i < NET_SCHEMES; i++)
        if (scheme_init(&net_schemes[i], SERVICE_SLOT(i), &ops, nullptr) != 0) return 1;
    lwip_init();
    datagrams_init();
    enter();
    keep_init();
    interfaces_init(argc > 1 ? argv[1] : "/etc/network.conf");
    leave(&net_schemes[NET_TCP]);
    for (int i = 1; i < NET_SCHEMES; i++)
        if (pthread_create(&thread, &small, run, &net_schemes[i]) != 0) return 1;
    run(&net_schemes[NET_TCP]);
}
