// SPDX-License-Identifier: MIT
/*
 * Frames one after the other, each with two bytes before it: its length, whether its checksum is known to be right, and
 * whether IPv4's is made right here. What is made of them has no byte that no frame had, and lengths that are true.
 */
#include <coalesce.h>
#include <lwip/priv/tcp_priv.h>
#include <segment.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
uint32_t segment_limit(const struct netif *n, bool is_v6) { return 0; }

static void expect(bool condition) {
    if (!condition) abort();
}

static uint32_t delivered;

static void deliver(struct pbuf *p) {
    uint32_t length = 0;
    for (const struct pbuf *q = p; q; q = q->next) {
        expect(q->tot_len == p->tot_len - length && (q->next || q->len == q->tot_len));
        length += q->len;
    }
    expect(length == p->tot_len);
    const uint8_t *h = p->payload;
    if (p->next) {
        bool v6 = h[12] == 0x86;
        uint32_t ip = v6 ? 40u + (uint32_t)(h[18] << 8 | h[19]) : (uint32_t)(h[16] << 8 | h[17]);
        expect(ip + 14 == length && (v6 || net_checksum(h + 14, 20) == 0xffff));
    }
    delivered += length;
    pbuf_free(p);
}

static void held_deliver(struct coalesce *c) {
    for (struct pbuf *p; (p = coalesce_take(c));) deliver(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct tcp_pcb waits = {.remote_port = 1000, .local_port = 80, .rcv_nxt = 100};
    waits.remote_ip = (ip_addr_t)IPADDR4_INIT_BYTES(10, 0, 0, 1);
    waits.local_ip = (ip_addr_t)IPADDR4_INIT_BYTES(10, 0, 0, 2);
    tcp_active_pcbs = &waits;
    struct coalesce held = {};
    uint32_t given = 0;
    delivered = 0;
    while (size > 2) {
        bool checked = data[0] & 1, repair = data[0] & 2;
        size_t length = (size_t)(data[0] >> 2) << 8 | data[1];
        data += 2;
        size -= 2;
        if (length > size) length = size;
        struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)length, PBUF_RAM);
        uint8_t *h = p->payload;
        memcpy(h, data, length);
        if (repair && length >= 34) {
            memset(h + 24, 0, 2);
            uint16_t sum = (uint16_t)~net_checksum(h + 14, 20);
            memcpy(h + 24, &sum, 2);
        }
        data += length;
        size -= length;
        given += (uint32_t)length;
        if (coalesce_add(&held, p, checked)) continue;
        held_deliver(&held);
        if (!coalesce_add(&held, p, checked)) deliver(p);
    }
    held_deliver(&held);
    expect(delivered <= given && !held.first);
    return 0;
}
