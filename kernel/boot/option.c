// SPDX-License-Identifier: MIT
/* Words of the kernel command line: `name` or `name=value`, separated by blanks. The last one wins. */
#include <kernel/bootinfo.h>
#include <kernel/lib.h>

bool boot_option(const struct bootinfo *b, const char *name, char *value, size_t size) {
    size_t length = strlen(name);
    bool found = false;
    for (const char *p = b->command_line; *p;) {
        size_t word = 0;
        while (p[word] && p[word] != ' ') word++;
        if (word >= length && !memcmp(p, name, length) && (word == length || p[length] == '=')) {
            found = true;
            size_t skip = min(length + 1, word), n = min(word - skip, size ? size - 1 : 0);
            if (size) {
                memcpy(value, p + skip, n);
                value[n] = 0;
            }
        }
        p += word + (p[word] == ' ');
    }
    return found;
}
