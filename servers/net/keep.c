// SPDX-License-Identifier: MIT
/*
 * Listening sockets outlive this server.  What one is and its channel's far end lie as a message in a channel, whose
 * reading end the supervisor gives to the next instance: that takes them out, listens again, and makes a channel of its
 * own.  Programs notice nothing: their end of the socket's channel has had its peer all the time, and the file finds
 * the socket by its id and generation (OP_REOPEN).
 *
 * Nothing can be taken out of the middle: to forget one, all are taken out, and the others put back.
 */
#include "net.h"
#include <service.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CAPACITY (1 << 20)

struct kept {
    uint64_t id, generation;
    struct endpoint local;
    uint8_t family, protocol, ttl, tos;
    bool reuse_address, reuse_port, keep_alive, only_v6, no_delay, linger_on;
    uint16_t linger_s;
    uint32_t keep_idle_s, keep_interval_s, keep_count, device, backlog, rules;
};

uint64_t net_generation;
static handle_t in = HANDLE_NONE, out = HANDLE_NONE; /* of the channel; none: there was nothing to keep yet */
static uint32_t count;

static bool channel_make(void) {
    handle_t ends[2];
    if (out != HANDLE_NONE) return true;
    if (sys_channel_create(CHANNEL_MESSAGES | HANDLE_IN_UPPER << 16, CAPACITY, ends) < 0) return false;
    if (service_tell(&(struct service_message){.kind = SERVICE_KEEP}, ends[0]) < 0) {
        sys_handle_close(ends[0]);
        sys_handle_close(ends[1]);
        return false;
    }
    in = ends[0];
    out = ends[1];
    return true;
}

static void put(const struct kept *k, const struct inet_rule *rules, handle_t far) {
    struct io_vector v[] = {{(void *)k, sizeof(*k)}, {(void *)rules, k->rules * sizeof(*rules)}};
    struct channel_message m = {.vectors = v,
                                .vector_count = 2,
                                .flags = IO_NONBLOCK | IO_NO_SIGNAL,
                                .handles = &far,
                                .handle_count = 1,
                                .to = HANDLE_NONE};
    if (sys_channel_send(out, &m, 0) >= 0) count++;
}

/* The next one of this channel; its far end is the caller's. */
static bool take(handle_t from, struct kept *k, struct inet_rule rules[INET_RULES_MAX], handle_t *far) {
    struct io_vector v[] = {{k, sizeof(*k)}, {rules, INET_RULES_MAX * sizeof(*rules)}};
    struct channel_message m = {.vectors = v,
                                .vector_count = 2,
                                .flags = IO_NONBLOCK,
                                .handles = far,
                                .handle_count = 1,
                                .handle_flags = HANDLE_IN_UPPER,
                                .to = HANDLE_NONE};
    long size = sys_channel_receive(from, &m, 0);
    if (size <= 0) return false;
    if (m.handle_count == 0) *far = HANDLE_NONE;
    if (size == (long)(sizeof(*k) + k->rules * sizeof(*rules))) return true;
    k->id = 0; /* of another version of this server */
    return true;
}

void keep_forget(const struct socket *s) {
    struct inet_rule rules[INET_RULES_MAX];
    struct kept k;
    handle_t far;
    for (uint32_t left = count; left > 0 && take(in, &k, rules, &far); left--) {
        count--;
        if (k.id != s->id) put(&k, rules, far);
        sys_handle_close(far);
    }
}

void keep(const struct socket *s) {
    struct kept k = {
        .id = s->id,
        .generation = s->generation,
        .local = s->local,
        .family = s->family,
        .protocol = s->protocol,
        .ttl = s->ttl,
        .tos = s->tos,
        .reuse_address = s->reuse_address,
        .reuse_port = s->reuse_port,
        .keep_alive = s->keep_alive,
        .only_v6 = s->only_v6,
        .no_delay = s->no_delay,
        .linger_on = s->linger_on,
        .linger_s = s->linger_s,
        .keep_idle_s = s->keep_idle_s,
        .keep_interval_s = s->keep_interval_s,
        .keep_count = s->keep_count,
        .device = s->device,
        .backlog = s->backlog,
    };
    const struct inet_rule *rules = limit_rules(s, &k.rules);
    if (channel_make()) put(&k, rules, s->far);
}

void keep_again(const struct socket *s) {
    keep_forget(s);
    keep(s);
}

/* --- the next instance --- */

/* Has its program closed it meanwhile? */
static bool is_over(handle_t far) {
    struct poll_entry p = {.handle = far};
    return sys_event_poll(&p, 1, nullptr, 0) > 0 && p.ready & EVENT_HANGUP;
}

static void restore(const struct kept *k, const struct inet_rule *rules, handle_t far) {
    struct socket *s = is_over(far) ? nullptr : malloc(sizeof(*s));
    if (!s) {
        sys_handle_close(far);
        return;
    }
    *s = (struct socket){
        .id = k->id,
        .generation = k->generation,
        .scheme = NET_TCP,
        .family = k->family,
        .type = SOCK_STREAM,
        .protocol = k->protocol,
        .ttl = k->ttl,
        .tos = k->tos,
        .far = far,
        .plane = HANDLE_NONE,
        .reuse_address = k->reuse_address,
        .reuse_port = k->reuse_port,
        .keep_alive = k->keep_alive,
        .only_v6 = k->only_v6,
        .no_delay = k->no_delay,
        .linger_on = k->linger_on,
        .linger_s = k->linger_s,
        .keep_idle_s = k->keep_idle_s,
        .keep_interval_s = k->keep_interval_s,
        .keep_count = k->keep_count,
        .device = k->device,
        .backlog = k->backlog,
    };
    if (!object_add_as(&sockets, s->id, s)) {
        sys_handle_close(far);
        free(s);
        return;
    }
    int e = limit_make(s, rules, k->rules);
    if (!e) e = port_bind(s, &k->local);
    if (!e) e = stream_listen_again(s);
    if (!e) {
        keep(s);
        socket_watch(s, EVENT_HANGUP); /* this instance may never hear of the file */
        return;
    }
    service_log("net: port %u isn't listened at any more: error %d", k->local.port, -e);
    stream_close(s);
}

void keep_init(void) {
    struct inet_rule rules[INET_RULES_MAX];
    struct kept k;
    handle_t far;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    net_generation = (uint64_t)now.tv_sec << 32 | (uint64_t)now.tv_nsec;
    while (take(SERVICE_KEPT, &k, rules, &far)) {
        if (k.id && far != HANDLE_NONE) restore(&k, rules, far);
        else if (far != HANDLE_NONE) sys_handle_close(far);
    }
    sys_handle_close(SERVICE_KEPT);
}
