// SPDX-License-Identifier: MIT
/* What is mounted where, as /proc/mounts tells (fstab(5): source, place, type, options), in the order of mounting. */
#include "init.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct mount_line {
    struct mount_line *next;
    char *place; /* as it is */
    size_t length;
    char text[];
};
static struct mount_line *lines;

/* Blanks and backslashes as fstab(5) has them: the end. */
static char *escape(char *out, const char *word) {
    for (; *word; word++) {
        if (strchr(" \t\n\\", *word)) out += sprintf(out, "\\%03o", (unsigned char)*word);
        else *out++ = *word;
    }
    *out = 0;
    return out;
}

void mount_table_remove(const char *place) {
    for (struct mount_line **at = &lines, *l; (l = *at); at = &l->next) {
        if (strcmp(l->place, place) != 0) continue;
        *at = l->next;
        free(l->place);
        free(l);
        return;
    }
}

void mount_table_add(const char *source, const char *place, const char *type, bool read_only) {
    size_t room = 4 * (strlen(source) + strlen(place) + strlen(type)) + 32;
    struct mount_line *l = malloc(sizeof(*l) + room), **end = &lines;
    mount_table_remove(place);
    if (!l || !(l->place = strdup(place))) return free(l);
    char *at = escape(l->text, source);
    *at++ = ' ';
    at = escape(at, place);
    *at++ = ' ';
    at = escape(at, type);
    at = stpcpy(at, read_only ? " ro,relatime 0 0\n" : " rw,relatime 0 0\n");
    l->length = (size_t)(at - l->text);
    l->next = nullptr;
    while (*end) end = &(*end)->next;
    *end = l;
}

int64_t mount_table_read(struct port_buffer *call) {
    size_t size = 0;
    for (const struct mount_line *l = lines; l; l = l->next) size += l->length;
    char *text = malloc(size + 1), *at = text;
    if (!text) return -ENOMEM;
    for (const struct mount_line *l = lines; l; l = l->next) at = mempcpy(at, l->text, l->length);
    int64_t result = reply_text(call, text, size);
    free(text);
    return result;
}
