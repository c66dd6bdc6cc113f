// SPDX-License-Identifier: MIT
#include "proc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool text_reserve(struct text *t, size_t more) {
    if (t->length + more < t->capacity) return true;
    size_t capacity = (t->length + more + 1) * 2 + 256;
    char *bytes = realloc(t->bytes, capacity);
    if (!bytes) return false;
    t->bytes = bytes;
    t->capacity = capacity;
    return true;
}

void text_append(struct text *t, const void *bytes, size_t size) {
    if (!text_reserve(t, size)) return;
    memcpy(t->bytes + t->length, bytes, size);
    t->length += size;
}

void text_add(struct text *t, const char *format, ...) {
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (length > 0) text_append(t, line, (size_t)length < sizeof(line) ? (size_t)length : sizeof(line) - 1);
}

void text_free(struct text *t) {
    free(t->bytes);
    *t = (struct text){};
}
