// SPDX-License-Identifier: MIT
/*
 * A network card as the tests use it: frames of one kind, told apart by a number, whose every byte follows from it.
 * Those that arrive are checked, and that none comes twice; which are missing is the test's to judge. QEMU's hub may
 * change their order: what waits for a buffer is overtaken.
 */
#pragma once
#include "native.h"
#include <netdev.h>

#define ENTRIES 256u
#define BUFFER 2048u
#define POOL (2 * ENTRIES * BUFFER)
#define FRAME_MIN 60u
#define FRAME_MAX 1514u
#define NUMBERS_MAX 32768u /* of a test's frames */
#define ETHERTYPE 0x88b5 /* IEEE 802, for experiments */

struct port {
    struct netdev dev;
    unsigned buffers; /* to be kept posted */
    unsigned posted;
    bool slots[ENTRIES]; /* of sending: in use */
    bool empty[ENTRIES]; /* buffers that aren't posted */
    unsigned sending;
    uint64_t sent, sent_lost; /* frames that came back from sending: with 0; with -ENETRESET */
    uint64_t received, highest, others, returned; /* highest: number; others: frames of another kind */
    unsigned hellos; /* of this round: they have `hello_length` bytes */
    uint32_t hello_length;
    uint8_t seen[NUMBERS_MAX / 8];
    uint64_t received_bytes;
    void (*other)(struct port *p, const struct netdev_received *r, const uint8_t *frame);
    unsigned links; /* changes */
    int error; /* of the last frame that was refused */
};

/* The card's path: /dev/ethN. */
const char *port_path(unsigned number);
/* Opens /dev/ethN, posts `buffers`, starts at frame number 1. */
void port_open(struct port *p, unsigned number, unsigned buffers);
void port_open_shared(struct port *p, unsigned number, unsigned buffers, const struct netdev *share);
/* Both, and they hear each other. */
void ports_open(struct port *a, struct port *b);
/* Waits until frames come through both ways: a card may take a second after a reset (QEMU's e1000 does). Whatever was
 * sent before has come then, or never will. */
void ports_hello(struct port *a, struct port *b);
void port_post(struct port *p);
/* The frame with this number, in `pieces` pieces; its length follows from it, or is `length`. -EAGAIN: later. */
int port_send(struct port *p, const struct port *to, uint64_t number, uint32_t length, unsigned pieces);
uint32_t frame_length(uint64_t number);
/* Waits at most 50 ms for something at either. */
void ports_turn(struct port *a, struct port *b);
/* Until a has no more frames under way and nothing has come for `quiet_ms`. */
void ports_settle(struct port *a, struct port *b, int64_t quiet_ms);
uint64_t port_counter(unsigned number, const char *name);
/* Kills the driver of /dev/ethN. */
void driver_kill(unsigned number);
struct net_statistics port_statistics(struct port *p);
