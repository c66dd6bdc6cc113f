// SPDX-License-Identifier: MIT
/*
 * Prototypes of the system call functions, from the one list.  Pointers are raw user addresses; where the list states
 * the object that a handle must refer to, the function is given the object instead of the handle.
 */
#pragma once
#include <abi/syscall.h>
#include <kernel/handle.h>

/* A handle of the caller to a new object; consumes the reference. */
MUST_CHECK static inline handle_t object_install(struct object *o, uint32_t rights, uint32_t flags) {
    object_handle_get(o);
    object_put(o);
    return handle_install(o, rights, flags);
}

#define CALL(n, name, ...) long sys_##name(SYSCALL_PARAMETERS(__VA_ARGS__));
#define OBJECT(n, name, type, rights, t1, ...) CALL(n, name, struct object *, __VA_ARGS__)
#include <abi/syscalls.def>
