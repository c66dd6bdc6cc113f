// SPDX-License-Identifier: MIT
/*
 * The link to the host over a serial line.  Frames: type (1 byte), payload length (2 bytes, little
 * endian), payload.
 *
 *   guest to host               host to guest
 *   'W' credit for 'I'          'C' the command line, once, first
 *   'O' stdout, 'E' stderr      'I' stdin; an empty one is its end
 *   'X' exit status (1 byte)    'W' credit for 'O' and 'E'
 *
 * A credit is a 4-byte number of payload bytes of I, or of O and E together, that may be sent
 * beside those of earlier credits.  Payloads of I, O and E are at most 4,096 bytes.  The guest
 * begins, with the mark LINK_SYNC (firmware may have printed on the line before) and its first
 * credit.  What stdin held before the start came as the file EARLY_STDIN; 'I' goes on where that ends.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EARLY_STDIN "/run/exec.stdin"
#define LINK_SYNC "\0cathode\1"
#define LINK_SYNC_SIZE 9
#define LINK_DATA_MAX 4096
#define LINK_FRAME_MAX (3 + 0xffff)
#define LINK_WINDOW 65536 /* of stdin */

struct link {
    int fd; /* not blocking */
    uint64_t credit; /* bytes of O and E that may be sent */
    char *command; /* set by 'C' */
    size_t received, sending; /* bytes in the buffers */
    size_t input_at, input_count; /* of stdin, waiting in `input` */
    bool input_end; /* nothing comes after these */
    bool broken; /* the line is gone, or the host sent nonsense */
    uint8_t in[LINK_FRAME_MAX];
    uint8_t out[LINK_WINDOW];
    uint8_t input[LINK_WINDOW];
};

/* Says hello on `fd`. */
void link_init(struct link *l, int fd);
/* Takes what the line has, interprets the whole frames among it. */
void link_receive(struct link *l);
/* Sends what the line takes. */
void link_flush(struct link *l);
/* Bytes that one link_send of O or E may have now; 0: wait. */
size_t link_room(const struct link *l);
/* Queues a frame; for O and E at most link_room bytes. */
void link_send(struct link *l, char type, const void *payload, size_t length);
/* `count` bytes of input were used: the host may send as many again (with the next link_flush). */
void link_input_done(struct link *l, size_t count);
