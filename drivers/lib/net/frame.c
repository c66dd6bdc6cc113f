// SPDX-License-Identifier: MIT
/* net_frame.h: entries of a client's rings, checked. */
#include <errno.h>
#include <net_frame.h>

#define TAG_BYTES 4 /* of a VLAN */
#define IP_HEADER_MIN 20
#define TCP_HEADER_MIN 20
#define HEADERS_MAX 256 /* of a frame to be segmented; the hardware's limits are near */
#define MSS_MIN 64
#define SEGMENT (NET_SEGMENT4 | NET_SEGMENT6)

static bool pool_contains(const struct net_pool_range *pool, const struct ring_entry *e) {
    return e->length > 0 && e->buffer <= pool->size && e->length <= pool->size - e->buffer;
}

int net_buffer_take(struct net_buffer *b, const struct net_pool_range *pool, const struct net_info *info,
                    const struct ring_entry *e) {
    if (!pool_contains(pool, e)) return -EFAULT;
    if (e->length < info->buffer_size || e->buffer % NET_ALIGNMENT) return -EINVAL;
    *b = (struct net_buffer){
        .physical = pool->physical + e->buffer, .tag = e->tag, .at = pool->at + e->buffer, .length = e->length};
    return 0;
}

static int segment_check(const struct net_frame *f) {
    const struct net_send *o = &f->offload;
    if ((f->flags & SEGMENT) == SEGMENT || !(f->flags & NET_CHECKSUM)) return -EINVAL;
    if (o->mss < MSS_MIN || o->header_length > HEADERS_MAX || o->header_length >= f->length) return -EINVAL;
    if (o->checksum_start < NET_HEADER + IP_HEADER_MIN || o->checksum_start + TCP_HEADER_MIN > o->header_length)
        return -EINVAL;
    return o->header_length <= f->pieces[0].length ? 0 : -EINVAL;
}

static int frame_check(const struct net_frame *f, const struct net_info *info) {
    const struct net_send *o = &f->offload;
    uint32_t allowed = (info->features & NET_CAN_CHECKSUM ? NET_CHECKSUM : 0) |
                       (info->features & NET_CAN_TSO4 ? NET_SEGMENT4 : 0) |
                       (info->features & NET_CAN_TSO6 ? NET_SEGMENT6 : 0);
    uint32_t most = NET_HEADER + (f->flags & SEGMENT ? info->segment_max : info->mtu + (uint32_t)TAG_BYTES);
    if (f->flags & ~allowed) return -EOPNOTSUPP;
    if (f->length < NET_HEADER) return -EINVAL;
    if (f->length > most) return -EMSGSIZE;
    if (f->flags & NET_CHECKSUM &&
        (o->checksum_start < NET_HEADER || (uint32_t)o->checksum_start + o->checksum_offset + 2 > f->length))
        return -EINVAL;
    return f->flags & SEGMENT ? segment_check(f) : 0;
}

static void frame_begin(struct net_frame_builder *b, const struct ring_entry *e) {
    struct net_frame *f = &b->frame;
    f->tag = e->tag;
    f->length = f->count = 0;
    f->flags = e->op & 0xffff & ~(uint32_t)NET_MORE;
    f->flow = (uint16_t)(e->op >> NET_FLOW_SHIFT);
    f->offload = net_send_unpack(e->position);
    b->begun = true;
    b->error = 0;
}

bool net_frame_add(struct net_frame_builder *b, const struct net_pool_range *pool, const struct net_info *info,
                   const struct ring_entry *e) {
    struct net_frame *f = &b->frame;
    if (!b->begun) frame_begin(b, e);
    if (!b->error && !pool_contains(pool, e)) b->error = -EFAULT;
    if (!b->error && (f->count == NET_PIECES_MAX || e->length > UINT32_MAX - f->length)) b->error = -EMSGSIZE;
    if (!b->error) {
        f->pieces[f->count++] =
            (struct net_piece){.physical = pool->physical + e->buffer, .at = pool->at + e->buffer, .length = e->length};
        f->length += e->length;
    }
    if (e->op & NET_MORE) return false;
    b->begun = false;
    if (!b->error) b->error = frame_check(f, info);
    return true;
}
