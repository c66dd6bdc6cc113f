// SPDX-License-Identifier: MIT
/*
 * lwIP's memory. With a card that of packets comes from the pool that cards read themselves, so that nothing has to be
 * copied for sending; without, or when that is used up, from memory of our own, as all else does. Classes of sizes with
 * free lists: what comes and goes with each packet costs a few instructions.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

void *net_malloc(size_t size); /* for packets */
void *net_own_malloc(size_t size); /* for structures: connections, segments */
void *net_calloc(size_t count, size_t size);
void net_free(void *p);
/* The pool; and a piece of it for good (page-aligned), null: not so much left. */
void pool_give(uint8_t *pool, size_t size);
void *pool_take(size_t size);
/* The pool has so much left, and some for smaller pieces; true without a card, too. */
bool pool_has(size_t size);
