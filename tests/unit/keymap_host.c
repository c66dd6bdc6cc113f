// SPDX-License-Identifier: MIT
/* For keymap_test.py: lines "KEY VALUE" on stdin, the symbols that each types on stdout. */
#include <keymap.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
    unsigned key;
    int value;
    struct keys k = {.map = argc > 1 ? keymap_find(argv[1], strlen(argv[1])) : nullptr};
    if (!k.map) return 2;
    while (scanf("%u %d", &key, &value) == 2) {
        uint16_t out[KEYS_SYMBOLS_MAX];
        size_t count = keys_event(&k, (uint16_t)key, value, out);
        for (size_t i = 0; i < count; i++) printf("%x ", out[i]);
        printf("\n");
    }
    return 0;
}
