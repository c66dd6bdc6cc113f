// SPDX-License-Identifier: MIT
/*
 * What a service finds at its start.  The supervisor fills the slots from HANDLE_FREE on in the order
 * of the manifest: first one handle with RIGHT_SERVE for each scheme provided, then the hardware
 * handles.  HANDLE_NAMESPACE holds the names that the service may open, HANDLE_ROOT is there only if
 * `file` is among them, HANDLE_INIT_LOG takes log records.
 */
#pragma once
#include <abi/handle.h>

#define SERVICE_SLOT(n) (HANDLE_FREE + (n)) /* n-th scheme or, after these, n-th hardware handle */
#define SERVICE_SCHEME SERVICE_SLOT(0) /* the one scheme of most services */
#define SERVICE_LOG HANDLE_INIT_LOG

/* Adds one record to the system log (printf's formats; at most 255 bytes). */
[[gnu::format(printf, 1, 2)]] void service_log(const char *format, ...);
