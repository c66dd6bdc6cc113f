// SPDX-License-Identifier: MIT
/* What lwIP asks of its environment. */
#pragma once
#include <endian.h>
#include <stddef.h>
#include <stdint.h>

[[noreturn]] void lwip_broken(const char *what, const char *file, int line);
uint32_t lwip_random(void);

uint16_t net_checksum(const void *data, int size); /* checksum.c */
#define LWIP_CHKSUM net_checksum

/* memory.c */
void *net_malloc(size_t size);
void *net_calloc(size_t count, size_t size);
void net_free(void *p);
#define mem_clib_malloc net_malloc
#define mem_clib_calloc net_calloc
#define mem_clib_free net_free

#define lwip_htons(x) __builtin_bswap16(x)
#define lwip_htonl(x) __builtin_bswap32(x)
#define LWIP_RAND() lwip_random()
#define LWIP_PLATFORM_DIAG(x) ((void)0)
#define LWIP_PLATFORM_ASSERT(what) lwip_broken(what, __FILE__, __LINE__)
