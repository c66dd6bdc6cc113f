// SPDX-License-Identifier: MIT
/* Namespaces: scheme names a process can open. Names are without the colon. kernel/ipc/namespace.c */
#pragma once
#include <kernel/scheme.h>

#define NAMESPACE_NAME_MAX 32
struct namespace;
struct namespace *namespace_create(void); /* one reference; null: no memory */
struct object *namespace_object(struct namespace *n);
struct namespace *namespace_of(struct object *o); /* o is an OBJECT_NAMESPACE */
struct scheme *namespace_find(struct namespace *n, const char *name); /* a reference, or null */
MUST_CHECK int namespace_bind(struct namespace *n, const char *name, struct scheme *s); /* -EEXIST, -ENOMEM */
MUST_CHECK int namespace_unbind(struct namespace *n, const char *name); /* -ENOENT */
MUST_CHECK int namespace_clone(struct namespace *from, struct namespace **out);
size_t namespace_list(struct namespace *n, char *out, size_t size); /* NUL-separated names; bytes used */
