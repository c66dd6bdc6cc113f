// SPDX-License-Identifier: MIT
/*
 * Listening sockets outlive this server.  What one is and its channel's far end lie as a message in a channel, whose
 * two ends the supervisor gives to the next instance, which listens again.  Programs notice nothing: their end of the
 * socket's channel has had its peer all the time, and the file finds the socket by its id and generation (OP_REOPEN).
 *
 * The server may die at any point, so the same socket may be there twice.  One that has ended is followed by a message
 * that says so; now and then all is written anew, behind a mark, and what is before that taken out.
 */
#include "net.h"
#include <service.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CAPACITY (1 << 20)
#define DEAD_MAX 32 /* messages about sockets that have ended, beyond as many as there are others */
#define IN SERVICE_KEPT
#define OUT (SERVICE_KEPT + 1)

struct kept {
    uint64_t id, generation; /* id 0: a mark of this generation */
    struct endpoint local;
    uint8_t family, protocol, ttl, tos;
    bool ended, reuse_address, reuse_port, keep_alive, only_v6, no_delay, linger_on;
    uint16_t linger_s;
    uint32_t keep_idle_s, keep_interval_s, keep_count, user_timeout_ms, device, backlog, rules;
    int linger2_s;
};

uint64_t net_generation;
static bool ready, restoring; /* there is a channel; it is being read */
static uint32_t live, dead;

/* --- the channel ----------------------------------------------------------------------------------- */

static bool keep_end(handle_t from, uint32_t number) {
    struct service_message m = {.kind = SERVICE_KEEP, .unit = number};
    long e = sys_handle_duplicate(from, (handle_t)(SERVICE_KEPT + number), HANDLE_AT, RIGHTS_SAME);
    if (e >= 0) e = service_tell(&m, from);
    sys_handle_close(from);
    return e >= 0;
}

static bool channel_ready(void) {
    handle_t ends[2];
    if (ready) return true;
    if (sys_channel_create(CHANNEL_MESSAGES | HANDLE_IN_UPPER << 16, CAPACITY, ends) < 0) return false;
    bool in = keep_end(ends[0], 0), out = keep_end(ends[1], 1);
    return ready = in && out;
}

static bool put(const struct kept *k, const struct inet_rule *rules, handle_t far) {
    struct io_vector v[] = {{(void *)k, sizeof(*k)}, {(void *)rules, k->rules * sizeof(*rules)}};
    struct channel_message m = {.vectors = v,
                                .vector_count = 2,
                                .flags = IO_NONBLOCK | IO_NO_SIGNAL,
                                .handles = &far,
                                .handle_count = far != HANDLE_NONE,
                                .to = HANDLE_NONE};
    return sys_channel_send(OUT, &m, 0) >= 0;
}

/* The first one, which stays there; a handle to its far end is the caller's. */
static bool look(struct kept *k, struct inet_rule rules[INET_RULES_MAX], handle_t *far) {
    struct io_vector v[] = {{k, sizeof(*k)}, {rules, INET_RULES_MAX * sizeof(*rules)}};
    struct channel_message m = {.vectors = v,
                                .vector_count = 2,
                                .flags = IO_NONBLOCK | IO_PEEK,
                                .handles = far,
                                .handle_count = 1,
                                .handle_flags = HANDLE_IN_UPPER,
                                .to = HANDLE_NONE};
    *k = (struct kept){};
    long size = sys_channel_receive(IN, &m, 0);
    if (size <= 0) return false;
    if (m.handle_count == 0) *far = HANDLE_NONE;
    if (size != (long)(sizeof(*k) + k->rules * sizeof(*rules))) *k = (struct kept){}; /* another version's */
    return true;
}

static void drop(void) {
    struct io_vector none = {};
    struct channel_message m = {.vectors = &none, .vector_count = 1, .flags = IO_NONBLOCK, .to = HANDLE_NONE};
    sys_channel_receive(IN, &m, 0);
}

static bool put_mark(void) { return put(&(struct kept){.generation = net_generation}, nullptr, HANDLE_NONE); }
static bool is_mark(const struct kept *k) { return k->id == 0 && k->generation == net_generation; }

/* --- sockets ------------------------------------------------------------------------------------------ */

static bool put_socket(const struct socket *s) {
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
        .user_timeout_ms = s->user_timeout_ms,
        .linger2_s = s->linger2_s,
        .device = s->device,
        .backlog = s->backlog,
    };
    const struct inet_rule *rules = limit_rules(s, &k.rules);
    return put(&k, rules, s->far);
}

static bool is_kept(const struct socket *s) { return s && s->scheme == NET_TCP && s->state == INET_LISTENING; }

/* All of them anew. */
static void compact(void) {
    struct inet_rule rules[INET_RULES_MAX];
    struct kept k;
    handle_t far;
    bool all = put_mark();
    live = 0;
    for (uint32_t i = 0; all && i < sockets.capacity; i++) {
        const struct socket *s = sockets.slots[i].object;
        if (is_kept(s) && (all = put_socket(s))) live++;
    }
    if (!all) return;
    dead = 0;
    for (bool mark = false; !mark && look(&k, rules, &far); mark = is_mark(&k)) {
        if (far != HANDLE_NONE) sys_handle_close(far);
        drop();
    }
}

void keep(const struct socket *s) {
    if (restoring || !channel_ready()) return;
    if (put_socket(s)) live++;
    else compact();
}

void keep_again(const struct socket *s) {
    dead++; /* what is said of it there */
    keep(s);
}

void keep_forget(const struct socket *s) {
    if (restoring || !ready || s->far < 0) return;
    put(&(struct kept){.id = s->id, .generation = s->generation, .ended = true}, nullptr, HANDLE_NONE);
    if (live > 0) live--;
    dead += 2;
}

void keep_settle(void) {
    if (ready && dead > live + DEAD_MAX) compact();
}

/* --- the next instance --------------------------------------------------------------------------------- */

/* Has its program closed it meanwhile? */
static bool is_over(handle_t far) {
    struct poll_entry p = {.handle = far, .mask = EVENT_READ_HANGUP};
    return sys_event_poll(&p, 1, nullptr, 0) > 0 && p.ready & EVENT_READ_HANGUP;
}

static void options_take(struct socket *s, const struct kept *k) {
    s->ttl = k->ttl;
    s->tos = k->tos;
    s->reuse_address = k->reuse_address;
    s->reuse_port = k->reuse_port;
    s->keep_alive = k->keep_alive;
    s->only_v6 = k->only_v6;
    s->no_delay = k->no_delay;
    s->linger_on = k->linger_on;
    s->linger_s = k->linger_s;
    s->keep_idle_s = k->keep_idle_s;
    s->keep_interval_s = k->keep_interval_s;
    s->keep_count = k->keep_count;
    s->user_timeout_ms = k->user_timeout_ms;
    s->linger2_s = k->linger2_s;
    s->device = k->device;
    s->backlog = k->backlog;
}

/* far is consumed. */
static void restore(const struct kept *k, const struct inet_rule *rules, handle_t far) {
    struct socket *s = calloc(1, sizeof(*s));
    if (s) {
        *s = (struct socket){.id = k->id, .generation = k->generation, .scheme = NET_TCP, .family = k->family};
        s->type = SOCK_STREAM;
        s->protocol = k->protocol;
        s->far = far;
        s->plane = HANDLE_NONE;
        options_take(s, k);
    }
    if (!s || is_over(far) || !object_add_as(&sockets, s->id, s)) {
        sys_handle_close(far);
        free(s);
        return;
    }
    int e = limit_make(s, rules, k->rules);
    if (!e) e = port_bind(s, &k->local);
    if (!e) e = stream_listen_again(s);
    if (!e) {
        socket_watch(s, EVENT_READ_HANGUP); /* this instance may never hear of the file */
        return;
    }
    service_log("net: port %u isn't listened at any more: error %d", k->local.port, -e);
    stream_close(s);
}

static void take(const struct kept *k, const struct inet_rule *rules, handle_t far) {
    struct socket *s = object_get(&sockets, k->id);
    if (s && s->generation != k->generation) s = nullptr;
    if (!k->ended && !s && far != HANDLE_NONE) return restore(k, rules, far);
    if (far != HANDLE_NONE) sys_handle_close(far);
    if (s && k->ended) stream_close(s);
    else if (s) options_take(s, k);
}

void keep_init(void) {
    struct inet_rule rules[INET_RULES_MAX];
    struct handle_info info;
    struct timespec now;
    struct kept k;
    handle_t far;
    clock_gettime(CLOCK_MONOTONIC, &now);
    net_generation = (uint64_t)now.tv_sec << 32 | (uint64_t)now.tv_nsec;
    if (sys_handle_info(IN, &info) < 0 || sys_handle_info(OUT, &info) < 0) return;
    ready = restoring = true;
    for (bool mark = !put_mark(); !mark && look(&k, rules, &far);) {
        mark = is_mark(&k);
        bool again = k.id && put(&k, rules, far); /* first of all it is in again */
        drop();
        if (again) take(&k, rules, far);
        else if (far != HANDLE_NONE) sys_handle_close(far);
    }
    restoring = false;
    compact();
}
