// SPDX-License-Identifier: MIT
/* Inside the class library of network drivers. */
#pragma once
#include <net.h>
#include <service.h>

enum file_kind_of { FILE_CARD = 1, FILE_STATS, FILE_CAPTURE };

struct capture;
struct net_file {
    struct net_file *next;
    uint64_t id;
    enum file_kind_of what;
    bool inert; /* opened with O_PATH: nothing is done through it */
    bool reopened; /* by the next instance */
    struct capture *capture; /* of a FILE_CAPTURE */
};

struct session { /* the one client's */
    const struct net_file *file; /* null: none */
    struct dma pool;
    struct net_pool_range range; /* the part of it that was asked for */
    handle_t rings_memory, event; /* event: the client's */
    struct net_memory *rings;
    size_t rings_size;
    uint32_t send_entries, receive_entries;
    struct ring send, receive;
    struct net_frame_builder builder;
    struct net_buffer buffer;
    bool frame_ready, buffer_ready; /* not yet taken by the driver */
    bool given; /* to the driver since its last kick */
    bool news; /* for the client, not yet published */
    bool broken;
};

struct net_private {
    struct net_file *files;
    struct session session;
    struct capture *captures;
    struct scheme_queue filter_waiters;
    handle_t doorbell; /* what the client gets of the bound event */
    uint64_t next_id;
};

static inline struct net_device *device_of(struct scheme *s) { return s->server; }
static inline struct session *session_of(struct net_device *d) { return &d->private->session; }

/* --- session.c --- */
int64_t session_pool(struct net_device *d, const struct net_file *f, struct port_buffer *call);
int64_t session_rings(struct net_device *d, const struct net_file *f, struct port_buffer *call);
int64_t session_start(struct net_device *d, const struct net_file *f, struct port_buffer *call);
void session_end(struct net_device *d);
/* Takes what the client has put into its rings, as much as the driver has room for. */
void session_pump(struct net_device *d);
/* Tells it what has come and gone. */
void session_publish(struct net_device *d);

/* --- capture.c --- */
[[nodiscard]] struct capture *capture_create(struct net_device *d);
void capture_destroy(struct net_device *d, struct capture *c);
int64_t capture_read(struct scheme *s, struct capture *c, struct port_buffer *call);
int64_t capture_watch(struct capture *c, uint64_t id, uint32_t wanted);
void capture_sent(struct net_device *d, const struct net_frame *f);
void capture_received(struct net_device *d, const uint8_t *at, uint32_t length, bool more);
/* Wakes the readers of what came in this turn. */
void captures_publish(struct net_device *d);

/* --- file.c --- */
extern const struct scheme_ops net_scheme_ops;
