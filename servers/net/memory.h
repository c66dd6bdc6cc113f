// SPDX-License-Identifier: MIT
/*
 * lwIP's memory.  With a card it comes from the pool that cards read themselves, so that nothing has to be
 * copied for sending; without, or when that is used up, from memory of our own.  Classes of sizes with free
 * lists: what comes and goes with each packet costs a few instructions.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

void *net_malloc(size_t size);
void *net_calloc(size_t count, size_t size);
void net_free(void *p);
/* The pool; and a piece of it for good (page-aligned), null: not so much left. */
void pool_give(uint8_t *pool, size_t size);
void *pool_take(size_t size);
/* net_malloc() would take it from the pool; true without a card, too. */
bool pool_has(size_t size);
