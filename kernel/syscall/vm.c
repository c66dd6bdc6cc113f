// SPDX-License-Identifier: MIT
/* System calls on the caller's address space. */
#include <kernel/file.h>
#include <kernel/handle.h>
#include <kernel/space.h>
#include <kernel/syscall.h>

#define MAP_FLAGS                                                                                                      \
    (VM_READ | VM_WRITE | VM_EXEC | VM_SHARED | VM_FIXED | VM_NOREPLACE | VM_STACK | VM_POPULATE | VM_LOCKED)

/* The memory behind h with a reference, and what the handle's rights forbid the mapping ever to be. */
static int map_object(handle_t h, uint32_t flags, struct memory **out, uint32_t *deny) {
    struct object *o;
    uint32_t rights;
    int e = handle_lookup(h, 0, 0, &o, &rights);
    if (e) return e;
    *deny = (rights & RIGHT_WRITE || !(flags & VM_SHARED) ? 0 : VM_DENY_WRITE) |
            (rights & RIGHT_MAP_EXEC ? 0 : VM_DENY_EXEC);
    e = rights & RIGHT_READ ? object_memory(o, out) : -EACCES;
    object_put(o);
    return e;
}

long sys_vm_map(uintptr_t address, size_t length, uint32_t flags, handle_t h, uint64_t offset) {
    struct memory *m = nullptr;
    uint32_t deny = 0;
    if (flags & ~(uint32_t)MAP_FLAGS) return -EINVAL;
    if (h == HANDLE_NONE) {
        offset = 0;
    } else {
        int e = map_object(h, flags, &m, &deny);
        if (e) return e;
    }
    long result = space_map(space_current(), address, length, flags | deny, m, offset);
    if (m) {
        if (result > 0) memory_accessed(m);
        object_put(memory_object(m));
    }
    return result;
}

long sys_vm_unmap(uintptr_t address, size_t length) { return space_unmap(space_current(), address, length); }

long sys_vm_protect(uintptr_t address, size_t length, uint32_t prot) {
    return space_protect(space_current(), address, length, prot);
}

long sys_vm_remap(uintptr_t address, size_t old_length, size_t new_length, uint32_t flags, uintptr_t new_address) {
    if (flags & ~(uint32_t)(REMAP_MAY_MOVE | REMAP_FIXED)) return -EINVAL;
    return space_remap(space_current(), address, old_length, new_length, flags, new_address);
}

long sys_vm_advise(uintptr_t address, size_t length, uint32_t advice, uint8_t *out) {
    return space_advise(space_current(), address, length, advice, (uaddr_t)out);
}
