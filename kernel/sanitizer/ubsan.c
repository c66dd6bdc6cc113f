// SPDX-License-Identifier: MIT
/*
 * Undefined behaviour sanitizer: the compiler checks by itself and calls one of these when it has
 * found something. The first argument of each is a structure that begins with the place.
 */
#include <kernel/debug.h>

struct ubsan_place {
    const char *file;
    uint32_t line, column;
};

#define FOUND(kind, text)                                                                                              \
    void __ubsan_handle_##kind(const struct ubsan_place *place);                                                       \
    void __ubsan_handle_##kind(const struct ubsan_place *place) {                                                      \
        panic("ubsan: %s at %s:%u:%u", text, place->file, place->line, place->column);                                 \
    }
FOUND(type_mismatch_v1, "null pointer, or object too small")
FOUND(add_overflow, "overflow of +")
FOUND(sub_overflow, "overflow of -")
FOUND(mul_overflow, "overflow of *")
FOUND(negate_overflow, "overflow of negation")
FOUND(divrem_overflow, "division by 0 or overflow")
FOUND(shift_out_of_bounds, "shift out of bounds")
FOUND(out_of_bounds, "index out of bounds")
FOUND(local_out_of_bounds, "index out of bounds")
FOUND(pointer_overflow, "overflow of pointer arithmetic")
FOUND(builtin_unreachable, "unreachable code reached")
FOUND(missing_return, "no value returned")
FOUND(vla_bound_not_positive, "size of array not positive")
FOUND(load_invalid_value, "invalid value of bool or enum")
FOUND(invalid_builtin, "0 given to a builtin that can't take it")
FOUND(nonnull_arg, "null given as non-null argument")
FOUND(nullability_arg, "null given as non-null argument")

/* These have the place as second argument. */
#define FOUND_AT(kind, text)                                                                                           \
    void __ubsan_handle_##kind(const void *data, const struct ubsan_place *place);                                     \
    void __ubsan_handle_##kind(const void *, const struct ubsan_place *place) {                                        \
        panic("ubsan: %s at %s:%u:%u", text, place->file, place->line, place->column);                                 \
    }
FOUND_AT(nonnull_return_v1, "null returned by a non-null function")
FOUND_AT(nullability_return_v1, "null returned by a non-null function")
