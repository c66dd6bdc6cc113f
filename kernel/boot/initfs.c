// SPDX-License-Identifier: MIT
/* The first process's image, copied out of the boot module. */
#include <kernel/cpio.h>
#include <kernel/initfs.h>
#include <kernel/mm.h>

struct memory *initfs_image(struct memory *module, const char *name) {
    paddr_t start;
    size_t offset, length;
    if (!memory_is_contiguous(module, &start)) return err_ptr(-EINVAL);
    const char *archive = phys_to_virt(start);
    int e = cpio_find(archive, memory_size(module), name, &offset, &length);
    if (e) return err_ptr(e);
    struct memory *image = memory_create(length);
    if (!image) return err_ptr(-ENOMEM);
    long n = memory_write_kernel(image, archive + offset, length, 0);
    if (n == (long)length) return image;
    object_put(memory_object(image));
    return err_ptr(n < 0 ? (int)n : -EIO);
}
