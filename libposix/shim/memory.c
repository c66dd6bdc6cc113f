// SPDX-License-Identifier: MIT
/*
 * Mappings. Private memory has no object; shared anonymous memory is a memory object that only the
 * mapping keeps. A file without a memory plane (a device) is asked for an object by OP_MAP.
 */
#include "shim.h"
#include <sys/mman.h>

#define USER_BYTES TIME_PAGE /* about the size of a user address space */

/* 0 when rounding up overflows. */
static size_t page_round(size_t length) { return (length + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1); }

static unsigned vm_protection(int protection) {
    return (protection & PROT_READ ? VM_READ : 0u) | (protection & PROT_WRITE ? VM_WRITE : 0u) |
           (protection & PROT_EXEC ? VM_EXEC : 0u);
}

static unsigned vm_map_flags(int flags) {
    unsigned vm = 0;
    if (flags & MAP_SHARED) { /* MAP_SHARED_VALIDATE has this bit and MAP_PRIVATE's */
        vm |= VM_SHARED;
    }
    if (flags & MAP_FIXED) {
        vm |= VM_FIXED;
    }
    if (flags & MAP_FIXED_NOREPLACE) {
        vm |= VM_FIXED | VM_NOREPLACE;
    }
    if (flags & MAP_GROWSDOWN) {
        vm |= VM_STACK;
    }
    if (flags & MAP_POPULATE) {
        vm |= VM_POPULATE;
    }
    if (flags & MAP_LOCKED) {
        vm |= VM_LOCKED;
    }
    return vm;
}

static long map_device(uintptr_t address, size_t length, unsigned vm, int fd, uint64_t offset) {
    struct call_args call;
    call_prepare(&call, OP_MAP, vm, 0, 0);
    call.handle_flags = HANDLE_IN_UPPER;
    long error = call_send(fd, &call);
    if (error < 0) {
        return error == -ENOSYS ? -ENODEV : error;
    }
    handle_t object = call.reply.handle;
    long result = sys_vm_map(address, length, vm, object, call.reply.args[0] + offset);
    sys_handle_close(object);
    return result;
}

static long map_anonymous_shared(uintptr_t address, size_t length, unsigned vm) {
    long object = sys_memory_create(length, HANDLE_IN_UPPER << 16, HANDLE_NONE, 0);
    if (object < 0) {
        return object;
    }
    long result = sys_vm_map(address, length, vm, (handle_t)object, 0);
    sys_handle_close((handle_t)object);
    return result;
}

/* mmap of a file needs it open for reading, and for writing if shared writes are to reach it. */
static long map_file(uintptr_t address, size_t length, unsigned vm, int fd, uint64_t offset) {
    struct handle_info info;
    long error = is_fd(fd) ? sys_handle_info(fd, &info) : -EBADF;
    if (error < 0) {
        return error;
    }
    if (info.type == OBJECT_FILE) {
        unsigned access = info.status & FILE_ACCESS_MASK;
        if (access == FILE_WRITE_ONLY || (access != FILE_READ_WRITE && (vm & VM_SHARED) && (vm & VM_WRITE))) {
            return -EACCES;
        }
        unsigned plane = PLANE_OF(info);
        if (plane == PLANE_ZERO) {
            return vm & VM_SHARED ? map_anonymous_shared(address, length, vm)
                                  : sys_vm_map(address, length, vm, HANDLE_NONE, 0);
        }
        if (plane == PLANE_NONE) {
            return map_device(address, length, vm, fd, offset);
        }
        if (plane != PLANE_MEMORY) {
            return -ENODEV;
        }
    } else if (info.type != OBJECT_MEMORY) {
        return -ENODEV;
    }
    return sys_vm_map(address, length, vm, fd, offset);
}

long row_mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset) {
    uintptr_t at = (uintptr_t)address;
    size_t rounded = page_round(length);
    unsigned vm = vm_protection(protection) | vm_map_flags(flags);
    if (length == 0 || offset & (off_t)(PAGE_BYTES - 1) || !(flags & MAP_TYPE)) {
        return -EINVAL;
    }
    if (rounded == 0 || rounded > USER_BYTES) {
        return -ENOMEM;
    }
    if (!(vm & VM_FIXED)) {
        at &= ~(PAGE_BYTES - 1); /* a hint */
    } else if (at & (PAGE_BYTES - 1)) {
        return -EINVAL;
    }
    if (!(flags & MAP_ANONYMOUS)) {
        return map_file(at, rounded, vm, fd, (uint64_t)offset);
    }
    return vm & VM_SHARED ? map_anonymous_shared(at, rounded, vm) : sys_vm_map(at, rounded, vm, HANDLE_NONE, 0);
}

/* Checks a range of an existing mapping: 0, or -errno. */
static long range_check(const void *address, size_t length, long overflow) {
    if ((uintptr_t)address & (PAGE_BYTES - 1)) {
        return -EINVAL;
    }
    return length && !page_round(length) ? overflow : 0;
}

long row_munmap(void *address, size_t length) {
    long error = length ? range_check(address, length, -EINVAL) : -EINVAL;
    return error < 0 ? error : sys_vm_unmap((uintptr_t)address, page_round(length));
}

long row_mprotect(void *address, size_t length, int protection) {
    long error = range_check(address, length, -ENOMEM);
    if (error < 0 || length == 0) {
        return error;
    }
    return sys_vm_protect((uintptr_t)address, page_round(length), vm_protection(protection));
}

long row_mremap(void *address, size_t old_length, size_t length, int flags, void *new_address) {
    uint32_t native = 0;
    if ((uintptr_t)address & (PAGE_BYTES - 1) || !page_round(length) || flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED)) {
        return -EINVAL;
    }
    if (flags & MREMAP_MAYMOVE) {
        native |= 1;
    }
    if (flags & MREMAP_FIXED) {
        native |= 2;
    }
    return sys_vm_remap((uintptr_t)address, page_round(old_length), page_round(length), native, (uintptr_t)new_address);
}

static long advise(const void *address, size_t length, unsigned advice, unsigned char *out) {
    long error = range_check(address, length, -ENOMEM);
    if (error < 0 || length == 0) {
        return error;
    }
    error = sys_vm_advise((uintptr_t)address, page_round(length), advice, out);
    return error == -EINVAL ? -ENOMEM : error; /* only the range can be bad: there is nothing beyond user memory */
}

long row_madvise(void *address, size_t length, int advice) {
    switch (advice) {
    case MADV_NORMAL:
    case MADV_RANDOM:
    case MADV_SEQUENTIAL: return range_check(address, length, -EINVAL);
    case MADV_DONTNEED:
    case MADV_FREE: return advise(address, length, VM_DONTNEED, nullptr);
    case MADV_WILLNEED: return advise(address, length, VM_WILLNEED, nullptr);
    default: return -EINVAL;
    }
}

long row_mincore(void *address, size_t length, unsigned char *out) { return advise(address, length, VM_RESIDENT, out); }

long row_msync(void *address, size_t length, int flags) {
    if (flags & ~(MS_ASYNC | MS_SYNC | MS_INVALIDATE) || (flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC)) {
        return -EINVAL;
    }
    return advise(address, length, VM_SYNC, nullptr);
}

/* mlock works on the pages that contain the range. */
static long lock_range(const void *address, size_t length, unsigned advice) {
    uintptr_t start = (uintptr_t)address & ~(PAGE_BYTES - 1);
    length += (uintptr_t)address - start;
    return advise((const void *)start, length, advice, nullptr);
}

long row_mlock(const void *address, size_t length) { return lock_range(address, length, VM_LOCK); }

long row_mlock2(const void *address, size_t length, unsigned flags) {
    return flags & ~(unsigned)MLOCK_ONFAULT ? -EINVAL : lock_range(address, length, VM_LOCK);
}

long row_munlock(const void *address, size_t length) { return lock_range(address, length, VM_UNLOCK); }

/* Private memory is never paged out, so all of it is as good as locked. */
long row_mlockall(int flags) { return flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) || !flags ? -EINVAL : 0; }

long row_munlockall(void) { return 0; }

/* malloc does without: it maps. */
long row_brk(void *end) { return -ENOMEM; }
